//! What the window does when something never comes.

use std::time::Duration;

use stratus_core::testing::{Fate, NetConfig, peer};

use super::Group;
use crate::{Command, Event, Kind, Message, Piece, PieceFlags};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Three-fragment messages of one run each, 50 a second; fragment 1 of the message in run `lost` never reaches
/// anyone.
fn with_one_fragment_lost(lost: u64) -> Group {
    let mut group = Group::new(21, NetConfig::with_latency(MS(10)));
    group.config.window_duration = Duration::from_secs(1);
    group.mesh(2);
    group.subscribe(1, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.net.tap(move |passing| match passing.message {
        Message::Fragment { run, position: 1, .. } if *run == lost => Fate::Drop,
        _ => Fate::Pass,
    });
    let begin = group.net.now();
    for message in 0..150u64 {
        for part in 0..3 {
            let payload = vec![message as u8; 600].into();
            let flags = PieceFlags {
                is_start: part == 0,
                is_end: part == 2,
                is_key: message == 0,
                kind: Kind::Video,
            };
            let piece = Piece { payload, flags, flush: part == 2 };
            group.net.command_at(begin + MS(20 * message), peer(0), Command::Write { stream, piece });
        }
    }
    group.net.run_for(Duration::from_secs(5));
    group
}

#[test]
fn a_message_with_a_fragment_outside_the_window_is_given_up_as_a_whole_and_the_rest_is_played() {
    let group = with_one_fragment_lost(40);
    let stream = Group::stream(0);
    let gaps = group.events_of(1, |event| matches!(event, Event::Gap { .. }));
    assert_eq!(gaps, [Event::Gap { stream, first_index: 120, count: 3 }]);
    let indices: Vec<u64> = group.messages(1).iter().map(|(_, message)| message.index).collect();
    let expected: Vec<u64> = (0..150).filter(|message| *message != 40).map(|message| message * 3).collect();
    assert_eq!(indices, expected);
    let counters = group.counters(1, &stream);
    assert_eq!(
        (counters.fragments_given_up, counters.messages_expired, counters.messages_delivered),
        (3, 1, 149)
    );
}

#[test]
fn what_left_the_window_is_not_asked_for_any_more() {
    let mut group = with_one_fragment_lost(40);
    let stream = Group::stream(0);
    let before = group.counters(1, &stream).pulls_sent;
    assert!(before > 3, "the fragment was sought");
    group.net.run_for(Duration::from_secs(3));
    assert_eq!(group.counters(1, &stream).pulls_sent, before);
    assert_eq!(group.net.machine(&peer(1)).stream(&stream).unwrap().holes, 0);
}

#[test]
fn the_window_forgets_what_is_older_than_itself_and_the_relay_margin() {
    let mut group = Group::new(22, NetConfig::with_latency(MS(10)));
    group.config.window_duration = Duration::from_secs(1);
    group.config.relay_margin_duration = MS(500);
    group.config.key_retention = Duration::from_secs(1);
    group.mesh(3);
    (1..3).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_000, MS(5), Duration::from_secs(6));
    for number in 0..3 {
        let bytes = group.net.machine(&peer(number)).stream(&stream).unwrap().window_bytes;
        assert!((280_000..350_000).contains(&bytes), "member {number} keeps {bytes} bytes for 1.5 s");
    }
}

#[test]
fn a_fragment_that_was_lost_is_asked_of_its_pusher_within_a_round_trip() {
    let mut group = Group::new(23, NetConfig::with_latency(MS(10)));
    group.mesh(2);
    group.subscribe(1, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    let mut dropped = false;
    group.net.tap(move |passing| match passing.message {
        Message::Fragment { run: 20, position: 0, .. } if !dropped => {
            dropped = true;
            Fate::Drop
        }
        _ => Fate::Pass,
    });
    group.write(0, 1_128, MS(4), Duration::from_secs(1));
    group.net.run_for(MS(300));
    assert_eq!(group.received(1), group.sent(0));
    let begin = group.messages(1)[0].0;
    let slowest =
        (0..).zip(group.messages(1)).map(|(number, (at, _))| at.since(begin + MS(4 * number))).max();
    // Its own 12 ms of hold, 8 ms of patience for reordering, a round trip of 20 ms.
    assert!(slowest.unwrap() <= MS(45), "{slowest:?}");
    assert_eq!(group.counters(1, &stream).pulls_sent, 1);
}
