use std::collections::BTreeMap;
use std::ops::Range;

use stratus_core::{DecodeError, Reader, Wire, Writer};

/// Objects have numbers below this. Source: spec RE-1.
pub const MOST_OBJECTS: u64 = 1 << 53;
/// Objects of one chunk: the bits of a word.
pub(crate) const CHUNK: u64 = 64;
/// Chunks that there are.
const MOST_CHUNKS: u64 = MOST_OBJECTS / CHUNK;
/// Most pieces of a set on the wire: 4,096 words are 262,144 objects in disorder, and fit a control message.
pub const MOST_PIECES: usize = 4_096;

/// A set of object numbers: whole chunks of 64 as runs, others as words.
///
/// 16,384 objects in any order take 256 words; 2^53 of them in a row take one run. Source: spec RE-1.
///
/// | bytes | field |
/// |---|---|
/// | varint | how many runs of whole chunks, at most 4,096 |
/// | varint, varint, repeated | chunks since the end of the run before, at least 1 but for the first; length |
/// | varint | how many words, at most 4,096 with the runs |
/// | varint, 8, repeated | chunks since the word before; the word, neither empty nor full |
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ObjectSet {
    /// By first chunk. No two runs touch, no word is empty or full, nothing overlaps.
    pieces: BTreeMap<u64, Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    /// So many whole chunks.
    Run(u64),
    /// Some objects of one chunk.
    Word(u64),
}

impl Piece {
    fn length(self) -> u64 {
        match self {
            Self::Run(length) => length,
            Self::Word(_) => 1,
        }
    }

    fn word(self) -> u64 {
        match self {
            Self::Run(_) => u64::MAX,
            Self::Word(word) => word,
        }
    }
}

/// Bits `from` to `to` of a word, `to` at most 64.
fn mask(from: u64, to: u64) -> u64 {
    let below = |bits: u64| if bits >= CHUNK { u64::MAX } else { (1 << bits) - 1 };
    below(to) & !below(from)
}

