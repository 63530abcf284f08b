//! Messages that say who they are and when they were sent.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};

const HEADER: usize = 16;

/// A message of `length` bytes: its number, when it was sent, and bytes that tell every place in it apart.
pub(crate) fn stamped(number: u64, at: Duration, length: usize) -> Bytes {
    let mut message = BytesMut::with_capacity(length.max(HEADER));
    message.put_u64(number);
    message.put_u64(u64::try_from(at.as_micros()).unwrap_or(u64::MAX));
    message.extend((HEADER..length).map(|place| filler(number, place)));
    message.freeze()
}

/// Number and time of sending, unless a byte of it was altered.
pub(crate) fn read(message: &[u8]) -> Option<(u64, Duration)> {
    let (number, rest) = message.split_first_chunk::<8>()?;
    let (at, _) = rest.split_first_chunk::<8>()?;
    let number = u64::from_be_bytes(*number);
    let is_intact =
        message.iter().enumerate().skip(HEADER).all(|(place, byte)| *byte == filler(number, place));
    is_intact.then_some((number, Duration::from_micros(u64::from_be_bytes(*at))))
}

fn filler(number: u64, place: usize) -> u8 {
    (number.wrapping_mul(31).wrapping_add(place as u64) ^ (place as u64 >> 8)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_and_an_altered_message_is_not() {
        let at = Duration::from_micros(41_700);
        let message = stamped(3, at, 1_128);
        assert_eq!(read(&message), Some((3, at)));
        let mut altered = message.to_vec();
        altered[700] ^= 1;
        assert_eq!(read(&altered), None);
        assert_eq!(read(&message[..15]), None);
    }
}
