//! A publisher that signs two histories of its stream: found out, never mixed, and nobody else is blamed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Fate, NetConfig, identity, peer};
use stratus_core::{Delivery, DirectVerify, Priority, Time};

use super::Group;
use crate::cutter::{CutRun, Cutter};
use crate::{Event, Kind, Message, Piece, PieceFlags, StreamId};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A history of one stream: messages of two runs each, filled with `fill`.
fn history(fill: u8, messages: u64) -> Vec<CutRun> {
    let mut cutter = Cutter::new(identity(1_000), Time::ZERO);
    let mut runs = Vec::new();
    for message in 0..messages {
        for part in 0..2 {
            let mut payload = vec![fill; 900];
            payload[0] = message as u8;
            let flags = PieceFlags {
                is_start: part == 0,
                is_end: part == 1,
                is_key: message == 0,
                kind: Kind::Video,
            };
            cutter.add(Time::ZERO, &Piece { payload: payload.into(), flags, flush: true }, 32);
            runs.extend(cutter.cut(Time::from_millis(20 * (2 * message + part)), &DirectVerify));
        }
    }
    runs
}

/// Sends what of a run `is_wanted` to member `to`, as the publisher pushes it.
fn push(group: &mut Group, stream: StreamId, to: u64, cut: &CutRun) {
    let how = Delivery::live(group.net.now(), MS(500), Priority::Push);
    let (stream, run) = (stream.alias(), cut.manifest.run);
    for (position, payload) in (0..).zip(&cut.payloads) {
        let payload = payload.clone();
        let message = Message::Fragment { stream, is_repair: false, run, position, payload };
        group.net.forge(peer(0), peer(to), &message, how);
    }
    let manifest = cut.manifest.clone();
    let message = Message::Manifest { stream, is_repair: false, hops: 0, manifest };
    group.net.forge(peer(0), peer(to), &message, how);
}

/// Publisher 0 announces a stream and says nothing more by itself; viewers 1 … 5 play it.
fn announced(seed: u64) -> (Group, StreamId) {
    let mut group = Group::new(seed, NetConfig::with_latency(MS(10)));
    group.mesh(6);
    (1..6).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(800));
    (group, stream)
}

fn condemned(group: &Group, viewer: u64) -> usize {
    group.events_of(viewer, |event| matches!(event, Event::Equivocated { .. })).len()
}

#[test]
fn two_manifests_of_one_run_are_found_out_by_everyone_and_no_message_is_mixed() {
    // spec MC-21
    let (mut group, stream) = announced(61);
    let (ones, twos) = (history(1, 20), history(2, 20));
    // One half of the viewers is told one thing, the other half another; from their fourth message on they differ.
    for number in 0..ones.len() {
        for viewer in 1..6 {
            let cut = if number < 8 || viewer % 2 == 0 { &ones[number] } else { &twos[number] };
            push(&mut group, stream, viewer, cut);
        }
        group.net.run_for(MS(20));
    }
    group.net.run_for(Duration::from_secs(2));
    for viewer in 1..6 {
        assert_eq!(condemned(&group, viewer), 1, "viewer {viewer}");
        assert_eq!(group.misbehaved(viewer), [], "viewer {viewer} blamed somebody");
        for payload in group.received(viewer) {
            let (first, second) = payload.split_at(900);
            assert_eq!(first[1..], second[1..], "viewer {viewer} was given a mixed message");
        }
        assert!(group.received(viewer).len() >= 3, "viewer {viewer} lost what was sound");
    }
    // Whoever comes later is not drawn in by those who know.
    let playing =
        (1..6).filter(|viewer| group.net.machine(&peer(*viewer)).stream(&stream).unwrap().is_active);
    assert_eq!(playing.count(), 0);
}

