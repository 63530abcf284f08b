use bytes::{Bytes, BytesMut};
use stratus_core::Wire;

use crate::frame::{Hello, Own, cut};

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

/// Good input for [`read_frames`]: a control stream with one of each of our own frames, and each by itself.
pub fn frames() -> Vec<Vec<u8>> {
    let hello = Hello { instance: 7, stamp: 3, observed: ([127, 0, 0, 1], 50).into() };
    let own = [
        Own::Hello(hello),
        Own::Claim { id: 3, blinded: [7; 16], proof: [50; 32] },
        Own::Yes { id: 3, proof: [7; 32] },
        Own::No { id: 3 },
        Own::Leave { tag: 7 },
    ];
    let mut stream = vec![40];
    for own in &own {
        let frame = own.to_frame();
        stream.extend((frame.len() as u32).to_be_bytes());
        stream.extend(&frame);
    }
    own.iter().map(|own| [&[7][..], &own.to_bytes()].concat()).chain([stream]).collect()
}
