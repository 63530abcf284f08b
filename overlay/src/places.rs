//! Arithmetic on places: the top 64 bits of group addresses, kept in rising order.
//!
//! 64 bits are enough: two of a million members share a place once in 37 million groups, and then the second
//! is not heard of.

use stratus_core::{DecodeError, PeerId, Reader, RingKey, Writer};

/// The top 64 bits of a group address.
pub type Place = u64;

/// A count and so many places of eight bytes.
pub(crate) fn write_places(writer: &mut Writer, places: &[Place]) {
    writer.varint(places.len() as u64);
    places.iter().for_each(|place| writer.u64(*place));
}

/// Reads what [`write_places`] wrote, `most` at most.
pub(crate) fn read_places(reader: &mut Reader, most: usize) -> Result<Vec<Place>, DecodeError> {
    let count = reader.varint_up_to(most as u64)?;
    (0..count).map(|_| reader.u64()).collect()
}

/// Where `peer` sits in the group of `ring`. Cost: one BLAKE3 block. Source: spec OV-1.
pub(crate) fn place_of(ring: &RingKey, peer: &PeerId) -> Place {
    ring.address(peer).prefix()
}

/// The places after `center`, walking up and round; never `center` itself.
pub(crate) fn clockwise(places: &[Place], center: Place) -> impl Iterator<Item = Place> {
    let start = places.partition_point(|place| *place <= center);
    let (before, after) = places.split_at(start);
    after.iter().chain(before).copied().filter(move |place| *place != center)
}

/// The places before `center`, walking down and round; never `center` itself.
pub(crate) fn counterclockwise(places: &[Place], center: Place) -> impl Iterator<Item = Place> {
    let start = places.partition_point(|place| *place < center);
    let (before, after) = places.split_at(start);
    before.iter().rev().chain(after.iter().rev()).copied().filter(move |place| *place != center)
}

/// The place nearest to `target`; of two as near, the clockwise one.
pub(crate) fn nearest(places: &[Place], target: Place) -> Option<Place> {
    let at = places.partition_point(|place| *place < target);
    let up = *places.get(at).or(places.first())?;
    let down = if at == 0 { *places.last()? } else { places[at - 1] };
    Some(if target.wrapping_sub(down) < up.wrapping_sub(target) { down } else { up })
}

/// The shorter way round between two places.
pub(crate) fn distance(a: Place, b: Place) -> u64 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

/// Up to `each` places on each side of `center`, nearest rank first, sides in turn.
pub(crate) fn around(places: &[Place], center: Place, each: usize) -> Vec<Place> {
    let others = places.len() - usize::from(places.binary_search(&center).is_ok());
    let (up, down) = (clockwise(places, center), counterclockwise(places, center));
    up.zip(down).take(each).flat_map(|(up, down)| [up, down]).take(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [Place; 5] = [3, 50, 700, 9_000, u64::MAX - 1];

    #[test]
    fn walks_go_round_and_leave_the_center_out() {
        assert_eq!(clockwise(&PLACES, 700).collect::<Vec<_>>(), [9_000, u64::MAX - 1, 3, 50]);
        assert_eq!(counterclockwise(&PLACES, 51).collect::<Vec<_>>(), [50, 3, u64::MAX - 1, 9_000, 700]);
        assert_eq!(counterclockwise(&PLACES, 3).collect::<Vec<_>>(), [u64::MAX - 1, 9_000, 700, 50]);
    }

    #[test]
    fn the_nearest_may_lie_across_zero_and_ties_go_clockwise() {
        assert_eq!(nearest(&PLACES, 0), Some(u64::MAX - 1));
        assert_eq!(nearest(&PLACES, 1), Some(3));
        assert_eq!(nearest(&[10, 20], 15), Some(20));
        assert_eq!(nearest(&PLACES, 60), Some(50));
        assert_eq!(nearest(&[], 7), None);
        assert_eq!(distance(u64::MAX, 2), 3);
    }

    #[test]
    fn around_takes_each_place_once_even_when_the_sides_meet() {
        assert_eq!(around(&PLACES, 700, 1), [9_000, 50]);
        assert_eq!(around(&PLACES, 700, 9), [9_000, 50, u64::MAX - 1, 3]);
        assert_eq!(around(&PLACES, 701, 9), [9_000, 700, u64::MAX - 1, 50, 3]);
    }
}
