use std::time::Duration;

use crate::message::MAX_NUMBER;
use stratus_core::{BitSet, DecodeError, Reader, Wire, Writer};

/// Most holes that one map can tell of; with more, it claims less.
const MAX_GAPS: usize = 32;
/// Widest map: no window is longer.
const MAX_SPAN: u64 = 1 << 20;

/// When the newest run of a slice reached the teller through an unbroken chain of pushes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SliceStamp {
    /// The slice.
    pub slice: u32,
    /// The run.
    pub run: u64,
    /// How long before the map was sent, to the millisecond; [`SliceStamp::NEVER`] if none has come yet.
    pub age: Duration,
    /// How many pushes it took from the publisher.
    pub hops: u8,
}

impl SliceStamp {
    /// The age of a run that never came: the slice has a parent that has had nothing to push.
    pub const NEVER: Duration = Duration::from_millis(60_000);
}

/// What a subscriber has and what it can do for others (spec MC-9).
///
/// | bytes | field |
/// |---|---|
/// | 1 | bit 0: complete to the end of the stream; bit 1: gives nothing to anyone; bit 2: strong; bit 3: asks for the reader's |
/// | varint | base: the oldest run told of |
/// | varint | span: runs told of, from the base on; 0 for none |
/// | varint, then varint × 2 each | gaps, at most 32: runs held since the last gap, runs missing |
/// | varint | slices with a free place for anyone |
/// | varint | slices with a free place for a child at home there |
/// | varint | slices in which it has children |
/// | varint, then varint × 2 and 1 each | slices that flow; per slice how many runs before the end told of, age ms, hops |
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Availability {
    /// The teller has everything from its start to the end of an ended stream, and asks nothing more.
    pub is_complete: bool,
    /// The teller only receives: it holds nothing for others and pushes to nobody.
    pub gives_nothing: bool,
    /// The teller has room for more children than most; who looks for a parent looks there first.
    pub is_strong: bool,
    /// The teller would like to have the reader's map at once.
    pub asks: bool,
    base: u64,
    span: u64,
    /// Missing runs inside the span, as (first, count), rising.
    gaps: Vec<(u64, u64)>,
    /// Slices in which it would push to any child.
    pub free: BitSet,
    /// Slices in which it would push to a child whose home the slice is.
    pub home_free: BitSet,
    /// Slices in which it has children of its own.
    pub inner: BitSet,
    /// The slices that reach it by push, rising.
    pub stamps: Vec<SliceStamp>,
}

impl Availability {
    /// Tells of the runs `base` … `end` − 1, all of which it has but those `missing`, which rise.
    pub(crate) fn of(base: u64, end: u64, missing: impl Iterator<Item = u64>) -> Self {
        let mut map = Self { base, span: end - base, ..Self::default() };
        for run in missing {
            match map.gaps.last_mut() {
                Some((first, count)) if *first + *count == run => *count += 1,
                _ => map.gaps.push((run, 1)),
            }
        }
        map.trim();
        map
    }

    /// The map of a member that only receives: nothing to be asked for, up to `end`.
    pub(crate) fn of_receiver(end: u64) -> Self {
        Self { gives_nothing: true, base: end, ..Self::default() }
    }

    #[cfg(test)]
    pub(crate) fn of_held(base: u64, held: impl Iterator<Item = bool>) -> Self {
        let held: Vec<bool> = held.collect();
        let missing = (base..).zip(&held).filter(|(_, is_held)| !**is_held).map(|(run, _)| run);
        Self::of(base, base + held.len() as u64, missing)
    }

    /// Drops missing runs at both ends, and the oldest part when there are too many gaps.
    fn trim(&mut self) {
        if let Some(&(first, count)) = self.gaps.last()
            && first + count == self.base + self.span
        {
            self.span = first - self.base;
            self.gaps.pop();
        }
        let surplus = self.gaps.len().saturating_sub(MAX_GAPS);
        if let Some(&(first, count)) = surplus.checked_sub(1).and_then(|last| self.gaps.get(last)) {
            self.move_base(first + count);
            self.gaps.drain(..surplus);
        }
        if let Some(&(first, count)) = self.gaps.first()
            && first == self.base
        {
            self.move_base(first + count);
            self.gaps.remove(0);
        }
    }

    fn move_base(&mut self, base: u64) {
        self.span -= base - self.base;
        self.base = base;
    }

    /// Whether the teller claims to hold `run`.
    pub fn holds(&self, run: u64) -> bool {
        run >= self.base
            && run < self.end()
            && !self.gaps.iter().any(|&(first, count)| run >= first && run - first < count)
    }

    /// The run after the newest one told of.
    pub fn end(&self) -> u64 {
        self.base + self.span
    }

    /// The oldest run told of.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The stamp of `slice`, if it flows there.
    pub fn stamp(&self, slice: u32) -> Option<&SliceStamp> {
        let place = self.stamps.binary_search_by_key(&slice, |stamp| stamp.slice).ok()?;
        Some(&self.stamps[place])
    }
}

