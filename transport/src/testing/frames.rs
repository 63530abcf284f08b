use bytes::{Bytes, BytesMut};
use stratus_core::Wire;

use crate::frame::{Own, cut};

/// Reads bytes as a control stream, in parts of a size that the first byte says, and each frame as one of our own.
/// For fuzzers: it only must not panic, and what reads must read back as itself.
pub fn read_frames(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    if let Ok(own) = Own::from_bytes(Bytes::copy_from_slice(rest)) {
        assert_eq!(own.to_bytes(), rest, "two forms of {own:?}");
    }
    let mut buffer = BytesMut::new();
    for part in rest.chunks(1 + usize::from(*first)) {
        buffer.extend_from_slice(part);
        while let Ok(Some(frame)) = cut(&mut buffer, 64 << 10) {
            drop(Own::from_bytes(frame));
        }
    }
}
