//! No straw men: what rivals must reproduce of what was published or measured before they count.

use std::time::Duration;

use super::play;
use crate::report::RivalResults;
use crate::scenario::Scenario;

/// So many seconds, uniform 10 to 50 ms.
fn plain(secs: u64) -> Scenario {
    Scenario { settle: Duration::from_secs(10), secs: Duration::from_secs(secs), ..Scenario::default() }
}

fn played(rival: &str, members: u32, rate_bits: u64, secs: u64) -> RivalResults {
    let scenario = Scenario { members, rate_bits, ..plain(secs) };
    play(&scenario, rival.parse().unwrap(), Duration::from_secs(8)).0
}

#[test]
fn gossipsub_makes_as_many_copies_as_the_real_crate_was_measured_to_make() {
    let results = played("gossipsub_free", 100, 300_000, 5);
    assert_eq!(results.delivered_ratio, 1.0);
    assert!((results.copies / 7.4 - 1.0).abs() <= 0.05, "{results:?}");
}

#[test]
fn plumtree_is_as_quick_and_sends_as_much_as_iroh_gossip_in_its_own_simulator() {
    // Thirty messages, half a second apart, are long enough apart not to meet.
    let mut sums = [0.0; 2];
    for seed in 1..=4 {
        let scenario = Scenario { members: 100, rate_bits: 18_048, seed, ..plain(15) };
        let (results, _) = play(&scenario, "plumtree_free".parse().unwrap(), Duration::from_secs(8));
        assert_eq!((results.delivered_ratio, results.messages), (1.0, 30));
        sums = [sums[0] + results.last_ms / 4.0, sums[1] + results.copies / 4.0];
    }
    assert!((sums[0] / 163.0 - 1.0).abs() <= 0.15, "{sums:?}");
    assert!((sums[1] / 1.09 - 1.0).abs() <= 0.02, "{sums:?}");
}

#[test]
fn what_an_uplink_cannot_carry_is_late_or_lost() {
    let (free, same) = (played("gossipsub_free", 50, 2_500_000, 3), played("gossipsub", 50, 2_500_000, 3));
    assert_eq!((free.delivered_ratio, free.overflowed), (1.0, 0));
    assert!(same.p99_ms > 10.0 * free.p99_ms, "{same:?}");
}

#[test]
fn the_same_seed_gives_the_same_figures() {
    for rival in ["gossipsub", "plumtree_free"] {
        assert_eq!(played(rival, 30, 300_000, 2), played(rival, 30, 300_000, 2));
    }
}