impl Wire for Availability {
    fn encode(&self, writer: &mut Writer) {
        let bits = [self.is_complete, self.gives_nothing, self.is_strong, self.asks];
        writer.u8((0..).zip(bits).map(|(place, bit)| u8::from(bit) << place).sum());
        writer.varint(self.base);
        writer.varint(self.span);
        writer.varint(self.gaps.len() as u64);
        let mut at = self.base;
        for &(first, count) in &self.gaps {
            writer.varint(first - at);
            writer.varint(count);
            at = first + count;
        }
        writer.varint(self.free.bits());
        writer.varint(self.home_free.bits());
        writer.varint(self.inner.bits());
        writer.varint(self.stamps.iter().map(|stamp| stamp.slice).collect::<BitSet>().bits());
        for stamp in &self.stamps {
            writer.varint(self.end().saturating_sub(stamp.run));
            writer.varint((stamp.age.as_millis() as u64).min(60_000));
            writer.u8(stamp.hops);
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let bits = reader.u8()?;
        if bits > 15 {
            return Err(DecodeError::Unknown);
        }
        let [is_complete, gives_nothing, is_strong, asks] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let base = reader.varint_up_to(MAX_NUMBER)?;
        let span = reader.varint_up_to(MAX_SPAN)?;
        let mut map = Self { is_complete, gives_nothing, is_strong, asks, base, span, ..Self::default() };
        map.gaps = decode_gaps(reader, base, map.end())?;
        map.free = BitSet::from_bits(reader.varint()?);
        map.home_free = BitSet::from_bits(reader.varint()?);
        map.inner = BitSet::from_bits(reader.varint()?);
        for slice in BitSet::from_bits(reader.varint()?).iter() {
            let back = reader.varint()?;
            let run = map.end().checked_sub(back).ok_or(DecodeError::Invalid)?;
            let age = Duration::from_millis(reader.varint_up_to(60_000)?);
            map.stamps.push(SliceStamp { slice, run, age, hops: reader.u8()? });
        }
        Ok(map)
    }
}

fn decode_gaps(reader: &mut Reader, base: u64, end: u64) -> Result<Vec<(u64, u64)>, DecodeError> {
    let count = reader.varint_up_to(MAX_GAPS as u64)?;
    let mut gaps = Vec::new();
    let mut at = base;
    for _ in 0..count {
        let first = at + reader.varint_up_to(MAX_SPAN)?;
        let length = reader.varint_up_to(MAX_SPAN)?;
        // Runs are held on both sides of a gap: one form only.
        if first == at || length == 0 || first + length >= end {
            return Err(DecodeError::Invalid);
        }
        at = first + length;
        gaps.push((first, length));
    }
    Ok(gaps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(base: u64, held: &str) -> Availability {
        Availability::of_held(base, held.chars().map(|c| c == '#'))
    }

    #[test]
    fn a_map_tells_exactly_what_is_held_and_reads_back() {
        let mut map = map(700, "..##.#...###..");
        map.stamps = vec![
            SliceStamp { slice: 0, run: 704, age: Duration::from_millis(3), hops: 1 },
            SliceStamp { slice: 7, run: 711, age: Duration::from_millis(50), hops: 7 },
        ];
        map.free = BitSet::from_bits(0b1000_0001);
        let told: String = (698..716).map(|run| if map.holds(run) { '#' } else { '.' }).collect();
        assert_eq!(told, "....##.#...###....");
        assert_eq!((map.base(), map.end()), (702, 712));
        assert_eq!(Availability::from_bytes(map.to_bytes()), Ok(map));
    }

    #[test]
    fn nothing_held_is_an_empty_map() {
        for held in ["", "...."] {
            let map = map(3, held);
            assert!(!map.holds(3) && map.end() == map.base(), "{map:?}");
            assert_eq!(Availability::from_bytes(map.to_bytes()), Ok(map));
        }
    }

    #[test]
    fn who_only_receives_shows_nothing_and_the_unknown_bits_are_refused() {
        let map = Availability { is_complete: true, ..Availability::of_receiver(700) };
        assert!(!map.holds(699) && map.end() == map.base());
        let bytes = map.to_bytes();
        assert_eq!(bytes[0], 3);
        assert_eq!(Availability::from_bytes(bytes), Ok(map));
        let unknown = [16, 5, 0, 0, 0, 0, 0, 0];
        assert_eq!(Availability::from_bytes(unknown.to_vec().into()), Err(DecodeError::Unknown));
    }

    #[test]
    fn with_too_many_gaps_the_newest_part_is_told() {
        let held: String = "#.".repeat(50) + "#";
        let map = map(0, &held);
        assert_eq!(map.gaps.len(), MAX_GAPS);
        assert!(map.holds(100) && map.holds(98) && !map.holds(99) && !map.holds(2));
        assert_eq!(Availability::from_bytes(map.to_bytes()), Ok(map));
    }

    #[test]
    fn a_whole_window_takes_a_few_bytes() {
        assert!(map(123_456, &"#".repeat(600)).to_bytes().len() <= 12);
    }

    #[test]
    fn a_gap_at_an_edge_is_refused() {
        let bytes = [0, 5, 4, 1, 0, 1, 0, 0, 0, 0];
        assert_eq!(Availability::from_bytes(bytes.to_vec().into()), Err(DecodeError::Invalid));
    }
}