impl ObjectSet {
    /// The numbers of `range`; what is not below [`MOST_OBJECTS`] is left out.
    pub fn of(range: Range<u64>) -> Self {
        let mut set = Self::default();
        set.insert_range(range);
        set
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many numbers are in it.
    pub fn len(&self) -> u64 {
        let count = |piece: &Piece| match piece {
            Piece::Run(length) => length * CHUNK,
            Piece::Word(word) => u64::from(word.count_ones()),
        };
        self.pieces.values().map(count).sum()
    }

    /// How much memory it takes: runs and words.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Whether `index` is in it.
    pub fn contains(&self, index: u64) -> bool {
        self.word(index / CHUNK) >> (index % CHUNK) & 1 == 1
    }

    /// Adds `index`; says whether it was missing. A number that does not exist is not added.
    pub fn insert(&mut self, index: u64) -> bool {
        let is_new = index < MOST_OBJECTS && !self.contains(index);
        if is_new {
            let chunk = index / CHUNK;
            self.set_word(chunk, self.word(chunk) | 1 << (index % CHUNK));
        }
        is_new
    }

    /// Takes `index` out; says whether it was in.
    pub fn remove(&mut self, index: u64) -> bool {
        let is_in = self.contains(index);
        if is_in {
            let chunk = index / CHUNK;
            self.set_word(chunk, self.word(chunk) & !(1 << (index % CHUNK)));
        }
        is_in
    }

    /// Adds all numbers of `range` that exist.
    pub fn insert_range(&mut self, range: Range<u64>) {
        self.change(range, true);
    }

    /// Takes all numbers of `range` out.
    pub fn remove_range(&mut self, range: Range<u64>) {
        self.change(range, false);
    }

    fn change(&mut self, range: Range<u64>, is_in: bool) {
        let (start, end) = (range.start, range.end.min(MOST_OBJECTS));
        if start >= end {
            return;
        }
        let (first, last) = (start / CHUNK, end / CHUNK);
        let edit = |word: u64, mask: u64| if is_in { word | mask } else { word & !mask };
        if first == last {
            return self.set_word(first, edit(self.word(first), mask(start % CHUNK, end % CHUNK)));
        }
        if start % CHUNK > 0 {
            self.set_word(first, edit(self.word(first), mask(start % CHUNK, CHUNK)));
        }
        if end % CHUNK > 0 {
            self.set_word(last, edit(self.word(last), mask(0, end % CHUNK)));
        }
        self.set_run(start.div_ceil(CHUNK)..last, is_in);
    }

    /// All of some chunks, or nothing of them.
    fn set_run(&mut self, chunks: Range<u64>, is_in: bool) {
        if chunks.is_empty() {
            return;
        }
        self.cut(chunks.start);
        self.cut(chunks.end);
        while let Some(chunk) = self.pieces.range(chunks.clone()).next().map(|(chunk, _)| *chunk) {
            self.pieces.remove(&chunk);
        }
        if is_in {
            self.insert_run(chunks.start, chunks.end - chunks.start);
        }
    }

    /// Makes sure that no run reaches across the start of `chunk`.
    fn cut(&mut self, chunk: u64) {
        if let Some((&first, &Piece::Run(length))) = self.pieces.range(..chunk).next_back()
            && first + length > chunk
        {
            self.pieces.insert(first, Piece::Run(chunk - first));
            self.pieces.insert(chunk, Piece::Run(first + length - chunk));
        }
    }

    /// Adds a run where nothing is, as one with those that touch it.
    fn insert_run(&mut self, mut first: u64, mut length: u64) {
        if let Some(&Piece::Run(more)) = self.pieces.get(&(first + length)) {
            self.pieces.remove(&(first + length));
            length += more;
        }
        if let Some((&before, &Piece::Run(more))) = self.pieces.range(..first).next_back()
            && before + more == first
        {
            (first, length) = (before, length + more);
        }
        self.pieces.insert(first, Piece::Run(length));
    }

    /// The objects of `chunk`, as bits.
    pub(crate) fn word(&self, chunk: u64) -> u64 {
        match self.pieces.range(..=chunk).next_back() {
            Some((first, piece)) if first + piece.length() > chunk => piece.word(),
            _ => 0,
        }
    }

    pub(crate) fn set_word(&mut self, chunk: u64, word: u64) {
        if self.word(chunk) == word {
            return;
        }
        self.cut(chunk);
        self.cut(chunk + 1);
        self.pieces.remove(&chunk);
        match word {
            0 => {}
            u64::MAX => self.insert_run(chunk, 1),
            word => drop(self.pieces.insert(chunk, Piece::Word(word))),
        }
    }

    /// The first chunk at or behind `from` of which something is in it.
    pub(crate) fn next_chunk(&self, from: u64) -> Option<u64> {
        match self.pieces.range(..=from).next_back() {
            Some((first, piece)) if first + piece.length() > from => Some(from),
            _ => self.pieces.range(from..).next().map(|(chunk, _)| *chunk),
        }
    }

    /// The last chunk of which something is in it.
    pub(crate) fn last_chunk(&self) -> Option<u64> {
        self.pieces.last_key_value().map(|(first, piece)| first + piece.length() - 1)
    }

    /// The first chunk at or behind `from` of which this and `other` have a number in common, with what they have.
    pub(crate) fn next_common(&self, other: &Self, mut from: u64) -> Option<(u64, u64)> {
        loop {
            let (a, b) = (self.next_chunk(from)?, other.next_chunk(from)?);
            if a == b {
                let word = self.word(a) & other.word(a);
                if word != 0 {
                    return Some((a, word));
                }
                from = a + 1;
            } else {
                from = a.max(b);
            }
        }
    }

    /// Whether this and `other` have a number in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.next_common(other, 0).is_some()
    }

    /// Adds everything of `other`.
    pub fn add(&mut self, other: &Self) {
        for (&chunk, &piece) in &other.pieces {
            match piece {
                Piece::Run(length) => self.set_run(chunk..chunk + length, true),
                Piece::Word(word) => self.set_word(chunk, self.word(chunk) | word),
            }
        }
    }

