//! How many members a group has, as far as one member can tell.

use crate::places::{Place, clockwise, counterclockwise};

/// How many known places on each side are looked at; gossip keeps that many up to date (`ring_width`).
pub(crate) const EACH_SIDE: usize = 16;

/// How many members there are, the one at `center` included, judged from the places `known` to it.
///
/// All of a group that is known as a whole; otherwise from the length of ring that the 16 nearest on each side
/// take. 32 gaps give a standard error of 18 %; the four of RTMFP gave 50 %. Source: spec OV-16.
pub(crate) fn members_from(center: Place, known: &[Place]) -> u64 {
    let counted = known.len() as u64 + 1;
    if known.len() <= 2 * EACH_SIDE {
        return counted;
    }
    let up = clockwise(known, center).nth(EACH_SIDE - 1).map_or(0, |place| place.wrapping_sub(center));
    let down =
        counterclockwise(known, center).nth(EACH_SIDE - 1).map_or(0, |place| center.wrapping_sub(place));
    // The two ends are places themselves, so one gap less is the unbiased count.
    let gaps = 2 * EACH_SIDE as u128 - 1;
    let ring = gaps << 64;
    let span = (u128::from(up) + u128::from(down)).max(1);
    u64::try_from(ring / span).unwrap_or(u64::MAX).max(counted)
}

/// The middle one of what members tell of the group's size: of thirty that look at other stretches of the ring, it is
/// within a tenth, and some that lie do not move it far. Source: spec OV-16.
pub(crate) fn middle(mut told: Vec<u64>) -> u64 {
    told.sort_unstable();
    told.get(told.len() / 2).copied().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use stratus_core::Rng;

    use super::*;

    #[test]
    fn a_small_group_is_counted() {
        assert_eq!(members_from(5, &[]), 1);
        assert_eq!(members_from(5, &[1, 2, 7]), 4);
    }

    #[test]
    fn the_middle_of_thirty_is_within_a_tenth_for_19_members_of_20() {
        // spec OV-16, RG-19
        for (size, seed) in [(1_000, 1), (50_000, 2)] {
            let mut rng = Rng::from_seed(seed);
            let mut places: Vec<Place> = (0..size).map(|_| rng.next_u64()).collect();
            places.sort_unstable();
            let alone = |center: Place| {
                let known: Vec<Place> = places.iter().copied().filter(|place| *place != center).collect();
                members_from(center, &known)
            };
            let told: Vec<u64> = (0..200).map(|_| alone(*rng.pick(&places).unwrap())).collect();
            let estimates = (0..200).map(|_| middle((0..30).map(|_| *rng.pick(&told).unwrap()).collect()));
            let good = estimates.filter(|members| members.abs_diff(size) <= size / 10).count();
            assert!(good >= 190, "{good} of 200 members of {size} are within a tenth");
        }
    }

    #[test]
    fn a_few_who_lie_do_not_move_the_middle_far() {
        // spec OV-16
        let told = (0..21).map(|number| 1_000 + number).chain(std::iter::repeat_n(u64::MAX, 9)).collect();
        assert_eq!((middle(told), middle(vec![])), (1_015, 1));
    }

    #[test]
    fn a_crowd_at_one_place_is_no_division_by_zero() {
        let known: Vec<Place> = (1..=200).collect();
        assert!(members_from(100, &known) > 1 << 60);
    }
}
