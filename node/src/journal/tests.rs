use std::time::Duration;

use proptest::prelude::*;
use stratus_core::testing::{identity, peer};
use stratus_core::{CachingVerify, Cx, Identity, Machine, Rng, drive};
use stratus_multicast::{self as multicast, Kind, Parameters, Piece, PieceFlags, Publish, StreamId};
use stratus_overlay as overlay;
use stratus_posting as posting;

use super::*;
use crate::{Command, Event, Node, Output};

fn setup(identity: Identity) -> Setup {
    let (group, ring) = (GroupId::from_bytes([9; 32]), RingKey::new([3; 32]));
    let authority = Identity::from_seed([7; 32]).public();
    let services = Services { posting: true, ..Services::default() };
    let publish_authority = Some(authority);
    let posting_authority = publish_authority;
    Setup { identity, group, ring, publish_authority, services, posting_authority }
}

/// A node that publishes a little to a neighbor, and its journal.
fn recorded(most_bytes: u64) -> (Bytes, u64) {
    let (config, setup) = (Config::default(), setup(identity(1)));
    let mut rng = Rng::from_seed(50);
    let mut recorder = Recorder::new(&Header::new(&config, &setup, &rng), most_bytes);
    let mut node = Node::new(config, setup);
    let key = identity(1_000);
    let stream = StreamId(key.public());
    let parameters = Parameters::from(&multicast::Config::default());
    let authorization = Some(Identity::from_seed([7; 32]));
    let publish = Publish {
        key,
        name: "cam".into(),
        began: 700,
        authorization,
        parameters,
        wishes: multicast::Overrides::default(),
    };
    let flags = PieceFlags { is_start: true, is_end: true, is_key: true, kind: Kind::Video };
    let piece = |size: usize| Piece { payload: vec![5; size].into(), flags, flush: false };
    let write = |size| Command::Multicast(multicast::Command::Write { stream, piece: piece(size) });
    let authorization = Some(Identity::from_seed([7; 32]));
    let draft = posting::Draft { token: 3, body: b"a post"[..].into(), authorization };
    let addresses = vec!["203.0.113.7:1935".parse().expect("an address")];
    let inputs = [
        Input::Command(Command::Overlay(overlay::Command::SetAddresses(addresses))),
        Input::Connected(peer(2)),
        Input::Command(Command::Multicast(multicast::Command::Publish(Box::new(publish)))),
        Input::Command(write(700)),
        Input::Command(write(50)),
        Input::Command(Command::Posting(posting::Command::SetClock(1_790_000_000_000_000))),
        Input::Command(Command::Posting(posting::Command::Post(Box::new(draft)))),
        Input::Disconnected(peer(2)),
    ];
    let (mut at, mut steps, mut inputs) = (Time::ZERO, 0, inputs.into_iter());
    while at < Time::from_millis(8_000) {
        let input = if steps % 3 == 0 { inputs.next() } else { None };
        recorder.begin(at, input.as_ref());
        let mut outputs = Vec::new();
        let mut cx = Cx { now: at, rng: &mut rng, verify: &CachingVerify::default() };
        match input {
            Some(input) => drive(&mut node, &mut cx, input, &mut outputs),
            None => node.wake(&mut cx, &mut outputs),
        }
        recorder.end(&outputs, &node.overlay().own_record().to_bytes());
        steps += 1;
        at += Duration::from_millis(97);
    }
    (recorder.take().into(), steps)
}

fn replayed(journal: Bytes) -> (u64, Option<Divergence>) {
    let mut replay = Replay::new(journal).expect("a journal");
    loop {
        match replay.step().expect("whole steps") {
            None => return (replay.steps(), None),
            Some(Ok(())) => {}
            Some(Err(divergence)) => return (replay.steps(), Some(divergence)),
        }
    }
}

#[test]
fn a_recorded_node_does_the_same_again_without_its_private_key() {
    let (journal, steps) = recorded(1 << 20);
    for secret in [identity(1).seed(), identity(1_000).seed(), [7; 32]] {
        assert!(!journal.windows(32).any(|window| window == secret), "a private key is in the journal");
    }
    assert_eq!(replayed(journal), (steps, None));
}

#[test]
fn the_first_step_that_differs_is_told() {
    let (journal, _) = recorded(1 << 20);
    let mut bytes = journal.to_vec();
    // Another payload: what the node sends or tells of it differs from then on.
    let place = bytes.windows(700).position(|window| window == [5; 700]).expect("the payload is recorded");
    let mut replay = Replay::new(journal).expect("a journal");
    while replay.step().expect("whole steps").is_some() {}
    // The hash of a step stands in front of its input: break the first one.
    let header = 8 + 1 + 4 + u32::from_be_bytes(bytes[9..13].try_into().expect("four bytes")) as usize;
    bytes[header + 4 + 1] ^= 1;
    let (steps, divergence) = replayed(bytes.into());
    assert!(place > header);
    assert_eq!((steps, divergence.map(|found| found.step)), (1, Some(0)));
}

