//! What a member that lies can do: nothing but lose its links.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Fate, NetConfig, identity, peer};
use stratus_core::{BitSet, Delivery, GroupId, Priority, Rate, Time};

use super::Group;
use crate::{
    Announcement, Event, Manifest, Message, Parameters, PieceEntry, PieceFlags, PublishError, PushAnswer,
    Start, StartAnswer, StreamId, Want,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn urgent(group: &Group) -> Delivery {
    Delivery::live(group.net.now(), MS(500), Priority::Urgent)
}

/// A publisher 0 and viewers 1 … 3 in the middle of a stream.
fn running() -> (Group, StreamId) {
    let mut group = Group::new(5, NetConfig::with_latency(MS(10)));
    // One child a slice: somebody must relay.
    group.config.push_neighbor_limit = 1;
    group.mesh(4);
    (1..4).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(4), MS(800));
    (group, stream)
}

#[test]
fn a_forged_fragment_is_never_relayed_and_costs_its_sender_the_link() {
    let (mut group, stream) = running();
    // Member 1 spoils each fragment that it relays, as from now.
    group.net.tap(|passing| match passing.message {
        Message::Fragment { stream, is_repair, run, position, payload } if passing.from == peer(1) => {
            let mut spoilt = payload.to_vec();
            spoilt[0] ^= 1;
            let payload = Bytes::from(spoilt);
            let (stream, is_repair, run, position) = (*stream, *is_repair, *run, *position);
            Fate::Replace(Message::Fragment { stream, is_repair, run, position, payload })
        }
        _ => Fate::Pass,
    });
    group.write(0, 1_128, MS(4), MS(800));
    group.net.run_for(Duration::from_secs(1));
    let blamed: Vec<_> = (2..4).flat_map(|number| group.misbehaved(number)).collect();
    assert!(!blamed.is_empty(), "nobody noticed");
    let expected = (peer(1), "a fragment that fails its verified manifest");
    assert!(blamed.iter().all(|entry| *entry == expected), "{blamed:?}");
    for number in 2..4 {
        let received = group.received(number);
        assert!(group.sent(0).starts_with(&received), "member {number} was given a forged byte");
        let forged = group.counters(number, &stream).forged;
        assert_eq!(forged as usize, group.misbehaved(number).len());
    }
}

#[test]
fn a_forged_manifest_is_never_relayed_and_costs_its_sender_the_link() {
    let (mut group, stream) = running();
    let entry = PieceEntry::Hashed { flags: PieceFlags::default(), digest: [7; 16] };
    let forged =
        Manifest::signed(&identity(66), 10_000, 40_000, Duration::from_secs(9), [0; 16], vec![entry]);
    let message =
        Message::Manifest { stream: stream.alias(), is_repair: false, hops: 0, manifest: Arc::new(forged) };
    let how = urgent(&group);
    group.net.forge(peer(1), peer(2), &message, how);
    group.net.run_for(MS(500));
    assert_eq!(group.misbehaved(2), [(peer(1), "a manifest that the stream's key did not sign")]);
    assert_eq!(group.misbehaved(3), [], "the forged manifest was relayed");
    assert_eq!(group.counters(2, &stream).forged, 1);
}

#[test]
fn a_fragment_that_its_run_does_not_have_is_an_offence() {
    let (mut group, stream) = running();
    let run = group.net.machine(&peer(2)).swarm(&stream).newest_run();
    let payload = Bytes::from_static(b"one too many");
    let message = Message::Fragment { stream: stream.alias(), is_repair: false, run, position: 31, payload };
    let how = urgent(&group);
    group.net.forge(peer(3), peer(2), &message, how);
    group.net.run_for(MS(100));
    assert_eq!(group.misbehaved(2), [(peer(3), "a fragment that its run does not have")]);
}

#[test]
fn fragments_without_a_manifest_wait_in_a_bounded_place_and_are_not_relayed() {
    let (mut group, stream) = running();
    let before = group.net.traffic(&peer(2)).sent_bytes;
    for run in 0..500 {
        let payload = Bytes::from(vec![1; 1_000]);
        let run = 1_000 + run;
        let message =
            Message::Fragment { stream: stream.alias(), is_repair: false, run, position: 0, payload };
        let how = urgent(&group);
        group.net.forge(peer(3), peer(2), &message, how);
    }
    group.net.run_for(MS(400));
    for (what, size, limit) in group.net.machine(&peer(2)).sizes() {
        assert!(size <= limit, "{what}: {size} is over {limit}");
    }
    assert!(group.net.traffic(&peer(2)).sent_bytes - before < 10_000, "unverified bytes were moved on");
}

