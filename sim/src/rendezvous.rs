use std::collections::BTreeMap;

use stratus_core::{GroupAddress, Rng};

/// Ring neighbors named on each side.
const NEIGHBORS_EACH_SIDE: usize = 3;
/// Others named besides.
const OTHERS: usize = 20;

/// The rendezvous server's listing of one group, as far as a newcomer sees it: ring-ordered members, of which
/// it is told three on each side and twenty at random, never itself.
///
/// Kills are not noticed at once: whoever was listed stays so until it is taken off.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    ring: BTreeMap<GroupAddress, u32>,
    /// The same, in no order, to draw from.
    all: Vec<u32>,
}

impl Listing {
    /// Lists a member.
    pub(crate) fn add(&mut self, address: GroupAddress, member: u32) {
        if self.ring.insert(address, member).is_none() {
            self.all.push(member);
        }
    }

    /// Takes a member off.
    pub(crate) fn remove(&mut self, address: &GroupAddress) {
        if let Some(member) = self.ring.remove(address) {
            self.all.retain(|other| *other != member);
        }
    }

    /// Whom a newcomer at `address` is told of.
    pub(crate) fn bootstrap(&self, address: &GroupAddress, rng: &mut Rng) -> Vec<u32> {
        let clockwise = self.ring.range(address..).chain(self.ring.range(..address));
        let others = clockwise.filter(|(place, _)| *place != address).map(|(_, member)| *member);
        let mut named: Vec<u32> = others.clone().take(NEIGHBORS_EACH_SIDE).collect();
        named.extend(others.rev().take(NEIGHBORS_EACH_SIDE));
        named.sort_unstable();
        named.dedup();
        let most = named.len() + OTHERS;
        let own = self.ring.get(address);
        // A few more draws than needed, since some hit the same member twice.
        for _ in 0..self.all.len().min(OTHERS) * 16 {
            let drawn = rng.pick(&self.all);
            match drawn.filter(|drawn| Some(*drawn) != own && !named.contains(drawn)) {
                Some(&drawn) if named.len() < most => named.push(drawn),
                _ => {}
            }
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: u8) -> GroupAddress {
        let mut bytes = [0; 32];
        bytes[0] = at;
        GroupAddress::from_bytes(bytes)
    }

    fn listing(members: u8) -> Listing {
        let mut listing = Listing::default();
        for member in 0..members {
            listing.add(place(member * 2), u32::from(member));
        }
        listing
    }

    #[test]
    fn a_newcomer_is_told_three_on_each_side_and_twenty_others_but_never_itself() {
        let listing = listing(100);
        let named = listing.bootstrap(&place(2), &mut Rng::from_seed(3));
        for neighbor in [2, 3, 4, 0, 99, 98] {
            assert!(named.contains(&neighbor), "{neighbor} is missing of {named:?}");
        }
        assert!(!named.contains(&1), "the newcomer was told of itself");
        let mut distinct = named.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((named.len(), distinct.len()), (26, 26));
    }

    #[test]
    fn in_a_small_group_everybody_is_named_once() {
        let mut named = listing(5).bootstrap(&place(3), &mut Rng::from_seed(3));
        named.sort_unstable();
        assert_eq!(named, [0, 1, 2, 3, 4]);
        assert!(listing(0).bootstrap(&place(3), &mut Rng::from_seed(3)).is_empty());
    }
}
