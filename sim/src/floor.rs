//! What no protocol can do better, as arithmetic, to hold figures against.

use std::time::Duration;

use crate::scenario::{LatencyLaw, Scenario};

/// Steps of the recurrence.
const STEP_MICROS: u64 = 50;
/// Longest time looked at, in steps: ten seconds.
const MOST_STEPS: usize = 200_000;

/// The least that a figure of the results can be in a scenario, where that is known.
pub fn floor(scenario: &Scenario, what: &str) -> Option<f64> {
    match what {
        "copies" => Some(1.0),
        "p99_ms" => last_delivery(scenario).map(|floor| floor.as_micros() as f64 / 1_000.0),
        _ => None,
    }
}

/// When the last member can have a fragment, if nobody waits for anything but its uplink and every link is as short
/// as the shortest.
fn last_delivery(scenario: &Scenario) -> Option<Duration> {
    let LatencyLaw::Uniform { low, .. } = scenario.latency else { return None };
    let uplink = scenario.uplink.filter(|_| scenario.strong.is_none() && scenario.publishers == 1)?;
    let fragment = scenario.size as f64 * 8.0 / scenario.rate_bits as f64;
    let copy = |uplink: f64| Duration::from_secs_f64(fragment / uplink);
    postal(scenario.viewer_count(), copy(uplink), copy(scenario.source_uplink?), low)
}

/// The postal model: who has it sends one copy each `copy`, the source each `source_copy`, and each takes `latency`.
/// Answers when so many besides the source have it.
fn postal(members: u32, copy: Duration, source_copy: Duration, latency: Duration) -> Option<Duration> {
    let steps = |time: Duration| (time.as_micros() as u64).div_ceil(STEP_MICROS).max(1) as usize;
    let (copy, source_copy, latency) = (steps(copy), steps(source_copy), steps(latency));
    // Who gets it at each step, and how many of those get it from members.
    let (mut arrivals, mut from_members) = (Vec::<u64>::new(), Vec::<u64>::new());
    let mut reached = 0u64;
    for step in 0..MOST_STEPS {
        let back = |list: &[u64], by: usize| step.checked_sub(by).map_or(0, |past| list[past]);
        let relayed = back(&arrivals, copy + latency) + back(&from_members, copy);
        let is_sources = step > latency && (step - latency).is_multiple_of(source_copy);
        arrivals.push(relayed + u64::from(is_sources));
        from_members.push(relayed);
        reached += arrivals[step];
        if reached >= u64::from(members) {
            return Some(Duration::from_micros(step as u64 * STEP_MICROS));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_postal_floor_is_that_of_the_literature() {
        // 1,200 bytes at 2.5 Mbit/s and twice the rate, 15 ms a hop: last delivery after 55, 77 and 100 ms.
        let copy = Duration::from_micros(1_920);
        for (members, ms) in [(100, 55), (1_000, 77), (10_000, 100)] {
            let floor = postal(members, copy, copy, Duration::from_millis(15)).unwrap().as_millis() as i64;
            assert!((floor - ms).abs() <= 3, "{members}: {floor} ms");
        }
    }

    #[test]
    fn figures_without_a_floor_have_none() {
        let scenario = Scenario { members: 4_096, ..Scenario::default() };
        let ours = floor(&scenario, "p99_ms").unwrap();
        assert!((30.0..100.0).contains(&ours), "{ours} ms");
        assert_eq!((floor(&scenario, "copies"), floor(&scenario, "continuity")), (Some(1.0), None));
        let globe = Scenario { latency: LatencyLaw::Coordinate, ..scenario };
        assert_eq!(floor(&globe, "p99_ms"), None);
    }
}
