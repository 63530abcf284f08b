//! At each bound and one above it.

use super::*;
use stratus_core::{Cx, DirectVerify, Input, Machine, Output, Rng};

use crate::{Denied, Load, Message, ObjectSet, RequestId, Want};

/// A machine alone, with neighbors that a test speaks for.
pub(super) struct Alone {
    pub(super) machine: Replication,
    pub(super) now: Time,
    rng: Rng,
}

impl Alone {
    pub(super) fn new(config: Config, neighbors: u64) -> Self {
        let mut alone =
            Self { machine: Replication::new(config), now: Time::from_millis(1_000), rng: Rng::from_seed(7) };
        (1..=neighbors).for_each(|number| drop(alone.turn(Input::Connected(peer(number)))));
        alone
    }

    pub(super) fn turn(&mut self, input: Input<Message, Command>) -> Vec<Output<Message, Event>> {
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
        stratus_core::drive(&mut self.machine, &mut cx, input, &mut out);
        out
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<Output<Message, Event>> {
        self.turn(Input::Command(command))
    }

    pub(super) fn hear(&mut self, from: u64, message: Message) -> Vec<Output<Message, Event>> {
        self.turn(Input::Received { from: peer(from), message })
    }

    pub(super) fn wake_after(&mut self, pause: Duration) -> Vec<Output<Message, Event>> {
        self.now += pause;
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
        self.machine.wake(&mut cx, &mut out);
        out
    }
}

fn ask(ids: std::ops::Range<u64>) -> Message {
    Message::Ask { done: vec![], wants: ids.map(|id| Want { id, index: id }).collect() }
}

fn denied(out: &[Output<Message, Event>]) -> Vec<(Denied, usize)> {
    let denied = |output: &Output<Message, Event>| match output {
        Output::Send { message: Message::Deny { why, ids, .. }, .. } => Some((*why, ids.len())),
        _ => None,
    };
    out.iter().filter_map(denied).collect()
}

/// spec RE-7: the 21st is told in the same turn.
#[test]
fn twenty_uploads_are_taken_and_the_next_is_refused_at_once() {
    let mut alone = Alone::new(Config::default(), 12);
    alone.command(Command::AddHave(0..1_000));
    for neighbor in 1..=10 {
        assert_eq!(denied(&alone.hear(neighbor, ask(0..2))), []);
    }
    assert_eq!(denied(&alone.hear(11, ask(0..1))), [(Denied::Busy, 1)]);
    assert_eq!(alone.machine.stats().refused, 1);
    // One that came makes room for one.
    let out = alone.command(Command::AddHave(0..1));
    assert_eq!(denied(&out), []);
    let request =
        alone.machine.uploads.iter().find(|(_, upload)| upload.state == crate::serve::UploadState::Reading);
    let (request, upload) =
        request.map(|(request, upload)| (*request, *upload)).expect("some are handed out");
    alone.command(Command::Write { request, object: object(upload.index) });
    let from = (1..=10).find(|number| peer(*number) == upload.peer).expect("a neighbor");
    alone.hear(from, Message::Ask { done: vec![upload.id], wants: vec![] });
    assert_eq!(denied(&alone.hear(11, ask(5..6))), []);
    assert_eq!(denied(&alone.hear(12, ask(5..6))), [(Denied::Busy, 1)]);
}

#[test]
fn one_neighbor_gets_its_share_and_not_one_more() {
    let mut alone = Alone::new(Config::default(), 2);
    alone.command(Command::AddHave(0..1_000));
    assert_eq!(denied(&alone.hear(1, ask(0..16))), []);
    assert_eq!(denied(&alone.hear(1, ask(16..17))), [(Denied::Busy, 1)]);
    // Four places are left, and the other one may have them.
    assert_eq!(denied(&alone.hear(2, ask(0..5))), [(Denied::Busy, 1)]);
}

/// spec RE-6: holders with 0, 5 and 19 uploads.
#[test]
fn the_idle_holder_is_asked() {
    let mut alone = Alone::new(Config { max_requests: 1, ..Config::default() }, 3);
    for (neighbor, uploads) in [(1, 5), (2, 0), (3, 19)] {
        alone.hear(
            neighbor,
            Message::Have { is_scarce: false, load: Load { uploads, pace: 0 }, set: ObjectSet::of(0..9) },
        );
    }
    let out = alone.command(Command::AddWant(4..5));
    let asked: Vec<PeerId> = out
        .iter()
        .filter_map(|output| match output {
            Output::Send { to, message: Message::Ask { .. }, .. } => Some(*to),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [peer(2)]);
}

#[test]
fn as_many_requests_are_made_as_are_allowed() {
    let config = Config { max_requests: 7, max_requests_per_neighbor: 5, ..Config::default() };
    let mut alone = Alone::new(config, 2);
    alone.command(Command::AddWant(0..500));
    alone.hear(1, Message::Have { is_scarce: false, load: Load::default(), set: ObjectSet::of(0..500) });
    assert_eq!(alone.machine.fetches.len(), 5);
    alone.hear(2, Message::Have { is_scarce: false, load: Load::default(), set: ObjectSet::of(0..500) });
    assert_eq!(alone.machine.fetches.len(), 7);
}

#[test]
fn of_what_a_neighbor_says_it_has_so_many_pieces_are_believed() {
    let config = Config { max_pieces: 50, ..Config::default() };
    let words = |count: u64| (0..count).map(|chunk| chunk * 128).collect::<ObjectSet>();
    let mut alone = Alone::new(config, 1);
    alone.hear(1, Message::Have { is_scarce: false, load: Load::default(), set: words(50) });
    assert_eq!(alone.machine.stats().ignored_pieces, 0);
    alone.hear(1, Message::Gained { load: Load::default(), set: words(51) });
    assert_eq!(alone.machine.stats().ignored_pieces, 1);
    assert_eq!(alone.machine.neighbors[&peer(1)].have.pieces(), 50);
}

#[test]
fn who_says_too_much_is_blamed() {
    let mut alone = Alone::new(Config::default(), 1);
    let blame = |out: Vec<Output<Message, Event>>| {
        out.iter().any(|output| matches!(output, Output::Event(Event::Misbehaved { .. })))
    };
    let gained = || Message::Gained { load: Load::default(), set: ObjectSet::of(3..4) };
    assert!((0..200).all(|_| !blame(alone.hear(1, gained()))), "a burst is borne");
    assert!(blame(alone.hear(1, gained())));
    assert!((0..2_000).all(|_| !blame(alone.hear(1, Message::Cancel(vec![7])))));
    assert!(blame(alone.hear(1, Message::Cancel(vec![7]))));
}

/// An upload whose asker never says that it came ends by itself.
#[test]
fn an_upload_that_nobody_acknowledges_ends() {
    let mut alone = Alone::new(Config::default(), 1);
    alone.command(Command::AddHave(0..10));
    alone.hear(1, ask(0..3));
    assert_eq!(alone.machine.uploads.len(), 3);
    alone.wake_after(Duration::from_millis(29_900));
    assert_eq!(alone.machine.uploads.len(), 3);
    assert_eq!(denied(&alone.wake_after(Duration::from_millis(200))), [(Denied::Refused, 1); 3]);
    assert_eq!(alone.machine.uploads.len(), 0);
}

/// spec RE-11: who gives gets first, and who gave nothing gets as well.
#[test]
fn who_gave_most_is_served_first_and_newcomers_are_not_forgotten() {
    let config = Config { max_requests: 1, ..Config::default() };
    let mut alone = Alone::new(config, 3);
    alone.command(Command::AddHave(0..100));
    alone.command(Command::AddWant(500..600));
    alone.hear(1, Message::Have { is_scarce: false, load: Load::default(), set: ObjectSet::of(500..600) });
    for id in 0..40 {
        let index = *alone.machine.fetches.keys().next().expect("asked");
        let payload = vec![7; 64 << 10].into();
        alone.hear(1, Message::Object { id, index, load: Load::default(), payload });
        alone.command(Command::AddHave(index..index + 1));
    }
    // Three fill what is handed out at first, then two wait in turn.
    alone.hear(3, ask(0..4));
    alone.hear(2, ask(0..6));
    alone.hear(1, ask(0..6));
    let mut order = Vec::new();
    for id in 0..4 {
        let reading: Vec<RequestId> = alone
            .machine
            .uploads
            .iter()
            .filter(|(_, upload)| upload.peer == peer(3) && upload.id == id)
            .map(|(request, _)| *request)
            .collect();
        alone.command(Command::Write { request: reading[0], object: object(1) });
        let out = alone.hear(3, Message::Ask { done: vec![id], wants: vec![] });
        order.extend(out.into_iter().filter_map(|output| match output {
            Output::Event(Event::Request { peer, .. }) => Some(peer),
            _ => None,
        }));
    }
    let given = |number: u64| order.iter().filter(|who| **who == peer(number)).count();
    assert_eq!(order.len(), 4);
    assert!(given(1) >= 3, "the one that gave was served {} times of 4", given(1));
}

/// What the owner does not settle is not added to.
#[test]
fn so_many_objects_are_handed_over_and_not_one_more_before_some_are_settled() {
    let mut alone = Alone::new(Config { max_requests: 8, ..Config::default() }, 1);
    alone.command(Command::AddWant(0..100));
    alone.hear(1, Message::Have { is_scarce: false, load: Load::default(), set: ObjectSet::of(0..100) });
    for id in 0..8 {
        let index = alone.machine.neighbors[&peer(1)].requests[&id];
        alone.hear(1, Message::Object { id, index, load: Load::default(), payload: object(index) });
    }
    assert_eq!((alone.machine.handed.len(), alone.machine.fetches.len()), (8, 0));
    let handed = alone.machine.handed.first(1)[0];
    alone.command(Command::AddHave(handed..handed + 1));
    assert_eq!((alone.machine.handed.len(), alone.machine.fetches.len()), (7, 1));
}
