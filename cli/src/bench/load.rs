use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes at the head of each payload: its index, and when it entered, in microseconds.
const STAMP_BYTES: usize = 16;

/// What one fragment holds: larger messages are cut. The stars cut as the group does.
pub(crate) const FRAGMENT_SIZE: usize = 1_128;

/// What is published: messages of one size at one rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Load {
    /// Payload bytes of each message; at least 16.
    pub(crate) size: usize,
    /// Payload bits a second.
    pub(crate) rate: u64,
}

/// What a payload says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    /// Messages count up from 0.
    pub(crate) index: u64,
    /// When it entered the publisher, since the phase began.
    pub(crate) entered_at: Duration,
}

impl Load {
    /// Whether a message is one fragment.
    pub(crate) fn is_one_fragment(&self) -> bool {
        self.size <= FRAGMENT_SIZE
    }

    /// When message `index` is due, since the first was.
    pub(crate) fn due(&self, index: u64) -> Duration {
        let bits = u128::from(index) * self.size as u128 * 8;
        let nanos = bits * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).expect("no bench runs for centuries"))
    }

    /// The payload that `stamp` describes.
    pub(crate) fn payload(&self, stamp: Stamp) -> Bytes {
        let mut payload = BytesMut::with_capacity(self.size);
        payload.put_u64(stamp.index);
        payload.put_u64(stamp.entered_at.as_micros() as u64);
        payload.put_bytes(0x5a, self.size - STAMP_BYTES);
        payload.freeze()
    }

    /// What `payload` says of itself, if it is one of ours.
    pub(crate) fn stamp(&self, payload: &[u8]) -> Option<Stamp> {
        let (index, rest) = payload.split_first_chunk().filter(|_| payload.len() == self.size)?;
        let (micros, _) = rest.split_first_chunk()?;
        let entered_at = Duration::from_micros(u64::from_be_bytes(*micros));
        Some(Stamp { index: u64::from_be_bytes(*index), entered_at })
    }
}

/// The index of the message that begins with `payload`.
pub(crate) fn index_of(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().copied().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_as_large_as_the_groups() {
        assert_eq!(FRAGMENT_SIZE, stratus::MulticastConfig::default().fragment_size);
    }

    const LOAD: Load = Load { size: 1_128, rate: 2_000_000 };

    #[test]
    fn a_second_holds_the_rate() {
        assert_eq!(LOAD.due(0), Duration::ZERO);
        assert_eq!(LOAD.due(1), Duration::from_micros(4_512));
        assert_eq!(LOAD.due(250_000), Duration::from_millis(1_128_000), "no rounding adds up");
    }

    #[test]
    fn a_payload_says_what_it_is_and_a_shorter_one_nothing() {
        let stamp = Stamp { index: 70_000, entered_at: Duration::from_micros(3_000_001) };
        let payload = LOAD.payload(stamp);
        assert_eq!((payload.len(), LOAD.stamp(&payload)), (1_128, Some(stamp)));
        assert_eq!((index_of(&payload), LOAD.stamp(&payload[1..])), (Some(70_000), None));
        let least = Load { size: 16, rate: 8_000 };
        assert_eq!(least.stamp(&least.payload(stamp)), Some(stamp));
    }
}