#[test]
fn publishing_without_authorization_is_refused_at_home_and_by_every_member() {
    let mut group = Group::new(6, NetConfig::with_latency(MS(10)));
    group.authority = Some(identity(500));
    group.mesh(3);
    group.subscribe(2, "cam");
    // At home: the wrong key.
    group.authority = Some(identity(501));
    let stream = group.publish(0, "cam");
    let refused = Event::PublishFailed { stream, why: PublishError::NotAuthorized };
    assert_eq!(group.events_of(0, |event| matches!(event, Event::PublishFailed { .. })), [refused]);
    assert_eq!(PublishError::NotAuthorized.to_string(), "this groupspec does not authorize publishing");
    // By a patched member, which grants itself what it may not.
    let key = identity(1_000);
    let grant = Announcement::grant(&GroupId::from_bytes([9; 32]), &stream, "cam", &identity(501));
    let parameters = Parameters::from(&group.config);
    let announcement = Announcement::unsigned(stream, peer(0), "cam".to_owned(), 1, parameters, Some(grant))
        .signed(&GroupId::from_bytes([9; 32]), &key);
    let message = Message::Announce {
        announcement: Arc::new(announcement),
        age: Duration::ZERO,
        subscribers: Vec::new(),
    };
    for victim in 1..3 {
        group.net.forge(peer(0), peer(victim), &message, Delivery::Control);
    }
    group.net.run_for(MS(500));
    let what = "an announcement without the group's authorization or a valid signature";
    for member in 1..3 {
        assert_eq!(group.misbehaved(member), [(peer(0), what)]);
        let heard = group.events_of(member, |event| matches!(event, Event::PublishNotify { .. }));
        assert_eq!(heard, [], "member {member} believed it");
    }
}

#[test]
fn an_announcement_of_another_group_or_with_a_changed_name_is_refused() {
    let mut group = Group::new(7, NetConfig::with_latency(MS(10)));
    group.mesh(2);
    let key = identity(1_000);
    let stream = StreamId(key.public());
    let parameters = Parameters::from(&group.config);
    let draft = Announcement::unsigned(stream, peer(0), "cam".to_owned(), 1, parameters, None);
    let foreign = draft.clone().signed(&GroupId::from_bytes([8; 32]), &key);
    let mut renamed = draft.signed(&GroupId::from_bytes([9; 32]), &key);
    renamed.name = "cam2".to_owned();
    for announcement in [foreign, renamed] {
        let message = Message::Announce {
            announcement: Arc::new(announcement),
            age: Duration::ZERO,
            subscribers: Vec::new(),
        };
        group.net.forge(peer(0), peer(1), &message, Delivery::Control);
    }
    group.net.run_for(MS(100));
    assert_eq!(group.misbehaved(1).len(), 2);
    assert_eq!(group.net.machine(&peer(1)).streams().count(), 0);
}

#[test]
fn a_claim_of_runs_that_do_not_exist_costs_the_viewer_nothing() {
    let (mut group, stream) = running();
    let claim = crate::Availability::of_held(0, std::iter::repeat_n(true, 100_000));
    let message = Message::Map { stream: stream.alias(), map: claim };
    let how = urgent(&group);
    group.net.forge(peer(3), peer(2), &message, how);
    group.write(0, 1_128, MS(4), Duration::from_secs(12));
    group.net.run_for(Duration::from_secs(1));
    assert_eq!(group.received(2), group.sent(0));
    let gaps = group.events_of(2, |event| matches!(event, Event::Gap { .. }));
    assert_eq!(gaps, [], "runs that never were passed for lost ones");
}

fn fragment(stream: &StreamId, run: u64, position: u32, is_repair: bool) -> Message {
    let payload = Bytes::from_static(b"nobody asked for this");
    Message::Fragment { stream: stream.alias(), is_repair, run, position, payload }
}

#[test]
fn useless_fragments_are_borne_up_to_the_limit_and_then_cost_the_link() {
    // spec MC-23
    let mut group = Group::new(8, NetConfig::with_latency(MS(10)));
    group.config.useless = Rate { burst: 50, per_second: 1 };
    group.config.key_retention = Duration::from_secs(0);
    group.mesh(2);
    let stream = Group::stream(0);
    let unknown = fragment(&stream, 7, 0, false);
    for expected in [0, 1] {
        for _ in 0..50 - 49 * expected {
            let how = urgent(&group);
            group.net.forge(peer(0), peer(1), &unknown, how);
        }
        group.net.run_for(MS(20));
        assert_eq!(group.misbehaved(1).len(), expected, "at the limit nobody is blamed, over it once");
    }
    assert_eq!(group.misbehaved(1), [(peer(0), "a flood of what nobody asked for")]);
}

#[test]
fn who_pulls_everything_again_and_again_is_served_twice_and_ignored() {
    // spec MC-23
    let (mut group, stream) = running();
    let machine = group.net.machine(&peer(0));
    let (newest, held) = (machine.swarm(&stream).newest_run(), machine.stream(&stream).unwrap().window_bytes);
    let wants: Vec<Want> =
        (0..newest).map(|run| Want { run, manifest: true, positions: BitSet::first(32) }).take(64).collect();
    let before = group.net.traffic(&peer(0)).sent_bytes;
    for _ in 0..120 {
        let message = Message::Pull { stream: stream.alias(), wants: wants.clone() };
        let how = urgent(&group);
        group.net.forge(peer(3), peer(0), &message, how);
    }
    group.net.run_for(MS(100));
    let sent = (group.net.traffic(&peer(0)).sent_bytes - before) as usize;
    assert!(group.counters(0, &stream).pulls_ignored > 0);
    assert!(sent < 2 * held + (1 << 20) + 200_000, "{sent} bytes were sent for {held} that are held");
    // Others are served as before, and so is its own honest part.
    group.write(0, 1_128, MS(4), MS(800));
    group.net.run_for(Duration::from_secs(1));
    for number in 1..4 {
        assert_eq!(group.received(number), group.sent(0));
    }
}

