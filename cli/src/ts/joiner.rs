//! A viewer's side: from messages back to the source's bytes, beginning where a decoder can.

use bytes::Bytes;

use super::chunker::inserted_packets;
use super::packet::PACKET_SIZE;

/// Turns messages into a transport stream that begins with PAT, PMT and a key frame.
///
/// What comes out is those tables and then the source's own bytes, null packets aside: tables that were inserted for
/// viewers who start at a later message are taken out again.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    is_started: bool,
}

impl Joiner {
    /// The source has begun anew: the next key message is waited for again.
    pub(crate) fn restart(&mut self) {
        self.is_started = false;
    }

    /// Takes the pieces of one message; gives what is to be written.
    pub(crate) fn take(&mut self, is_key: bool, mut pieces: Vec<Bytes>) -> Vec<Bytes> {
        let inserted = pieces.first().map_or(0, |first| inserted_packets(first));
        let unwanted_packets = match (self.is_started, is_key) {
            (false, false) => return Vec::new(),
            // The mark itself is never the source's.
            (false, true) => inserted.min(1),
            (true, _) => inserted,
        };
        self.is_started = true;
        drop_front(&mut pieces, unwanted_packets * PACKET_SIZE);
        pieces
    }
}

/// Takes the first `unwanted` bytes away, over as many pieces as it needs.
fn drop_front(pieces: &mut Vec<Bytes>, mut unwanted: usize) {
    for piece in pieces.iter_mut() {
        let cut = unwanted.min(piece.len());
        *piece = piece.slice(cut..);
        unwanted -= cut;
    }
    pieces.retain(|piece| !piece.is_empty());
}
