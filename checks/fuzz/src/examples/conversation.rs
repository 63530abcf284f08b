use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Fate, Net, NetConfig, Passing, peer};
use stratus_core::{Cx, DirectVerify, PeerId, Rng, Time, Wire, drive};
use stratus_multicast::{self as multicast, Kind, Overrides, Parameters, Piece, PieceFlags, StreamId};
use stratus_node::journal::Recorder;
use stratus_node::{Command, Input, Message, Node};
use stratus_overlay as overlay;
use stratus_posting as posting;

use super::MOST_ALIKE;
use crate::journal;
use crate::life::{self, OWN};

/// Members besides the one that the entry points play.
const OTHERS: u64 = 4;

/// A message, when and by whom.
#[derive(Clone)]
struct Said {
    at: Time,
    from: PeerId,
    to: PeerId,
    message: Message,
}

/// What members of one small group said to each other while one of them published and the others watched.
pub(super) struct Conversation {
    said: Vec<Said>,
}

impl Conversation {
    /// Holds one of two seconds; a message is written each `gap` milliseconds.
    pub(super) fn hold(gap: u64) -> Self {
        let log: Rc<RefCell<Vec<Said>>> = Rc::default();
        let mut net: Net<Node> = Net::new(7, NetConfig::default()).untraced();
        let writing = log.clone();
        net.tap(move |passing: &Passing<'_, Message>| {
            let Passing { at, from, to, message, .. } = *passing;
            writing.borrow_mut().push(Said { at, from, to, message: message.clone() });
            Fate::Pass
        });
        let members: Vec<u64> = (1..=OTHERS).chain([OWN]).collect();
        for number in &members {
            net.add(&format!("n{number}"), peer(*number), life::node(*number));
        }
        for number in &members[1..] {
            // Before it knows anybody, so that it asks by name.
            let watch = multicast::Command::Subscribe { name: life::name(0) };
            net.command(peer(*number), Command::Multicast(watch));
            let record = net.machine(&peer(1)).overlay().own_record().clone();
            net.command(peer(*number), Command::Overlay(overlay::Command::Bootstrap(vec![record])));
        }
        // Longer than anybody waits for an answer to that.
        net.run_for(Duration::from_millis(600));
        publish(&mut net, gap);
        net.command(peer(2), Command::Multicast(multicast::Command::Unsubscribe { name: life::name(0) }));
        net.command(peer(1), Command::Multicast(multicast::Command::Unpublish(stream())));
        net.run_for(Duration::from_millis(300));
        net.stop(peer(3));
        net.run_for(Duration::from_millis(200));
        drop(net);
        let said = log.borrow().clone();
        Self { said }
    }

    /// What was said to the member that the entry points play, with links before it, as bytes of a life.
    pub(super) fn as_life(&self) -> Vec<u8> {
        let mut bytes = vec![4, 4];
        let mut linked = BTreeSet::new();
        let mut now = Time::ZERO;
        for (at, number, message) in self.heard() {
            bytes.extend(waiting(at.since(now)));
            now = at;
            if linked.insert(number) {
                bytes.extend([0, number - 1]);
            }
            let whole = message.to_bytes();
            // Of routing a life hears nothing but by chance.
            let code = whole[0] + 1;
            if let Ok(length) = u16::try_from(whole.len() - 1)
                && length < 2_048
                && code <= 4
            {
                bytes.extend([code, number - 1]);
                bytes.extend(length.to_be_bytes());
                bytes.extend(&whole[1..]);
            }
        }
        bytes
    }

    /// The same as a journal.
    pub(super) fn as_journal(&self) -> Vec<u8> {
        let mut recorder = Recorder::new(&journal::header(), 1 << 20);
        let mut node = life::node(OWN);
        let mut rng = Rng::from_seed(journal::SEED);
        let mut linked = BTreeSet::new();
        let mut turn = |at: Time, input: Input| {
            recorder.begin(at, Some(&input));
            let mut out = Vec::new();
            drive(&mut node, &mut Cx { now: at, rng: &mut rng, verify: &DirectVerify }, input, &mut out);
            recorder.end(&out, &node.overlay().own_record().to_bytes());
        };
        let watch = multicast::Command::Subscribe { name: life::name(0) };
        turn(Time::ZERO, Input::Command(Command::Multicast(watch)));
        for (at, number, message) in self.heard() {
            let from = peer(u64::from(number));
            if linked.insert(number) {
                turn(at, Input::Connected(from));
            }
            turn(at, Input::Received { from, message });
        }
        recorder.take()
    }

    /// What was said to the member that the entry points play: when, by which number, what.
    fn heard(&self) -> impl Iterator<Item = (Time, u8, Message)> + '_ {
        let numbers: BTreeMap<PeerId, u8> =
            (1..=OTHERS).map(|number| (peer(number), u8::try_from(number).expect("few"))).collect();
        let own = peer(OWN);
        self.said
            .iter()
            .filter(move |said| said.to == own)
            .map(move |said| (said.at, numbers[&said.from], said.message.clone()))
    }
}

fn stream() -> StreamId {
    StreamId(life::stream_key(0).public())
}

fn publish(net: &mut Net<Node>, gap: u64) {
    let wanted = multicast::Publish {
        key: life::stream_key(0),
        name: life::name(0),
        authorization: None,
        parameters: Parameters::from(&multicast::Config::default()),
        began: 0,
        wishes: Overrides::default(),
    };
    net.command(peer(1), Command::Multicast(multicast::Command::Publish(Box::new(wanted))));
    for number in 0..1_500 / gap {
        let flags = PieceFlags { is_start: true, is_end: true, is_key: number % 4 == 0, kind: Kind::Data };
        let piece = Piece { payload: Bytes::from(vec![number as u8; 90]), flags, flush: false };
        net.command(peer(1), Command::Multicast(multicast::Command::Write { stream: stream(), piece }));
        if number % 8 == 0 {
            let body = Bytes::from(vec![number as u8; 30]);
            let draft = posting::Draft { token: number, body, authorization: None };
            net.command(peer(1 + number % OTHERS), posting::Command::Post(Box::new(draft)).into());
        }
        net.run_for(Duration::from_millis(gap));
    }
}

/// Steps of a life that let so much time pass, to the tenth of a millisecond.
fn waiting(duration: Duration) -> Vec<u8> {
    let (mut steps, mut millis) = (Vec::new(), duration.as_millis());
    while millis > 0 {
        let exponent = millis.ilog2().min(15);
        steps.extend([6, exponent as u8]);
        millis -= 1 << exponent;
    }
    let tenths = duration.subsec_micros() % 1_000 / 100;
    if tenths > 0 {
        steps.extend([7, tenths as u8]);
    }
    steps
}

/// Some of all messages of a conversation, as bytes, a few of each kind and length.
pub(super) fn said(pick: impl Fn(&Message) -> Option<Bytes>) -> Vec<Vec<u8>> {
    let mut alike: BTreeMap<(u8, u8, u32), usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for said in Conversation::hold(40).said {
        let Some(bytes) = pick(&said.message) else { continue };
        let kind = said.message.to_bytes();
        let count = alike.entry((kind[0], kind[1], bytes.len().ilog2())).or_default();
        *count += 1;
        if *count <= MOST_ALIKE {
            chosen.push(bytes.to_vec());
        }
    }
    chosen
}
