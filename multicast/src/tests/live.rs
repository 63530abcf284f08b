use std::time::Duration;

use stratus_core::testing::{NetConfig, peer};

use super::Group;
use crate::Event;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn kind_network() -> NetConfig {
    NetConfig { latency: (MS(5), MS(25)), ..NetConfig::default() }
}

#[test]
fn everyone_gets_every_byte_once_and_the_publisher_sends_few_copies() {
    let mut group = Group::new(1, kind_network());
    group.mesh(12);
    (1..12).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(4), Duration::from_secs(4));
    group.unpublish(0);
    group.net.run_for(Duration::from_secs(2));
    for number in 1..12 {
        assert!(group.received(number) == group.sent(0), "member {number} differs");
        let ends = group.events_of(number, |event| matches!(event, Event::PlayEnd { .. }));
        assert_eq!(ends, [Event::PlayEnd { stream }]);
    }
    let copies = group.copies(1..12, &stream);
    assert!(copies <= 1.005, "copies {copies}");
    let publisher = group.counters(0, &stream);
    let sent: usize = group.sent(0).iter().map(|payload| payload.len()).sum();
    let publisher_copies = publisher.sent_bytes() as f64 / sent as f64;
    assert!(publisher_copies <= 4.5, "publisher sent {publisher_copies} copies");
    assert_eq!(group.events_of(0, |event| matches!(event, Event::Drained { .. })).len(), 1);
}

#[test]
fn with_loss_nothing_is_missing_and_little_comes_twice() {
    let network = NetConfig { lost_per_mille: 50, jitter: MS(3), ..kind_network() };
    let mut group = Group::new(2, network);
    group.mesh(8);
    (1..8).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(4), Duration::from_secs(6));
    group.unpublish(0);
    group.net.run_for(Duration::from_secs(9));
    for number in 1..8 {
        assert!(group.received(number) == group.sent(0), "member {number} differs");
    }
    let copies = group.copies(1..8, &stream);
    assert!(copies <= 1.03, "copies {copies}");
}

/// A third of 16 dies at once, without a word. Gives back how many of the survivors' slices had no parent one and two
/// seconds later.
fn orphans_after_deaths(seed: u64) -> [usize; 2] {
    let mut group = Group::new(seed, kind_network());
    group.mesh(16);
    (1..16).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    // Longer than the notice that displaced children got before the stream's pace was known: until then they still
    // have a parent, and the next one's death shows only when its turn comes.
    group.write(0, 1_128, MS(4), Duration::from_secs(4));
    for number in 1..6 {
        group.net.kill(peer(number));
    }
    let orphans = [1, 2].map(|_| {
        group.write(0, 1_128, MS(4), Duration::from_secs(1));
        let known = |number| group.net.machine(&peer(number)).stream(&stream).expect("known");
        let first_hops: usize = (6..16).map(|number| known(number).slices_from_publisher).sum();
        let places = known(0).children;
        assert!((8..=places).contains(&first_hops), "{first_hops} of {places}");
        (6..16).map(|number| 8 - known(number).slices_with_parent).sum::<usize>()
    });
    group.unpublish(0);
    group.net.run_for(Duration::from_secs(12));
    for number in 6..16 {
        assert!(group.received(number) == group.sent(0), "member {number} differs");
    }
    orphans
}

#[test]
fn the_death_of_relays_is_noticed_by_missing_runs_and_costs_nobody_anything() {
    let orphans: Vec<[usize; 2]> = (1..=5).map(orphans_after_deaths).collect();
    // Of 400 slices; who asks another who died meanwhile needs longer.
    let after_a_second: usize = orphans.iter().map(|[orphans, _]| orphans).sum();
    assert!(after_a_second <= 4, "{orphans:?}");
    assert!(orphans.iter().all(|[_, orphans]| *orphans == 0), "{orphans:?}");
}

#[test]
fn everybody_learns_that_everybody_has_everything_whatever_is_lost() {
    for seed in 1..=8 {
        let network = NetConfig { lost_per_mille: 50, ..kind_network() };
        let mut group = Group::new(seed, network);
        group.mesh(6);
        (1..6).for_each(|number| group.subscribe(number, "cam"));
        let stream = group.publish(0, "cam");
        group.net.run_for(MS(500));
        group.write(0, 1_128, MS(8), MS(500));
        group.unpublish(0);
        group.net.run_for(Duration::from_secs(4));
        for number in 0..6 {
            let drained = group.events_of(number, |event| matches!(event, Event::Drained { .. }));
            assert_eq!(drained, [Event::Drained { stream }], "member {number}, seed {seed}");
        }
    }
}
