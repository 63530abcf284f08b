use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DecodeError, PublicKey, Reader, Wire, Writer};

/// Which stream: the public half of the random key that its publisher signs it with (spec MC-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub PublicKey);

/// The first four bytes of a [`StreamId`]: names the stream in each datagram of one group.
///
/// A member refuses a second stream whose alias it already knows (spec MC-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamAlias(pub u32);

impl StreamId {
    /// The short form.
    pub fn alias(&self) -> StreamAlias {
        let head = self.0.0.first_chunk::<4>().expect("a key has 32 bytes");
        StreamAlias(u32::from_be_bytes(*head))
    }
}

impl std::fmt::Debug for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stream {:08x}", self.alias().0)
    }
}

impl Wire for StreamId {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        PublicKey::decode(reader).map(Self)
    }
}

impl Wire for StreamAlias {
    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.0);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.u32().map(Self)
    }
}

/// What a message carries, as RTMFP told audio, video and data apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// Anything else.
    #[default]
    Data,
    /// Sound.
    Audio,
    /// Pictures, or a container that holds them.
    Video,
}

/// What a fragment is to its message.
///
/// One byte on the wire: bit 0 start, 1 end, 2 key, 3 and 4 the kind; bit 5 belongs to the manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PieceFlags {
    /// It begins a message.
    pub is_start: bool,
    /// It ends one.
    pub is_end: bool,
    /// Its message is a place where a newcomer can start. Meaningful on the first fragment.
    pub is_key: bool,
    /// What the message carries.
    pub kind: Kind,
}

impl PieceFlags {
    pub(crate) const ALL_BITS: u8 = 0b1_1111;

    pub(crate) fn bits(self) -> u8 {
        let kind = match self.kind {
            Kind::Data => 0,
            Kind::Audio => 1,
            Kind::Video => 2,
        };
        u8::from(self.is_start) | u8::from(self.is_end) << 1 | u8::from(self.is_key) << 2 | kind << 3
    }

    pub(crate) fn from_bits(bits: u8) -> Result<Self, DecodeError> {
        let kind = match bits >> 3 {
            0 => Kind::Data,
            1 => Kind::Audio,
            2 => Kind::Video,
            _ => return Err(DecodeError::Unknown),
        };
        Ok(Self { is_start: bits & 1 != 0, is_end: bits & 2 != 0, is_key: bits & 4 != 0, kind })
    }
}

/// One fragment as the publisher gives it: at most [`crate::Config::fragment_size`] bytes of one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The bytes, shared all the way to the sockets.
    pub payload: Bytes,
    /// Its place in its message.
    pub flags: PieceFlags,
    /// Nothing more will come at once: let the run go without waiting for company.
    pub flush: bool,
}

/// One whole message, as it reaches the player.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamMessage {
    /// Index of its first fragment in the stream; successive messages have rising indices.
    pub index: u64,
    /// What it carries.
    pub kind: Kind,
    /// Whether a newcomer could start here.
    pub is_key: bool,
    /// When its first run was cut, by the publisher's clock, since the stream began.
    pub published_at: Duration,
    /// Its fragments in order; together they are the message.
    pub pieces: Vec<Bytes>,
}

impl StreamMessage {
    /// Bytes in the message.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether it has no bytes; such messages are delivered like any other.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in one piece. Copies unless there is just one fragment.
    pub fn payload(&self) -> Bytes {
        match &self.pieces[..] {
            [single] => single.clone(),
            pieces => pieces.concat().into(),
        }
    }
}
