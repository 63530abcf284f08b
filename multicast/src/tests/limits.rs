//! What strangers could make us keep: each at its limit, and one more.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Fate, NetConfig, identity, peer};
use stratus_core::{BitSet, Delivery, GroupId, Priority, Wire as _};

use super::Group;
use crate::{
    Announcement, Command, Event, Kind, Message, Parameters, Piece, PieceFlags, StreamId, StreamMessage,
    Subscriber, Want,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn group() -> Group {
    Group::new(7, NetConfig::with_latency(MS(10)))
}

fn size(group: &Group, number: u64, what: &str) -> usize {
    let sizes = group.net.machine(&peer(number)).sizes();
    sizes.into_iter().filter(|(name, ..)| *name == what).map(|(_, size, _)| size).max().unwrap_or(0)
}

fn announce(group: &mut Group, number: u64) {
    let key = identity(2_000 + number);
    let stream = StreamId(key.public());
    let parameters = Parameters::from(&group.config);
    let draft = Announcement::unsigned(stream, peer(0), format!("noise{number}"), 1, parameters, None);
    let announcement = Arc::new(draft.signed(&GroupId::from_bytes([9; 32]), &key));
    let message = Message::Announce { announcement, age: Duration::ZERO, subscribers: Vec::new() };
    group.net.forge(peer(0), peer(1), &message, Delivery::Control);
    group.net.run_for(MS(20));
}

#[test]
fn streams_end_at_their_limit() {
    let mut group = group();
    group.config.max_streams = 3;
    group.mesh(2);
    for (number, expected) in [(0, 1), (1, 2), (2, 3), (3, 3)] {
        announce(&mut group, number);
        assert_eq!(group.net.machine(&peer(1)).streams().count(), expected);
    }
    let has = |number| {
        let stream = StreamId(identity(2_000_u64 + number).public());
        group.net.machine(&peer(1)).stream(&stream).is_some()
    };
    assert_eq!([0, 1, 2, 3].map(has), [true, true, true, false]);
}

#[test]
fn neighbors_of_a_stream_end_at_their_limit() {
    let mut group = group();
    group.config.max_neighbors = 3;
    group.mesh(5);
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(100));
    for (number, expected) in [(1, 1), (2, 2), (3, 3), (4, 3)] {
        let interest = Message::Interest {
            stream: stream.alias(),
            is_on: true,
            asks_for_others: false,
            record: Bytes::new(),
        };
        group.net.forge(peer(number), peer(0), &interest, Delivery::Control);
        group.net.run_for(MS(20));
        assert_eq!(size(&group, 0, "neighbors"), expected);
    }
}

#[test]
fn fragments_that_wait_for_a_manifest_end_at_their_limit() {
    let mut group = group();
    group.config.max_waiting = 5;
    group.mesh(3);
    group.subscribe(1, "cam");
    group.subscribe(2, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(20), MS(400));
    let newest = group.net.machine(&peer(1)).swarm(&stream).newest_run();
    for (ahead, expected) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5)] {
        let payload = Bytes::from(vec![1; 1_000]);
        let (stream, run) = (stream.alias(), newest + 10 + ahead);
        let message = Message::Fragment { stream, is_repair: false, run, position: 0, payload };
        let how = Delivery::live(group.net.now(), MS(500), Priority::Push);
        group.net.forge(peer(2), peer(1), &message, how);
        group.net.run_for(MS(11));
        assert_eq!(size(&group, 1, "waiting"), expected);
    }
}

