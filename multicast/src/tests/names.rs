//! Whose a name is: restarts, rivals, publishers that are gone.

use std::time::Duration;

use stratus_core::testing::{NetConfig, identity, peer};

use super::Group;
use crate::{Command, Event, PublishError, StreamId};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn guarded(seed: u64, members: u64) -> Group {
    let mut group = Group::new(seed, NetConfig::with_latency(MS(30)));
    group.authority = Some(identity(500));
    group.mesh(members);
    group
}

/// What a viewer is told, but messages and what only the overlay needs.
fn told(group: &Group, viewer: u64) -> Vec<Event> {
    let is_told = |event: &Event| {
        !matches!(
            event,
            Event::Message { .. } | Event::Want(_) | Event::Release(_) | Event::SubscriberHeard { .. }
        )
    };
    group.events_of(viewer, is_told)
}

fn name() -> String {
    "cam".to_owned()
}

/// Member 0 publishes and is killed; the same publisher comes back as member 9, after `away`.
fn restarted(group: &mut Group, away: Duration) -> (StreamId, StreamId) {
    (2..6).for_each(|number| group.subscribe(number, "cam"));
    let first = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_128, MS(8), Duration::from_secs(2));
    group.net.kill(peer(0));
    group.net.run_for(away);
    group.add(9);
    (1..6).for_each(|number| group.link(9, number));
    group.net.run_for(MS(200));
    let second = group.publish_as(9, 1, "cam");
    (first, second)
}

#[test]
fn a_publisher_that_was_killed_and_comes_back_is_taken_over_at_once_with_one_reset() {
    // spec MC-17
    for away in [MS(100), MS(1_500), Duration::from_secs(20)] {
        let mut group = guarded(41, 6);
        let (first, second) = restarted(&mut group, away);
        let back_at = group.net.now();
        // As the command line does, it lets the news spread before it writes.
        group.net.run_for(MS(300));
        group.write_to(second, 9, 1_128, MS(8), Duration::from_secs(2));
        group.net.run_for(MS(500));
        for viewer in 2..6 {
            let resets: Vec<Event> = told(&group, viewer)
                .into_iter()
                .filter(|event| !matches!(event, Event::PublishNotify { .. }))
                .collect();
            let expected = [
                Event::PlayStart { stream: first, name: name() },
                Event::PlayReset { stream: second, name: name() },
            ];
            assert_eq!(resets, expected, "viewer {viewer}, away for {away:?}");
            let resumed = group.messages(viewer).iter().map(|(at, _)| *at).find(|at| *at > back_at);
            let pause = resumed.expect("it goes on").since(back_at);
            assert!(pause <= MS(500), "viewer {viewer} resumed after {pause:?}, away for {away:?}");
            let received = group.received(viewer);
            assert!(received.ends_with(group.sent_by(second)), "viewer {viewer} missed the new beginning");
        }
    }
}

#[test]
fn a_viewers_own_wishes_are_lost_with_the_stream_they_were_for() {
    // spec MC-18
    let mut group = guarded(51, 3);
    group.subscribe(2, "cam");
    let first = group.publish(0, "cam");
    group.net.run_for(MS(300));
    let wishes = crate::Overrides { window_duration: Some(MS(700)), ..crate::Overrides::default() };
    group.net.command(peer(2), Command::SetOverrides { name: name(), wishes });
    let window = |group: &Group, stream: &StreamId| {
        let info = group.net.machine(&peer(2)).stream(stream).expect("known");
        info.properties.window_duration
    };
    assert_eq!(window(&group, &first), MS(700));
    let second = group.publish(1, "cam");
    group.net.run_for(MS(300));
    assert_eq!(window(&group, &second), group.config.window_duration);
}

#[test]
fn where_anybody_may_publish_a_name_goes_to_another_only_after_silence() {
    // spec MC-17
    let mut group = Group::new(42, NetConfig::with_latency(MS(30)));
    group.mesh(4);
    group.subscribe(3, "cam");
    let first = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_128, MS(8), MS(500));
    let second = group.publish(1, "cam");
    group.write_to(second, 1, 1_128, MS(8), MS(200));
    group.write(0, 1_128, MS(8), Duration::from_secs(4));
    group.net.run_for(MS(300));
    let starts = |group: &Group| {
        group.events_of(3, |event| matches!(event, Event::PlayStart { .. } | Event::PlayReset { .. }))
    };
    assert_eq!(starts(&group), [Event::PlayStart { stream: first, name: name() }]);
    assert!(group.received(3) == group.sent(0), "the viewer of the first was disturbed");
    group.net.kill(peer(0));
    group.net.run_for(Duration::from_secs(4));
    let expected =
        [Event::PlayStart { stream: first, name: name() }, Event::PlayReset { stream: second, name: name() }];
    assert_eq!(starts(&group), expected);
}

