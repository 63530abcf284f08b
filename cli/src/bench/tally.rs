use std::ops::Range;
use std::time::Duration;

use crate::bench::stage::{Arrival, Span, micros};

/// What the viewers of one or more phases got of what was published in the windows.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Tally {
    /// Messages published in the window, times viewers.
    pub(crate) wanted: u64,
    /// Those that came, each once, however late.
    pub(crate) delivered: u64,
    /// From entering the publisher to leaving the viewer, microseconds.
    pub(crate) delays_us: Vec<u32>,
    /// Messages that came while the window was open, whenever published: what its processor time was for.
    pub(crate) arrived: u64,
    /// Processor time of the window.
    pub(crate) cpu: Duration,
}

impl Tally {
    /// Counts what `logs` say of `span`.
    pub(crate) fn of<S>(span: &Span<S>, logs: Vec<Vec<Arrival>>) -> Self {
        let mut tally =
            Self { wanted: (span.end - span.first) * logs.len() as u64, cpu: span.cpu, ..Self::default() };
        let (published, open) = (span.first..span.end, micros(span.from)..micros(span.until));
        for log in logs {
            tally.add(log, &published, &open);
        }
        tally.delays_us.sort_unstable();
        tally
    }

    fn add(&mut self, mut log: Vec<Arrival>, published: &Range<u64>, open: &Range<u32>) {
        log.sort_unstable();
        log.dedup_by_key(|arrival| arrival.index);
        self.arrived += log.iter().filter(|arrival| open.contains(&arrival.left_us)).count() as u64;
        log.retain(|arrival| published.contains(&arrival.index));
        self.delivered += log.len() as u64;
        self.delays_us.extend(log.iter().map(|arrival| arrival.left_us.saturating_sub(arrival.entered_us)));
    }

    /// Adds another phase of the same kind.
    pub(crate) fn merge(&mut self, other: Self) {
        self.wanted += other.wanted;
        self.delivered += other.delivered;
        self.arrived += other.arrived;
        self.cpu += other.cpu;
        self.delays_us.extend(other.delays_us);
        self.delays_us.sort_unstable();
    }

    /// Share of what was wanted that came.
    pub(crate) fn delivery(&self) -> f64 {
        ratio(self.delivered as f64, self.wanted as f64)
    }

    /// The delay that so many hundredths of a percent of the messages do not exceed, milliseconds.
    pub(crate) fn delay_ms(&self, percent: usize) -> f64 {
        let rank = (self.delays_us.len() * percent).div_ceil(100);
        self.delays_us.get(rank.saturating_sub(1)).map_or(0.0, |delay| f64::from(*delay) / 1_000.0)
    }

    /// Processor seconds for each gigabyte (10^9) of payload that reached a viewer.
    pub(crate) fn cpu_s_per_gb(&self, size: usize) -> f64 {
        ratio(self.cpu.as_secs_f64() * 1e9, self.arrived as f64 * size as f64)
    }
}

/// 0 when there is nothing to divide by.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(index: u64, entered_us: u32, left_us: u32) -> Arrival {
        Arrival { index, entered_us, left_us }
    }

    fn span() -> Span<()> {
        let ms = Duration::from_millis;
        Span { join: ms(1), from: ms(10), until: ms(20), first: 3, end: 5, cpu: ms(7), before: (), after: () }
    }

    #[test]
    fn only_what_was_published_in_the_window_is_wanted_and_late_is_not_lost() {
        let logs = vec![
            vec![arrival(2, 9_000, 10_500), arrival(3, 10_100, 11_100), arrival(4, 15_000, 40_000)],
            vec![arrival(3, 10_100, 13_100), arrival(3, 10_100, 13_200), arrival(5, 20_100, 20_200)],
        ];
        let expected = Tally {
            wanted: 4,
            delivered: 3,
            delays_us: vec![1_000, 3_000, 25_000],
            arrived: 3,
            cpu: Duration::from_millis(7),
        };
        assert_eq!(Tally::of(&span(), logs), expected);
        assert_eq!(expected.delivery(), 0.75);
        assert_eq!((expected.delay_ms(50), expected.delay_ms(100)), (3.0, 25.0));
        assert_eq!(expected.cpu_s_per_gb(1_000), 0.007 * 1e9 / 3_000.0);
    }

    #[test]
    fn rounds_add_up() {
        let one = Tally::of(&span(), vec![vec![arrival(3, 10_000, 12_000)]]);
        let mut both = Tally::of(&span(), vec![vec![arrival(4, 10_000, 11_000)]]);
        both.merge(one);
        assert_eq!((both.wanted, both.delivered, &both.delays_us[..]), (4, 2, &[1_000, 2_000][..]));
    }
}
