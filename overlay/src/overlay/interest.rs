use stratus_core::Time;

use super::Overlay;
use crate::places::{Place, clockwise, counterclockwise};

/// Which members are worth having a record of: the nearest on the ring, and those next to where a shortcut should end.
///
/// Everybody else is only for hard times, and nobody needs many of them. Source: spec OV-10.
pub(super) struct Interest {
    center: Place,
    /// How far the stretch of ring goes up and down in which everybody is of interest.
    up: u64,
    down: u64,
    /// The places next to where shortcuts should end.
    gaps: Vec<(Place, Place)>,
}

impl Interest {
    /// Of the member at `center`, when it knows those in `known`, among so many `members`.
    pub(super) fn of(center: Place, known: &[Place], each: usize, members: u64) -> Self {
        let up = clockwise(known, center).nth(each - 1).map_or(u64::MAX, |place| place.wrapping_sub(center));
        let down = counterclockwise(known, center)
            .nth(each - 1)
            .map_or(u64::MAX, |place| center.wrapping_sub(place));
        let gap = |halvings: u32| {
            let target = center.wrapping_add(1 << (64 - halvings));
            Some((counterclockwise(known, target).next()?, clockwise(known, target).next()?))
        };
        Self { center, up, down, gaps: (1..=members.max(1).ilog2()).filter_map(gap).collect() }
    }

    /// Whether the member at `place` matters.
    pub(super) fn has(&self, place: Place) -> bool {
        let is_close =
            place.wrapping_sub(self.center) <= self.up || self.center.wrapping_sub(place) <= self.down;
        is_close || self.gaps.iter().any(|(from, to)| place.wrapping_sub(*from) <= to.wrapping_sub(*from))
    }
}

/// What of all that is offered is asked for.
impl Overlay {
    /// What will matter once those are heard of who are `offered` now or were asked for: one who knows few would take
    /// everybody to be near. Twice as many as it needs, since some of them are gone.
    pub(super) fn interest_in(&self, now: Time, offered: &[Place]) -> Interest {
        let mut known: Vec<Place> = self
            .heard
            .places()
            .iter()
            .copied()
            .chain(offered.iter().copied())
            .chain(self.asked.places())
            .collect();
        known.sort_unstable();
        known.dedup();
        Interest::of(self.me(), &known, self.width(now) * 2, self.estimated_member_count())
    }

    /// How many more records may be asked for that matter only in hard times. While neighbors come and go, few: most
    /// of those heard of now will be gone when they are needed. Source: spec OV-10.
    pub(super) fn curiosity(&self, now: Time) -> usize {
        let room = self.config.heard - self.config.heard.min(self.heard.len());
        if self.is_calm(now) { room } else { room.min(self.curiosity) }
    }

    /// How many on each side are of interest: half as many while neighbors come and go.
    pub(super) fn width(&self, now: Time) -> usize {
        if self.is_calm(now) { self.config.ring_width } else { self.config.ring_width.div_ceil(2) }
    }

    /// Whether no neighbor was lost for a while.
    fn is_calm(&self, now: Time) -> bool {
        now.since(self.last_departure) >= self.config.calm_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_ones_matter_and_those_next_to_the_end_of_a_shortcut() {
        let quarter = 1 << 62;
        let known: Vec<Place> = vec![3, 50, 700, quarter - 7, quarter + 50, 2 * quarter + 3, u64::MAX - 7];
        let interest = Interest::of(10, &known, 2, 4);
        let has = [51, 699, 701, u64::MAX].map(|place| interest.has(place));
        assert_eq!(has, [true, true, false, true]);
        let places = [quarter - 7, quarter, quarter + 50, quarter + 51, quarter - 8];
        assert_eq!(places.map(|place| interest.has(place)), [true, true, true, false, false]);
        assert!(!interest.has(2 * quarter + 2), "between the ends of two shortcuts");
    }

    #[test]
    fn who_knows_few_cares_for_all() {
        let interest = Interest::of(10, &[3, 50], 3, 3);
        assert!([700, 1 << 63, u64::MAX].iter().all(|place| interest.has(*place)));
    }
}
