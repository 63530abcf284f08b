//! Which stretch of the ring one member answers for.

use stratus_core::{GroupAddress, RingArc};

/// The places for which the member at `me` is the nearest, given the neighbors' addresses.
///
/// A place as near to two members belongs to the clockwise one, as in [`GroupAddress::nearest`]. Alone, it is
/// the whole ring. Source: spec OV-17.
pub(crate) fn coverage<'a>(
    me: &GroupAddress,
    neighbors: impl Iterator<Item = &'a GroupAddress> + Clone,
) -> RingArc {
    let next = neighbors.clone().min_by_key(|address| me.clockwise_to(address));
    let previous = neighbors.min_by_key(|address| address.clockwise_to(me));
    match (previous, next) {
        (Some(previous), Some(next)) => {
            RingArc { from: first_nearer_to(previous, me), to: before(&first_nearer_to(me, next)) }
        }
        _ => RingArc { from: *me, to: before(me) },
    }
}

/// The first place on the walk from `previous` to `owner` that belongs to `owner`.
fn first_nearer_to(previous: &GroupAddress, owner: &GroupAddress) -> GroupAddress {
    let middle = previous.midpoint(owner);
    if middle.clockwise_to(owner) <= previous.clockwise_to(&middle) { middle } else { after(&middle) }
}

fn after(address: &GroupAddress) -> GroupAddress {
    address.halving(256)
}

/// The place just before `address`: minus one, modulo 2^256.
fn before(address: &GroupAddress) -> GroupAddress {
    let mut bytes = *address.as_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != 0xff {
            break;
        }
    }
    GroupAddress::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> GroupAddress {
        let mut bytes = [0; 32];
        bytes[31] = last;
        GroupAddress::from_bytes(bytes)
    }

    #[test]
    fn alone_one_member_answers_for_everything() {
        let arc = coverage(&at(0), [].iter());
        assert_eq!(arc, RingArc { from: at(0), to: GroupAddress::from_bytes([0xff; 32]) });
    }

    #[test]
    fn arcs_meet_without_gap_and_agree_with_nearest() {
        // spec OV-17: even and odd distances, and across zero
        let members = [at(3), at(10), at(51), at(200)];
        let arcs: Vec<RingArc> =
            members.iter().map(|me| coverage(me, members.iter().filter(|other| *other != me))).collect();
        for place in 0..=255 {
            let place = at(place);
            let owners: Vec<&GroupAddress> =
                members.iter().zip(&arcs).filter(|(_, arc)| arc.contains(&place)).map(|(me, _)| me).collect();
            assert_eq!(owners, [place.nearest(&members).unwrap()], "at {place}");
        }
    }

    #[test]
    fn two_members_share_the_ring() {
        let (a, b) = (at(10), at(20));
        assert_eq!(coverage(&a, [b].iter()).to, at(14));
        assert_eq!(coverage(&b, [a].iter()).from, at(15));
        assert_eq!(after(&coverage(&b, [a].iter()).to), coverage(&a, [b].iter()).from);
    }
}
