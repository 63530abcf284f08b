//! Newcomers, several streams, publishers that come back, members that leave.

use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{NetConfig, peer};

use super::Group;
use crate::{Command, Event, Kind, Parameters, Piece, PieceFlags, Publish, StreamId};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Pictures of four fragments, 25 a second, every 25th a key picture; gives back each picture's bytes.
fn film(group: &mut Group, by: u64, pictures: std::ops::Range<u64>) -> Vec<Bytes> {
    let stream = Group::stream(by);
    let begin = group.net.now();
    let mut film = Vec::new();
    let (first, count) = (pictures.start, pictures.end - pictures.start);
    for picture in pictures {
        let fragments: Vec<Bytes> =
            (0..4).map(|part| Bytes::from(vec![(picture * 4 + part) as u8; 700 + part as usize])).collect();
        film.push(fragments.concat().into());
        for (part, payload) in (0..).zip(fragments) {
            let (is_start, is_end) = (part == 0, part == 3);
            let flags = PieceFlags { is_start, is_end, is_key: picture % 25 == 0, kind: Kind::Video };
            let piece = Piece { payload, flags, flush: is_end };
            group.net.command_at(
                begin + MS(40 * (picture - first)),
                peer(by),
                Command::Write { stream, piece },
            );
        }
    }
    group.net.run_for(MS(40 * count));
    film
}

#[test]
fn a_late_joiner_starts_at_the_newest_key_frame_at_once_and_misses_nothing_after_it() {
    let mut group = Group::new(11, NetConfig::with_latency(MS(20)));
    group.mesh(6);
    (1..5).for_each(|number| group.subscribe(number, "cam"));
    group.publish(0, "cam");
    group.net.run_for(MS(300));
    let mut pictures = film(&mut group, 0, 0..60);
    let joined_at = group.net.now();
    group.subscribe(5, "cam");
    pictures.extend(film(&mut group, 0, 60..120));
    group.net.run_for(Duration::from_secs(1));
    let messages = group.messages(5);
    let (first_at, first) = &messages[0];
    assert!(first.is_key && first.index == 50 * 4, "{:?}", first.index);
    assert!(first_at.since(joined_at) <= MS(100), "first picture after {:?}", first_at.since(joined_at));
    assert_eq!(group.received(5), &pictures[50..]);
    assert_eq!(group.received(1), pictures);
}

/// One-fragment messages every 4 ms that nobody flushes, every 25th a key.
fn trickle(group: &mut Group, messages: std::ops::Range<u64>) {
    let stream = Group::stream(0);
    for number in messages {
        let flags = PieceFlags { is_start: true, is_end: true, is_key: number % 25 == 0, kind: Kind::Video };
        let piece = Piece { payload: Bytes::from(vec![number as u8; 900]), flags, flush: false };
        group.net.command(peer(0), Command::Write { stream, piece });
        group.net.run_for(MS(4));
    }
}

#[test]
fn a_key_message_begins_a_run_so_that_newcomers_need_nothing_older() {
    let mut group = Group::new(19, NetConfig::with_latency(MS(10)));
    group.mesh(4);
    (1..3).for_each(|number| group.subscribe(number, "cam"));
    group.publish(0, "cam");
    group.net.run_for(MS(300));
    trickle(&mut group, 0..140);
    group.subscribe(3, "cam");
    trickle(&mut group, 140..200);
    group.net.run_for(MS(300));
    let messages = group.messages(3);
    assert_eq!(messages.first().map(|(_, message)| (message.index, message.is_key)), Some((125, true)));
    assert_eq!((messages.len(), group.messages(1).len()), (75, 200));
}

/// A member that subscribes before it is linked with anybody, and then with these at once; when its first message came
/// after that.
fn first_message_after_linking(group: &mut Group, number: u64, to: &[u64]) -> Duration {
    group.add(number);
    group.subscribe(number, "cam");
    let linked_at = group.net.now();
    to.iter().for_each(|other| group.link(number, *other));
    let shown = group.messages(1).len() as u64;
    trickle(group, shown..shown + 60);
    group.messages(number)[0].0.since(linked_at)
}

#[test]
fn who_asks_by_name_has_the_first_message_a_round_trip_after_its_first_link() {
    let mut group = Group::new(20, NetConfig::with_latency(MS(20)));
    group.mesh(5);
    (1..4).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    trickle(&mut group, 0..100);
    let took = first_message_after_linking(&mut group, 7, &[2, 1, 3]);
    // A dial takes one round trip, question and answer another.
    assert!(took <= MS(82), "first message after {took:?}");
    assert_eq!(group.counters(7, &stream).duplicates.fragments, 0, "more than one neighbor gave it a start");
    // Its first neighbor plays nothing, says so, and the next one is asked.
    let took = first_message_after_linking(&mut group, 8, &[4, 1]);
    assert!(took <= MS(125), "first message after {took:?}");
}

