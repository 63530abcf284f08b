use std::time::Duration;

use crate::Time;

/// How often something may happen: `burst` times at once, then `per_second` times a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many may come at once after a rest. At least 1.
    pub burst: u32,
    /// How many a second in the long run. At least 1, at most a million.
    pub per_second: u32,
}

crate::wire_settings!(Rate { burst, per_second });

impl Rate {
    /// Whether both numbers can be kept.
    pub fn is_valid(self) -> bool {
        self.burst > 0 && (1..=1_000_000).contains(&self.per_second)
    }

    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }
}

/// A token bucket in one number: the moment at which it will be full again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Bucket {
    full_at: Time,
}

impl Bucket {
    /// Takes one token; says whether there was one.
    pub fn take(&mut self, now: Time, rate: Rate) -> bool {
        self.take_many(now, rate, 1)
    }

    /// Takes `count` tokens, or none; says whether there were as many.
    pub fn take_many(&mut self, now: Time, rate: Rate, count: u32) -> bool {
        let full_at = self.full_at.max(now) + rate.interval().saturating_mul(count);
        let is_allowed = full_at.since(now) <= rate.interval().saturating_mul(rate.burst);
        if is_allowed {
            self.full_at = full_at;
        }
        is_allowed
    }

    /// Whether forgetting it changes nothing.
    pub fn is_full(&self, now: Time) -> bool {
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

    #[test]
    fn several_tokens_are_taken_together_or_not_at_all() {
        let rate = Rate { burst: 7, per_second: 50 };
        let mut bucket = Bucket::default();
        let now = Time::from_millis(700);
        assert!(bucket.take_many(now, rate, 5));
        assert!(!bucket.take_many(now, rate, 3));
        assert!(bucket.take_many(now, rate, 2));
        assert!(!bucket.take_many(Time::ZERO, rate, 8), "more than a burst never passes");
        assert!(!bucket.is_full(now) && bucket.is_full(Time::from_millis(840)));
    }

    #[test]
    fn rates_that_cannot_be_kept_are_named() {
        assert!(Rate { burst: 1, per_second: 1_000_000 }.is_valid());
        for (burst, per_second) in [(0, 1), (1, 0), (1, 1_000_001)] {
            assert!(!Rate { burst, per_second }.is_valid());
        }
    }
}
