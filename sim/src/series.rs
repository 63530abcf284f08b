use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// Points of a curve.
pub type Curve = Vec<(f64, f64)>;

/// What a run was like over its messages and over time, for plots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Milliseconds from writing to playing, and the percentage of messages that are as quick.
    pub delay: Curve,
    /// The same of rivals.
    pub rivals: BTreeMap<String, Curve>,
    /// Hops, and how many look-ups took so many.
    pub hops: Curve,
    /// Seconds since the first member, and the share of members linked with their six nearest; only without streams.
    pub right: Curve,
    /// Seconds since the first member, and how many there were.
    pub members: Curve,
    /// Seconds since the first member, and the p99 delay of what was written in that second.
    pub p99: Curve,
}

/// Keeps what becomes a [`Series`] while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// Of what was written in each second.
    pub(crate) seconds: Vec<Histogram>,
    pub(crate) members: Curve,
}

impl Keeper {
    /// A message written in second `written` took so long.
    pub(crate) fn played(&mut self, written: u64, delay: std::time::Duration) {
        let second = written as usize;
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, Histogram::new);
        }
        self.seconds[second].add(delay);
    }

    /// The p99 of each second in which anything was written.
    pub(crate) fn p99(&self) -> Curve {
        let known = self.seconds.iter().enumerate().filter(|(_, delays)| !delays.is_empty());
        known.map(|(second, delays)| (second as f64, delays.quantile_ms(990))).collect()
    }
}
