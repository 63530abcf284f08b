use super::*;
use crate::api::Event;
use crate::message::{Aged, Message};
use std::sync::Arc;
use stratus_core::Delivery;

/// How long each of those linked with `dead` took to notice.
fn delays(net: &Net<Overlay>, dead: PeerId, at: Time) -> Vec<Duration> {
    let gone = |event: &Event| matches!(event, Event::NeighborDisconnect { peer, .. } if *peer == dead);
    let noticed = |peer: &PeerId| {
        let events = net.events(peer).iter();
        events.filter(|(when, event)| *when >= at && gone(event)).map(|(when, _)| when.since(at)).next()
    };
    let mut delays: Vec<Duration> = net.peers().iter().filter_map(noticed).collect();
    delays.sort_unstable();
    delays
}

#[test]
fn a_silent_neighbor_is_missed_by_half_within_7_seconds_and_by_all_within_12() {
    // spec OV-12; the made-up network says nothing for 60 s
    let config = NetConfig { idle_timeout: seconds(60), ..NetConfig::default() };
    let mut net = group(1, 50, config);
    net.run_for(seconds(30));
    let linked = net.links(&peer(7)).len();
    let at = net.now();
    net.kill(peer(7));
    net.run_for(seconds(12));
    let delays = delays(&net, peer(7), at);
    assert_eq!(delays.len(), linked, "all noticed");
    assert!(delays[0] <= seconds(5) && delays[linked / 2] <= seconds(7), "{delays:?}");
    assert!(is_exact(&net));
}

#[test]
fn a_lossy_path_is_not_death() {
    // spec OV-12
    let config = NetConfig { lost_per_mille: 100, jitter: Duration::from_millis(30), ..NetConfig::default() };
    let mut net = group(1, 20, config);
    net.run_for(seconds(300));
    let deaths: u64 = net.peers().iter().map(|peer| net.machine(peer).stats().death_count).sum();
    assert_eq!(deaths, 0);
}

#[test]
fn the_ring_closes_after_a_third_die_at_once() {
    let config = NetConfig { idle_timeout: seconds(60), ..NetConfig::default() };
    let mut net = group(1, 90, config);
    net.run_for(seconds(30));
    for number in 1..=30 {
        net.kill(peer(3 * number));
    }
    let took = time_until(&mut net, seconds(60), is_exact).expect("the ring closes");
    assert!(took <= seconds(15), "it took {took:?}");
}

fn aging(number: u64) -> Overlay {
    let config = Config {
        age_limit: seconds(40),
        renew_period: seconds(15),
        gossip_interval: Duration::from_millis(1_300),
        remember_for: seconds(10_000),
        ..Config::default()
    };
    Overlay::new(config, setup(number))
}

fn who_heard_of(net: &Net<Overlay>, gone: PeerId) -> usize {
    net.peers().iter().filter(|peer| net.machine(peer).has_heard_of(&gone)).count()
}

#[test]
fn a_dead_member_vanishes_everywhere_within_two_age_limits() {
    // spec OV-6, RG-5
    let mut net = strangers(1, 60, NetConfig::default(), aging);
    for number in 2..=60 {
        bootstrap(&mut net, number, [1]);
    }
    net.run_for(seconds(60));
    assert_eq!(who_heard_of(&net, peer(7)), 59);
    net.kill(peer(7));
    net.run_for(seconds(80));
    assert_eq!(who_heard_of(&net, peer(7)), 0);
    let estimate = net.machine(&peer(1)).estimated_member_count();
    assert_eq!(estimate, 59);
}

#[test]
fn a_ghost_cannot_be_kept_alive() {
    // spec OV-6: number 2 goes on praising the dead
    let mut net = strangers(1, 10, NetConfig::default(), aging);
    for number in 2..=10 {
        bootstrap(&mut net, number, [1]);
    }
    net.run_for(seconds(20));
    let ghost = Arc::new(record_of(&net, 7));
    net.kill(peer(7));
    for _ in 0..100 {
        for other in net.links(&peer(2)) {
            let message = Message::Records(vec![Aged { record: ghost.clone(), age: 0 }]);
            net.forge(peer(2), other, &message, Delivery::Control);
        }
        net.run_for(seconds(1));
    }
    assert_eq!(who_heard_of(&net, peer(7)), 0);
}

