use std::fmt;

use stratus_core::{DecodeError, Reader, Wire, Writer};

/// What stands for a post where posts are counted, compared and asked for: when it was made, and eight bytes of its id.
///
/// Items are ordered by sequence, so by time. On the wire they come in lists of ascending items (spec PO-6):
///
/// | bytes | field |
/// |---|---|
/// | varint | how many |
/// | varint | sequence of the first; then, for each, how much more than the one before |
/// | 8 | tag |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// Microseconds since 1970 by the sender's clock.
    pub sequence: u64,
    /// The first eight bytes of the post's id.
    pub tag: u64,
}

impl Item {
    /// Before every post.
    pub const FIRST: Self = Self { sequence: 0, tag: 0 };
    /// Behind every post.
    pub const END: Self = Self { sequence: u64::MAX, tag: u64::MAX };

    /// The first place behind this one.
    pub(crate) fn next(self) -> Self {
        match self.tag.checked_add(1) {
            Some(tag) => Self { tag, ..self },
            None => Self::at(self.sequence.saturating_add(1)),
        }
    }

    /// Before every post of this moment, behind all earlier ones.
    pub fn at(sequence: u64) -> Self {
        Self { sequence, tag: 0 }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}-{:08x}", self.sequence, self.tag >> 32)
    }
}

impl Wire for Item {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.sequence);
        writer.u64(self.tag);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { sequence: reader.varint()?, tag: reader.u64()? })
    }
}

/// Writes `items`, which ascend.
pub(crate) fn put_items(writer: &mut Writer, items: &[Item]) {
    writer.varint(items.len() as u64);
    let mut before = 0;
    for item in items {
        writer.varint(item.sequence - before);
        writer.u64(item.tag);
        before = item.sequence;
    }
}

/// Reads at most `most` items; each must be behind the one before.
pub(crate) fn take_items(reader: &mut Reader, most: usize) -> Result<Vec<Item>, DecodeError> {
    let count = reader.varint_up_to(most as u64)?;
    // Nine bytes an item at least: what the input cannot hold is not made room for.
    if count * 9 > reader.remaining() as u64 {
        return Err(DecodeError::Truncated);
    }
    let mut items: Vec<Item> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let last = items.last().copied();
        let before = last.map_or(0, |item| item.sequence);
        let sequence = before.checked_add(reader.varint()?).ok_or(DecodeError::Number)?;
        let item = Item { sequence, tag: reader.u64()? };
        if last.is_some_and(|last| item <= last) {
            return Err(DecodeError::Invalid);
        }
        items.push(item);
    }
    Ok(items)
}

/// Part of the order of items: from one, up to and without another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// The first that may be in it.
    pub from: Item,
    /// The first behind it.
    pub to: Item,
}

impl Stretch {
    /// Everything.
    pub const ALL: Self = Self { from: Item::FIRST, to: Item::END };

    /// Whether nothing can be in it.
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }
}

/// What a member holds in a stretch, in 16 bytes: two that hold the same have the same (spec PO-9).
///
/// | bytes | field |
/// |---|---|
/// | 1 | 1: begins where the one before in the list ended; 0: |
/// | varint, 8 | … the first item of the stretch |
/// | varint, 8 | the first item behind it |
/// | varint | how many posts |
/// | 16 | hash of their items |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Where.
    pub stretch: Stretch,
    /// How many posts.
    pub count: u64,
    /// The hash of their items, in their order.
    pub fingerprint: [u8; 16],
}

/// Writes summaries of stretches that ascend and do not overlap.
pub(crate) fn put_summaries(writer: &mut Writer, summaries: &[Summary]) {
    writer.varint(summaries.len() as u64);
    let mut before = None;
    for Summary { stretch, count, fingerprint } in summaries {
        put_stretch(writer, *stretch, &mut before);
        writer.varint(*count);
        writer.raw(fingerprint);
    }
}

/// Reads at most `most` summaries.
pub(crate) fn take_summaries(reader: &mut Reader, most: usize) -> Result<Vec<Summary>, DecodeError> {
    let count = reader.varint_up_to(most as u64)?;
    let mut before = None;
    let mut summaries = Vec::new();
    for _ in 0..count {
        let stretch = take_stretch(reader, &mut before)?;
        summaries.push(Summary { stretch, count: reader.varint()?, fingerprint: reader.array()? });
    }
    Ok(summaries)
}

/// Writes one of several stretches; `before` is where the last one ended.
pub(crate) fn put_stretch(writer: &mut Writer, stretch: Stretch, before: &mut Option<Item>) {
    if *before == Some(stretch.from) {
        writer.u8(1);
    } else {
        writer.u8(0);
        stretch.from.encode(writer);
    }
    stretch.to.encode(writer);
    *before = Some(stretch.to);
}

/// Reads one of several stretches, which ascend: nobody has to look at one post twice for one message.
pub(crate) fn take_stretch(reader: &mut Reader, before: &mut Option<Item>) -> Result<Stretch, DecodeError> {
    let from = match (reader.u8()?, *before) {
        (1, Some(before)) => before,
        (0, before) => {
            let from = Item::decode(reader)?;
            if before.is_some_and(|before| from <= before) {
                return Err(DecodeError::Invalid);
            }
            from
        }
        _ => return Err(DecodeError::Unknown),
    };
    let stretch = Stretch { from, to: Item::decode(reader)? };
    if stretch.is_empty() {
        return Err(DecodeError::Invalid);
    }
    *before = Some(stretch.to);
    Ok(stretch)
}
