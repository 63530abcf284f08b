//! The control stream: frames with a length in front. Spec TR-15 to TR-17.
//!
//! ```text
//! length 4 | group tag 4 | message           length covers tag and message; over the limit: violation
//! ```
//!
//! Tag 0 is the transport's own; see [`Own`].

use bytes::{Buf, Bytes, BytesMut};
use quinn::{ReadError, RecvStream, SendStream};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stratus_core::{DecodeError, Reader, Wire, Writer};
use tokio::sync::mpsc;

use crate::budget::{Budget, OVERHEAD_BYTES};
use crate::proof::{Blinded, Proof};

/// Frames written together.
const BATCH: usize = 32;
/// Read from the stream at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// Frames of tag 0: how two endpoints agree on one connection and on the groups they share.
///
/// ```text
/// hello   1 | instance 8 | stamp 8 | address of the receiver as seen: family 1, ip 4 or 16, port 2
/// claim  20 | id 4 | blinded tag 16 | proof 32
/// yes    21 | id 4 | proof 32
/// no     22 | id 4
/// leave  30 | group tag 4
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Own {
    /// First frame each way.
    Hello(Hello),
    /// "I am in a group that you may be in as well."
    Claim { id: u32, blinded: Blinded, proof: Proof },
    /// "So am I."
    Yes { id: u32, proof: Proof },
    /// Unknown group or bad proof: the same answer.
    No { id: u32 },
    /// The sender is done with this group on this connection.
    Leave { tag: u32 },
}

/// What an endpoint says first on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hello {
    /// Random per bind: tells a restarted peer from the one before.
    pub(crate) instance: u64,
    /// Counts the sender's hellos: the later of two connections is the one it wants.
    pub(crate) stamp: u64,
    /// Where the receiver's packets come from, as the sender sees it.
    pub(crate) observed: SocketAddr,
}

impl Own {
    /// The frame, with its tag but without its length.
    pub(crate) fn to_frame(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.u32(0);
        self.encode(&mut writer);
        writer.finish()
    }
}

impl Wire for Own {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Hello(hello) => {
                writer.u8(1);
                writer.u64(hello.instance);
                writer.u64(hello.stamp);
                hello.observed.encode(writer);
            }
            Self::Claim { id, blinded, proof } => {
                writer.u8(20);
                writer.u32(*id);
                writer.raw(blinded);
                writer.raw(proof);
            }
            Self::Yes { id, proof } => {
                writer.u8(21);
                writer.u32(*id);
                writer.raw(proof);
            }
            Self::No { id } => {
                writer.u8(22);
                writer.u32(*id);
            }
            Self::Leave { tag } => {
                writer.u8(30);
                writer.u32(*tag);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => {
                let (instance, stamp) = (reader.u64()?, reader.u64()?);
                Self::Hello(Hello { instance, stamp, observed: SocketAddr::decode(reader)? })
            }
            20 => Self::Claim { id: reader.u32()?, blinded: reader.array()?, proof: reader.array()? },
            21 => Self::Yes { id: reader.u32()?, proof: reader.array()? },
            22 => Self::No { id: reader.u32()? },
            30 => Self::Leave { tag: reader.u32()? },
            _ => return Err(DecodeError::Unknown),
        })
    }
}

/// What the writing task is given.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A frame without its length.
    Frame(Bytes),
    /// Nothing follows; end when all has arrived.
    Finish,
}

