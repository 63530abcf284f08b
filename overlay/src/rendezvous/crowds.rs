use std::collections::BTreeMap;
use std::net::SocketAddr;

use stratus_core::{Bucket, Rate, Time};

use super::network::Network;

/// What a network may do only so often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Frame,
    Register,
    Introduce,
}

/// The rates of networks, all connections of each together. Spec RV-16.
#[derive(Debug)]
pub(super) struct Crowds {
    /// By act, in the order of [`Act`].
    rates: [Rate; 3],
    most: usize,
    buckets: BTreeMap<Network, [Bucket; 3]>,
}

impl Crowds {
    /// Knows `most` networks at a time.
    pub(super) fn new(rates: [Rate; 3], most: usize) -> Self {
        Self { rates, most, buckets: BTreeMap::new() }
    }

    /// Whether someone at `address` may do this once more. False as well if there are more busy networks than places.
    pub(super) fn take(&mut self, now: Time, address: SocketAddr, act: Act) -> bool {
        let network = Network::of_customer(address.ip());
        if !self.buckets.contains_key(&network) && self.buckets.len() >= self.most {
            self.buckets.retain(|_, buckets| !buckets.iter().all(|bucket| bucket.is_full(now)));
            if self.buckets.len() >= self.most {
                return false;
            }
        }
        let buckets = self.buckets.entry(network).or_default();
        buckets[act as usize].take(now, self.rates[act as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [Rate; 3] = [
        Rate { burst: 3, per_second: 1 },
        Rate { burst: 2, per_second: 1 },
        Rate { burst: 1, per_second: 1 },
    ];

    fn at(text: &str) -> SocketAddr {
        format!("{text}:5000").parse().unwrap()
    }

    #[test]
    fn a_network_has_what_its_rate_allows_and_not_one_more() {
        let mut crowds = Crowds::new(RATES, 7);
        for (act, cap) in [(Act::Frame, 3), (Act::Register, 2), (Act::Introduce, 1)] {
            for number in 0..cap {
                assert!(crowds.take(Time::ZERO, at(&format!("203.0.113.{number}")), act), "{act:?}");
            }
            assert!(!crowds.take(Time::ZERO, at("203.0.113.99"), act), "{act:?}");
            assert!(crowds.take(Time::ZERO, at("203.0.114.99"), act), "{act:?}");
            assert!(crowds.take(Time::from_millis(1_000), at("203.0.113.99"), act), "{act:?}");
        }
    }

    #[test]
    fn the_table_is_full_at_its_bound_until_a_network_has_rested() {
        let mut crowds = Crowds::new(RATES, 2);
        let mut take = |text, millis| crowds.take(Time::from_millis(millis), at(text), Act::Frame);
        assert_eq!([take("10.0.1.1", 0), take("10.0.2.1", 0), take("10.0.3.1", 0)], [true, true, false]);
        assert!(take("10.0.3.1", 1_000));
    }
}
