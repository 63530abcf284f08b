use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Digest, Identity, Time, Verify};

use crate::manifest::{MAX_INLINE, MAX_RUN};
use crate::{Manifest, Piece, PieceEntry, PieceFlags};

/// Cuts a publisher's pieces into runs and signs each (spec MC-6).
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    key: Identity,
    began_at: Time,
    next_run: u64,
    next_index: u64,
    /// The link to the manifest that was cut last.
    previous: Digest,
    pending: Vec<(PieceFlags, Bytes)>,
    pending_since: Time,
    inline_len: usize,
}

/// A run, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct CutRun {
    pub(crate) manifest: Arc<Manifest>,
    /// The payloads of all positions, inline ones too.
    pub(crate) payloads: Vec<Bytes>,
}

impl Cutter {
    pub(crate) fn new(key: Identity, began_at: Time) -> Self {
        Self {
            key,
            began_at,
            next_run: 0,
            next_index: 0,
            previous: [0; 16],
            pending: Vec::new(),
            pending_since: began_at,
            inline_len: 0,
        }
    }

    pub(crate) fn key(&self) -> &Identity {
        &self.key
    }

    /// How many runs and fragments were cut.
    pub(crate) fn cut_so_far(&self) -> (u64, u64) {
        (self.next_run, self.next_index)
    }

    /// Whether something waits to be cut.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// When the pending run must go, if there is one.
    pub(crate) fn due_at(&self, hold: Duration) -> Option<Time> {
        (!self.pending.is_empty()).then(|| self.pending_since + hold)
    }

    /// Takes the next piece; says whether the run is full.
    pub(crate) fn add(&mut self, now: Time, piece: &Piece, run_length: usize) -> bool {
        if self.pending.is_empty() {
            self.pending_since = now;
        }
        self.pending.push((piece.flags, piece.payload.clone()));
        self.pending.len() >= run_length.min(MAX_RUN)
    }

    /// Whether what is pending must go before a piece with these flags: newcomers start at a run that begins with a key
    /// message, so each begins one, unless its run has begun with another (spec MC-6).
    pub(crate) fn ends_before(&self, flags: PieceFlags) -> bool {
        let is_place_to_start = |flags: PieceFlags| flags.is_start && flags.is_key;
        let first = self.pending.first();
        is_place_to_start(flags) && first.is_some_and(|(first, _)| !is_place_to_start(*first))
    }

    /// Cuts what is pending into a signed run.
    pub(crate) fn cut(&mut self, now: Time, verify: &dyn Verify) -> Option<CutRun> {
        if self.pending.is_empty() {
            return None;
        }
        Some(self.cut_all(now, verify))
    }

    /// A run without fragments: the sign of life of a stream that rests (spec MC-6).
    pub(crate) fn beat(&mut self, now: Time, verify: &dyn Verify) -> CutRun {
        assert!(self.pending.is_empty(), "what is pending is a sign of life itself");
        self.cut_all(now, verify)
    }

    fn cut_all(&mut self, now: Time, verify: &dyn Verify) -> CutRun {
        self.inline_len = 0;
        let pending = std::mem::take(&mut self.pending);
        let entries = pending.iter().map(|(flags, payload)| self.entry(*flags, payload, verify)).collect();
        let published_at = now.since(self.began_at);
        let (run, first_index, previous) = (self.next_run, self.next_index, self.previous);
        let manifest = Manifest::signed(&self.key, run, first_index, published_at, previous, entries);
        self.previous = manifest.link(verify);
        self.next_run += 1;
        self.next_index = manifest.end_index();
        let payloads = pending.into_iter().map(|(_, payload)| payload).collect();
        CutRun { manifest: Arc::new(manifest), payloads }
    }

    /// A payload rides inside the manifest while there is room: one datagram rather than two.
    fn entry(&mut self, flags: PieceFlags, payload: &Bytes, verify: &dyn Verify) -> PieceEntry {
        if self.inline_len + payload.len() <= MAX_INLINE {
            self.inline_len += payload.len();
            PieceEntry::Inline { flags, payload: payload.clone() }
        } else {
            PieceEntry::Hashed { flags, digest: verify.digest(payload) }
        }
    }
}