    /// Takes everything of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        for (&chunk, &piece) in &other.pieces {
            match piece {
                Piece::Run(length) => self.set_run(chunk..chunk + length, false),
                Piece::Word(word) => self.set_word(chunk, self.word(chunk) & !word),
            }
        }
    }

    /// The ranges that it is made of, in order; neighboring ones are one.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut push = |range: Range<u64>| match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        };
        for (&chunk, &piece) in &self.pieces {
            match piece {
                Piece::Run(length) => push(chunk * CHUNK..(chunk + length) * CHUNK),
                Piece::Word(word) => bits(chunk, word).for_each(|index| push(index..index + 1)),
            }
        }
        ranges
    }

    /// The lowest `most` numbers.
    pub fn first(&self, most: usize) -> Vec<u64> {
        let mut found = Vec::new();
        let mut from = 0;
        while found.len() < most
            && let Some(chunk) = self.next_chunk(from)
        {
            found.extend(bits(chunk, self.word(chunk)).take(most - found.len()));
            from = chunk + 1;
        }
        found
    }

    /// Leaves the lowest pieces alone and forgets the others, so that it keeps to `most`.
    pub(crate) fn truncate(&mut self, most: usize) {
        while self.pieces.len() > most {
            self.pieces.pop_last();
        }
    }
}

/// The numbers that the bits of a chunk's word stand for.
pub(crate) fn bits(chunk: u64, mut word: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = u64::from(word.trailing_zeros());
        (word != 0).then(|| {
            word &= word - 1;
            chunk * CHUNK + bit
        })
    })
}

impl FromIterator<u64> for ObjectSet {
    fn from_iter<I: IntoIterator<Item = u64>>(indices: I) -> Self {
        let mut set = Self::default();
        for index in indices {
            set.insert(index);
        }
        set
    }
}