#[test]
fn a_giver_whose_upload_is_limited_gives_the_beginning_and_parents_the_rest() {
    let mut group = Group::new(22, NetConfig::with_latency(MS(10)));
    group.config.upload = Some(320_000);
    group.mesh(8);
    (1..7).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(Duration::from_secs(1));
    trickle(&mut group, 0..218);
    let given = |group: &Group| -> u64 {
        (0..7).map(|number| group.counters(number, &stream).requested_by_peers.bytes).sum()
    };
    let before = given(&group);
    group.subscribe(7, "cam");
    trickle(&mut group, 218..228);
    // 20 kB have come since the key; a whole upload carries 16 kB in 50 ms, and push has a part of it.
    let at_once = given(&group) - before;
    assert!((900..16_500).contains(&at_once), "{at_once} bytes were given at once");
    trickle(&mut group, 228..400);
    group.net.run_for(Duration::from_secs(3));
    let messages = group.messages(7);
    assert_eq!(messages.first().map(|(_, message)| message.index), Some(200));
    assert_eq!(messages.len(), 200);
}

#[test]
fn who_asked_by_name_and_gets_no_answer_asks_another() {
    let mut group = Group::new(21, NetConfig::with_latency(MS(20)));
    group.mesh(3);
    (1..3).for_each(|number| group.subscribe(number, "cam"));
    group.publish(0, "cam");
    group.net.run_for(MS(300));
    trickle(&mut group, 0..100);
    // It knows of nothing: no announcement, no answer.
    group.add(8);
    group.add(7);
    group.subscribe(7, "cam");
    group.link(7, 8);
    group.net.run_for(MS(60));
    group.link(7, 2);
    let linked_at = group.net.now();
    trickle(&mut group, 100..240);
    let took = group.messages(7)[0].0.since(linked_at);
    assert!(took <= MS(500), "first message after {took:?}");
}

#[test]
fn several_publishers_and_streams_do_not_mix() {
    let mut group = Group::new(12, NetConfig::with_latency(MS(10)));
    group.mesh(6);
    for viewer in 2..6 {
        group.subscribe(viewer, "one");
        if viewer > 3 {
            group.subscribe(viewer, "two");
        }
    }
    let one = group.publish(0, "one");
    let two = group.publish(1, "two");
    group.net.run_for(MS(300));
    let written = |stream: StreamId, by: u64, group: &mut Group| {
        let begin = group.net.now();
        for number in 0..100u64 {
            let payload = Bytes::from(vec![number as u8 + by as u8 * 100; 900]);
            let flags = PieceFlags { is_start: true, is_end: true, is_key: true, kind: Kind::Data };
            let piece = Piece { payload, flags, flush: false };
            group.net.command_at(begin + MS(7 * number), peer(by), Command::Write { stream, piece });
        }
    };
    written(one, 0, &mut group);
    written(two, 1, &mut group);
    group.net.run_for(Duration::from_secs(2));
    for viewer in 2..6 {
        let of = |wanted: StreamId| {
            group
                .events_of(
                    viewer,
                    |event| matches!(event, Event::Message { stream, .. } if *stream == wanted),
                )
                .len()
        };
        assert_eq!((of(one), of(two)), (100, if viewer > 3 { 100 } else { 0 }), "viewer {viewer}");
    }
    assert_eq!(group.counters(2, &two).received_bytes(), 0, "a stream that is not played was carried");
}

#[test]
fn a_publisher_that_comes_back_with_a_new_key_is_found_by_its_name() {
    let mut group = Group::new(13, NetConfig::with_latency(MS(10)));
    group.mesh(3);
    group.subscribe(2, "cam");
    let first = group.publish(0, "cam");
    group.net.run_for(MS(300));
    film(&mut group, 0, 0..10);
    group.unpublish(0);
    group.net.run_for(MS(300));
    let second = group.publish(1, "cam");
    group.net.run_for(MS(300));
    let pictures = film(&mut group, 1, 0..10);
    group.net.run_for(MS(300));
    let told = group.events_of(2, |event| !matches!(event, Event::Message { .. } | Event::Want(_)));
    let name = || "cam".to_owned();
    let end = crate::End { runs: 10, fragments: 40 };
    let expected = [
        Event::PublishNotify { stream: first, name: name() },
        Event::PlayStart { stream: first, name: name() },
        Event::UnpublishNotify { stream: first, name: name(), end: Some(end) },
        Event::PlayEnd { stream: first },
        Event::Drained { stream: first },
        Event::PublishNotify { stream: second, name: name() },
        Event::PlayReset { stream: second, name: name() },
    ];
    let told: Vec<Event> = told.into_iter().filter(|event| !is_record(event)).collect();
    assert_eq!(told, expected);
    assert_eq!(group.received(2)[10..], pictures);
}

