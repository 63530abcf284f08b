use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes before a part's payload: its message, its position, and how many parts there are.
const HEADER_BYTES: usize = 8;
/// Messages that may lack parts at one time.
const PATIENCE: usize = 64;

/// Writes the header of part `position` of `count` of a message.
pub(crate) fn put_header(datagram: &mut BytesMut, message: u32, position: u16, count: u16) {
    datagram.put_u32(message);
    datagram.put_u16(position);
    datagram.put_u16(count);
}

/// The number of a part among all parts of the stream, where all messages have as many.
pub(crate) fn number(part: &[u8]) -> Option<u64> {
    let (message, position, count) = header(part)?;
    Some(u64::from(message) * u64::from(count) + u64::from(position))
}

fn header(part: &[u8]) -> Option<(u32, u16, u16)> {
    let header: &[u8; HEADER_BYTES] = part.first_chunk()?;
    let (message, rest) = header.split_first_chunk().expect("eight bytes hold four");
    let &[a, b, c, d] = rest else { return None };
    Some((u32::from_be_bytes(*message), u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// Puts messages together from their parts, whatever their order.
#[derive(Default)]
pub(crate) struct Assembly {
    open: BTreeMap<u32, Open>,
}

#[derive(Default)]
struct Open {
    parts: Vec<Option<Bytes>>,
    missing: usize,
}

impl Assembly {
    /// Takes a part; gives the message that it completes. The oldest of too many incomplete ones is given up.
    pub(crate) fn add(&mut self, part: &Bytes) -> Option<Bytes> {
        let (message, position, count) = header(part)?;
        let count = usize::from(count);
        let open =
            self.open.entry(message).or_insert_with(|| Open { parts: vec![None; count], missing: count });
        let place = open.parts.get_mut(usize::from(position))?;
        if place.replace(part.slice(HEADER_BYTES..)).is_none() {
            open.missing -= 1;
        }
        if open.missing > 0 {
            if self.open.len() > PATIENCE {
                self.open.pop_first();
            }
            return None;
        }
        let parts = self.open.remove(&message)?.parts;
        let length = parts.iter().flatten().map(Bytes::len).sum();
        let mut whole = BytesMut::with_capacity(length);
        parts.iter().flatten().for_each(|part| whole.put_slice(part));
        Some(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(message: u32, position: u16, count: u16, payload: &[u8]) -> Bytes {
        let mut datagram = BytesMut::new();
        put_header(&mut datagram, message, position, count);
        datagram.put_slice(payload);
        datagram.freeze()
    }

    #[test]
    fn parts_make_a_message_in_any_order_and_once() {
        let mut assembly = Assembly::default();
        assert_eq!(number(&part(7, 2, 3, b"")), Some(23));
        assert_eq!(assembly.add(&part(7, 2, 3, b"c")), None);
        assert_eq!(assembly.add(&part(8, 0, 1, b"other")), Some(b"other"[..].into()));
        assert_eq!(assembly.add(&part(7, 0, 3, b"a")), None);
        assert_eq!(assembly.add(&part(7, 0, 3, b"a")), None, "the same once more is no other part");
        assert_eq!(assembly.add(&part(7, 1, 3, b"b")), Some(b"abc"[..].into()));
        assert_eq!(assembly.add(&part(9, 3, 3, b"of no message")), None);
        assert_eq!(assembly.add(&Bytes::from_static(b"short")), None);
    }

    #[test]
    fn messages_that_stay_incomplete_take_no_room_for_ever() {
        let mut assembly = Assembly::default();
        for message in 0..=PATIENCE as u32 {
            assert_eq!(assembly.add(&part(message, 0, 2, b"a")), None);
        }
        assert_eq!(assembly.open.len(), PATIENCE);
        assert_eq!(assembly.add(&part(0, 1, 2, b"b")), None, "the oldest was given up");
    }
}
