use std::slice::{Iter, IterMut};

use crate::PeerId;

/// What is kept of each connected member, in the order of their ids: a map for some tens of entries.
///
/// Two parallel vectors with few empty places, for a member has a roster in every layer, and a B-tree leaves up to
/// half of its nodes empty. Finding costs `log₂ n` comparisons, putting in and taking out
/// move what follows.
#[derive(Clone, Debug)]
pub struct Roster<V> {
    peers: Vec<PeerId>,
    values: Vec<V>,
}

impl<V> Roster<V> {
    /// Nobody.
    pub const fn new() -> Self {
        Self { peers: Vec::new(), values: Vec::new() }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether `peer` is one of them.
    pub fn contains_key(&self, peer: &PeerId) -> bool {
        self.place(peer).is_ok()
    }

    /// What is kept of `peer`.
    pub fn get(&self, peer: &PeerId) -> Option<&V> {
        self.place(peer).ok().map(|place| &self.values[place])
    }

    /// What is kept of `peer`, to change.
    pub fn get_mut(&mut self, peer: &PeerId) -> Option<&mut V> {
        self.place(peer).ok().map(|place| &mut self.values[place])
    }

    /// Keeps `value` of `peer`, and gives back what was there.
    pub fn insert(&mut self, peer: PeerId, value: V) -> Option<V> {
        match self.place(&peer) {
            Ok(place) => Some(std::mem::replace(&mut self.values[place], value)),
            Err(place) => {
                self.put(place, peer, value);
                None
            }
        }
    }

    /// Takes out what is kept of `peer`.
    pub fn remove(&mut self, peer: &PeerId) -> Option<V> {
        let place = self.place(peer).ok()?;
        self.peers.remove(place);
        let value = self.values.remove(place);
        if self.values.capacity() > 2 * self.values.len() + STEP {
            self.peers.shrink_to(self.peers.len() + STEP);
            self.values.shrink_to(self.values.len() + STEP);
        }
        Some(value)
    }

    /// The members, in rising order.
    pub fn keys(&self) -> Iter<'_, PeerId> {
        self.peers.iter()
    }

    /// What is kept, in the order of the members.
    pub fn values(&self) -> Iter<'_, V> {
        self.values.iter()
    }

    /// The same, to change.
    pub fn values_mut(&mut self) -> IterMut<'_, V> {
        self.values.iter_mut()
    }

    /// Members and what is kept of them, in rising order.
    pub fn iter(&self) -> std::iter::Zip<Iter<'_, PeerId>, Iter<'_, V>> {
        self.peers.iter().zip(&self.values)
    }

    /// The same, to change.
    pub fn iter_mut(&mut self) -> std::iter::Zip<Iter<'_, PeerId>, IterMut<'_, V>> {
        self.peers.iter().zip(&mut self.values)
    }

    /// The first member after `peer`, which need not be one.
    pub fn next_key(&self, peer: &PeerId) -> Option<&PeerId> {
        self.peers.get(self.peers.partition_point(|other| other <= peer))
    }

    fn place(&self, peer: &PeerId) -> Result<usize, usize> {
        self.peers.binary_search(peer)
    }

    fn put(&mut self, place: usize, peer: PeerId, value: V) {
        if self.values.len() == self.values.capacity() {
            let more = STEP.max(self.values.len() / 8);
            self.peers.reserve_exact(more);
            self.values.reserve_exact(more);
        }
        self.peers.insert(place, peer);
        self.values.insert(place, value);
    }
}

/// Places made at a time.
const STEP: usize = 4;

impl<V> Default for Roster<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, V> IntoIterator for &'a Roster<V> {
    type Item = (&'a PeerId, &'a V);
    type IntoIter = std::iter::Zip<Iter<'a, PeerId>, Iter<'a, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, V> IntoIterator for &'a mut Roster<V> {
    type Item = (&'a PeerId, &'a mut V);
    type IntoIter = std::iter::Zip<Iter<'a, PeerId>, IterMut<'a, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use super::*;
    use crate::Rng;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn it_does_what_a_tree_does() {
        let mut rng = Rng::from_seed(7);
        let (mut roster, mut tree) = (Roster::new(), BTreeMap::new());
        for step in 0..4_000 {
            let peer = peer(rng.below(60) as u8);
            match rng.below(3) {
                0 => assert_eq!(roster.remove(&peer), tree.remove(&peer)),
                1 => assert_eq!(roster.insert(peer, step), tree.insert(peer, step)),
                _ => assert_eq!(roster.get_mut(&peer), tree.get_mut(&peer)),
            }
            assert_eq!(roster.contains_key(&peer), tree.contains_key(&peer));
            assert_eq!(roster.get(&peer), tree.get(&peer));
            let later = (Bound::Excluded(peer), Bound::Unbounded);
            assert_eq!(roster.next_key(&peer), tree.range(later).next().map(|(peer, _)| peer));
        }
        assert_eq!((roster.len(), roster.is_empty()), (tree.len(), tree.is_empty()));
        assert!(roster.iter().eq(&tree) && roster.keys().eq(tree.keys()));
        assert!(roster.values().eq(tree.values()) && roster.values_mut().eq(tree.values_mut()));
        assert!((&mut roster).into_iter().eq(&mut tree));
    }

    #[test]
    fn few_places_are_empty() {
        let mut roster = Roster::new();
        (0..200).for_each(|number| assert_eq!(roster.insert(peer(number), 0_u64), None));
        assert!(roster.values.capacity() <= 200 + 200 / 8 + STEP);
        (3..200).for_each(|number| assert_eq!(roster.remove(&peer(number)), Some(0)));
        assert!(roster.values.capacity() <= 2 * 3 + STEP, "{}", roster.values.capacity());
    }
}