#[test]
fn a_publisher_that_dies_without_a_word_is_replaced_by_the_next_of_its_name() {
    let mut group = Group::new(17, NetConfig::with_latency(MS(10)));
    group.mesh(5);
    (2..5).for_each(|number| group.subscribe(number, "cam"));
    group.publish(0, "cam");
    group.net.run_for(MS(300));
    film(&mut group, 0, 0..20);
    group.net.kill(peer(0));
    group.net.run_for(Duration::from_secs(1));
    let second = group.publish(1, "cam");
    group.net.run_for(Duration::from_secs(3));
    let pictures = film(&mut group, 1, 0..50);
    group.net.run_for(MS(500));
    for viewer in 2..5 {
        let resets = group.events_of(viewer, |event| matches!(event, Event::PlayReset { .. }));
        assert_eq!(resets, [Event::PlayReset { stream: second, name: "cam".to_owned() }]);
        assert_eq!(group.received(viewer)[20..], pictures, "viewer {viewer}");
    }
}

#[test]
fn a_stream_that_rests_and_is_alone_of_its_name_is_kept() {
    let mut group = Group::new(18, NetConfig::with_latency(MS(10)));
    group.mesh(3);
    (1..3).for_each(|number| group.subscribe(number, "cam"));
    group.publish(0, "cam");
    group.net.run_for(MS(300));
    let mut pictures = film(&mut group, 0, 0..10);
    group.net.run_for(Duration::from_secs(12));
    pictures.extend(film(&mut group, 0, 10..20));
    group.net.run_for(Duration::from_secs(1));
    assert_eq!(group.received(1), pictures);
    assert_eq!(group.received(2), pictures);
}

fn is_record(event: &Event) -> bool {
    matches!(event, Event::SubscriberHeard { .. })
}

#[test]
fn whoever_stops_playing_releases_its_links_and_its_children_go_on() {
    let mut group = Group::new(14, NetConfig::with_latency(MS(10)));
    group.mesh(7);
    (1..7).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_128, MS(4), MS(700));
    group.net.command(peer(1), Command::Unsubscribe { name: "cam".to_owned() });
    group.write(0, 1_128, MS(4), MS(1_500));
    group.net.run_for(Duration::from_secs(1));
    for number in 2..7 {
        assert!(group.received(number) == group.sent(0), "member {number} differs");
    }
    let wanted = group.events_of(1, |event| matches!(event, Event::Want(_))).len();
    let released = group.events_of(1, |event| matches!(event, Event::Release(_))).len();
    assert_eq!(wanted, released);
    assert_eq!(group.net.machine(&peer(1)).stream(&stream).unwrap().children, 0);
}

#[test]
fn an_empty_message_and_a_tiny_one_arrive_like_any_other() {
    let mut group = Group::new(15, NetConfig::with_latency(MS(10)));
    group.mesh(2);
    group.subscribe(1, "cam");
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    for payload in [Bytes::new(), Bytes::from_static(b"x"), Bytes::new()] {
        let flags = PieceFlags { is_start: true, is_end: true, is_key: true, kind: Kind::Audio };
        let piece = Piece { payload, flags, flush: true };
        group.net.command(peer(0), Command::Write { stream, piece });
    }
    group.net.run_for(MS(300));
    assert_eq!(group.received(1), [Bytes::new(), Bytes::from_static(b"x"), Bytes::new()]);
}

#[test]
fn a_name_that_is_too_long_and_a_key_in_use_are_refused() {
    let mut group = Group::new(16, NetConfig::default());
    group.mesh(1);
    group.publish(0, "cam");
    for name in ["n".repeat(129), "cam".to_owned()] {
        let parameters = Parameters::from(&group.config);
        let wanted = Publish {
            key: stratus_core::testing::identity(1_000),
            name,
            began: 1,
            authorization: None,
            parameters,
            wishes: crate::Overrides::default(),
        };
        group.net.command(peer(0), Command::Publish(Box::new(wanted)));
    }
    let refused: Vec<_> = group
        .events_of(0, |event| matches!(event, Event::PublishFailed { .. }))
        .into_iter()
        .map(|event| match event {
            Event::PublishFailed { why, .. } => why.to_string(),
            _ => String::new(),
        })
        .collect();
    assert_eq!(refused, ["the stream name is longer than 128 bytes", "the stream key is in use"]);
}
