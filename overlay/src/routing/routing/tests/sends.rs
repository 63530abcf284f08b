use std::collections::BTreeMap;

use stratus_core::{Cx, DirectVerify, Machine as _, Rate, Time};

use super::*;
use crate::places::nearest;
use crate::routing::{Input, Output};

/// Runs until nothing moves, every member handing on what is not for itself; says where parcels arrived for good.
fn settle(net: &mut Net<Routing>, count: u64) -> Vec<(u64, Arrived)> {
    let mut delivered = Vec::new();
    loop {
        net.run_for(Duration::from_millis(11));
        let mut moved = false;
        for number in 1..=count {
            for arrived in happened(net, number).0 {
                moved = true;
                if arrived.is_local {
                    delivered.push((number, arrived));
                } else {
                    pass_on(net, number, arrived);
                }
            }
        }
        if !moved {
            return delivered;
        }
    }
}

/// A thousand machines, handed each other's parcels at once: ten thousand sends in a moment, where the made-up network
/// would take minutes.
struct Fleet {
    machines: BTreeMap<PeerId, Routing>,
    /// In ring order.
    places: Vec<(Place, PeerId)>,
    rng: Rng,
}

impl Fleet {
    fn new(count: u64) -> Self {
        let mut places: Vec<(Place, PeerId)> =
            (1..=count).map(peer).map(|peer| (place_of(&RING, &peer), peer)).collect();
        places.sort_unstable();
        let machine = |peer: PeerId| {
            let setup = Setup { peer, group: GroupId::from_bytes([7; 32]), ring: RING };
            (peer, Routing::new(Config::default(), setup))
        };
        let machines = places.iter().map(|(_, peer)| machine(*peer)).collect();
        let mut fleet = Self { machines, places, rng: Rng::from_seed(700) };
        for position in 0..fleet.places.len() {
            let (me, chosen) = fleet.chosen(position);
            for other in chosen {
                fleet.turn(me, Input::Connected(other));
                fleet.turn(other, Input::Connected(me));
            }
        }
        let everybody: Vec<PeerId> = fleet.machines.keys().copied().collect();
        for peer in everybody {
            for output in fleet.turn(peer, Input::Command(Command::SetReceiveMode(ReceiveMode::Nearest))) {
                let Output::Send { to, message, .. } = output else { panic!("{output:?}") };
                fleet.turn(to, Input::Received { from: peer, message });
            }
        }
        fleet
    }

    /// Whom the overlay's sort gives the member at `position`.
    fn chosen(&mut self, position: usize) -> (PeerId, Vec<PeerId>) {
        let known: Vec<Place> = self.places.iter().map(|(place, _)| *place).collect();
        let (center, me) = self.places[position];
        let mut others = known.clone();
        others.remove(position);
        // Whose latency is low is chance.
        let near: Vec<Place> =
            (0..20).map(|_| others[self.rng.below(others.len() as u64) as usize]).collect();
        let chance = self.rng.next_u64();
        let view = View { center, known: &others, near: &near, members: known.len() as u64, chance };
        let who = |place: Place| self.places[known.binary_search(&place).expect("known")].1;
        (me, standard(&view).iter().map(|choice| who(choice.place)).collect())
    }

    fn turn(&mut self, peer: PeerId, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let mut cx = Cx { now: Time::ZERO, rng: &mut self.rng, verify: &DirectVerify };
        self.machines.get_mut(&peer).expect("a member").handle(&mut cx, input, &mut out);
        out
    }

    /// Sends from `peer` and passes on until it has arrived for good; where, and how many hops it took.
    fn deliver(&mut self, from: PeerId, place: GroupAddress) -> (PeerId, u8) {
        let (mut at, mut passing) = (from, None);
        loop {
            let send = Send { id: 3, way: Way::Nearest(place), payload: Bytes::new(), passing };
            let outputs = self.turn(at, Input::Command(Command::Send(Box::new(send))));
            let arrived = outputs.into_iter().find_map(|output| match output {
                Output::Event(Event::Arrived(arrived)) => Some((at, *arrived)),
                Output::Send { to, message, .. } => {
                    let heard = self.turn(to, Input::Received { from: at, message });
                    let [Output::Event(Event::Arrived(arrived))] = &heard[..] else { panic!("{heard:?}") };
                    Some((to, (**arrived).clone()))
                }
                _ => None,
            });
            let (next, arrived) = arrived.expect("there is a route");
            if arrived.is_local {
                return (next, arrived.hops);
            }
            (at, passing) = (next, Some((arrived.origin, arrived.hops)));
        }
    }
}

