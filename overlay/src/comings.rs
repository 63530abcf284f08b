use std::collections::BTreeMap;

use stratus_core::{Bucket, Rate, Time};

use crate::places::Place;

/// How often each member came lately: who comes and goes all the time spends our handshakes. Bounded; a member that
/// has not come for a while costs nothing. Source: spec OV-27.
#[derive(Clone, Debug)]
pub(crate) struct Comings {
    buckets: BTreeMap<Place, Bucket>,
    rate: Rate,
    limit: usize,
}

impl Comings {
    pub(crate) fn new(rate: Rate, limit: usize) -> Self {
        Self { buckets: BTreeMap::new(), rate, limit }
    }

    /// The member at `place` is here again; false if it comes too often.
    pub(crate) fn note(&mut self, place: Place, now: Time) -> bool {
        if self.buckets.len() >= self.limit && !self.buckets.contains_key(&place) {
            self.make_room(now);
        }
        self.buckets.entry(place).or_default().take(now, self.rate)
    }

    /// Forgets those that have rested, or else whoever came least.
    fn make_room(&mut self, now: Time) {
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        if self.buckets.len() >= self.limit {
            let calmest = self.buckets.iter().min_by_key(|(place, bucket)| (**bucket, **place));
            let place = *calmest.expect("at the limit").0;
            self.buckets.remove(&place);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_may_come_so_often_and_not_once_more_whatever_others_do() {
        let mut comings = Comings::new(Rate { burst: 3, per_second: 1 }, 7);
        let now = Time::from_millis(700);
        assert_eq!([0; 4].map(|_| comings.note(50, now)), [true, true, true, false]);
        assert!(comings.note(3, now));
        assert!(comings.note(50, Time::from_millis(1_700)));
    }

    #[test]
    fn at_the_limit_the_calmest_is_forgotten_and_who_comes_all_the_time_is_not() {
        let mut comings = Comings::new(Rate { burst: 3, per_second: 1 }, 7);
        let now = Time::from_millis(700);
        assert_eq!([0; 3].map(|_| comings.note(50, now)), [true; 3]);
        for place in 100..200 {
            comings.note(place, now);
            assert!(comings.len() <= 7);
        }
        assert!(!comings.note(50, now));
    }
}
