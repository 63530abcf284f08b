//! `stratus bench share`: a set of objects from one member to all others, beside a plain star of the same size.
//!
//! What the figures mean:
//! - `complete`: members that have everything, of those that should.
//! - `wall_s`: from the moment when all members were linked to the last one having everything.
//! - `cpu_s_per_gb`: processor seconds of the process in that time, for each 10^9 bytes that reached a member and were
//!   checked there.
//! - `wire_per_payload`: what members sent each other as UDP, 28 bytes of headers for each datagram, of the bytes needed.
//! - `duplicates_ratio`: bytes of objects that came to whom had them, of the bytes needed.
//! - `source_copies`: bytes of objects that the source sent, of the set's.
//! - `t_over_bound`: `wall_s` by the least time that the uplinks allow; only with `--uplink`.
//! - `star_ratio`: `cpu_s_per_gb` by that of a star whose center sends everything to everybody on one QUIC stream each, with the
//!   library's defaults and nothing checked; the median of the rounds.
//! - `rss_peak_mib`: the most memory that the process has held by the end of the first round's group.

mod ours;
mod star;

use std::time::Duration;

use serde_json::{Value, json};

pub(super) use self::ours::content;
use super::args::Share;
use super::{machine, phase};
use crate::console::Console;
use crate::group::stamped;
use crate::stop::{Code, Failure, Stop};

/// What one round of the group gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) complete: usize,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) wire_bytes: u64,
    pub(crate) duplicate_bytes: u64,
    pub(crate) source_bytes: u64,
}

/// What is shared with how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) bytes: u64,
    /// Bytes a second of each member.
    pub(crate) uplink: Option<u64>,
    /// Packets of 1,200 bytes, as beside a stream.
    pub(crate) has_small_packets: bool,
}

impl Plan {
    /// Bytes that have to come to somebody.
    fn needed(&self) -> f64 {
        self.bytes as f64 * (self.nodes - 1) as f64
    }

    fn cost(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / (self.needed() / 1e9)
    }

    /// The least time in which uplinks could bring everything to everybody.
    fn bound(&self) -> Option<f64> {
        let uplink = self.uplink? as f64;
        Some((self.bytes as f64 / uplink).max(self.needed() / (uplink * self.nodes as f64)))
    }
}

/// Runs `stratus bench share …`.
pub(super) fn run(options: &Share, console: Console) -> Result<(), Stop> {
    let plan = Plan {
        nodes: options.nodes.into(),
        bytes: u64::from(options.mib) << 20,
        uplink: options.uplink.map(|bits| bits / 8),
        has_small_packets: options.small_packets,
    };
    let load_before = machine::load_average();
    let (mut outcomes, mut ratios, mut stars) = (Vec::new(), Vec::new(), Vec::new());
    let mut peak = None;
    for round in 1..=options.rounds {
        console.note(format_args!("round {round} of {}: the group", options.rounds));
        let outcome = phase(ours::run(plan))?;
        peak = peak.or_else(machine::peak_resident_bytes);
        if !options.no_star {
            console.note(format_args!("round {round} of {}: the star", options.rounds));
            let star = plan.cost(phase(star::run(plan))?);
            stars.push(star);
            ratios.push(plan.cost(outcome.cpu) / star);
        }
        outcomes.push(outcome);
    }
    let figures = figures(&plan, &outcomes, &ratios, &stars, peak, [load_before, machine::load_average()]);
    if options.json {
        console.data(stamped("bench share", figures.clone()))?;
    } else if let Some(fields) = figures.as_object() {
        fields.iter().try_for_each(|(name, value)| console.data(format_args!("{name:<18} {value}")))?;
    }
    let is_whole = outcomes.iter().all(|outcome| outcome.complete == plan.nodes - 1);
    if is_whole { Ok(()) } else { Err(Failure::new(Code::Check, "not every member got everything").into()) }
}

fn figures(
    plan: &Plan,
    outcomes: &[Outcome],
    ratios: &[f64],
    stars: &[f64],
    peak: Option<u64>,
    load: [Option<f64>; 2],
) -> Value {
    let of = |value: &dyn Fn(&Outcome) -> f64| median(outcomes.iter().map(value).collect());
    let wall = of(&|outcome| outcome.wall.as_secs_f64());
    json!({
        "nodes": plan.nodes,
        "mib": plan.bytes >> 20,
        "uplink_bytes_per_s": plan.uplink,
        "small_packets": plan.has_small_packets,
        "complete": outcomes.iter().map(|outcome| outcome.complete).min(),
        "wall_s": wall,
        "cpu_s_per_gb": of(&|outcome| plan.cost(outcome.cpu)),
        "wire_per_payload": of(&|outcome| outcome.wire_bytes as f64 / plan.needed()),
        "duplicates_ratio": of(&|outcome| outcome.duplicate_bytes as f64 / plan.needed()),
        "source_copies": of(&|outcome| outcome.source_bytes as f64 / plan.bytes as f64),
        "t_over_bound": plan.bound().map(|bound| wall / bound),
        "star_cpu_s_per_gb": (!stars.is_empty()).then(|| median(stars.to_vec())),
        "star_ratio": (!ratios.is_empty()).then(|| median(ratios.to_vec())),
        "star_ratio_pairs": ratios,
        "rss_peak_mib": peak.map(|bytes| bytes >> 20),
        "load_average": load,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_source_or_of_all_together() {
        let plan = Plan { nodes: 16, bytes: 1_000_000, uplink: Some(100_000), has_small_packets: false };
        assert_eq!(plan.bound(), Some(10.0));
        assert_eq!(Plan { uplink: None, ..plan }.bound(), None);
        assert_eq!(plan.cost(Duration::from_secs(3)), 200.0);
    }

    #[test]
    fn medians_are_of_the_rounds() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
