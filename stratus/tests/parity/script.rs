//! Who does what and when, whatever the stage.

use std::time::Duration;

use bytes::Bytes;
use stratus::{Capabilities, GroupSpecifier, Identity, Kind, PeerId, Piece, PieceFlags};

use crate::record::Chronicle;

pub(crate) const MEMBERS: usize = 7;
/// Joins first; the others enter through it. It publishes.
pub(crate) const PUBLISHER: usize = 0;
/// Plays before there is anything to play.
const EARLY: usize = 1;
const VIEWER: usize = 2;
/// Stops playing in the middle, and begins again later.
const QUITTER: usize = 3;
/// Vanishes in the middle without a word.
pub(crate) const VICTIM: usize = 4;
/// Never plays.
const BYSTANDER: usize = 5;
/// Joins in the middle.
const LATE: usize = 6;

pub(crate) const STREAM: &str = "cam";
/// Messages of the first part and of all parts.
pub(crate) const FIRST_PART: u32 = 40;
const ALL: u32 = 150;
/// The newest of these is where a newcomer starts. The third is the last before somebody joins.
const KEYS: [u32; 3] = [0, FIRST_PART, 60];
const MESSAGE_PERIOD: Duration = Duration::from_millis(25);

/// How long a stage may take to reach a state; one step of looking.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// What is done by or to a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// Enters the group: the first one alone, the others by way of the first.
    Join(usize),
    Publish,
    /// The publisher writes this message.
    Write(u32),
    Unpublish,
    Play(usize),
    Stop(usize),
    /// Gone without a word.
    Kill(usize),
}

/// States that the script waits for, so that nothing depends on how fast a machine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// All living members are linked with each other, and with nobody else.
    Meshed,
    /// All living members know of the stream.
    Announced,
    /// All who play have found the stream.
    Started,
    /// All who play have played up to this message.
    Played(u32),
    /// All who play are at the end, and the publisher knows.
    Ended,
}

enum Step {
    Do(Act),
    Wait(Duration),
    Until(State),
}

/// Where the script is played.
pub(crate) trait Stage {
    fn act(&mut self, act: Act);
    /// Lets time pass.
    fn wait(&mut self, time: Duration);
    /// What the members have seen so far.
    fn look<T>(&self, at: impl FnOnce(&Chronicle) -> T) -> T;
}

/// Plays the script; gives what the members have seen.
pub(crate) fn play(stage: &mut impl Stage) -> Chronicle {
    let mut cast = Cast::default();
    for step in steps() {
        match step {
            Step::Do(act) => {
                cast.note(act);
                stage.act(act);
            }
            Step::Wait(time) => stage.wait(time),
            Step::Until(state) => wait_until(stage, &cast, state),
        }
    }
    stage.look(Chronicle::clone)
}

fn wait_until(stage: &mut impl Stage, cast: &Cast, state: State) {
    let mut waited = Duration::ZERO;
    while !stage.look(|chronicle| chronicle.is_in(state, cast)) {
        assert!(waited < PATIENCE, "not {state:?} in time:\n{}", stage.look(Chronicle::to_string));
        stage.wait(LOOK);
        waited += LOOK;
    }
}

