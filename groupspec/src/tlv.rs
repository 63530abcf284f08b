use stratus_core::{DecodeError, Reader, Writer};

use crate::error::{ParseError, Reason};
use crate::text::position;

/// The types of fields, as RTMFP numbers them; `SERVER` is ours. Source: spec GS-4, GS-7.
pub(crate) mod types {
    pub(crate) const VERSION: u64 = 0x7f;
    pub(crate) const ROUTING: u64 = 0x00;
    pub(crate) const MULTICAST: u64 = 0x01;
    pub(crate) const OBJECT_REPLICATION: u64 = 0x02;
    pub(crate) const POSTING: u64 = 0x03;
    pub(crate) const PUBLISH_KEY: u64 = 0x05;
    pub(crate) const POSTING_KEY: u64 = 0x07;
    pub(crate) const SERVER_CHANNEL: u64 = 0x0c;
    pub(crate) const PEER_TO_PEER_DISABLED: u64 = 0x0d;
    pub(crate) const NAME: u64 = 0x0e;
    pub(crate) const IP_MULTICAST_MEMBER_UPDATES: u64 = 0x1b;

    pub(crate) const IP_MULTICAST_ADDRESS: u64 = 0x0a;
    pub(crate) const BOOTSTRAP_PEER: u64 = 0x0b;
    pub(crate) const PUBLISH_AUTHORIZATION: u64 = 0x15;
    pub(crate) const POSTING_AUTHORIZATION: u64 = 0x17;
    pub(crate) const SERVER: u64 = 0x40;
    /// Hints from here on are kept and ignored by those who do not know them.
    pub(crate) const FIRST_IGNORABLE: u64 = 0x41;
}

/// One field: a length (of type and value), a type, a value.
pub(crate) struct Field {
    pub(crate) kind: u64,
    pub(crate) value: Vec<u8>,
    /// Where the field begins, where its value does, and where it ends: indices of bytes.
    pub(crate) start: usize,
    pub(crate) value_start: usize,
    pub(crate) end: usize,
}

impl Field {
    /// `reason`, at the start of this field in the text.
    pub(crate) fn fault(&self, reason: Reason) -> ParseError {
        reason.at(position(self.start))
    }

    /// `reason`, at the value of this field in the text.
    pub(crate) fn value_fault(&self, reason: Reason) -> ParseError {
        reason.at(position(self.value_start))
    }

    /// The value as so many bytes.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], ParseError> {
        self.value.as_slice().try_into().map_err(|_| self.fault(Reason::Length))
    }

    /// A value that says all by being there.
    pub(crate) fn empty(&self) -> Result<(), ParseError> {
        if self.value.is_empty() { Ok(()) } else { Err(self.fault(Reason::Length)) }
    }
}

/// Reads fields one after another.
pub(crate) struct Fields {
    reader: Reader,
    total: usize,
}

/// What stands next.
pub(crate) enum Next {
    Field(Field),
    /// A length of nothing: the end of the identity.
    Marker,
    End,
}

impl Fields {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { reader: Reader::new(bytes.to_vec().into()), total: bytes.len() }
    }

    /// How many bytes were read.
    pub(crate) fn index(&self) -> usize {
        self.total - self.reader.remaining()
    }

    pub(crate) fn next(&mut self) -> Result<Next, ParseError> {
        let start = self.index();
        if start == self.total {
            return Ok(Next::End);
        }
        let cut_short = Reason::CutShort.at(position(self.total));
        let number = |error, at| match error {
            DecodeError::Number => Reason::LongNumber.at(position(at)),
            _ => cut_short,
        };
        let length = self.reader.varint().map_err(|error| number(error, start))?;
        if length == 0 {
            return Ok(Next::Marker);
        }
        let kind_start = self.index();
        let length = usize::try_from(length).map_err(|_| cut_short)?;
        let mut body = Reader::new(self.reader.raw(length).map_err(|_| cut_short)?);
        let kind = body.varint().map_err(|error| match error {
            DecodeError::Number => Reason::LongNumber.at(position(kind_start)),
            _ => Reason::Length.at(position(start)),
        })?;
        let end = self.index();
        let value_start = end - body.remaining();
        Ok(Next::Field(Field { kind, value: body.rest().to_vec(), start, value_start, end }))
    }
}

/// The bytes of one field.
pub(crate) fn field(kind: u64, value: &[u8]) -> Vec<u8> {
    let mut body = Writer::new();
    body.varint(kind);
    body.raw(value);
    let mut whole = Writer::new();
    whole.sized(&body.finish());
    whole.finish().to_vec()
}
