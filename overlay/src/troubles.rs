use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::Time;

use crate::places::Place;

/// Why a member is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// It could not be dialled directly; someone may yet introduce us.
    Unreached,
    /// It has no room for us.
    Full,
    /// It did not answer; this was its last known sequence. A higher one is a sign of life.
    Dead(u64),
    /// It said goodbye with this sequence as its last: it comes back with a higher one or not at all.
    Left(u64),
}

#[derive(Clone, Copy, Debug)]
struct Case {
    trouble: Trouble,
    until: Time,
    failures: u32,
}

/// Members with whom it makes no sense to try, each until some time; at most `limit`, soonest ended first out.
///
/// Source: spec OV-13.
#[derive(Clone, Debug)]
pub(crate) struct Troubles {
    cases: BTreeMap<Place, Case>,
    limit: usize,
}

impl Troubles {
    pub(crate) fn new(limit: usize) -> Self {
        Self { cases: BTreeMap::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.cases.len()
    }

    /// Notes trouble with the member at `place`; repeated deaths double the time, up to `longest`.
    pub(crate) fn note(
        &mut self,
        place: Place,
        trouble: Trouble,
        now: Time,
        duration: Duration,
        longest: Duration,
    ) {
        let before = self.cases.get(&place).map_or(0, |case| case.failures);
        let failures = before + u32::from(matches!(trouble, Trouble::Dead(_)));
        let duration =
            duration.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest.max(duration));
        self.cases.insert(place, Case { trouble, until: now + duration, failures });
        if self.cases.len() > self.limit {
            let ends_first = self.cases.iter().min_by_key(|(place, case)| (case.until, **place));
            let place = *ends_first.expect("more than the limit").0;
            self.cases.remove(&place);
        }
    }

    /// Whether the member at `place` should not be linked with for the time being.
    pub(crate) fn avoids(&self, place: Place, now: Time) -> bool {
        self.cases.get(&place).is_some_and(|case| case.until > now)
    }

    /// Whether nothing may be heard of the member at `place` with this sequence.
    pub(crate) fn refuses(&self, place: Place, sequence: u64) -> bool {
        self.cases.get(&place).is_some_and(|case| match case.trouble {
            Trouble::Unreached | Trouble::Full => false,
            // Whoever does not move its sequence shows no sign of life, however often others tell of it.
            Trouble::Dead(last) | Trouble::Left(last) => sequence <= last,
        })
    }

    /// The member at `place` is well again; says whether it was thought dead.
    pub(crate) fn forgive(&mut self, place: Place) -> bool {
        self.cases.remove(&place).is_some_and(|case| matches!(case.trouble, Trouble::Dead(_)))
    }

    /// It was probably not they who had trouble, but the network: only farewells stay.
    pub(crate) fn forgive_all(&mut self) {
        self.cases.retain(|_, case| matches!(case.trouble, Trouble::Left(_)));
    }

    /// Those that were full may be tried again by `at`.
    pub(crate) fn hasten_full(&mut self, at: Time) {
        for case in self.cases.values_mut().filter(|case| matches!(case.trouble, Trouble::Full)) {
            case.until = case.until.min(at);
        }
    }

    /// When the next of those may be linked with again that are still heard of.
    pub(crate) fn next_end(&self, now: Time) -> Option<Time> {
        let is_heard = |case: &&Case| matches!(case.trouble, Trouble::Full | Trouble::Unreached);
        self.cases.values().filter(is_heard).map(|case| case.until).filter(|until| *until > now).min()
    }

    /// Whether nobody should be dialled at `place` to see whether it is back.
    pub(crate) fn is_hopeless(&self, place: Place) -> bool {
        let trouble = self.cases.get(&place).map(|case| case.trouble);
        matches!(trouble, Some(Trouble::Left(_)))
    }

    /// Forgets what ended `grace` ago; failures are remembered that long.
    pub(crate) fn expire(&mut self, now: Time, grace: Duration) {
        self.cases.retain(|_, case| case.until + grace > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_000 * seconds)
    }

    fn troubled(trouble: Trouble, times: u32) -> Troubles {
        let mut troubles = Troubles::new(3);
        for _ in 0..times {
            troubles.note(50, trouble, at(0), Duration::from_secs(30), LONGEST);
        }
        troubles
    }

    #[test]
    fn the_dead_are_left_alone_twice_as_long_each_time() {
        for (times, seconds) in [(1, 30), (2, 60), (4, 240), (5, 300), (700, 300)] {
            let troubles = troubled(Trouble::Dead(3), times);
            assert!(
                troubles.avoids(50, at(seconds - 1)) && !troubles.avoids(50, at(seconds)),
                "{times} times"
            );
        }
    }

    #[test]
    fn the_full_are_heard_of_the_dead_are_not_and_leavers_only_when_they_come_back() {
        let refuses = |trouble, sequence| troubled(trouble, 1).refuses(50, sequence);
        assert!(!refuses(Trouble::Full, 7) && !refuses(Trouble::Unreached, 7));
        assert!(refuses(Trouble::Dead(7), 7) && !refuses(Trouble::Dead(7), 8), "a sign of life");
        assert!(refuses(Trouble::Left(7), 7) && !refuses(Trouble::Left(7), 8));
    }

    #[test]
    fn isolation_forgives_the_dead_and_never_those_who_left() {
        let mut troubles = troubled(Trouble::Dead(3), 1);
        troubles.note(3, Trouble::Left(7), at(0), Duration::from_secs(30), LONGEST);
        troubles.forgive_all();
        assert!(!troubles.avoids(50, at(0)) && troubles.is_hopeless(3));
    }

    #[test]
    fn the_full_may_be_tried_sooner_and_the_dead_may_not() {
        let mut troubles = troubled(Trouble::Dead(3), 1);
        troubles.note(3, Trouble::Full, at(0), Duration::from_secs(75), LONGEST);
        assert_eq!((troubles.next_end(at(0)), troubles.next_end(at(75))), (Some(at(75)), None));
        troubles.hasten_full(at(2));
        assert_eq!(troubles.next_end(at(0)), Some(at(2)));
        assert!(troubles.avoids(3, at(1)) && !troubles.avoids(3, at(2)) && troubles.avoids(50, at(29)));
    }

    #[test]
    fn the_one_that_ends_first_makes_room() {
        let mut troubles = troubled(Trouble::Dead(3), 1);
        for place in [3, 7] {
            troubles.note(place, Trouble::Dead(3), at(place), Duration::from_secs(30), LONGEST);
        }
        assert!([50, 3, 7].iter().all(|place| troubles.avoids(*place, at(8))), "at the limit all are there");
        troubles.note(700, Trouble::Dead(3), at(700), Duration::from_secs(30), LONGEST);
        assert_eq!(troubles.len(), 3);
        assert!(!troubles.avoids(50, at(1)) && troubles.avoids(3, at(1)));
    }
}