fn steps() -> Vec<Step> {
    use Step::{Do, Until, Wait};
    let pause = || Wait(Duration::from_millis(300));
    let mut steps = Vec::new();
    for member in [PUBLISHER, EARLY, VIEWER, QUITTER, VICTIM, BYSTANDER] {
        steps.extend([Do(Act::Join(member)), Wait(Duration::from_millis(100))]);
    }
    steps.extend([Until(State::Meshed), Do(Act::Play(EARLY)), pause(), Do(Act::Publish)]);
    steps.extend([Until(State::Announced), Until(State::Started)]);
    steps.extend([
        Do(Act::Play(VIEWER)),
        Do(Act::Play(QUITTER)),
        Do(Act::Play(VICTIM)),
        Until(State::Started),
    ]);
    // Finding a stream is one thing, a place to start in it another, which nobody is told of.
    steps.push(pause());
    steps.extend(writes(0..FIRST_PART));
    steps.extend([Until(State::Played(FIRST_PART - 1)), Do(Act::Stop(QUITTER)), pause()]);
    steps.extend(writes(FIRST_PART..50));
    steps.push(Do(Act::Kill(VICTIM)));
    steps.extend(writes(50..100));
    // The newcomer starts at the newest key message that whomever it asks has.
    steps.extend([
        Until(State::Played(80)),
        Do(Act::Join(LATE)),
        Do(Act::Play(LATE)),
        Do(Act::Play(QUITTER)),
    ]);
    steps.extend(writes(100..ALL));
    steps.extend([Until(State::Meshed), Until(State::Played(ALL - 1)), Do(Act::Unpublish)]);
    steps.extend([Until(State::Ended), pause()]);
    steps
}

fn writes(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Step> {
    numbers.flat_map(|number| [Step::Do(Act::Write(number)), Step::Wait(MESSAGE_PERIOD)])
}

/// Who is there and who plays.
#[derive(Default)]
pub(crate) struct Cast {
    living: Vec<usize>,
    players: Vec<usize>,
}

impl Cast {
    fn note(&mut self, act: Act) {
        match act {
            Act::Join(member) => self.living.push(member),
            Act::Play(member) => self.players.push(member),
            Act::Stop(member) => self.players.retain(|player| *player != member),
            Act::Kill(member) => {
                self.living.retain(|living| *living != member);
                self.players.retain(|player| *player != member);
            }
            Act::Publish | Act::Write(_) | Act::Unpublish => {}
        }
    }

    pub(crate) fn living(&self) -> &[usize] {
        &self.living
    }

    pub(crate) fn players(&self) -> &[usize] {
        &self.players
    }
}

/// The group, without the address of any of its members.
pub(crate) fn group() -> GroupSpecifier {
    GroupSpecifier::new("parity")
        .unwrap()
        .make_unique([3; 32])
        .capabilities(Capabilities::services())
        .publish_key_seed([50; 32])
}

pub(crate) fn identity(member: usize) -> Identity {
    Identity::from_seed([member as u8 + 100; 32])
}

/// The number of the member that is `peer`.
pub(crate) fn member(peer: &PeerId) -> usize {
    let is_it = |member: &usize| identity(*member).peer() == *peer;
    (0..MEMBERS).find(is_it).expect("only members of the script are met")
}

/// A message of the script, in the pieces in which it is written.
pub(crate) struct Written {
    /// Index of the first piece in the stream.
    pub(crate) index: u64,
    pub(crate) kind: Kind,
    pub(crate) is_key: bool,
    pub(crate) payload: Bytes,
    pub(crate) pieces: Vec<Piece>,
}

/// All messages, in order.
pub(crate) fn messages() -> Vec<Written> {
    let mut index = 0;
    (0..ALL)
        .map(|number| {
            let written = message(number, index);
            index += written.pieces.len() as u64;
            written
        })
        .collect()
}

/// Messages of every sort: none and many bytes, one piece and many, inside a manifest and beside it.
fn message(number: u32, index: u64) -> Written {
    let lengths = [1_128, 40, 5_000, 0, 1_129, 300, 12_000];
    let length = lengths[number as usize % lengths.len()];
    let payload: Bytes = (0..length).map(|place| (number as usize * 7 + place % 251) as u8).collect();
    let is_key = KEYS.contains(&number);
    let kind = [Kind::Video, Kind::Audio, Kind::Data][number as usize % 3];
    let count = length.div_ceil(1_128).max(1);
    let pieces = (0..count).map(|n| {
        let is_end = n + 1 == count;
        let flags = PieceFlags { is_start: n == 0, is_end, is_key, kind };
        Piece { payload: payload.slice(n * 1_128..length.min((n + 1) * 1_128)), flags, flush: is_end }
    });
    Written { index, kind, is_key, pieces: pieces.collect(), payload }
}