#[test]
fn a_journal_ends_at_its_limit_and_what_is_there_is_good() {
    let (whole, steps) = recorded(1 << 20);
    let (limited, _) = recorded(2_000);
    assert!(limited.len() <= 2_000 && whole.starts_with(&limited));
    let (fewer, divergence) = replayed(limited);
    assert!(fewer > 0 && fewer < steps && divergence.is_none());
    let exact = whole.len() as u64;
    assert_eq!(recorded(exact).0.len() as u64, exact, "at the limit all is there");
    assert!((recorded(exact - 1).0.len() as u64) < exact, "one below it the last step is not");
}

#[test]
fn a_file_that_is_cut_short_is_replayed_as_far_as_it_goes() {
    let (journal, steps) = recorded(1 << 20);
    let (fewer, divergence) = replayed(journal.slice(..journal.len() - 1));
    assert_eq!((fewer, divergence), (steps - 1, None));
}

proptest! {
    #[test]
    fn no_bytes_make_a_replay_panic(
        at in 0_usize..3_000,
        with in any::<[u8; 5]>(),
        cut in 0_usize..9_000,
    ) {
        let mut bytes = recorded(6_000).0.to_vec();
        bytes.truncate(cut);
        for (place, byte) in (at..).zip(with) {
            if let Some(target) = bytes.get_mut(place) {
                *target = byte;
            }
        }
        if let Ok(mut replay) = Replay::new(bytes.into()) {
            // A damaged step ends it; a changed one diverges.
            while matches!(replay.step(), Ok(Some(Ok(())))) {}
        }
    }

    #[test]
    fn a_step_reads_back(micros in any::<u64>(), outputs in any::<[u8; 8]>(), number in 0_u64..9) {
        let input = (number > 0).then(|| super::step::encode_input(&Input::Connected(peer(number))));
        let step = Step { after: Duration::from_micros(micros), input, outputs };
        prop_assert_eq!(Step::from_bytes(step.to_bytes()), Ok(step));
    }

    #[test]
    fn noise_is_no_input(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(input) = super::step::decode_input(noise.clone().into()) {
            prop_assert_eq!(&super::step::encode_input(&input)[..], &noise[..]);
        }
    }
}

/// What a node asks for, given to the other one, with as many milliseconds between as the network takes.
fn exchanged(recorder: &mut Recorder) -> Vec<Event> {
    let mut nodes = [1, 2].map(|number| Node::new(Config::default(), setup(identity(number))));
    let mut chances = [Rng::from_seed(50), Rng::from_seed(51)];
    // A record that is sent and replaced within the first turn would not be known as the node's own.
    let addresses = overlay::Command::SetAddresses(vec!["203.0.113.7:1935".parse().expect("an address")]);
    let addressed = Input::Command(Command::Overlay(addresses));
    let mut waiting: [Vec<Input>; 2] =
        [vec![addressed, Input::Connected(peer(2))], vec![Input::Connected(peer(1))]];
    let mut heard = Vec::new();
    for turn in 0..600 {
        let now = Time::from_millis(turn * 10);
        if turn == 200 {
            let authorization = Some(Identity::from_seed([7; 32]));
            let draft = posting::Draft { token: 3, body: b"to be replayed"[..].into(), authorization };
            waiting[0].push(Input::Command(posting::Command::Post(Box::new(draft)).into()));
        }
        let inputs = std::mem::take(&mut waiting);
        for (place, inputs) in inputs.into_iter().enumerate() {
            for input in inputs.into_iter().map(Some).chain([None]) {
                let mut out = Vec::new();
                if place == 0 {
                    recorder.begin(now, input.as_ref());
                }
                let mut cx = Cx { now, rng: &mut chances[place], verify: &CachingVerify::default() };
                match input {
                    Some(input) => drive(&mut nodes[place], &mut cx, input, &mut out),
                    None => nodes[place].wake(&mut cx, &mut out),
                }
                if place == 0 {
                    recorder.end(&out, &nodes[0].overlay().own_record().to_bytes());
                }
                for output in out {
                    match output {
                        Output::Send { message, .. } => {
                            let from = peer(place as u64 + 1);
                            waiting[1 - place].push(Input::Received { from, message });
                        }
                        Output::Event(event) if place == 1 => heard.push(event),
                        _ => {}
                    }
                }
            }
        }
    }
    heard
}

#[test]
fn a_node_that_posts_is_replayed_without_what_it_signed() {
    let (config, setup) = (Config::default(), setup(identity(1)));
    let mut recorder = Recorder::new(&Header::new(&config, &setup, &Rng::from_seed(50)), 1 << 22);
    let heard = exchanged(&mut recorder);
    let is_shown = |event: &Event| matches!(event, Event::Posting(posting::Event::Post(post)) if post.body()[..] == b"to be replayed"[..]);
    assert_eq!(heard.iter().filter(|event| is_shown(event)).count(), 1, "the post was given to the neighbor");
    let (steps, divergence) = replayed(recorder.take().into());
    assert!(steps > 600 && divergence.is_none(), "{steps}: {divergence:?}");
}