/// Writes frames until told to finish, then waits at most `drain` for them to arrive.
pub(crate) async fn write_frames(
    mut stream: SendStream,
    mut frames: mpsc::Receiver<Outgoing>,
    budget: Option<Arc<Budget>>,
    drain: Duration,
) {
    // A calm neighbor sends one frame at a time, and there are many neighbors.
    let (mut batch, mut chunks) = (Vec::new(), Vec::new());
    let mut is_finished = false;
    while !is_finished && frames.recv_many(&mut batch, BATCH).await > 0 {
        for outgoing in batch.drain(..) {
            match outgoing {
                Outgoing::Frame(frame) => {
                    chunks.push(Bytes::copy_from_slice(&(frame.len() as u32).to_be_bytes()));
                    chunks.push(frame);
                }
                Outgoing::Finish => is_finished = true,
            }
        }
        if let Some(budget) = &budget {
            let bytes: usize = chunks.iter().map(Bytes::len).sum();
            budget.debit((bytes + OVERHEAD_BYTES * bytes.div_ceil(1_100)) as i64);
        }
        if stream.write_all_chunks(&mut chunks).await.is_err() {
            return;
        }
        chunks.clear();
    }
    if stream.finish().is_ok() {
        let _ = tokio::time::timeout(drain, stream.stopped()).await;
    }
}

/// Why no further frame will come.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The connection or the stream broke.
    Lost,
    /// The other side sent a frame over the limit, or ended inside one.
    Violation,
}

impl From<ReadError> for FrameError {
    fn from(_: ReadError) -> Self {
        Self::Lost
    }
}

/// Cuts a stream into frames.
#[derive(Debug)]
pub(crate) struct FrameReader {
    stream: RecvStream,
    buffer: BytesMut,
    most_bytes: usize,
}

impl FrameReader {
    pub(crate) fn new(stream: RecvStream, most_bytes: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), most_bytes }
    }

    /// The next frame without its length; `None` when the other side has ended the stream between frames.
    /// Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            if let Some(frame) = cut(&mut self.buffer, self.most_bytes)? {
                return Ok(Some(frame));
            }
            match self.stream.read_chunk(CHUNK_BYTES, true).await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk.bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(FrameError::Violation),
            }
        }
    }
}

/// Takes one whole frame off the front of `buffer`.
pub(crate) fn cut(buffer: &mut BytesMut, most_bytes: usize) -> Result<Option<Bytes>, FrameError> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > most_bytes {
        return Err(FrameError::Violation);
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_frames_have_their_committed_forms() {
        let hello = Hello { instance: 3, stamp: 50, observed: "203.0.113.7:1935".parse().unwrap() };
        let mut bytes = vec![0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 50];
        bytes.extend([4, 203, 0, 113, 7, 7, 143]);
        assert_eq!(Own::Hello(hello).to_frame()[..], bytes);
        assert_eq!(Own::No { id: 700 }.to_frame()[..], [0, 0, 0, 0, 22, 0, 0, 2, 188]);
        assert_eq!(Own::Leave { tag: 7 }.to_frame()[..], [0, 0, 0, 0, 30, 0, 0, 0, 7]);
    }

    #[test]
    fn own_frames_read_back_and_cut_ones_are_refused() {
        let frames = [
            Own::Claim { id: 3, blinded: [4; 16], proof: [5; 32] },
            Own::Yes { id: 3, proof: [5; 32] },
            Own::No { id: 3 },
            Own::Leave { tag: 9 },
        ];
        for frame in frames {
            let bytes = frame.to_bytes();
            assert_eq!(Own::from_bytes(bytes.clone()), Ok(frame));
            assert_eq!(Own::from_bytes(bytes.slice(..bytes.len() - 1)), Err(DecodeError::Truncated));
        }
        assert_eq!(Own::from_bytes(Bytes::from_static(&[99])), Err(DecodeError::Unknown));
    }

    #[test]
    fn frames_are_cut_wherever_the_chunks_end_and_one_over_the_limit_is_refused() {
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for byte in [0, 0, 0, 2, 7, 8, 0, 0, 0, 0] {
            buffer.extend_from_slice(&[byte]);
            if let Some(frame) = cut(&mut buffer, 8).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames, [Bytes::from_static(&[7, 8]), Bytes::new()]);
        buffer.extend_from_slice(&[0, 0, 0, 9]);
        assert!(cut(&mut buffer, 8).is_err(), "a frame of 9 passed a limit of 8");
    }
}
