use super::*;
use crate::api::Event;
use crate::best::{BestList, Reason, View, ring};

fn everybody(view: &View<'_>) -> BestList {
    let mut best = BestList::default();
    view.known.iter().for_each(|place| {
        best.add(*place, Reason::Ring);
    });
    best
}

fn nobody(_view: &View<'_>) -> BestList {
    BestList::default()
}

fn ring_alone(view: &View<'_>) -> BestList {
    let mut best = BestList::default();
    ring(view, &mut best);
    best
}

fn with_policy(number: u64, policy: fn(&View<'_>) -> BestList) -> Overlay {
    Overlay::new(Config { policy, ..Config::default() }, setup(number))
}

fn even() -> NetConfig {
    NetConfig::with_latency(Duration::from_millis(25))
}

/// Names of the events of test peer `number` about test peer `other`, and when.
fn story(net: &Net<Overlay>, number: u64, other: u64) -> Vec<(u64, &'static str)> {
    let about = |event: &Event| match event {
        Event::NeighborConnect { peer: who, .. } => (*who == peer(other)).then_some("connect"),
        Event::NeighborDisconnect { peer: who, .. } => (*who == peer(other)).then_some("disconnect"),
        _ => None,
    };
    let events = net.events(&peer(number)).iter();
    events.filter_map(|(at, event)| Some((at.as_micros() / 1_000, about(event)?))).collect()
}

fn are_linked(net: &Net<Overlay>, a: u64, b: u64) -> bool {
    net.links(&peer(a)).contains(&peer(b))
}

#[test]
fn a_link_stays_while_either_end_wants_it_and_ends_when_neither_does() {
    // spec OV-11, RG-3: the four cases
    for (first, second, stays) in [
        (everybody as fn(&View<'_>) -> BestList, everybody as fn(&View<'_>) -> BestList, true),
        (everybody, nobody, true),
        (nobody, everybody, true),
        (nobody, nobody, false),
    ] {
        let policy = |number| match number {
            1 => first,
            2 => second,
            _ => everybody,
        };
        let mut net = strangers(1, 4, even(), |number| with_policy(number, policy(number)));
        // Numbers 3 and 4 keep 1 and 2 from being each other's last link.
        for (from, to) in [(1, 2), (1, 3), (2, 4)] {
            net.connect(peer(from), peer(to));
        }
        net.run_for(seconds(60));
        assert_eq!(are_linked(&net, 1, 2), stays, "{:?}", net.machine(&peer(1)).stats());
    }
}

#[test]
fn a_request_to_leave_is_not_repeated_for_90_seconds() {
    let policy = |number| if number == 1 { nobody } else { everybody as fn(&View<'_>) -> BestList };
    let mut net = strangers(1, 2, even(), |number| with_policy(number, policy(number)));
    net.connect(peer(1), peer(2));
    net.run_for(seconds(80));
    assert_eq!(net.machine(&peer(1)).stats().leave_asked_count, 1);
    net.run_for(seconds(90));
    assert_eq!(net.machine(&peer(1)).stats().leave_asked_count, 2);
    assert_eq!(net.machine(&peer(2)).stats().leave_refused_count, 2);
}

#[test]
fn the_last_link_is_never_given_up() {
    let mut net = strangers(1, 2, even(), |number| with_policy(number, nobody));
    net.connect(peer(1), peer(2));
    net.run_for(seconds(120));
    assert!(are_linked(&net, 1, 2));
}

#[test]
fn a_pinned_link_stays_until_it_is_unpinned() {
    // spec OV-15
    let policy = |number| if number < 3 { nobody } else { everybody as fn(&View<'_>) -> BestList };
    let mut net = strangers(1, 4, even(), |number| with_policy(number, policy(number)));
    for (from, to) in [(1, 3), (2, 4)] {
        net.connect(peer(from), peer(to));
    }
    bootstrap(&mut net, 1, [2]);
    net.command(peer(1), Command::Pin(peer(2)));
    net.run_for(seconds(200));
    assert!(are_linked(&net, 1, 2), "pinned by one end, unwanted by the other");
    assert_eq!(story(&net, 1, 2).len(), 1, "dialled once");
    net.command(peer(1), Command::Unpin(peer(2)));
    net.run_for(seconds(120));
    assert!(!are_linked(&net, 1, 2));
}

#[test]
fn an_added_neighbor_is_dialed_at_once_and_may_go_later() {
    // spec OV-15, RG-20
    let policy = |number| if number < 3 { nobody } else { everybody as fn(&View<'_>) -> BestList };
    let mut net = strangers(1, 4, even(), |number| with_policy(number, policy(number)));
    for (from, to) in [(1, 3), (2, 4)] {
        net.connect(peer(from), peer(to));
    }
    net.run_for(seconds(1));
    net.command(peer(1), Command::AddNeighbor(peer(2)));
    net.run_for(Duration::from_millis(60));
    assert!(are_linked(&net, 1, 2));
    net.run_for(seconds(50));
    assert!(are_linked(&net, 1, 2));
    net.run_for(seconds(120));
    assert!(!are_linked(&net, 1, 2));
}

#[test]
fn a_hint_is_dialed_only_if_the_sort_wants_it() {
    // spec OV-15, RG-20
    for (policy, expected) in [(nobody as fn(&View<'_>) -> BestList, false), (everybody, true)] {
        let mut net = strangers(1, 2, even(), |number| with_policy(number, policy));
        net.command(peer(1), Command::AddMemberHint(peer(2)));
        net.run_for(seconds(2));
        assert_eq!(are_linked(&net, 1, 2), expected);
    }
}

#[test]
fn another_sort_gives_another_topology_with_no_other_change() {
    // spec OV-7, RG-6
    let mut net = strangers(1, 30, NetConfig::default(), |number| with_policy(number, ring_alone));
    for number in 2..=30 {
        bootstrap(&mut net, number, [number - 1]);
    }
    net.run_for(seconds(120));
    assert!(is_exact(&net));
    assert_eq!(net.peers().iter().map(|peer| net.links(peer).len()).max(), Some(6));
}

#[test]
fn events_come_in_order() {
    // RG-20: connect before anything else is told of a neighbor, disconnect last
    let mut net = strangers(1, 2, even(), overlay);
    bootstrap(&mut net, 1, [2]);
    net.run_until(Time::from_millis(4_000));
    net.command(peer(2), Command::Leave);
    net.run_for(seconds(1));
    let name = |event: &Event| match event {
        Event::NeighborConnect { .. } => Some("connect"),
        Event::NeighborDisconnect { .. } => Some("disconnect"),
        Event::LocalCoverage(_) => Some("coverage"),
        _ => None,
    };
    let order = |number| -> Vec<&str> {
        net.events(&peer(number)).iter().filter_map(|(_, event)| name(event)).collect()
    };
    assert_eq!(order(1), ["connect", "coverage", "coverage", "disconnect"]);
    assert_eq!(order(2), ["connect", "coverage", "disconnect"]);
    let first_rtt = net.events(&peer(1)).iter().find_map(|(at, event)| match event {
        Event::Rtt { rtt, .. } => Some((at.as_micros() / 1_000, rtt.as_millis())),
        _ => None,
    });
    // Known at 1 ms, sorted 20 ms later, up after a round trip, measured in another.
    assert_eq!((story(&net, 1, 2)[0], first_rtt), ((71, "connect"), Some((121, 50))));
}

#[test]
fn a_leaver_is_gone_at_once_and_not_heard_of_again() {
    // spec OV-21
    let mut net = group(1, 12, even());
    net.run_for(seconds(5));
    net.command(peer(3), Command::Leave);
    net.run_for(Duration::from_millis(200));
    net.stop(peer(3));
    net.run_for(seconds(60));
    let knowing = net.peers().iter().filter(|other| net.machine(other).has_heard_of(&peer(3))).count();
    assert_eq!((knowing, net.links(&peer(1)).len()), (0, 10));
    assert!(net.peers().iter().all(|other| net.machine(other).stats().death_count == 0));
}

#[test]
fn others_choices_fill_half_of_the_links_at_most_and_never_displace_ours() {
    // spec OV-11
    let hub = || {
        let config = Config { links: 12, incoming_links: 6, policy: nobody, ..Config::default() };
        Overlay::new(config, setup(1))
    };
    let one = |number| if number == 1 { hub() } else { with_policy(number, nobody) };
    let mut net = strangers(1, 30, even(), one);
    // Ring neighbors are always welcome, so it must know nearer ones than those who come.
    bootstrap(&mut net, 1, 2..=30);
    for number in 2..=30 {
        net.connect(peer(number), peer(1));
        net.run_for(Duration::from_millis(100));
    }
    let stats = net.machine(&peer(1)).stats();
    assert!(net.links(&peer(1)).len() <= 6, "{:?}", net.links(&peer(1)).len());
    assert!(stats.full_count >= 20, "{stats:?}");
    // Those that we want still find room.
    net.command(peer(1), Command::AddNeighbor(peer(2)));
    net.command(peer(1), Command::AddNeighbor(peer(3)));
    net.run_for(seconds(1));
    assert!(are_linked(&net, 1, 2) && are_linked(&net, 1, 3));
}

#[test]
fn a_banned_member_stays_out() {
    // spec OV-23
    let mut net = group(1, 8, even());
    net.run_for(seconds(3));
    net.command(peer(1), Command::Ban(peer(5)));
    net.run_for(seconds(1));
    assert!(!are_linked(&net, 1, 5) && !net.machine(&peer(1)).has_heard_of(&peer(5)));
    net.connect(peer(5), peer(1));
    net.run_for(seconds(30));
    assert!(!are_linked(&net, 1, 5) && !net.machine(&peer(1)).has_heard_of(&peer(5)));
    assert_eq!(story(&net, 1, 5).last().map(|(_, name)| *name), Some("disconnect"));
}

#[test]
fn running_groups_have_the_links_that_theory_asks_for() {
    // spec OV-9, RG-8
    for (count, low, high) in [(16, 15.0, 15.0), (256, 24.0, 34.0)] {
        let mut net = group(3, count, NetConfig::default());
        net.run_for(seconds(100));
        let mean = mean_links(&net);
        assert!((low..=high).contains(&mean), "{mean} links at {count} members");
    }
}
