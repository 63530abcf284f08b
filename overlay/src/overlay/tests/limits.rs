//! What members could make us keep: each at its limit, and one more.

use std::sync::Arc;

use stratus_core::{Delivery, Wire};

use super::*;
use crate::best::{BestList, Reason, View};
use crate::message::{Aged, MAX_RECORD_BYTES, MAX_RECORDS, Message, Role};
use crate::record::Draft;

fn nobody(_view: &View<'_>) -> BestList {
    BestList::default()
}

/// Wants everybody that it has heard of.
fn everybody(view: &View<'_>) -> BestList {
    let mut best = BestList::default();
    view.known.iter().for_each(|place| {
        best.add(*place, Reason::Ring);
    });
    best
}

/// Member 1 with these settings among `count` members that want nobody.
fn one_of(count: u64, config: Config) -> Net<Overlay> {
    let even = NetConfig::with_latency(Duration::from_millis(25));
    strangers(1, count, even, |number| {
        let config =
            if number == 1 { config.clone() } else { Config { policy: nobody, ..Config::default() } };
        Overlay::new(config, setup(number))
    })
}

fn size(net: &Net<Overlay>, what: &str) -> usize {
    let sizes = net.machine(&peer(1)).sizes();
    sizes.into_iter().find(|(name, ..)| *name == what).expect("a size of this name").1
}

#[test]
fn links_end_at_their_limit_and_those_that_others_chose_at_theirs() {
    // spec OV-11
    let config = Config { links: 8, incoming_links: 4, policy: nobody, ..Config::default() };
    let mut net = one_of(40, config);
    // Ring neighbors are always welcome: those who come are none, as nearer ones are known.
    bootstrap(&mut net, 1, 2..=40);
    let known: Vec<Place> = (2..=40).map(|number| place_of(&RING, &peer(number))).collect();
    let mut sorted = known.clone();
    sorted.sort_unstable();
    let me = place_of(&RING, &peer(1));
    let near: Vec<Place> =
        clockwise(&sorted, me).take(3).chain(counterclockwise(&sorted, me).take(3)).collect();
    let far: Vec<u64> = (2..=40).filter(|number| !near.contains(&known[*number as usize - 2])).collect();
    for number in &far[..4] {
        net.connect(peer(*number), peer(1));
    }
    net.run_for(seconds(1));
    assert_eq!((net.links(&peer(1)).len(), net.machine(&peer(1)).stats().full_count), (4, 0));
    net.connect(peer(far[4]), peer(1));
    net.run_for(seconds(1));
    assert_eq!((net.links(&peer(1)).len(), net.machine(&peer(1)).stats().full_count), (4, 1));
    for number in &far[5..9] {
        net.command(peer(1), Command::AddNeighbor(peer(*number)));
    }
    net.run_for(seconds(1));
    assert_eq!(size(&net, "links"), 8);
    net.command(peer(1), Command::AddNeighbor(peer(far[9])));
    net.run_for(seconds(1));
    assert_eq!((size(&net, "links"), size(&net, "dials")), (8, 0), "no room for a ninth");
}

#[test]
fn no_more_members_are_dialled_at_once_than_allowed() {
    // spec OV-11
    let mut net = one_of(5, Config { dials: 3, policy: nobody, ..Config::default() });
    for number in 2..=4 {
        net.command(peer(1), Command::AddNeighbor(peer(number)));
    }
    assert_eq!((size(&net, "dials"), net.machine(&peer(1)).stats().dial_count), (3, 3));
    net.command(peer(1), Command::AddNeighbor(peer(5)));
    assert_eq!((size(&net, "dials"), net.machine(&peer(1)).stats().dial_count), (3, 3));
}

#[test]
fn pins_and_hints_end_at_their_limits() {
    // spec OV-15
    let mut net = one_of(1, Config { pins: 3, hints: 3, policy: nobody, ..Config::default() });
    for (number, expected) in [(50, 1), (51, 2), (52, 3), (53, 3)] {
        net.command(peer(1), Command::Pin(peer(number)));
        net.command(peer(1), Command::AddMemberHint(peer(number)));
        assert_eq!((size(&net, "pins"), size(&net, "hints")), (expected, expected), "{number}");
    }
}

#[test]
fn requests_of_one_neighbor_pass_up_to_their_burst_and_not_once_more() {
    // spec OV-22
    let mut net = one_of(2, Config { policy: everybody, ..Config::default() });
    bootstrap(&mut net, 1, [2]);
    net.run_for(seconds(3));
    let burst = Config::default().requests.burst;
    let throttled = |net: &Net<Overlay>| net.machine(&peer(1)).stats().throttled_count;
    let offer =
        Message::Offer { role: Role::Answer, members: 0, digests: vec![], old: vec![], missing: vec![] };
    for _ in 0..burst {
        net.forge(peer(2), peer(1), &offer, Delivery::Control);
    }
    net.run_for(Duration::from_millis(25));
    assert_eq!(throttled(&net), 0, "at the limit");
    net.forge(peer(2), peer(1), &offer, Delivery::Control);
    net.run_for(Duration::from_millis(25));
    assert_eq!(throttled(&net), 1, "one over it");
}

/// The largest records that there are.
fn large(count: u64) -> Vec<Record> {
    let address = |port| ([0x2a00, 0xdb8, 0, 0, 0, 0, 0, 7], port).into();
    let draft = |sequence| Draft {
        sequence,
        addresses: (5_001..=5_008).map(address).collect(),
        servers: (5_001..=5_002).map(address).collect(),
        introducers: (1..=3).collect(),
    };
    (100..100 + count).map(|number| Record::sign(&identity(number), &GROUP, draft(u64::MAX >> 1))).collect()
}

#[test]
fn no_message_holds_more_records_or_bytes_than_allowed() {
    // spec OV-4: at the limit it reads, one over it it does not
    let all: Vec<Aged> =
        large(41).into_iter().map(|record| Aged { record: Arc::new(record), age: u32::MAX }).collect();
    let records = |count| Message::Records(all[..count].to_vec()).to_bytes();
    assert!(records(1).len() > 320, "{} bytes are not the largest", records(1).len());
    assert!(
        Message::from_bytes(records(MAX_RECORDS)).is_ok() && records(MAX_RECORDS).len() <= MAX_RECORD_BYTES
    );
    assert!(Message::from_bytes(records(MAX_RECORDS + 1)).is_err());
    // And no more are told than allowed, however many are asked for.
    let config = Config { policy: everybody, records_per_message: 5, ..Config::default() };
    let mut net = one_of(2, config);
    net.command(peer(1), Command::Bootstrap(large(30)));
    let most: std::rc::Rc<std::cell::Cell<usize>> = std::rc::Rc::default();
    let seen = most.clone();
    net.tap(move |passing| {
        if let Message::Records(records) = passing.message {
            seen.set(seen.get().max(records.len()));
        }
        stratus_core::testing::Fate::Pass
    });
    net.connect(peer(2), peer(1));
    net.run_for(seconds(1));
    for asked in [5, 6] {
        most.set(0);
        let wants = (100..100 + asked).map(|number| place_of(&RING, &peer(number))).collect();
        net.forge(peer(2), peer(1), &Message::Want(wants), Delivery::Control);
        net.run_for(Duration::from_millis(60));
        assert_eq!(most.get(), 5, "asked for {asked}");
    }
}
