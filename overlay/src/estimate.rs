//! How many members a group has, as far as one member can tell.

use crate::places::{Place, clockwise, counterclockwise};

/// How many known places on each side are looked at; gossip keeps that many up to date (`ring_width`).
pub(crate) const EACH_SIDE: usize = 64;

/// How many members there are, the one at `center` included, judged from the places `known` to it.
///
/// All of a group that is known as a whole; otherwise from the length of ring that the 64 nearest on each side
/// take. 128 gaps give a standard error of 9 %; the four of RTMFP gave 50 %. Source: spec OV-16.
pub(crate) fn members(center: Place, known: &[Place]) -> u64 {
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

#[cfg(test)]
mod tests {
    use stratus_core::Rng;

    use super::*;

    #[test]
    fn a_small_group_is_counted() {
        assert_eq!(members(5, &[]), 1);
        assert_eq!(members(5, &[1, 2, 7]), 4);
    }

    #[test]
    fn the_estimate_is_within_a_fifth_for_19_members_of_20() {
        // spec OV-16, RG-19
        for (size, seed) in [(1_000, 1), (50_000, 2)] {
            let mut rng = Rng::from_seed(seed);
            let mut places: Vec<Place> = (0..size).map(|_| rng.next_u64()).collect();
            places.sort_unstable();
            let centers: Vec<Place> = (0..200).map(|_| *rng.pick(&places).unwrap()).collect();
            let good = centers
                .iter()
                .filter(|center| {
                    let known: Vec<Place> = places.iter().copied().filter(|place| place != *center).collect();
                    members(**center, &known).abs_diff(size) <= size / 5
                })
                .count();
            assert!(good >= 190, "{good} of 200 members of {size} are within a fifth");
        }
    }

    #[test]
    fn a_crowd_at_one_place_is_no_division_by_zero() {
        let known: Vec<Place> = (1..=200).collect();
        assert!(members(100, &known) > 1 << 60);
    }
}
