/// A set of small whole numbers, at most 64: slices of a stream, positions in a run.
#[derive(Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct BitSet(u64);

impl BitSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// 0 … `count` − 1; `count` at most 64.
    pub fn first(count: u32) -> Self {
        assert!(count <= 64, "a bit set holds 64");
        Self(if count == 64 { u64::MAX } else { (1 << count) - 1 })
    }

    /// Just `index`.
    pub fn single(index: u32) -> Self {
        let mut set = Self::EMPTY;
        set.insert(index);
        set
    }

    /// The set whose members are the one bits of `bits`.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The members as one bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether `index` is in it.
    pub fn contains(self, index: u32) -> bool {
        index < 64 && self.0 >> index & 1 == 1
    }

    /// Adds `index`; says whether it was missing.
    pub fn insert(&mut self, index: u32) -> bool {
        assert!(index < 64, "a bit set holds 64");
        let added = !self.contains(index);
        self.0 |= 1 << index;
        added
    }

    /// Removes `index`; says whether it was there.
    pub fn remove(&mut self, index: u32) -> bool {
        let removed = self.contains(index);
        if removed {
            self.0 &= !(1 << index);
        }
        removed
    }

    /// How many members it has.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members that `other` has not.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The members, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let index = rest.trailing_zeros();
            (rest != 0).then(|| {
                rest &= rest - 1;
                index
            })
        })
    }
}

impl std::fmt::Debug for BitSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<u32> for BitSet {
    fn from_iter<I: IntoIterator<Item = u32>>(members: I) -> Self {
        let mut set = Self::EMPTY;
        for member in members {
            set.insert(member);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_lowest_first() {
        let set: BitSet = [63, 3, 50].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 50, 63]);
        assert_eq!(BitSet::first(64).len(), 64);
        assert_eq!(BitSet::first(0), BitSet::EMPTY);
    }

    #[test]
    fn insert_and_remove_say_whether_anything_changed() {
        let mut set = BitSet::EMPTY;
        assert!(set.insert(7) && !set.insert(7));
        assert!(set.remove(7) && !set.remove(7) && !set.remove(700));
    }

    #[test]
    fn set_algebra() {
        let (a, b) = (BitSet::from_bits(0b1110), BitSet::from_bits(0b0111));
        assert_eq!(
            (a.union(b).bits(), a.intersection(b).bits(), a.minus(b).bits()),
            (0b1111, 0b0110, 0b1000)
        );
    }
}
