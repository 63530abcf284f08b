use std::time::Duration;

use stratus_core::Histogram;
use tokio::time::Instant;

/// From a few hops in one town to the end of a window.
const BOUNDS: [Duration; 8] = [
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_500),
    Duration::from_millis(8_000),
];
/// How long the quickest way counts: two clocks that drift a tenth of a millisecond in a second are then 12 ms apart.
const ERA: Duration = Duration::from_secs(60);

/// How much later than the quickest each message of one playback came.
#[derive(Debug)]
pub(super) struct Delays {
    histogram: Histogram,
    began: Instant,
    /// The least distance between the two clocks that was seen in this era and in the one before.
    least: [Option<i128>; 2],
    era_ends: Instant,
}

impl Delays {
    pub(super) fn new(now: Instant) -> Self {
        Self { histogram: Histogram::new(&BOUNDS), began: now, least: [None; 2], era_ends: now + ERA }
    }

    /// A message that was published at `published_at` of the stream's clock came at `now` of ours.
    pub(super) fn observe(&mut self, published_at: Duration, now: Instant) {
        if now >= self.era_ends {
            self.least = [None, self.least[0]];
            self.era_ends = now + ERA;
        }
        let distance = now.duration_since(self.began).as_micros() as i128 - published_at.as_micros() as i128;
        self.least[0] = Some(self.least[0].map_or(distance, |least| least.min(distance)));
        let least = self.least.iter().flatten().min().expect("just put there");
        self.histogram.observe(Duration::from_micros((distance - least) as u64));
    }

    /// The stream began anew: another clock.
    pub(super) fn restart(&mut self) {
        self.least = [None; 2];
    }

    pub(super) fn histogram(&self) -> &Histogram {
        &self.histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(delays: &Delays) -> Vec<u64> {
        delays.histogram().cumulative().map(|(_, count)| count).collect()
    }

    #[test]
    fn what_comes_late_is_told_from_what_is_far_away() {
        let began = Instant::now();
        let mut delays = Delays::new(began);
        let millis = Duration::from_millis;
        // A publisher that began a minute ago, and is 300 ms away.
        for (second, late) in [(0, 0), (1, 30), (2, 700), (3, 0)] {
            let published_at = millis(60_000 + second * 1_000);
            delays.observe(published_at, began + millis(second * 1_000 + 300 + late));
        }
        assert_eq!(counts(&delays), [2, 3, 3, 3, 3, 4, 4, 4]);
    }

    #[test]
    fn a_quick_moment_long_ago_is_forgotten() {
        let began = Instant::now();
        let mut delays = Delays::new(began);
        delays.observe(Duration::from_secs(3), began);
        // From then on everything comes 200 ms later, for good.
        for second in [50, 70, 131] {
            let at = Duration::from_secs(second);
            delays.observe(Duration::from_secs(3) + at, began + at + Duration::from_millis(200));
        }
        assert_eq!(counts(&delays)[..4], [2, 2, 2, 4]);
    }

    #[test]
    fn a_stream_that_begins_anew_has_another_clock() {
        let began = Instant::now();
        let mut delays = Delays::new(began);
        delays.observe(Duration::from_secs(50), began);
        delays.restart();
        delays.observe(Duration::ZERO, began + Duration::from_secs(3));
        assert_eq!(counts(&delays)[0], 2);
    }
}
