use stratus_core::Rate;

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
    /// Most neighbors that are remembered; the overlay has at most 128 (`links`). Default 1,024, its largest.
    pub neighbors: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parcels: Rate { burst: 128, per_second: 32 },
            parcels_sent: Rate { burst: 96, per_second: 24 },
            excess: Rate { burst: 512, per_second: 16 },
            neighbors: 1_024,
        }
    }
}

stratus_core::wire_settings!(Config { parcels, parcels_sent, excess, neighbors });

impl Config {
    /// Says what cannot work, in words that name the field.
    pub fn validate(&self) -> Result<(), &'static str> {
        let rates = [self.parcels, self.parcels_sent, self.excess];
        let rules = [
            (rates.iter().all(|rate| rate.is_valid()), "rates must be at least 1 at once and 1 a second"),
            (
                self.parcels_sent.burst <= self.parcels.burst
                    && self.parcels_sent.per_second <= self.parcels.per_second,
                "parcels_sent must be at most parcels",
            ),
            (self.neighbors >= 1, "neighbors must be at least 1"),
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