impl Wire for ObjectSet {
    fn encode(&self, writer: &mut Writer) {
        let runs = self.pieces.values().filter(|piece| matches!(piece, Piece::Run(_))).count();
        writer.varint(runs as u64);
        let mut end = 0;
        for (&chunk, &piece) in &self.pieces {
            if let Piece::Run(length) = piece {
                writer.varint(chunk - end);
                writer.varint(length);
                end = chunk + length;
            }
        }
        writer.varint((self.pieces.len() - runs) as u64);
        let mut next = 0;
        for (&chunk, &piece) in &self.pieces {
            if let Piece::Word(word) = piece {
                writer.varint(chunk - next);
                writer.u64(word);
                next = chunk + 1;
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut pieces = BTreeMap::new();
        let mut end = 0_u64;
        let runs = reader.varint_up_to(MOST_PIECES as u64)?;
        for number in 0..runs {
            let (gap, length) = (reader.varint()?, reader.varint()?);
            if length == 0 || (gap == 0 && number > 0) {
                return Err(DecodeError::Invalid);
            }
            let first = end.checked_add(gap).ok_or(DecodeError::Number)?;
            end = first.checked_add(length).filter(|end| *end <= MOST_CHUNKS).ok_or(DecodeError::Number)?;
            pieces.insert(first, Piece::Run(length));
        }
        let mut set = Self { pieces };
        let mut next = 0_u64;
        for _ in 0..reader.varint_up_to(MOST_PIECES as u64 - runs)? {
            let chunk = next.checked_add(reader.varint()?).filter(|chunk| *chunk < MOST_CHUNKS);
            let (chunk, word) = (chunk.ok_or(DecodeError::Number)?, reader.u64()?);
            if word == 0 || word == u64::MAX || set.word(chunk) != 0 {
                return Err(DecodeError::Invalid);
            }
            set.pieces.insert(chunk, Piece::Word(word));
            next = chunk + 1;
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_of_everything_is_one_run_and_has_its_committed_form() {
        let all = ObjectSet::of(0..u64::MAX);
        assert_eq!((all.len(), all.pieces()), (MOST_OBJECTS, 1));
        assert!(all.contains(MOST_OBJECTS - 1) && !all.contains(MOST_OBJECTS));
        assert_eq!(all.to_bytes()[..], [1, 0, 0xa0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0]);
    }

    #[test]
    fn ranges_have_their_committed_form() {
        let mut set = ObjectSet::of(60..200);
        set.insert(700);
        // Chunks 1 and 2 whole, four bits of 0, eight of 3, one of 10.
        let mut bytes = vec![1, 1, 2, 3, 0];
        bytes.extend((0xf_u64 << 60).to_be_bytes());
        bytes.push(2);
        bytes.extend(0xff_u64.to_be_bytes());
        bytes.push(6);
        bytes.extend((1_u64 << (700 - 640)).to_be_bytes());
        assert_eq!(set.to_bytes()[..], bytes);
        assert_eq!(set.ranges(), [60..200, 700..701]);
    }

    /// spec RE-1
    #[test]
    fn numbers_end_at_their_limit() {
        let mut set = ObjectSet::default();
        assert!(set.insert(MOST_OBJECTS - 1) && !set.insert(MOST_OBJECTS));
        assert_eq!(set.len(), 1);
        let run = |first: u64, length: u64| {
            let mut writer = Writer::new();
            [1, first, length, 0].iter().for_each(|number| writer.varint(*number));
            ObjectSet::from_bytes(writer.finish())
        };
        assert!(run(0, MOST_CHUNKS).is_ok() && run(MOST_CHUNKS - 1, 1).is_ok());
        for (first, length) in [(0, MOST_CHUNKS + 1), (MOST_CHUNKS, 1), (u64::MAX, 1), (1, u64::MAX)] {
            assert_eq!(run(first, length), Err(DecodeError::Number), "{first} {length}");
        }
    }

    #[test]
    fn a_set_on_the_wire_has_at_most_so_many_pieces() {
        let words = |count: usize| {
            let mut writer = Writer::new();
            writer.varint(0);
            writer.varint(count as u64);
            for _ in 0..count {
                writer.varint(1);
                writer.u64(7);
            }
            ObjectSet::from_bytes(writer.finish()).map(|set| set.pieces())
        };
        assert_eq!(words(MOST_PIECES), Ok(MOST_PIECES));
        assert_eq!(words(MOST_PIECES + 1), Err(DecodeError::TooLong));
    }

    #[test]
    fn two_forms_of_one_set_are_refused() {
        let bytes = |numbers: &[u64], words: &[(u64, u64)]| {
            let mut writer = Writer::new();
            numbers.iter().for_each(|number| writer.varint(*number));
            writer.varint(words.len() as u64);
            for (gap, word) in words {
                writer.varint(*gap);
                writer.u64(*word);
            }
            ObjectSet::from_bytes(writer.finish())
        };
        assert!(bytes(&[2, 0, 1, 1, 1], &[(1, 5)]).is_ok());
        assert!(bytes(&[2, 0, 1, 0, 1], &[]).is_err(), "runs that touch");
        assert!(bytes(&[1, 0, 0], &[]).is_err(), "an empty run");
        assert!(bytes(&[0], &[(3, 0)]).is_err(), "an empty word");
        assert!(bytes(&[0], &[(3, u64::MAX)]).is_err(), "a full word");
        assert!(bytes(&[1, 3, 2], &[(4, 5)]).is_err(), "a word within a run");
    }

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((any::<bool>(), 0_u64..900, 0_u64..400), 1..40)) {
            let (mut set, mut model) = (ObjectSet::default(), BTreeSet::new());
            for (is_in, start, length) in steps {
                let range = start..start + length;
                if is_in {
                    set.insert_range(range.clone());
                    model.extend(range);
                } else {
                    set.remove_range(range.clone());
                    model.retain(|index| !range.contains(index));
                }
                prop_assert_eq!(set.len(), model.len() as u64);
                let listed: BTreeSet<u64> = set.ranges().into_iter().flatten().collect();
                prop_assert_eq!(&listed, &model);
                prop_assert_eq!(ObjectSet::from_bytes(set.to_bytes()), Ok(set.clone()));
                prop_assert_eq!(model.iter().copied().collect::<ObjectSet>(), set.clone());
            }
        }

        #[test]
        fn sums_and_differences_are_those_of_sets(
            a in proptest::collection::btree_set(0_u64..500, 0..300),
            b in proptest::collection::btree_set(0_u64..500, 0..300),
        ) {
            let set = |of: &BTreeSet<u64>| of.iter().copied().collect::<ObjectSet>();
            let (mut sum, mut difference) = (set(&a), set(&a));
            sum.add(&set(&b));
            difference.subtract(&set(&b));
            prop_assert_eq!(sum, set(&a.union(&b).copied().collect()));
            prop_assert_eq!(difference, set(&a.difference(&b).copied().collect()));
            prop_assert_eq!(set(&a).meets(&set(&b)), a.intersection(&b).next().is_some());
            prop_assert_eq!(set(&a).first(7), a.iter().copied().take(7).collect::<Vec<_>>());
        }
    }
}
