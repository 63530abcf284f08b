use stratus_core::{Cx, Delivery, DirectVerify, Machine as _, Time};

use super::*;
use crate::routing::{
    GetError, Input, LookUpError, MAX_HOPS, MAX_PAYLOAD, Message, Output, Parcel, Put, PutError, Value,
};

/// 1 and 2, linked.
fn pair() -> Net<Routing> {
    let mut net = Net::new(1, NetConfig::with_latency(Duration::from_millis(10))).untraced();
    for number in [1, 2] {
        net.add(&format!("n{number}"), peer(number), routing(number));
    }
    net.connect(peer(1), peer(2));
    net.run_for(Duration::from_millis(50));
    net
}

fn send_many(net: &mut Net<Routing>, count: usize, length: usize, hops: u8) -> Vec<SendResult> {
    for _ in 0..count {
        let payload = Bytes::from(vec![7; length]);
        let send = Send { id: 3, way: Way::NextIncreasing, payload, passing: Some((address(3), hops)) };
        net.command(peer(1), Command::Send(Box::new(send)));
    }
    happened(net, 1).1
}

#[test]
fn the_longest_payload_is_sent_and_a_longer_one_is_an_error() {
    // spec RO-5
    let mut net = pair();
    assert_eq!(send_many(&mut net, 1, MAX_PAYLOAD, 0), [SendResult::Sent]);
    assert_eq!(send_many(&mut net, 1, MAX_PAYLOAD + 1, 0), [SendResult::Error(SendError::TooLong)]);
}

#[test]
fn a_parcel_ends_after_its_last_hop() {
    // spec RO-4
    let mut net = pair();
    assert_eq!(send_many(&mut net, 1, 3, MAX_HOPS - 1), [SendResult::Sent]);
    assert_eq!(send_many(&mut net, 1, 3, MAX_HOPS), [SendResult::Error(SendError::TooManyHops)]);
}

#[test]
fn who_passes_on_too_fast_is_told_before_its_neighbor_is_flooded() {
    // spec RO-5
    let mut net = pair();
    let rate = Config::default().parcels_sent;
    let results = send_many(&mut net, rate.burst as usize + 1, 3, 0);
    let (last, sent) = results.split_last().expect("many");
    assert!(sent.iter().all(|result| *result == SendResult::Sent));
    assert_eq!(*last, SendResult::Error(SendError::TooFast));
    net.run_for(Duration::from_millis(50));
    assert_eq!(happened(&mut net, 2).0.len(), rate.burst as usize);
    assert_eq!(net.machine(&peer(2)).stats().throttled_count, 0);
}

fn flood(net: &mut Net<Routing>, count: u32) {
    for _ in 0..count {
        let parcel = Parcel { hops: 1, origin: address(3), to: None, payload: Bytes::from_static(b"noise") };
        net.forge(peer(1), peer(2), &Message::Parcel(parcel), Delivery::Control);
    }
    net.run_for(Duration::from_millis(50));
}

#[test]
fn a_flood_is_dropped_then_named() {
    // spec RO-5
    let mut net = pair();
    let Config { parcels, excess, .. } = Config::default();
    flood(&mut net, parcels.burst + excess.burst);
    let (arrived, _) = happened(&mut net, 2);
    assert_eq!(arrived.len(), parcels.burst as usize);
    flood(&mut net, 9);
    let blamed = net
        .take_events(&peer(2))
        .into_iter()
        .any(|(_, event)| matches!(event, Event::Misbehaved { peer: who, .. } if who == peer(1)));
    assert!(blamed);
}

#[test]
fn a_parcel_that_goes_away_from_its_place_is_dropped() {
    // spec RO-3: no circles, whatever a neighbor does
    let mut net = pair();
    for number in [1, 2] {
        net.command(peer(number), Command::SetReceiveMode(ReceiveMode::Nearest));
    }
    net.run_for(Duration::from_millis(50));
    let payload = Bytes::from_static(b"astray");
    let parcel = Parcel { hops: 3, origin: address(3), to: Some(address(1)), payload };
    net.forge(peer(1), peer(2), &Message::Parcel(parcel), Delivery::Control);
    net.run_for(Duration::from_millis(50));
    assert_eq!(happened(&mut net, 2).0, []);
    assert_eq!(net.machine(&peer(2)).stats().astray_count, 1);
}

