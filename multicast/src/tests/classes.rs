//! Reliability by class: what is let go, what is not, and that neither holds up the other.

use std::time::Duration;

use stratus_core::testing::{Fate, NetConfig, peer};

use super::Group;
use crate::{Command, Event, Kind, Message, Piece, PieceFlags, Reliability};

const MS: fn(u64) -> Duration = Duration::from_millis;
const KINDS: [Kind; 3] = [Kind::Data, Kind::Audio, Kind::Video];

/// Messages of one fragment in turn of each class, each a run of its own, 50 a second for 3 s; the fragment of run
/// `lost` never comes. Gives back the group, its config's window being 2 s.
fn with_a_loss(lost: u64, reliability: Reliability) -> Group {
    let mut group = Group::new(71, NetConfig::with_latency(MS(10)));
    group.config.window_duration = Duration::from_secs(2);
    group.mesh(3);
    (1..3).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish_with(0, 0, "cam", |wanted| wanted.parameters.reliability = reliability);
    group.net.run_for(MS(500));
    group.net.tap(move |passing| match passing.message {
        Message::Fragment { run, .. } if *run == lost => Fate::Drop,
        _ => Fate::Pass,
    });
    let begin = group.net.now();
    for number in 0..150u64 {
        let kind = KINDS[(number % 3) as usize];
        let flags = PieceFlags { is_start: true, is_end: true, is_key: number == 0, kind };
        let piece = Piece { payload: vec![number as u8; 900].into(), flags, flush: true };
        group.net.command_at(begin + MS(20 * number), peer(0), Command::Write { stream, piece });
    }
    group.net.run_for(Duration::from_secs(6));
    group
}

/// How long the message after the lost one waited at member 1.
fn held_up(group: &Group, lost: u64) -> Duration {
    let messages = group.messages(1);
    let at = |index: u64| messages.iter().find(|(_, message)| message.index == index).expect("it came").0;
    at(lost + 1).since(at(lost - 1)) - MS(40)
}

#[test]
fn each_class_is_let_go_at_its_own_deadline_and_holds_up_nothing_longer() {
    // spec MC-19
    let second = Some(Duration::from_secs(1));
    let classes = [
        (60, Reliability { data: Some(MS(300)), audio: second, video: None }, MS(300)),
        (61, Reliability { data: second, audio: Some(MS(300)), video: None }, MS(300)),
        (62, Reliability { data: second, audio: None, video: Some(MS(300)) }, MS(300)),
        (60, Reliability { data: None, audio: Some(MS(300)), video: Some(MS(300)) }, MS(2_000)),
        (61, Reliability { data: Some(MS(300)), audio: None, video: Some(MS(300)) }, MS(2_000)),
        (62, Reliability { data: Some(MS(300)), audio: Some(MS(300)), video: None }, MS(2_000)),
    ];
    for (lost, reliability, expected) in classes {
        let group = with_a_loss(lost, reliability);
        let gaps = group.events_of(1, |event| matches!(event, Event::Gap { .. }));
        assert_eq!(gaps, [Event::Gap { stream: Group::stream(0), first_index: lost, count: 1 }]);
        assert_eq!(group.messages(1).len(), 149, "more than the lost one is missing");
        let held_up = held_up(&group, lost);
        // Given up when a map is made: a tenth of a second later at most.
        let range = expected - MS(60)..expected + MS(160);
        assert!(range.contains(&held_up), "{lost} with {reliability:?} held up for {held_up:?}");
    }
}

#[test]
fn what_was_let_go_is_not_asked_for_any_more() {
    // spec MC-19
    let reliability = Reliability { audio: Some(MS(300)), ..Reliability::default() };
    let group = with_a_loss(61, reliability);
    let unreliable = group.counters(1, &Group::stream(0)).pulls_sent;
    let group = with_a_loss(60, reliability);
    let reliable = group.counters(1, &Group::stream(0)).pulls_sent;
    assert!(unreliable > 1, "it was never asked for");
    assert!(
        unreliable * 2 < reliable,
        "asked {unreliable} times until let go, {reliable} times where reliable"
    );
    assert_eq!(group.net.machine(&peer(1)).stream(&Group::stream(0)).unwrap().holes, 0);
}

#[test]
fn an_unreliable_class_is_repaired_within_its_deadline() {
    // spec MC-19
    let all = Some(MS(400));
    let mut group = Group::new(72, NetConfig { lost_per_mille: 50, ..NetConfig::with_latency(MS(10)) });
    group.mesh(4);
    (1..4).for_each(|number| group.subscribe(number, "cam"));
    let reliability = Reliability { audio: all, video: all, data: all };
    let stream = group.publish_with(0, 0, "cam", |wanted| wanted.parameters.reliability = reliability);
    group.net.run_for(MS(500));
    group.write_to(stream, 0, 1_000, MS(8), Duration::from_secs(4));
    group.net.run_for(Duration::from_secs(1));
    for viewer in 1..4 {
        assert!(group.received(viewer) == group.sent(0), "viewer {viewer} differs");
    }
}