#[test]
fn no_neighbor_is_asked_for_more_runs_than_allowed() {
    let mut group = group();
    group.config.max_requests = 4;
    group.mesh(2);
    group.subscribe(1, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(20), MS(200));
    let asked: Rc<Cell<usize>> = Rc::default();
    let counting = asked.clone();
    group.net.tap(move |passing| match passing.message {
        Message::Fragment { .. } | Message::Manifest { .. } => Fate::Drop,
        Message::Pull { wants, .. } => {
            counting.set(counting.get() + wants.len());
            Fate::Pass
        }
        _ => Fate::Pass,
    });
    let mut most = 0;
    for _ in 0..30 {
        group.write(0, 1_128, MS(10), MS(30));
        most = most.max(size(&group, 1, "outstanding"));
        assert!(size(&group, 1, "outstanding") <= 4);
    }
    assert!(most == 4 && asked.get() > 4, "{most} at most, {} in all", asked.get());
    assert!(group.net.machine(&peer(1)).stream(&stream).is_some());
}

#[test]
fn subscribers_remembered_end_at_their_limit() {
    let mut group = group();
    group.mesh(2);
    group.subscribe(1, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    // The publisher is one of them.
    assert_eq!(size(&group, 1, "subscribers"), 1);
    for (first, count, expected) in [(100, 8, 9), (108, 8, 17), (116, 8, 25), (124, 7, 32), (131, 1, 32)] {
        let named = |number| Subscriber { peer: peer(number), record: Bytes::from_static(b"record") };
        let subscribers = (first..first + count).map(named).collect();
        let message = Message::Subscribers { stream: stream.alias(), subscribers };
        group.net.forge(peer(0), peer(1), &message, Delivery::Control);
        group.net.run_for(MS(20));
        assert_eq!(size(&group, 1, "subscribers"), expected);
    }
}

/// A message of member 0 in as many fragments as there are sizes.
fn write_one(group: &mut Group, stream: StreamId, sizes: &[usize]) {
    for (number, size) in sizes.iter().enumerate() {
        let flags = PieceFlags {
            is_start: number == 0,
            is_end: number + 1 == sizes.len(),
            is_key: true,
            kind: Kind::Data,
        };
        let piece = Piece { payload: Bytes::from(vec![7; *size]), flags, flush: false };
        group.net.command(peer(0), Command::Write { stream, piece });
    }
    group.net.run_for(MS(300));
}

#[test]
fn a_message_of_the_largest_size_is_played_and_a_longer_one_is_given_up() {
    let mut group = group();
    group.config.max_message = 2_256;
    group.mesh(2);
    group.subscribe(1, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    for sizes in [&[50][..], &[1_128, 1_128], &[1_128, 1_128, 1], &[50]] {
        write_one(&mut group, stream, sizes);
    }
    let length = |message: &StreamMessage| message.payload().len();
    let lengths: Vec<usize> = group.messages(1).iter().map(|(_, message)| length(message)).collect();
    assert_eq!(lengths, [50, 2_256, 50]);
    assert_eq!(group.events_of(1, |event| matches!(event, Event::Gap { .. })).len(), 1);
}

#[test]
fn lists_at_their_limits_are_read_and_one_item_more_is_refused() {
    let stream = Group::stream(0).alias();
    let want = Want { run: 7, manifest: true, positions: BitSet::first(32) };
    let subscriber = Subscriber { peer: peer(3), record: Bytes::from_static(b"record") };
    let is_read = |message: Message| Message::from_bytes(message.to_bytes()).is_ok();
    for (count, expected) in [(64, true), (65, false)] {
        assert_eq!(is_read(Message::Pull { stream, wants: vec![want; count] }), expected);
        assert_eq!(is_read(Message::Refuse { stream, is_busy: false, runs: vec![7; count] }), expected);
    }
    for (count, expected) in [(8, true), (9, false)] {
        let subscribers = vec![subscriber.clone(); count];
        assert_eq!(is_read(Message::Subscribers { stream, subscribers }), expected);
    }
    for (position, expected) in [(31, true), (32, false)] {
        let payload = Bytes::from_static(b"payload");
        let message = Message::Fragment { stream, is_repair: false, run: 7, position, payload };
        assert_eq!(is_read(message), expected);
    }
}
