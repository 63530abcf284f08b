use std::sync::Arc;

use stratus_core::testing::identity;
use stratus_core::{Delivery, Wire as _};

use super::*;
use crate::api::Event;
use crate::message::{Aged, Message};
use crate::record::Draft;

/// Two linked members; 2 is the one that lies.
fn pair() -> Net<Overlay> {
    let mut net = strangers(1, 2, NetConfig::with_latency(Duration::from_millis(25)), overlay);
    bootstrap(&mut net, 1, [2]);
    net.run_for(seconds(1));
    net
}

fn record(number: u64, sequence: u64, group: GroupId) -> Arc<Record> {
    Arc::new(Record::sign(&identity(number), &group, Draft { sequence, ..Draft::default() }))
}

fn tell(net: &mut Net<Overlay>, message: &Message) {
    net.forge(peer(2), peer(1), message, Delivery::Control);
    net.run_for(Duration::from_millis(30));
}

fn tell_records(net: &mut Net<Overlay>, records: &[(Arc<Record>, u32)]) {
    let records = records.iter().map(|(record, age)| Aged { record: record.clone(), age: *age }).collect();
    tell(net, &Message::Records(records));
}

fn misdeeds(net: &Net<Overlay>) -> Vec<&'static str> {
    let what = |event: &Event| match event {
        Event::Misbehaved { peer: who, what } if *who == peer(2) => Some(*what),
        _ => None,
    };
    net.events(&peer(1)).iter().filter_map(|(_, event)| what(event)).collect()
}

#[test]
fn a_forged_record_is_not_kept_and_its_bringer_is_blamed() {
    // spec OV-3
    let mut net = pair();
    let good = record(50, 3, GROUP);
    let foreign = record(7, 3, GroupId::from_bytes([8; 32]));
    tell_records(&mut net, &[(good, 0), (foreign, 0), (record(8, 3, GROUP), 0)]);
    let heard = [50, 7, 8].map(|number| net.machine(&peer(1)).has_heard_of(&peer(number)));
    assert_eq!((heard, misdeeds(&net)), ([true, false, false], vec!["forged record"]));
}

#[test]
fn a_hello_in_anothers_name_is_blamed() {
    // spec OV-23
    let mut net = pair();
    tell(&mut net, &Message::Hello(record(50, 3, GROUP)));
    assert_eq!(misdeeds(&net), ["hello with another's record"]);
    assert!(!net.machine(&peer(1)).has_heard_of(&peer(50)));
}

#[test]
fn only_a_higher_sequence_is_news_and_only_news_is_verified() {
    // spec OV-3
    let mut net = pair();
    tell_records(&mut net, &[(record(50, 7, GROUP), 0)]);
    let before = net.machine(&peer(1)).stats();
    for sequence in [7, 3, 0, 7] {
        tell_records(&mut net, &[(record(50, sequence, GROUP), 0)]);
    }
    let after = net.machine(&peer(1)).stats();
    assert_eq!((after.verify_count, after.stale_count), (before.verify_count, before.stale_count + 4));
    tell_records(&mut net, &[(record(50, 8, GROUP), 0)]);
    assert_eq!(net.machine(&peer(1)).stats().verify_count, before.verify_count + 1);
}

#[test]
fn a_record_older_than_the_age_limit_is_not_taken() {
    // spec OV-6
    let mut net = pair();
    tell_records(&mut net, &[(record(50, 7, GROUP), 3_000), (record(51, 7, GROUP), 2_990)]);
    let heard = [50, 51].map(|number| net.machine(&peer(1)).has_heard_of(&peer(number)));
    assert_eq!(heard, [false, true]);
    net.run_for(seconds(30));
    assert!(!net.machine(&peer(1)).has_heard_of(&peer(51)), "ages add up over hops");
}

#[test]
fn who_meets_a_later_record_of_its_own_issues_above_it() {
    // spec OV-3
    let mut net = pair();
    let held = record(1, 700, GROUP);
    tell_records(&mut net, &[(held, 0)]);
    assert_eq!(record_of(&net, 1).sequence(), 704);
    net.run_for(seconds(1));
    assert_eq!(
        net.machine(&peer(2))
            .heard
            .get(net.machine(&peer(2)).place_of(&peer(1)))
            .map(|entry| entry.record().sequence()),
        Some(704)
    );
    let forged = record(1, 900, GroupId::from_bytes([8; 32]));
    tell_records(&mut net, &[(forged, 0)]);
    assert_eq!((record_of(&net, 1).sequence(), misdeeds(&net)), (704, vec!["forged record"]));
}

#[test]
fn a_member_that_restarts_under_its_key_is_heard_of_again() {
    // spec OV-3
    let mut net = group(1, 10, NetConfig::default());
    net.run_for(seconds(200));
    let before = record_of(&net, 5).sequence();
    assert!(before > 2);
    net.stop(peer(5));
    net.add("n5", peer(5), overlay(5));
    bootstrap(&mut net, 5, [1]);
    net.run_for(seconds(3));
    assert!(record_of(&net, 5).sequence() > before);
    assert!(is_exact(&net));
}

#[test]
fn a_flood_of_good_records_is_throttled_and_bounded() {
    // spec OV-5, OV-22
    let mut net = pair();
    let before = net.machine(&peer(1)).stats().verify_count;
    for number in 0..50 {
        let records: Vec<_> = (0..20).map(|n| (record(100 + 20 * number + n, 1, GROUP), 0)).collect();
        tell_records(&mut net, &records);
    }
    let stats = net.machine(&peer(1)).stats();
    assert!(stats.verify_count - before <= 200, "{stats:?}");
    assert!(stats.throttled_count >= 800 && stats.heard_now <= 201, "{stats:?}");
}

#[test]
fn records_of_other_layers_are_heard_and_rubbish_is_not() {
    let mut net = strangers(1, 1, NetConfig::default(), overlay);
    net.command(peer(1), Command::HearRecord(record(50, 3, GROUP).to_bytes()));
    net.command(peer(1), Command::HearRecord(vec![3, 50].into()));
    net.command(peer(1), Command::HearRecord(record(51, 3, GroupId::from_bytes([8; 32])).to_bytes()));
    let machine = net.machine(&peer(1));
    assert!(machine.has_heard_of(&peer(50)) && !machine.has_heard_of(&peer(51)));
    assert!(net.events(&peer(1)).iter().all(|(_, event)| !matches!(event, Event::Misbehaved { .. })));
}

#[test]
fn the_own_record_is_told_to_the_owner_whenever_it_is_issued() {
    let mut net = strangers(1, 1, NetConfig::default(), overlay);
    net.command(peer(1), Command::SetAddresses(vec!["203.0.113.7:5000".parse().unwrap()]));
    net.run_for(seconds(400));
    let issued: Vec<Record> = net
        .events(&peer(1))
        .iter()
        .filter_map(|(_, event)| match event {
            Event::OwnRecord(bytes) => Some(Record::from_bytes(bytes.clone()).unwrap()),
            _ => None,
        })
        .collect();
    assert!((5..=8).contains(&issued.len()), "{} issues in 400 s", issued.len());
    assert!(issued.windows(2).all(|two| two[0].sequence() < two[1].sequence()));
    assert_eq!(issued.last(), Some(net.machine(&peer(1)).own_record()));
}