/// Two halves, even and odd numbers.
fn halves(count: u64) -> [Vec<PeerId>; 2] {
    [0, 1].map(|rest| (1..=count).filter(|number| number % 2 == rest).map(peer).collect())
}

fn cut(net: &mut Net<Overlay>, count: u64, duration: Duration) {
    let [even, odd] = halves(count);
    net.partition(&[&even, &odd]);
    net.run_for(duration);
    let apart = net.links(&peer(1)).iter().all(|other| odd.contains(other));
    assert!(apart, "the halves are apart");
    net.heal();
}

#[test]
fn a_short_partition_heals() {
    // T18
    let mut net = group(1, 60, NetConfig::default());
    net.run_for(seconds(30));
    cut(&mut net, 60, seconds(60));
    let took = time_until(&mut net, seconds(120), is_exact).expect("one ring again");
    assert!(took <= seconds(60), "it took {took:?}");
}

#[test]
fn a_partition_longer_than_the_age_limit_heals_because_the_expired_are_remembered() {
    // spec OV-14, T19
    let mut net = strangers(1, 60, NetConfig::default(), aging);
    for number in 2..=60 {
        bootstrap(&mut net, number, [1]);
    }
    net.run_for(seconds(30));
    cut(&mut net, 60, seconds(400));
    assert_eq!(who_heard_of(&net, peer(2)), 29, "forgotten by the other half, known to its own");
    let took = time_until(&mut net, seconds(120), is_exact).expect("one ring again");
    assert!(took <= seconds(30), "it took {took:?}");
}

#[test]
fn who_was_cut_off_alone_comes_back_to_all_neighbors() {
    let mut net = group(1, 20, NetConfig::default());
    net.run_for(seconds(30));
    net.partition(&[&[peer(5)]]);
    net.run_for(seconds(40));
    assert_eq!(net.links(&peer(5)), []);
    net.heal();
    let took = time_until(&mut net, seconds(60), is_exact).expect("one ring again");
    assert!(took <= seconds(20), "it took {took:?}");
}

/// Members that do not exist any more and would sit between `from` and `to`.
fn ghosts_between(net: &mut Net<Overlay>, from: PeerId, to: PeerId, first: u64) -> Vec<Record> {
    let (from, to) = (place_of(&RING, &from), place_of(&RING, &to));
    let is_between = |number: &u64| {
        let place = place_of(&RING, &peer(*number));
        place.wrapping_sub(from) < to.wrapping_sub(from)
    };
    let numbers: Vec<u64> = (first..first + 1_000).filter(is_between).take(4).collect();
    for number in &numbers {
        net.add(&format!("ghost {number}"), peer(*number), overlay(*number));
    }
    net.run_for(Duration::from_millis(1));
    let records: Vec<Record> = numbers.iter().map(|number| record_of(net, *number)).collect();
    for number in numbers {
        net.kill(peer(number));
    }
    records
}

#[test]
fn ring_neighbors_stay_while_the_dead_are_thought_to_sit_between_them() {
    let mut net = group(5, 60, NetConfig::default());
    assert!(time_until(&mut net, seconds(60), is_exact).is_some());
    net.run_for(seconds(15));
    let one = peer(1);
    let me = place_of(&RING, &one);
    let next = net.peers().into_iter().filter(|other| *other != one);
    let next = next.min_by_key(|other| place_of(&RING, other).wrapping_sub(me)).unwrap();
    for round in 1..20 {
        let ghosts = ghosts_between(&mut net, one, next, 1_000 * round);
        for told in [one, next] {
            net.command(told, Command::Bootstrap(ghosts.clone()));
        }
        let is_apart = |net: &Net<Overlay>| !net.machine(&one).neighbors().iter().any(|n| n.peer == next);
        assert_eq!(time_until(&mut net, seconds(2), is_apart), None, "{round}");
    }
}
