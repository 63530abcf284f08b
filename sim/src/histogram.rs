use std::time::Duration;

use crate::series::Curve;

/// Width of a bin.
const BIN_MICROS: u64 = 100;
/// Bins; all that is longer than 30 s shares the last one.
const BINS: usize = 300_000;

/// Durations counted in bins of 0.1 ms, so that a hundred million of them cost no more memory than one.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bins: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Histogram {
    /// Counted nothing yet.
    pub(crate) fn new() -> Self {
        Self { bins: Vec::new(), count: 0, longest: Duration::ZERO }
    }

    /// Counts one.
    pub(crate) fn add(&mut self, duration: Duration) {
        let bin = (duration.as_micros() as u64 / BIN_MICROS).min(BINS as u64 - 1) as usize;
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0);
        }
        self.bins[bin] += 1;
        self.count += 1;
        self.longest = self.longest.max(duration);
    }

    /// The middle of the bin below or in which lie so many of a thousand, in milliseconds; 0 if there are none.
    pub(crate) fn quantile_ms(&self, per_mille: u64) -> f64 {
        let rank = (self.count * per_mille).div_ceil(1_000).max(1);
        let mut below = 0;
        for (bin, count) in self.bins.iter().enumerate() {
            below += count;
            if below >= rank {
                return (bin as u64 * BIN_MICROS + BIN_MICROS / 2) as f64 / 1_000.0;
            }
        }
        0.0
    }

    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How quick so many in a hundred are, for every hundredth and the last few thousandths.
    pub(crate) fn curve(&self) -> Curve {
        if self.is_empty() {
            return Curve::new();
        }
        let per_milles = (0..990).step_by(10).chain(990..=1_000);
        per_milles.map(|per_mille| (self.quantile_ms(per_mille), per_mille as f64 / 10.0)).collect()
    }

    /// The longest, in milliseconds.
    pub(crate) fn longest_ms(&self) -> f64 {
        self.longest.as_micros() as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_bin() {
        let mut histogram = Histogram::new();
        for ms in (1..=1_000).rev() {
            histogram.add(Duration::from_millis(ms));
        }
        let quantiles = [500, 990, 1_000].map(|per_mille| histogram.quantile_ms(per_mille));
        assert_eq!(quantiles, [500.05, 990.05, 1_000.05]);
        assert_eq!(histogram.longest_ms(), 1_000.0);
    }

    #[test]
    fn nothing_has_no_quantiles_and_the_very_long_are_counted() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile_ms(500), 0.0);
        histogram.add(Duration::from_secs(3_000));
        assert_eq!(histogram.longest_ms(), 3_000_000.0);
        assert!(histogram.quantile_ms(500) > 29_000.0);
    }
}
