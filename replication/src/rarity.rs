use std::collections::BTreeMap;

use stratus_core::PeerId;

use crate::neighbor::Neighbor;
use crate::objects::{CHUNK, ObjectSet};

/// Chunks remembered; more than one search looks at.
const MOST_CHUNKS: usize = 1_024;

/// What those have who may be asked for anything.
pub(crate) fn generous(neighbors: &BTreeMap<PeerId, Neighbor>) -> impl Iterator<Item = &ObjectSet> {
    neighbors.values().filter(|neighbor| !neighbor.is_scarce).map(|neighbor| &neighbor.have)
}

/// How many neighbors have each object, for chunks that were looked at.
///
/// Only a memory of what can be counted again from the neighbors, so it may forget at any time.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rarity {
    chunks: BTreeMap<u64, Box<[u16; CHUNK as usize]>>,
}

impl Rarity {
    /// Something happened that is not worth following.
    pub(crate) fn forget(&mut self) {
        self.chunks.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// One more neighbor has what is in `gained` and was not in its `before`.
    pub(crate) fn gained(&mut self, gained: &ObjectSet, before: &ObjectSet) {
        for (chunk, counts) in &mut self.chunks {
            let mut new = gained.word(*chunk) & !before.word(*chunk);
            while new != 0 {
                counts[new.trailing_zeros() as usize] += 1;
                new &= new - 1;
            }
        }
    }

    /// How many neighbors have this one.
    pub(crate) fn count_of(&mut self, index: u64, neighbors: &BTreeMap<PeerId, Neighbor>) -> u16 {
        self.counts(index / CHUNK, generous(neighbors))[(index % CHUNK) as usize]
    }

    /// How many of `holders` have each object of `chunk`.
    pub(crate) fn counts<'a>(
        &mut self,
        chunk: u64,
        holders: impl Iterator<Item = &'a ObjectSet>,
    ) -> [u16; CHUNK as usize] {
        if self.chunks.len() >= MOST_CHUNKS && !self.chunks.contains_key(&chunk) {
            self.forget();
        }
        **self.chunks.entry(chunk).or_insert_with(|| {
            let mut counts = Box::new([0; CHUNK as usize]);
            for holder in holders {
                let mut word = holder.word(chunk);
                while word != 0 {
                    counts[word.trailing_zeros() as usize] += 1;
                    word &= word - 1;
                }
            }
            counts
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_along_and_counting_anew_agree() {
        let (mut a, b) = (ObjectSet::of(0..70), ObjectSet::of(3..50));
        let mut rarity = Rarity::default();
        rarity.counts(0, [&a, &b].into_iter());
        rarity.counts(1, [&a, &b].into_iter());
        let gained = ObjectSet::of(60..100);
        rarity.gained(&gained, &a);
        a.add(&gained);
        let followed: Vec<_> = [0, 1].map(|chunk| rarity.counts(chunk, std::iter::empty())).into();
        rarity.forget();
        let counted: Vec<_> = [0, 1].map(|chunk| rarity.counts(chunk, [&a, &b].into_iter())).into();
        assert_eq!(followed, counted);
        assert_eq!((counted[0][3], counted[0][55], counted[1][35], counted[1][36]), (2, 1, 1, 0));
    }

    #[test]
    fn it_remembers_so_many_chunks_and_not_one_more() {
        let mut rarity = Rarity::default();
        for chunk in 0..MOST_CHUNKS as u64 {
            rarity.counts(chunk, std::iter::empty());
        }
        assert_eq!(rarity.len(), MOST_CHUNKS);
        rarity.counts(MOST_CHUNKS as u64, std::iter::empty());
        assert_eq!(rarity.len(), 1);
    }
}
