use std::time::Duration;

/// How often durations fell into each of a few classes; what hosts count for their metrics.
///
/// Cost: one comparison a class for each observation, eight bytes a class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// One for each bound, and one beyond the last.
    counts: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    /// An empty one. `bounds` must rise; each belongs to the class below it.
    pub fn new(bounds: &'static [Duration]) -> Self {
        assert!(bounds.is_sorted(), "the bounds of classes rise");
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    /// Counts one duration.
    pub fn observe(&mut self, duration: Duration) {
        let class = self.bounds.partition_point(|bound| *bound < duration);
        self.counts[class] += 1;
        self.sum += duration;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All that were counted, together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// For each bound, how many were not longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut below = 0;
        self.bounds.iter().zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (*bound, below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(700)];

    #[test]
    fn a_duration_is_counted_in_its_class_and_above() {
        let mut histogram = Histogram::new(&BOUNDS);
        for millis in [3, 50, 51, 700, 701] {
            histogram.observe(Duration::from_millis(millis));
        }
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(BOUNDS[0], 2), (BOUNDS[1], 4)]);
        assert_eq!((histogram.count(), histogram.sum()), (5, Duration::from_millis(1_505)));
    }
}