#[test]
fn runs_of_two_histories_do_not_link_and_are_not_put_together() {
    // spec MC-21
    let (mut group, stream) = announced(62);
    let (ones, twos) = (history(1, 4), history(2, 4));
    // Each run comes once, but the message in runs 2 and 3 is half of one and half of the other history.
    for cut in &ones[..3] {
        push(&mut group, stream, 1, cut);
    }
    push(&mut group, stream, 1, &twos[3]);
    group.net.run_for(MS(300));
    assert_eq!(condemned(&group, 1), 1);
    assert_eq!(
        group.received(1),
        [Bytes::from([&ones[0].payloads[0][..], &ones[1].payloads[0][..]].concat())]
    );
    assert_eq!(group.misbehaved(1), []);
}

#[test]
fn an_honest_relay_with_the_other_history_is_asked_and_not_blamed() {
    // spec MC-7, MC-21
    let (mut group, stream) = announced(63);
    let (ones, twos) = (history(1, 4), history(2, 4));
    push(&mut group, stream, 1, &ones[0]);
    push(&mut group, stream, 2, &twos[0]);
    // Their proofs of each other are kept from them for as long as it takes to see what a lone fragment does.
    group.net.run_for(MS(5));
    let how = Delivery::live(group.net.now(), MS(500), Priority::Push);
    let payload = twos[0].payloads[0].clone();
    let lone = Message::Fragment { stream: stream.alias(), is_repair: true, run: 0, position: 0, payload };
    group.net.run_for(MS(15));
    group.net.forge(peer(2), peer(1), &lone, how);
    group.net.run_for(Duration::from_secs(2));
    assert_eq!(condemned(&group, 1), 1, "the publisher got away");
    assert_eq!((group.misbehaved(1), group.misbehaved(2)), (vec![], vec![]), "an honest relay was blamed");
}

#[test]
fn a_forger_that_hides_its_manifest_is_convicted_within_a_second() {
    // spec MC-7, MC-21
    let (mut group, stream) = announced(64);
    push(&mut group, stream, 1, &history(1, 1)[0]);
    group.net.run_for(MS(30));
    // Member 3 never answers what it is asked.
    group.net.tap(|passing| match passing.message {
        Message::Manifest { .. } | Message::Refuse { .. } if passing.from == peer(3) => Fate::Drop,
        _ => Fate::Pass,
    });
    let how = Delivery::live(group.net.now(), MS(500), Priority::Push);
    for fill in 0..50 {
        let payload = Bytes::from(vec![fill; 700]);
        let forged =
            Message::Fragment { stream: stream.alias(), is_repair: true, run: 0, position: 9, payload };
        group.net.forge(peer(3), peer(1), &forged, how);
    }
    let before = group.net.traffic(&peer(1)).sent_bytes;
    group.net.run_for(MS(1_000));
    assert_eq!(group.misbehaved(1), [(peer(3), "a fragment that its run does not have")]);
    assert_eq!(condemned(&group, 1), 0);
    assert!(group.net.traffic(&peer(1)).sent_bytes - before < 20_000, "a forger made its victim talk");
}

#[test]
fn whoever_repeats_the_proof_changes_nothing() {
    let (mut group, stream) = announced(65);
    let (ones, twos) = (history(1, 1), history(2, 1));
    push(&mut group, stream, 1, &ones[0]);
    push(&mut group, stream, 1, &twos[0]);
    group.net.run_for(MS(500));
    for _ in 0..20 {
        for cut in [&ones[0], &twos[0]] {
            let message = Message::Manifest {
                stream: stream.alias(),
                is_repair: true,
                hops: 3,
                manifest: Arc::clone(&cut.manifest),
            };
            let how = Delivery::live(group.net.now(), MS(500), Priority::Repair);
            group.net.forge(peer(4), peer(1), &message, how);
        }
    }
    group.net.run_for(MS(500));
    assert_eq!(condemned(&group, 1), 1);
    let again = group.events_of(1, |event| matches!(event, Event::PlayReset { .. } | Event::Message { .. }));
    assert_eq!(again, []);
}