#[test]
fn ten_thousand_random_sends_on_a_stable_ring_of_a_thousand_all_reach_the_right_member() {
    // spec RO-2, RO-3; RG-24
    let mut fleet = Fleet::new(1_000);
    // Each link carries less than it may at once: time stands still here.
    for machine in fleet.machines.values_mut() {
        machine.config.parcels = Rate { burst: 100_000, per_second: 1 };
        machine.config.parcels_sent = machine.config.parcels;
    }
    let (mut right, mut hops) = (0, 0);
    for _ in 0..10_000 {
        let from = fleet.places[fleet.rng.below(1_000) as usize].1;
        let place = GroupAddress::from_bytes(fleet.rng.seed());
        let known: Vec<Place> = fleet.places.iter().map(|(place, _)| *place).collect();
        let nearest = nearest(&known, place.prefix()).expect("somebody");
        let (at, count) = fleet.deliver(from, place);
        right += usize::from(place_of(&RING, &at) == nearest);
        hops += u64::from(count);
    }
    assert_eq!(right, 10_000, "mean hops {}", hops as f64 / 1e4);
    assert!(hops <= 32_000, "mean hops {}", hops as f64 / 1e4);
}

#[test]
fn a_parcel_to_an_empty_place_arrives_only_where_members_take_for_the_nearest() {
    // spec RO-1; RG-23
    let place = GroupAddress::from_bytes([0x55; 32]);
    let mut exact = ring(12, ReceiveMode::Exact);
    send(&mut exact, 3, Way::Nearest(place), b"hello");
    assert_eq!(settle(&mut exact, 12), []);
    send(&mut exact, 3, Way::Nearest(place), b"hello");
    assert_eq!(happened(&mut exact, 3), (vec![], vec![SendResult::NoRoute]));
    let mut nearby = ring(12, ReceiveMode::Nearest);
    send(&mut nearby, 3, Way::Nearest(place), b"hello");
    let delivered = settle(&mut nearby, 12);
    assert_eq!(delivered.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [nearest_of(12, &place)]);
}

#[test]
fn a_member_that_takes_for_its_own_address_alone_is_reached_by_it() {
    // spec RO-1: 5 is exact among members that pass on
    let mut net = ring(60, ReceiveMode::Nearest);
    net.command(peer(5), Command::SetReceiveMode(ReceiveMode::Exact));
    net.run_for(Duration::from_millis(50));
    send(&mut net, 3, Way::Nearest(address(5)), b"hello");
    let delivered = settle(&mut net, 60);
    assert_eq!(delivered.len(), 1);
    let (at, arrived) = &delivered[0];
    assert_eq!((*at, arrived.origin, &arrived.payload[..]), (5, address(3), &b"hello"[..]));
}

#[test]
fn the_sender_is_considered_as_well() {
    // RTMFP: fromLocal
    let mut net = ring(9, ReceiveMode::Nearest);
    send(&mut net, 4, Way::Nearest(address(4)), b"mine");
    let (arrived, results) = happened(&mut net, 4);
    assert_eq!(results, [SendResult::Sent]);
    let here = address(4);
    let payload = Bytes::from_static(b"mine");
    let local = Arrived { to: Some(here), from: here, is_local: true, origin: here, hops: 0, payload };
    assert_eq!(arrived, [local]);
}

#[test]
fn next_and_previous_are_the_neighbors_on_the_ring_and_all_are_all() {
    // spec RO-6; RG-24
    const COUNT: u64 = 60;
    let mut net = ring(COUNT, ReceiveMode::Exact);
    let mut order: Vec<u64> = (1..=COUNT).collect();
    order.sort_unstable_by_key(|number| address(*number));
    for (position, number) in order.iter().copied().enumerate() {
        let next = order[(position + 1) % order.len()];
        let previous = order[(position + order.len() - 1) % order.len()];
        for (way, to) in [(Way::NextIncreasing, next), (Way::NextDecreasing, previous)] {
            send(&mut net, number, way, b"psst");
            net.run_for(Duration::from_millis(15));
            let (arrived, _) = happened(&mut net, to);
            assert_eq!(arrived.len(), 1, "{number} to {to}");
            assert_eq!((arrived[0].from, arrived[0].to), (address(number), None));
        }
    }
    let links = net.links(&peer(7)).len();
    send(&mut net, 7, Way::AllNeighbors, b"all");
    net.run_for(Duration::from_millis(15));
    let heard = (1..=COUNT).filter(|number| happened(&mut net, *number).0.len() == 1).count();
    assert_eq!(heard, links);
}

#[test]
fn alone_there_is_no_route_to_anybody() {
    let mut net = ring(1, ReceiveMode::Exact);
    for way in [Way::Nearest(address(3)), Way::NextIncreasing, Way::NextDecreasing, Way::AllNeighbors] {
        send(&mut net, 1, way, b"anybody");
        assert_eq!(happened(&mut net, 1), (vec![], vec![SendResult::NoRoute]), "{way:?}");
    }
}
