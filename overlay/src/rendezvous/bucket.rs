use std::time::Duration;

use stratus_core::Time;

/// How often something may happen: `burst` times at once, then `per_second` times a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many may come at once after a rest. At least 1.
    pub burst: u32,
    /// How many a second in the long run. At least 1.
    pub per_second: u32,
}

impl Rate {
    /// Whether both numbers are at least 1.
    pub(crate) fn is_valid(self) -> bool {
        self.burst > 0 && self.per_second > 0
    }

    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }
}

/// A token bucket in one number: the moment at which it will be full again.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Bucket {
    full_at: Time,
}

impl Bucket {
    /// Takes one token; says whether there was one.
    pub(crate) fn take(&mut self, now: Time, rate: Rate) -> bool {
        let full_at = self.full_at.max(now) + rate.interval();
        let is_allowed = full_at.since(now) <= rate.interval() * rate.burst;
        if is_allowed {
            self.full_at = full_at;
        }
        is_allowed
    }

    /// Whether forgetting it changes nothing.
    pub(crate) fn is_full(&self, now: Time) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_an_interval() {
        let rate = Rate { burst: 3, per_second: 2 };
        let mut bucket = Bucket::default();
        let mut at = |millis| bucket.take(Time::from_millis(millis), rate);
        assert_eq!([at(700), at(700), at(700), at(700)], [true, true, true, false]);
        assert_eq!([at(1_199), at(1_200), at(1_200)], [false, true, false]);
        assert_eq!([at(9_000), at(9_000), at(9_000), at(9_000)], [true, true, true, false]);
    }
}
