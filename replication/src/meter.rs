use std::time::Duration;

use stratus_core::Time;

/// Over how long happenings are counted.
const WINDOW: Duration = Duration::from_millis(250);

/// How often something happens, looked at four times a second.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Meter {
    since: Time,
    count: u64,
    per_second: u64,
}

impl Meter {
    pub(crate) fn note(&mut self, now: Time) {
        self.roll(now);
        self.count += 1;
    }

    pub(crate) fn per_second(&mut self, now: Time) -> u64 {
        self.roll(now);
        self.per_second
    }

    fn roll(&mut self, now: Time) {
        let passed = now.since(self.since);
        if passed >= WINDOW {
            let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
            *self = Self { since: now, count: 0, per_second: self.count * 1_000_000 / micros };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_known_after_a_window_and_forgotten_after_the_next() {
        let mut meter = Meter::default();
        for milli in 0..250 {
            meter.note(Time::from_millis(1_000 + milli));
        }
        assert_eq!(meter.per_second(Time::from_millis(1_250)), 1_000);
        assert_eq!(meter.per_second(Time::from_millis(2_250)), 0);
    }
}
