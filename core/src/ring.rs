use std::fmt;

use crate::PeerId;

/// A place on a group's ring: a 256-bit number, going round clockwise (upwards) modulo 2^256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupAddress([u8; 32]);

/// How far apart two places are; 0 … 2^256 − 1, compared as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance([u8; 32]);

/// The group's secret that turns a [`PeerId`] into a [`GroupAddress`].
///
/// A member has another address in every group, and an outsider can compute none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RingKey([u8; 32]);

impl RingKey {
    /// Wraps a derived 32-byte key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Where `peer` sits in this group. Cost: one BLAKE3 block. Source: spec OV-1.
    pub fn address(&self, peer: &PeerId) -> GroupAddress {
        GroupAddress(*blake3::keyed_hash(&self.0, peer.as_bytes()).as_bytes())
    }

    /// Where what is kept under `key` belongs in this group; no member's own place. Source: spec DH-1.
    pub fn place_of_key(&self, key: &[u8; 32]) -> GroupAddress {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"key").update(key);
        GroupAddress(*hasher.finalize().as_bytes())
    }
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RingKey(hidden)")
    }
}

impl GroupAddress {
    /// Wraps 32 big-endian bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 big-endian bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The top 64 bits: enough for densities and for spreading, not for identity.
    pub fn prefix(&self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("eight of 32 bytes"))
    }

    /// How far `to` lies from here going clockwise.
    pub fn clockwise_to(&self, to: &Self) -> Distance {
        Distance(subtract(&to.0, &self.0))
    }

    /// The shorter way round to `to`.
    pub fn distance(&self, to: &Self) -> Distance {
        self.clockwise_to(to).min(to.clockwise_to(self))
    }

    /// The place 1/2^`halvings` of the ring clockwise of here: 1 is opposite, 2 a quarter, and so on.
    ///
    /// `halvings` must lie in 1 … 256.
    pub fn halving(&self, halvings: u32) -> Self {
        assert!((1..=256).contains(&halvings), "a ring of 2^256 halves 1 to 256 times");
        let mut step = [0; 32];
        let bit = 256 - halvings;
        step[31 - (bit / 8) as usize] = 1 << (bit % 8);
        Self(add(&self.0, &step))
    }

    /// The place halfway along the clockwise walk from here to `to`.
    pub fn midpoint(&self, to: &Self) -> Self {
        let mut half = subtract(&to.0, &self.0);
        let mut carry = 0;
        for byte in &mut half {
            let low = *byte & 1;
            *byte = *byte >> 1 | carry << 7;
            carry = low;
        }
        Self(add(&self.0, &half))
    }

    /// Which of `candidates` is nearest; of two as near, the clockwise one.
    pub fn nearest<'a>(&self, candidates: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        candidates.into_iter().min_by_key(|c| (self.distance(c), self.clockwise_to(c)))
    }
}

impl Distance {
    /// The distance of nothing.
    pub const ZERO: Self = Self([0; 32]);

    /// The top 64 bits of the distance.
    pub fn prefix(&self) -> u64 {
        u64::from_be_bytes(self.0[..8].try_into().expect("eight of 32 bytes"))
    }
}

/// A stretch of the ring, both ends included, walked clockwise from `from` to `to`.
///
/// `from == to` is that one place; the whole ring is `from` and the place just before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arc {
    /// First place.
    pub from: GroupAddress,
    /// Last place.
    pub to: GroupAddress,
}

impl Arc {
    /// Whether `place` lies on the arc.
    pub fn contains(&self, place: &GroupAddress) -> bool {
        self.from.clockwise_to(place) <= self.from.clockwise_to(&self.to)
    }
}

fn add(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0u16;
    for i in (0..32).rev() {
        carry += u16::from(a[i]) + u16::from(b[i]);
        sum[i] = carry as u8;
        carry >>= 8;
    }
    sum
}

fn subtract(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut difference = [0; 32];
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let digit = i16::from(a[i]) - i16::from(b[i]) - borrow;
        borrow = i16::from(digit < 0);
        difference[i] = digit as u8;
    }
    difference
}

impl fmt::Display for GroupAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GroupAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:016x}", self.prefix())
    }
}

impl fmt::Debug for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Δ{:016x}", self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> GroupAddress {
        let mut bytes = [0; 32];
        bytes[31] = last;
        GroupAddress(bytes)
    }

    #[test]
    fn clockwise_distance_wraps_at_the_top_of_the_ring() {
        let top = GroupAddress([0xff; 32]);
        assert_eq!(top.clockwise_to(&at(4)), at(0).clockwise_to(&at(5)));
        assert_eq!(at(4).clockwise_to(&at(4)), Distance::ZERO);
        assert_eq!(at(4).distance(&top), at(0).clockwise_to(&at(5)));
    }

    #[test]
    fn halving_positions_are_a_half_and_a_quarter_and_one() {
        assert_eq!(at(0).halving(1).prefix(), 1 << 63);
        assert_eq!(at(0).halving(2).prefix(), 1 << 62);
        assert_eq!(at(9).halving(256), at(10));
        assert_eq!(at(0).halving(1).halving(1), at(0));
    }

    #[test]
    fn of_two_as_near_the_clockwise_one_is_nearest() {
        assert_eq!(at(50).nearest(&[at(53), at(47), at(60)]), Some(&at(53)));
        assert_eq!(at(50).nearest(&[]), None);
    }

    #[test]
    fn an_arc_that_wraps_contains_both_sides_of_zero() {
        let arc = Arc { from: GroupAddress([0xff; 32]), to: at(7) };
        assert!(arc.contains(&at(0)) && arc.contains(&at(7)) && arc.contains(&arc.from));
        assert!(!arc.contains(&at(8)));
    }

    #[test]
    fn a_midpoint_lies_halfway_even_across_zero() {
        let from = GroupAddress([0xff; 32]);
        assert_eq!(from.midpoint(&at(3)), at(1));
        assert_eq!(at(10).midpoint(&at(20)), at(15));
    }

    #[test]
    fn the_address_of_a_peer_depends_on_the_group() {
        let peer = PeerId::from_bytes([5; 32]);
        assert_ne!(RingKey([1; 32]).address(&peer), RingKey([2; 32]).address(&peer));
    }
}
