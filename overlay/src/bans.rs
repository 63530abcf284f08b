use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::Time;

use crate::places::Place;

/// Who broke the protocol, and until when nothing is wanted of it; bounded, and remembered after its end, so that
/// who comes back to do the same again is kept out for longer each time. Source: spec OV-23.
#[derive(Clone, Debug)]
pub(crate) struct Bans {
    bans: BTreeMap<Place, Ban>,
    first: Duration,
    longest: Duration,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    until: Time,
    times: u32,
}

impl Bans {
    pub(crate) fn new(first: Duration, longest: Duration, limit: usize) -> Self {
        Self { bans: BTreeMap::new(), first, longest, limit }
    }

    /// The member at `place` is kept out from now on. One that is already stays as long as it was to: what was
    /// under way when it was dropped is no second offence.
    pub(crate) fn add(&mut self, place: Place, now: Time) {
        if self.until(place, now).is_some() {
            return;
        }
        let times = self.bans.get(&place).map_or(0, |ban| ban.times) + 1;
        let duration = self.first.saturating_mul(1 << (times - 1).min(16)).min(self.longest);
        self.bans.insert(place, Ban { until: now + duration, times });
        if self.bans.len() > self.limit {
            let ends_first = self.bans.iter().min_by_key(|(place, ban)| (ban.until, **place));
            let place = *ends_first.expect("more than the limit").0;
            self.bans.remove(&place);
        }
    }

    /// When the ban of the member at `place` ends, if there is one.
    pub(crate) fn until(&self, place: Place, now: Time) -> Option<Time> {
        self.bans.get(&place).map(|ban| ban.until).filter(|until| *until > now)
    }

    /// Forgets what ended so long ago that it would be a first offence again.
    pub(crate) fn expire(&mut self, now: Time) {
        self.bans.retain(|_, ban| ban.until + self.longest > now);
    }

    pub(crate) fn len(&self) -> usize {
        self.bans.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    fn bans(limit: usize) -> Bans {
        Bans::new(Duration::from_secs(600), Duration::from_secs(86_400), limit)
    }

    #[test]
    fn who_comes_back_to_do_it_again_is_kept_out_twice_as_long() {
        let mut bans = bans(3);
        let mut now = at(7);
        let mut lengths = Vec::new();
        for _ in 0..9 {
            bans.add(50, now);
            let until = bans.until(50, now).expect("just added");
            bans.add(50, until - Duration::from_secs(1));
            lengths.push(until.since(now).as_secs());
            assert_eq!(bans.until(50, until), None);
            now = until + Duration::from_secs(3);
            bans.expire(now);
        }
        assert_eq!(lengths, [600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 86_400]);
        bans.expire(now + Duration::from_secs(86_400));
        bans.add(50, now + Duration::from_secs(86_401));
        assert_eq!(
            bans.until(50, now + Duration::from_secs(86_401)),
            Some(now + Duration::from_secs(87_001))
        );
    }

    #[test]
    fn at_the_limit_all_are_kept_out_and_over_it_the_one_that_ends_first_is_forgotten() {
        let mut bans = bans(3);
        for (place, seconds) in [(3, 1), (7, 0), (50, 2)] {
            bans.add(place, at(seconds));
        }
        let kept_out = |bans: &Bans| [3, 7, 50, 700].map(|place| bans.until(place, at(3)).is_some());
        assert_eq!((bans.len(), kept_out(&bans)), (3, [true, true, true, false]));
        bans.add(700, at(3));
        assert_eq!((bans.len(), kept_out(&bans)), (3, [true, false, true, true]));
    }
}