#[test]
fn no_more_neighbors_are_remembered_than_allowed() {
    let mut net = Net::new(1, NetConfig::with_latency(Duration::from_millis(10))).untraced();
    let setup = Setup { peer: peer(1), group: GroupId::from_bytes([7; 32]), ring: RING };
    net.add("n1", peer(1), Routing::new(Config { neighbors: 2, ..Config::default() }, setup));
    for number in 2..=4 {
        net.add(&format!("n{number}"), peer(number), routing(number));
        net.connect(peer(number), peer(1));
    }
    net.run_for(Duration::from_millis(50));
    assert_eq!(net.machine(&peer(1)).sizes()[0], ("neighbors", 2, 2));
}

#[test]
fn look_ups_puts_and_gets_end_at_their_limit() {
    // spec RO-9: nobody tells this machine of members, so that all stay under way
    let mut net = pair();
    let limit = Config::default().look_ups as u64;
    let kept = |text: u64| Value::Content(Bytes::copy_from_slice(&text.to_be_bytes()));
    let lookup = |id| Command::LookUp { id, target: address(id) };
    for id in 0..=limit {
        net.command(peer(1), lookup(id));
    }
    let refused: Vec<Event> = net
        .take_events(&peer(1))
        .into_iter()
        .map(|(_, event)| event)
        .filter(|event| !matches!(event, Event::Closest { .. }))
        .collect();
    assert_eq!(refused, [Event::LookedUp { id: limit, result: Err(LookUpError::TooMany) }]);
    let put = Put { id: 7, value: kept(7), lifetime: Duration::from_secs(60) };
    net.command(peer(1), Command::Put(Box::new(put)));
    net.command(peer(1), Command::Get { id: 8, key: kept(7).key() });
    let refused: Vec<Event> = net.take_events(&peer(1)).into_iter().map(|(_, event)| event).collect();
    let (stored, got) = (Err(PutError::TooMany), Err(GetError::TooMany));
    assert_eq!(refused, [Event::Stored { id: 7, result: stored }, Event::Got { id: 8, result: got }]);
}

#[test]
fn questions_over_the_rate_are_not_answered_and_a_flood_is_named() {
    // spec RO-9
    let mut net = pair();
    let Config { questions, excess, .. } = Config::default();
    let ask = |net: &mut Net<Routing>, count: u32| {
        for nonce in 0..count {
            let find = Message::Find { nonce, target: 700 };
            net.forge(peer(1), peer(2), &find, Delivery::Control);
        }
        net.run_for(Duration::from_millis(50));
        net.take_events(&peer(2)).into_iter().map(|(_, event)| event).collect::<Vec<_>>()
    };
    let asked = ask(&mut net, questions.burst + excess.burst);
    assert!(asked.iter().all(|event| matches!(event, Event::Closest { .. })), "{asked:?}");
    assert_eq!(asked.len(), questions.burst as usize);
    let more = ask(&mut net, 20);
    assert!(more.iter().any(|event| matches!(event, Event::Misbehaved { peer: who, .. } if *who == peer(1))));
}

#[test]
fn a_neighbor_whose_link_is_about_to_end_is_given_nothing_to_pass_on() {
    // spec RO-3
    let mut routing = routing(1);
    let turn = |routing: &mut Routing, millis, input| {
        let (mut out, mut rng) = (Vec::new(), Rng::from_seed(3));
        let mut cx = Cx { now: Time::from_millis(millis), rng: &mut rng, verify: &DirectVerify };
        routing.handle(&mut cx, input, &mut out);
        out
    };
    for number in 2..=9 {
        turn(&mut routing, 0, Input::Connected(peer(number)));
        let message = Message::Mode(ReceiveMode::Nearest);
        turn(&mut routing, 0, Input::Received { from: peer(number), message });
    }
    let place = GroupAddress::from_bytes([0x55; 32]);
    let next = |routing: &mut Routing, millis, place| {
        let send = Send { id: 3, way: Way::Nearest(place), payload: Bytes::new(), passing: None };
        let out = turn(routing, millis, Input::Command(Command::Send(Box::new(send))));
        out.into_iter().find_map(|output| match output {
            Output::Send { to, .. } => Some(to),
            _ => None,
        })
    };
    let nearest = next(&mut routing, 1, place).expect("somebody");
    routing.avoid(Time::from_millis(50), &nearest);
    assert_ne!(next(&mut routing, 51, place), Some(nearest));
    assert_eq!(next(&mut routing, 51, RING.address(&nearest)), Some(nearest), "what is for itself");
    assert_eq!(next(&mut routing, 2_050, place), Some(nearest));
}
