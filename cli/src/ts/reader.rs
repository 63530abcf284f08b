//! Finds packets in bytes that arrive in pieces of any size, and says what the bytes are when they are not packets.

use std::fmt;

use super::packet::{PACKET_SIZE, Packet, SYNC_BYTE};

/// How many sync bytes in a row, each a packet apart, are believed.
const SYNC_COUNT: usize = 4;
/// How far to look for the first packet. A source that was cut anywhere has one within two packets.
const SEARCH_LIMIT_BYTES: usize = 64 * 1024;
/// How much of the beginning is kept to say what it may be instead.
const HEAD_BYTES: usize = 2048;

/// Turns a stream of bytes into packets, and finds the beat again when it is lost.
#[derive(Default)]
pub(crate) struct PacketReader {
    buffer: Vec<u8>,
    /// Where in `buffer` the unread part begins.
    start: usize,
    is_synchronised: bool,
    packet_count: u64,
    skipped_bytes: u64,
    head: Vec<u8>,
}

/// The input is not MPEG-TS; `guess` says what it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotTransportStream {
    /// How many bytes were looked at.
    pub(crate) searched_bytes: u64,
    /// What the first bytes look like.
    pub(crate) guess: Option<&'static str>,
}

impl fmt::Display for NotTransportStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.searched_bytes, self.guess) {
            (0, _) => write!(f, "the input is empty"),
            (n, Some(guess)) => write!(f, "no packets in the first {n} bytes; it looks like {guess}"),
            (n, None) => write!(f, "no packets (0x47 every {PACKET_SIZE} bytes) in the first {n} bytes"),
        }
    }
}

impl PacketReader {
    /// Takes what has arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.packet_count == 0 && self.head.len() < HEAD_BYTES {
            self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES - self.head.len())]);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next packet, if it is all there.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        if self.is_synchronised && self.buffer.get(self.start).is_some_and(|byte| *byte != SYNC_BYTE) {
            self.is_synchronised = false;
        }
        if !self.is_synchronised {
            self.synchronise();
        }
        self.take()
    }

    /// The packets that are left when nothing more will come: fewer than it takes to be sure are believed
    /// if they are whole and nothing else is there.
    pub(crate) fn next_at_end(&mut self) -> Option<Packet> {
        let unread = &self.buffer[self.start..];
        self.is_synchronised |=
            unread.len().is_multiple_of(PACKET_SIZE) && unread.iter().step_by(PACKET_SIZE).all(is_sync);
        self.take()
    }

    /// Whether the search for a first packet is over without one.
    pub(crate) fn refusal(&self, is_at_end: bool) -> Option<NotTransportStream> {
        let searched_bytes = self.skipped_bytes + (self.buffer.len() - self.start) as u64;
        let is_over = is_at_end || searched_bytes >= SEARCH_LIMIT_BYTES as u64;
        (self.packet_count == 0 && is_over)
            .then(|| NotTransportStream { searched_bytes, guess: guess(&self.head) })
    }

    fn take(&mut self) -> Option<Packet> {
        if !self.is_synchronised {
            return None;
        }
        let packet = Packet::from_slice(self.buffer.get(self.start..self.start + PACKET_SIZE)?)?;
        self.start += PACKET_SIZE;
        self.packet_count += 1;
        Some(packet)
    }

    /// Moves `start` to the first place that a row of sync bytes confirms, or to where such a place may yet begin.
    fn synchronise(&mut self) {
        let unread = &self.buffer[self.start..];
        let candidate_count = unread.len().saturating_sub((SYNC_COUNT - 1) * PACKET_SIZE);
        let found = (0..candidate_count)
            .find(|offset| unread[*offset..].iter().step_by(PACKET_SIZE).take(SYNC_COUNT).all(is_sync));
        let skipped = found.unwrap_or(candidate_count);
        self.is_synchronised = found.is_some();
        self.skipped_bytes += skipped as u64;
        self.start += skipped;
    }
}

fn is_sync(byte: &u8) -> bool {
    *byte == SYNC_BYTE
}

/// What a beginning looks like that is not a transport stream.
fn guess(head: &[u8]) -> Option<&'static str> {
    let has_beat = |offset: usize, stride: usize| {
        head.len() > offset + 3 * stride
            && head[offset..].iter().step_by(stride).take(SYNC_COUNT).all(is_sync)
    };
    match head {
        _ if has_beat(4, 192) => Some("M2TS (192-byte packets)"),
        _ if has_beat(0, 204) => Some("MPEG-TS with 204-byte packets"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("MP4"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("Matroska or WebM"),
        [b'F', b'L', b'V', ..] => Some("FLV"),
        [b'R', b'I', b'F', b'F', ..] => Some("WAV or AVI"),
        [b'O', b'g', b'g', b'S', ..] => Some("Ogg"),
        [0, 0, 1, 0xba, ..] => Some("MPEG program stream"),
        [0, 0, 0, 1, ..] | [0, 0, 1, ..] => Some("a raw video stream without a container"),
        [b'#', b'E', b'X', b'T', b'M', b'3', b'U', ..] => Some("a playlist"),
        _ if !head.is_empty() && std::str::from_utf8(&head[..head.len().min(64)]).is_ok() => Some("text"),
        _ => None,
    }
}