#[test]
fn of_two_publishers_of_one_name_everybody_plays_the_later_and_the_earlier_is_told() {
    // spec MC-17
    let mut group = guarded(43, 8);
    (2..5).for_each(|number| group.subscribe(number, "cam"));
    let first = group.publish(0, "cam");
    group.net.run_for(MS(300));
    let second = group.publish(1, "cam");
    group.net.run_for(MS(300));
    // Newcomers choose alike.
    (5..8).for_each(|number| group.subscribe(number, "cam"));
    group.net.run_for(MS(300));
    group.write(0, 1_128, MS(8), MS(300));
    group.write_to(second, 1, 1_128, MS(8), MS(300));
    group.net.run_for(MS(500));
    for viewer in 2..8 {
        assert!(group.received(viewer) == group.sent_by(second), "viewer {viewer}");
    }
    let bad_name = |number| group.events_of(number, |event| matches!(event, Event::PublishBadName { .. }));
    assert_eq!(bad_name(0), [Event::PublishBadName { stream: first, name: name() }]);
    assert_eq!(bad_name(1), []);
    // The later one ends: viewers go back to the earlier, which is still there.
    group.net.command(peer(1), Command::Unpublish(second));
    group.net.run_for(Duration::from_secs(1));
    group.write(0, 1_128, MS(8), MS(300));
    group.net.run_for(MS(500));
    for viewer in 2..8 {
        assert!(group.sent(0).ends_with(&group.received(viewer)[group.sent_by(second).len()..]), "{viewer}");
        assert!(group.received(viewer).len() > group.sent_by(second).len(), "viewer {viewer} stayed behind");
    }
}

#[test]
fn a_publisher_whose_clock_is_behind_is_heard_all_the_same() {
    // spec MC-17
    let mut group = guarded(44, 4);
    group.subscribe(3, "cam");
    group.publish_with(0, 0, "cam", |wanted| wanted.began = 1_000_000);
    group.net.run_for(MS(300));
    let second = group.publish_with(1, 0, "cam", |wanted| wanted.began = 7);
    group.net.run_for(MS(300));
    let resets = group.events_of(3, |event| matches!(event, Event::PlayReset { .. }));
    assert_eq!(resets, [Event::PlayReset { stream: second, name: name() }]);
}

#[test]
fn a_member_publishes_each_name_once_at_a_time() {
    let mut group = guarded(45, 2);
    let first = group.publish(0, "cam");
    let twin = group.publish_as(0, 1, "cam");
    let other = group.publish_as(0, 2, "other cam");
    let failed = group.events_of(0, |event| matches!(event, Event::PublishFailed { .. }));
    assert_eq!(failed, [Event::PublishFailed { stream: twin, why: PublishError::BadName }]);
    group.net.command(peer(0), Command::Unpublish(first));
    group.publish_as(0, 3, "cam");
    group.net.run_for(MS(300));
    let notified = group.events_of(1, |event| matches!(event, Event::PublishNotify { .. }));
    assert_eq!(notified.len(), 3, "{notified:?}");
    assert!(notified.contains(&Event::PublishNotify { stream: other, name: "other cam".to_owned() }));
}

#[test]
fn viewers_of_a_publisher_that_never_comes_back_are_told_after_the_timeout() {
    // spec MC-22
    let mut group = Group::new(46, NetConfig::with_latency(MS(30)));
    group.config.publisher_timeout = Duration::from_secs(5);
    group.mesh(5);
    (2..5).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_128, MS(8), Duration::from_secs(1));
    let killed_at = group.net.now();
    group.net.kill(peer(0));
    group.net.run_for(Duration::from_secs(8));
    for viewer in 2..5 {
        let events = group.net.events(&peer(viewer)).iter();
        let ends: Vec<(Duration, Event)> = events
            .filter(|(_, event)| {
                matches!(event, Event::PublishIdle { .. } | Event::UnpublishNotify { .. } | Event::Gap { .. })
            })
            .map(|(at, event)| (at.since(killed_at), event.clone()))
            .collect();
        let told: Vec<Event> = ends.iter().map(|(_, event)| event.clone()).collect();
        let expected = [
            Event::PublishIdle { stream, name: name() },
            Event::UnpublishNotify { stream, name: name(), end: None },
        ];
        assert_eq!(told, expected, "viewer {viewer}");
        assert!(
            (MS(4_900)..MS(5_600)).contains(&ends[0].0),
            "viewer {viewer} was told after {:?}",
            ends[0].0
        );
        let (wanted, released) = (
            group.events_of(viewer, |event| matches!(event, Event::Want(_))).len(),
            group.events_of(viewer, |event| matches!(event, Event::Release(_))).len(),
        );
        assert_eq!(wanted, released, "viewer {viewer} keeps links for nothing");
    }
}

