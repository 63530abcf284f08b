use super::*;
use crate::api::Event;
use crate::message::Message;
use std::net::SocketAddr;
use stratus_core::Delivery;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// 1 and 2 know each other through 3 alone, and cannot dial each other.
fn behind_walls() -> Net<Overlay> {
    let mut net = strangers(1, 3, NetConfig::with_latency(Duration::from_millis(25)), overlay);
    net.block_dials(peer(1), peer(2));
    for (number, address) in [(1, "203.0.113.1:5000"), (2, "203.0.113.2:5000"), (3, "203.0.113.3:5000")] {
        net.command(peer(number), Command::SetAddresses(vec![at(address)]));
    }
    bootstrap(&mut net, 1, [3]);
    bootstrap(&mut net, 2, [3]);
    net
}

fn introductions(net: &Net<Overlay>, number: u64) -> Vec<(PeerId, Vec<SocketAddr>)> {
    let introduced = |event: &Event| match event {
        Event::Introduced { peer, candidates } => Some((*peer, candidates.clone())),
        _ => None,
    };
    net.events(&peer(number)).iter().filter_map(|(_, event)| introduced(event)).collect()
}

#[test]
fn who_cannot_dial_directly_is_introduced_by_a_neighbor_and_both_dial() {
    // spec OV-18
    let mut net = behind_walls();
    let both = |net: &Net<Overlay>| (1..=2).all(|number| !introductions(net, number).is_empty());
    assert!(net.run_until_done(Time::from_millis(3_000), both), "both sides were told");
    // A hole is punched because both send: from here on dials pass.
    net.allow_dials(peer(1), peer(2));
    assert_eq!(introductions(&net, 1)[0], (peer(2), vec![at("203.0.113.2:5000")]));
    assert_eq!(introductions(&net, 2)[0], (peer(1), vec![at("203.0.113.1:5000")]));
    assert_eq!(net.machine(&peer(1)).candidates(&peer(2)), [at("203.0.113.2:5000")]);
    net.run_for(seconds(1));
    assert!(net.links(&peer(1)).contains(&peer(2)));
    assert!(net.machine(&peer(3)).stats().introduction_count >= 1);
}

#[test]
fn who_cannot_be_met_at_all_is_left_alone_for_a_while_and_the_rest_goes_on() {
    // spec OV-13, OV-19
    let mut net = behind_walls();
    net.run_for(seconds(30));
    let stats = net.machine(&peer(1)).stats();
    assert!(stats.dial_failure_count >= 1 && stats.dial_count <= 6, "{stats:?}");
    assert_eq!((net.links(&peer(1)), net.links(&peer(2))), (vec![peer(3)], vec![peer(3)]));
}

#[test]
fn an_unknown_target_is_answered_and_so_is_who_asks_too_often() {
    // spec OV-18
    let mut net = strangers(1, 2, NetConfig::with_latency(Duration::from_millis(25)), overlay);
    let answers = std::rc::Rc::new(std::cell::RefCell::new((0, 0)));
    let seen = answers.clone();
    net.tap(move |passing| {
        match passing.message {
            Message::NotIntroduced(_) => seen.borrow_mut().0 += 1,
            Message::Introduced { .. } => seen.borrow_mut().1 += 1,
            _ => {}
        }
        stratus_core::testing::Fate::Pass
    });
    bootstrap(&mut net, 1, [2]);
    net.run_for(seconds(1));
    for _ in 0..40 {
        let message = Message::Introduce { target: peer(50), candidates: vec![] };
        net.forge(peer(1), peer(2), &message, Delivery::Control);
    }
    net.run_for(seconds(1));
    assert_eq!(*answers.borrow(), (40, 0));
}

#[test]
fn uninvited_introductions_are_limited() {
    // spec OV-18: a neighbor cannot make us dial the world
    let mut net = strangers(1, 2, NetConfig::with_latency(Duration::from_millis(25)), overlay);
    bootstrap(&mut net, 1, [2]);
    net.run_for(seconds(1));
    let before = net.machine(&peer(1)).stats().dial_count;
    for number in 100..200 {
        let candidates = vec![at("203.0.113.66:5000")];
        let message = Message::Introduced { peer: peer(number), record: None, candidates };
        net.forge(peer(2), peer(1), &message, Delivery::Control);
    }
    net.run_for(seconds(1));
    assert!(net.machine(&peer(1)).stats().dial_count - before <= 18);
}

#[test]
fn two_rings_merge_through_one_hint() {
    // RG-1
    let mut net = strangers(1, 60, NetConfig::default(), overlay);
    for number in 2..=30 {
        bootstrap(&mut net, number, [1]);
        bootstrap(&mut net, number + 30, [31]);
    }
    net.run_for(seconds(40));
    assert_eq!(net.machine(&peer(5)).estimated_member_count(), 30);
    net.command(peer(7), Command::AddMemberHint(peer(47)));
    let took = time_until(&mut net, seconds(60), is_exact).expect("one ring");
    assert!(took <= seconds(10), "it took {took:?}");
}

#[test]
fn a_stranger_joins_through_any_one_living_member() {
    // RG-1
    let mut net = group(1, 20, NetConfig::default());
    net.run_for(seconds(10));
    net.kill(peer(1));
    net.add("n21", peer(21), overlay(21));
    bootstrap(&mut net, 21, [13]);
    net.run_for(seconds(5));
    assert!(net.links(&peer(21)).len() >= 6, "{}", net.links(&peer(21)).len());
    assert!(net.machine(&peer(21)).estimated_member_count() >= 20);
}

#[test]
fn an_address_that_two_neighbors_see_goes_into_the_record() {
    // spec OV-20
    let mut net = group(1, 4, NetConfig::default());
    net.run_for(seconds(2));
    let public = at("198.51.100.7:5000");
    net.command(peer(2), Command::Observed { peer: peer(1), address: public });
    net.run_for(seconds(2));
    assert_eq!(record_of(&net, 1).addresses(), [], "one neighbor may lie");
    net.command(peer(3), Command::Observed { peer: peer(1), address: public });
    net.run_for(seconds(8));
    assert_eq!(record_of(&net, 1).addresses(), [public]);
    assert_eq!(net.machine(&peer(4)).candidates(&peer(1)), [public], "neighbors hear of it");
}
