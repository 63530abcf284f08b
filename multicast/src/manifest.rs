use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DecodeError, Digest, Identity, Reader, Signature, Verify, Wire, Writer};

use crate::message::MAX_NUMBER;
use crate::{PieceFlags, StreamId};

const MANIFEST_DOMAIN: &[u8] = b"stratus 1 manifest";
/// Most fragments in a run; a position fits in a `BitSet`.
pub(crate) const MAX_RUN: usize = 32;
/// Most payload bytes that ride inside one manifest.
pub(crate) const MAX_INLINE: usize = 480;
const INLINE_BIT: u8 = 1 << 5;

/// What a manifest says of one fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PieceEntry {
    /// It travels in a datagram of its own whose payload has this digest.
    Hashed {
        /// Its place in its message.
        flags: PieceFlags,
        /// What its payload must hash to.
        digest: Digest,
    },
    /// It is so small that it rides along.
    Inline {
        /// Its place in its message.
        flags: PieceFlags,
        /// The payload.
        payload: Bytes,
    },
}

impl PieceEntry {
    /// The fragment's place in its message.
    pub fn flags(&self) -> PieceFlags {
        match self {
            Self::Hashed { flags, .. } | Self::Inline { flags, .. } => *flags,
        }
    }
}

/// The signed table of contents of one run: the unit of authentication and of slicing (spec MC-6).
///
/// | bytes | field |
/// |---|---|
/// | varint | run |
/// | varint | index of the first fragment |
/// | varint | when the run was cut, µs since the stream began |
/// | 16 | link: the first 16 bytes of the BLAKE3 of the manifest before it, unsigned part; zeros in run 0 |
/// | 1 | count, 0 to 32: none is a beat, the sign of life of a stream that rests |
/// | per fragment 1 + 16 | flags, digest; with bit 5 of the flags: varint length and the payload itself |
/// | 64 | the stream key over domain, stream key and all above |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Runs count up from 0.
    pub run: u64,
    /// Index of the first fragment; fragments count up from 0 over the whole stream.
    pub first_index: u64,
    /// When the run was cut, since the stream began, by the publisher's clock.
    pub published_at: Duration,
    /// The [`Manifest::link`] of the run before; zeros in run 0. Two histories of one stream cannot be mixed
    /// without showing it (spec MC-21).
    pub previous: Digest,
    /// One entry per fragment, at most 32. None: the publisher lives and has nothing to say (spec MC-6).
    pub pieces: Vec<PieceEntry>,
    signature: Signature,
}

impl Manifest {
    /// Makes and signs the manifest of a run. Cost: one signature, about 18 µs.
    pub(crate) fn signed(
        key: &Identity,
        run: u64,
        first_index: u64,
        published_at: Duration,
        previous: Digest,
        pieces: Vec<PieceEntry>,
    ) -> Self {
        assert!(pieces.len() <= MAX_RUN, "spec MC-6: a run has at most 32 fragments");
        let signature = Signature([0; 64]);
        let mut manifest = Self { run, first_index, published_at, previous, pieces, signature };
        manifest.signature = key.sign(&manifest.message(&StreamId(key.public())));
        manifest
    }

    /// Whether the stream's key signed it. Cost: one signature check, about 31 µs.
    pub fn is_authentic(&self, verify: &dyn Verify, stream: &StreamId) -> bool {
        verify.signature(&stream.0, &self.message(stream), &self.signature)
    }

    /// What the next run's manifest names as the one before it. Cost: one hash of its bytes.
    pub(crate) fn link(&self, verify: &dyn Verify) -> Digest {
        let mut writer = Writer::with_capacity(640);
        self.encode_body(&mut writer);
        verify.digest(&writer.finish())
    }

    /// Whether `other` says the same; two authentic ones of one run that do not show a publisher that lies.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let head =
            |manifest: &Self| (manifest.run, manifest.first_index, manifest.published_at, manifest.previous);
        head(self) == head(other) && self.pieces == other.pieces
    }

    /// Whether it carries nothing: only the word that the publisher lives.
    pub fn is_beat(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Index just after the last fragment.
    pub fn end_index(&self) -> u64 {
        self.first_index.saturating_add(self.pieces.len() as u64)
    }

    /// Fragments that travel in datagrams of their own.
    pub(crate) fn separate_count(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, PieceEntry::Hashed { .. })).count()
    }

    /// Bytes of payload that ride inside.
    pub fn inline_len(&self) -> usize {
        let len = |piece: &PieceEntry| match piece {
            PieceEntry::Hashed { .. } => 0,
            PieceEntry::Inline { payload, .. } => payload.len(),
        };
        self.pieces.iter().map(len).sum()
    }

    fn message(&self, stream: &StreamId) -> Vec<u8> {
        let mut writer = Writer::with_capacity(640);
        writer.raw(MANIFEST_DOMAIN);
        stream.encode(&mut writer);
        self.encode_body(&mut writer);
        writer.finish().into()
    }

    fn encode_body(&self, writer: &mut Writer) {
        writer.varint(self.run);
        writer.varint(self.first_index);
        writer.varint(self.published_at.as_micros() as u64);
        writer.raw(&self.previous);
        writer.u8(self.pieces.len() as u8);
        for piece in &self.pieces {
            piece.encode(writer);
        }
    }
}

impl Wire for PieceEntry {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Hashed { flags, digest } => {
                writer.u8(flags.bits());
                writer.raw(digest);
            }
            Self::Inline { flags, payload } => {
                writer.u8(flags.bits() | INLINE_BIT);
                writer.sized(payload);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let bits = reader.u8()?;
        if bits & !(PieceFlags::ALL_BITS | INLINE_BIT) != 0 {
            return Err(DecodeError::Unknown);
        }
        let flags = PieceFlags::from_bits(bits & PieceFlags::ALL_BITS)?;
        if bits & INLINE_BIT == 0 {
            Ok(Self::Hashed { flags, digest: reader.array()? })
        } else {
            Ok(Self::Inline { flags, payload: reader.sized(MAX_INLINE)? })
        }
    }
}

impl Wire for Manifest {
    fn encode(&self, writer: &mut Writer) {
        self.encode_body(writer);
        self.signature.encode(writer);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let run = reader.varint_up_to(MAX_NUMBER)?;
        let first_index = reader.varint_up_to(MAX_NUMBER)?;
        let published_at = Duration::from_micros(reader.varint_up_to(MAX_NUMBER)?);
        let previous = reader.array()?;
        let count = usize::from(reader.u8()?);
        if count > MAX_RUN {
            return Err(DecodeError::TooLong);
        }
        // Kept as long as the window lasts: no place too many. A run's most is 1.3 kB.
        let mut pieces = Vec::with_capacity(count);
        for _ in 0..count {
            pieces.push(PieceEntry::decode(reader)?);
        }
        let signature = Signature::decode(reader)?;
        Ok(Self { run, first_index, published_at, previous, pieces, signature })
    }
}