#[test]
fn a_publisher_that_lives_and_rests_is_never_taken_for_gone() {
    // spec MC-6, MC-22
    let mut group = Group::new(47, NetConfig { lost_per_mille: 50, ..NetConfig::with_latency(MS(30)) });
    group.config.publisher_timeout = Duration::from_secs(5);
    group.config.announcement_lifetime = Duration::from_secs(6);
    group.mesh(6);
    (2..6).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_128, MS(8), MS(400));
    let sent = group.net.traffic(&peer(0)).sent_bytes;
    group.net.run_for(Duration::from_secs(60));
    let beats = group.net.traffic(&peer(0)).sent_bytes - sent;
    assert!(beats < 60 * 6_000, "a rest costs its publisher {} bytes a second", beats / 60);
    group.write(0, 1_128, MS(8), MS(400));
    group.net.run_for(Duration::from_secs(1));
    for number in 1..6 {
        let ends = group.events_of(number, |event| {
            matches!(
                event,
                Event::PublishIdle { .. } | Event::UnpublishNotify { .. } | Event::PlayReset { .. }
            )
        });
        assert_eq!(ends, [], "member {number}");
        assert!(number < 2 || group.received(number) == group.sent(0), "member {number} differs");
    }
    assert!(group.net.machine(&peer(1)).stream(&stream).is_some(), "an onlooker forgot a living stream");
}

#[test]
fn everybody_is_told_of_streams_and_of_their_ends_and_dead_ones_are_forgotten() {
    // spec MC-4
    let mut group = Group::new(48, NetConfig::with_latency(MS(30)));
    group.config.announcement_lifetime = Duration::from_secs(9);
    group.mesh(5);
    group.subscribe(1, "cam");
    let ends = group.publish(0, "ends");
    let dies = group.publish(2, "dies");
    group.net.run_for(MS(500));
    group.unpublish(0);
    group.net.kill(peer(2));
    group.net.run_for(Duration::from_secs(5));
    // A newcomer hears of the dead one as well, and that the news is old.
    group.add(7);
    (3..5).for_each(|number| group.link(7, number));
    group.net.run_for(Duration::from_secs(6));
    for member in [1, 3, 4] {
        let expected = [
            Event::PublishNotify { stream: ends, name: "ends".to_owned() },
            Event::PublishNotify { stream: dies, name: "dies".to_owned() },
            Event::UnpublishNotify {
                stream: ends,
                name: "ends".to_owned(),
                end: Some(crate::End { runs: 0, fragments: 0 }),
            },
            Event::UnpublishNotify { stream: dies, name: "dies".to_owned(), end: None },
        ];
        let mut told = told(&group, member);
        told.sort_by_key(|event| expected.iter().position(|other| other == event));
        assert_eq!(told, expected, "member {member}");
    }
    let of_the_dead = [
        Event::PublishNotify { stream: dies, name: "dies".to_owned() },
        Event::UnpublishNotify { stream: dies, name: "dies".to_owned(), end: None },
    ];
    assert_eq!(told(&group, 7), of_the_dead);
    for member in [1, 3, 4, 7] {
        assert_eq!(group.net.machine(&peer(member)).streams().count(), 0, "member {member}");
    }
}

#[test]
fn four_publishers_of_four_streams_each_serve_everyone_at_once() {
    let mut group = guarded(49, 8);
    let names: Vec<String> = (0..16).map(|number| format!("cam {number}")).collect();
    for (number, name) in (0..).zip(&names) {
        group.publish_as(number % 4, number / 4, name);
        for viewer in 0..8 {
            if viewer != number % 4 {
                group.subscribe(viewer, name);
            }
        }
    }
    group.net.run_for(MS(800));
    let begin = group.net.now();
    let streams: Vec<StreamId> = (0..16).map(|number| Group::stream_of(number % 4, number / 4)).collect();
    for (number, stream) in (0..).zip(&streams) {
        group.plan(*stream, number % 4, begin, 1_000, MS(20), Duration::from_secs(2));
    }
    group.net.run_for(Duration::from_secs(3));
    for (number, stream) in (0..).zip(&streams) {
        for viewer in (0..8).filter(|viewer| *viewer != number % 4) {
            let received = group.received_of(viewer, stream);
            assert!(received == group.sent_by(*stream), "viewer {viewer} of stream {number}");
        }
    }
}

#[test]
fn sixteen_members_publish_to_each_other() {
    let mut group = Group::new(50, NetConfig::with_latency(MS(30)));
    group.mesh(16);
    for number in 0..16 {
        group.publish(number, &format!("voice {number}"));
    }
    for listener in 0..16 {
        (0..16).filter(|number| *number != listener).for_each(|number| {
            group.subscribe(listener, &format!("voice {number}"));
        });
    }
    group.net.run_for(MS(800));
    let begin = group.net.now();
    for number in 0..16 {
        // 32 kbit/s in frames of 20 ms.
        group.plan(Group::stream(number), number, begin, 80, MS(20), Duration::from_secs(2));
    }
    group.net.run_for(Duration::from_secs(3));
    for listener in 0..16 {
        for number in (0..16).filter(|number| *number != listener) {
            let received = group.received_of(listener, &Group::stream(number));
            assert!(received == group.sent(number), "listener {listener} of voice {number}");
        }
    }
}
