use super::PACKET_BYTES;

/// Frames of QUIC for one packet, byte for byte (RFC 9000, 19).
#[derive(Clone, Debug, Default)]
pub struct RawFrames {
    bytes: Vec<u8>,
}

impl RawFrames {
    /// As many of what `frame` makes of 0, 1, 2 … as one packet holds.
    pub fn full_of(mut frame: impl FnMut(u64) -> Self) -> Self {
        let mut frames = Self::default();
        for number in 0.. {
            let next = frame(number);
            if frames.bytes.len() + next.bytes.len() > PACKET_BYTES {
                break;
            }
            frames.bytes.extend(next.bytes);
        }
        frames
    }

    /// A type and its numbers, which travel as QUIC's own variable-length integers.
    fn of(kind: u8, numbers: &[u64]) -> Self {
        let mut bytes = vec![kind];
        numbers.iter().for_each(|number| put(&mut bytes, *number));
        Self { bytes }
    }

    /// A stream is given up.
    pub fn reset_stream(stream: u64) -> Self {
        Self::of(0x04, &[stream, 0, 0])
    }

    /// A part of the handshake.
    pub fn crypto(offset: u64, data: &[u8]) -> Self {
        Self::of(0x06, &[offset, data.len() as u64]).with(data)
    }

    /// A part of a stream.
    pub fn stream(stream: u64, offset: u64, data: &[u8]) -> Self {
        Self::of(0x0e, &[stream, offset, data.len() as u64]).with(data)
    }

    /// More streams would be opened if that were allowed.
    pub fn streams_blocked(limit: u64) -> Self {
        Self::of(0x17, &[limit])
    }

    /// Another name for the connection; those below `retired` should no longer be used.
    pub fn new_connection_id(sequence: u64, retired: u64) -> Self {
        let mut id = [7; 8];
        id.copy_from_slice(&sequence.to_be_bytes());
        Self::of(0x18, &[sequence, retired]).with(&[8]).with(&id).with(&[sequence as u8; 16])
    }

    /// Asks for an answer along the path.
    pub fn path_challenge(number: u64) -> Self {
        Self::of(0x1a, &[]).with(&number.to_be_bytes())
    }

    /// Asks for an acknowledgement.
    pub fn ping() -> Self {
        Self::of(0x01, &[])
    }

    fn with(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// QUIC's integers are written by hand: the library keeps its own to itself.
fn put(bytes: &mut Vec<u8>, number: u64) {
    match number {
        0..0x40 => bytes.push(number as u8),
        0x40..0x4000 => bytes.extend((number as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => bytes.extend((number as u32 | 0x8000_0000).to_be_bytes()),
        _ => bytes.extend((number | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}
