use std::time::Duration;

use stratus_core::Rate;

/// KiB of the longest value, with what signs it.
const LONGEST_KIB: u32 = 9;

/// How routing behaves. Source: spec RO-5.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Parcels taken from one neighbor, up to 8 KiB each. Default 128 at once, then 32 a second: 2 Mbit/s of the longest.
    pub parcels: Rate,
    /// Parcels sent to one neighbor: less than it takes, so that who passes on is never taken for a flooder. Default 96
    /// at once, then 24 a second.
    pub parcels_sent: Rate,
    /// What is over `parcels` or `questions` is dropped; this much of it is borne before the neighbor is dropped and kept
    /// out. Default 512 at once, then 16 a second.
    pub excess: Rate,
    /// Questions taken from one neighbor: who is near, what is kept, keep this; each costs about 20 µs and 2 kB. Default
    /// 256 at once, then 64 a second.
    pub questions: Rate,
    /// Questions asked of one neighbor: fewer than it takes, so that who asks much is never taken for a flooder; what is
    /// over waits. Default 192 at once, then 48 a second.
    pub questions_sent: Rate,
    /// KiB of values taken from one neighbor, and given to it when it asks. Default 1 MiB at once, a quarter of what a
    /// member keeps, then 256 KiB a second.
    pub value_kib: Rate,
    /// KiB of values that one neighbor is asked to keep: fewer than it takes; what is over waits. Default 768 KiB at once,
    /// then 192 KiB a second: a full store is handed on in 18 s.
    pub value_kib_sent: Rate,
    /// Members of a look-up that are asked at the same time. More finds sooner where many do not answer, and makes more
    /// links. Default 3, as Kademlia.
    pub parallel: usize,
    /// Most members asked in a look-up. Default 32: three times what one needs where 30 % do not answer.
    pub most_asked: usize,
    /// How long a link may take. Default 4 s: long enough for an introduction.
    pub link_timeout: Duration,
    /// How long an answer may take. Default 1 s.
    pub answer_timeout: Duration,
    /// A look-up goes around whoever has not answered after four of its round trips, but not before this; the answer counts
    /// if it comes nevertheless. Less asks more members where some are busy, more waits longer where some are silent.
    /// Default 100 ms.
    pub least_patience: Duration,
    /// The same for links that are not up yet. Default 500 ms: two round trips around the world.
    pub link_patience: Duration,
    /// How long a look-up may take. Default 12 s.
    pub look_up_timeout: Duration,
    /// Most look-ups at a time, those for puts and gets included. Default 32.
    pub look_ups: usize,
    /// Members that keep each value. Default 3: with 10 % gone a minute and repair within seconds none is lost.
    pub copies: usize,
    /// Longest time that a value is kept unless it is put again. Default 24 h.
    pub longest_lifetime: Duration,
    /// Most values kept for the group. Default 1,024.
    pub values: usize,
    /// Most bytes of them. Default 4 MiB.
    pub value_bytes: usize,
    /// Most values that one member brought. Default 256.
    pub values_of_source: usize,
    /// How soon values are handed on when neighbors come or go. Default 500 ms.
    pub tend_delay: Duration,
    /// How often other holders are asked whether they still hold. 40 bytes a value and holder. Default 60 s.
    pub tend_period: Duration,
    /// Most neighbors that are remembered; the overlay has at most 128 (`links`). Default 1,024, its largest.
    pub neighbors: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parcels: Rate { burst: 128, per_second: 32 },
            parcels_sent: Rate { burst: 96, per_second: 24 },
            excess: Rate { burst: 512, per_second: 16 },
            questions: Rate { burst: 256, per_second: 64 },
            questions_sent: Rate { burst: 192, per_second: 48 },
            value_kib: Rate { burst: 1_024, per_second: 256 },
            value_kib_sent: Rate { burst: 768, per_second: 192 },
            parallel: 3,
            most_asked: 32,
            link_timeout: Duration::from_secs(4),
            answer_timeout: Duration::from_secs(1),
            least_patience: Duration::from_millis(100),
            link_patience: Duration::from_millis(500),
            look_up_timeout: Duration::from_secs(12),
            look_ups: 32,
            copies: 3,
            longest_lifetime: Duration::from_secs(86_400),
            values: 1_024,
            value_bytes: 4 << 20,
            values_of_source: 256,
            tend_delay: Duration::from_millis(500),
            tend_period: Duration::from_secs(60),
            neighbors: 1_024,
        }
    }
}

stratus_core::wire_settings!(Config {
    parcels,
    parcels_sent,
    excess,
    questions,
    questions_sent,
    value_kib,
    value_kib_sent,
    parallel,
    most_asked,
    link_timeout,
    answer_timeout,
    least_patience,
    link_patience,
    look_up_timeout,
    look_ups,
    copies,
    longest_lifetime,
    values,
    value_bytes,
    values_of_source,
    tend_delay,
    tend_period,
    neighbors,
});

impl Config {
    /// Says what cannot work, in words that name the field.
    pub fn validate(&self) -> Result<(), &'static str> {
        let rates = [
            self.parcels,
            self.parcels_sent,
            self.excess,
            self.questions,
            self.questions_sent,
            self.value_kib,
            self.value_kib_sent,
        ];
        let is_within =
            |less: Rate, more: Rate| less.burst <= more.burst && less.per_second <= more.per_second;
        let tick = Duration::from_millis(1);
        let times = [
            self.link_timeout,
            self.answer_timeout,
            self.least_patience,
            self.link_patience,
            self.look_up_timeout,
            self.longest_lifetime,
            self.tend_delay,
            self.tend_period,
        ];
        let counts =
            [self.parallel, self.most_asked, self.look_ups, self.copies, self.values, self.neighbors];
        let rules = [
            (rates.iter().all(|rate| rate.is_valid()), "rates must be at least 1 at once and 1 a second"),
            (is_within(self.parcels_sent, self.parcels), "parcels_sent must be at most parcels"),
            (is_within(self.questions_sent, self.questions), "questions_sent must be at most questions"),
            (is_within(self.value_kib_sent, self.value_kib), "value_kib_sent must be at most value_kib"),
            (self.value_kib_sent.burst >= LONGEST_KIB, "value_kib_sent must let the longest value pass"),
            (counts.iter().all(|count| *count > 0), "limits must be at least 1"),
            (times.iter().all(|time| *time >= tick), "times must be at least 1 ms"),
            (self.longest_lifetime <= Duration::from_secs(86_400), "longest_lifetime must be at most a day"),
            (self.copies <= 8, "copies must be at most 8"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, broken)| Err(broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_broken_rules_are_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let eager = Config { parcels_sent: Rate { burst: 129, per_second: 3 }, ..Config::default() };
        assert_eq!(eager.validate(), Err("parcels_sent must be at most parcels"));
        let none = Config { excess: Rate { burst: 0, per_second: 3 }, ..Config::default() };
        assert_eq!(none.validate(), Err("rates must be at least 1 at once and 1 a second"));
    }
}