/// Member 1 keeps its places as a parent in viewers 2 and 3 and pushes nothing but what `trick` makes of it.
fn starving(trick: impl Fn(&Message) -> Fate<Message> + 'static) -> (Group, StreamId) {
    let (mut group, stream) = running();
    group.net.tap(move |passing| match passing.message {
        Message::Fragment { .. } | Message::Manifest { .. } if passing.from == peer(1) => {
            trick(passing.message)
        }
        _ => Fate::Pass,
    });
    (group, stream)
}

fn is_child_of(group: &Group, number: u64, parent: u64) -> bool {
    group.net.machine(&peer(number)).swarm(&Group::stream(0)).has_parent(&peer(parent))
}

fn assert_nothing_is_missing_and_nobody_is_parent(group: &mut Group, stream: &StreamId) {
    group.write(0, 1_128, MS(4), Duration::from_secs(5));
    let still: Vec<u64> = (2..4).filter(|number| is_child_of(group, *number, 1)).collect();
    assert_eq!(still, [0; 0], "it kept its place for 5 s");
    group.net.run_for(Duration::from_secs(2));
    for number in 2..4 {
        assert_eq!(group.received(number), group.sent(0), "member {number}");
        assert_eq!(group.counters(number, stream).fragments_given_up, 0);
    }
}

#[test]
fn a_parent_that_pushes_nothing_but_old_bytes_loses_its_places() {
    // spec MC-24
    let first = RefCell::new(None);
    let (mut group, stream) = starving(move |message| match message {
        Message::Fragment { .. } => {
            Fate::Replace(first.borrow_mut().get_or_insert_with(|| message.clone()).clone())
        }
        _ => Fate::Drop,
    });
    assert_nothing_is_missing_and_nobody_is_parent(&mut group, &stream);
}

#[test]
fn a_parent_that_pushes_manifests_and_a_fragment_now_and_then_loses_its_places() {
    // spec MC-24
    let count = Cell::new(0);
    let (mut group, stream) = starving(move |message| {
        count.set(count.get() + 1);
        let is_shown = matches!(message, Message::Manifest { .. }) || count.get() % 10 == 0;
        if is_shown { Fate::Pass } else { Fate::Drop }
    });
    assert_nothing_is_missing_and_nobody_is_parent(&mut group, &stream);
}

#[test]
fn a_parent_that_promises_to_begin_far_ahead_loses_its_places() {
    // spec MC-24: it does so from the first answer on, before any other fault of its is known.
    let mut group = Group::new(5, NetConfig::with_latency(MS(10)));
    group.config.push_neighbor_limit = 1;
    group.mesh(4);
    let promises: Rc<Cell<u32>> = Rc::default();
    let counting = promises.clone();
    group.net.tap(move |passing| match passing.message {
        Message::Fragment { .. } | Message::Manifest { .. } if passing.from == peer(1) => Fate::Drop,
        Message::PushAnswer(answer) if passing.from == peer(1) && !answer.accepted.is_empty() => {
            counting.set(counting.get() + 1);
            Fate::Replace(Message::PushAnswer(PushAnswer { from_run: 1 << 40, ..answer.clone() }))
        }
        _ => Fate::Pass,
    });
    (1..4).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(4), MS(800));
    assert_nothing_is_missing_and_nobody_is_parent(&mut group, &stream);
    assert!(promises.get() > 0, "nobody asked it");
}

#[test]
fn a_start_that_does_not_exist_keeps_nobody_out() {
    // spec MC-24: the only one who answers first lies, either way.
    for (from, next) in [(1 << 61, 1 << 61), (1 << 40, (1 << 40) + 7)] {
        let mut group = Group::new(9, NetConfig::with_latency(MS(10)));
        group.mesh(4);
        group.subscribe(1, "cam");
        let stream = group.publish(0, "cam");
        group.net.run_for(MS(500));
        group.write(0, 1_128, MS(4), MS(800));
        group.net.tap(move |passing| match passing.message {
            Message::StartAnswer(answer) if passing.from == peer(1) => {
                let start = Start::Offered { from, next };
                Fate::Replace(Message::StartAnswer(StartAnswer { stream: answer.stream, start }))
            }
            // Nobody else is asked first.
            Message::StartAnswer(_) if passing.at < Time::from_millis(2_500) => Fate::Drop,
            _ => Fate::Pass,
        });
        group.subscribe(2, "cam");
        group.write(0, 1_128, MS(4), Duration::from_secs(6));
        group.net.run_for(Duration::from_secs(1));
        let received = group.received(2);
        assert!(received.len() > 500, "{} of {}", received.len(), group.sent(0).len());
        assert!(group.sent(0).ends_with(&received), "and without a hole");
        assert_eq!(group.counters(2, &stream).fragments_given_up, 0);
    }
}
