use bytes::Bytes;
use stratus_core::{DecodeError, Reader, Wire, Writer};

use crate::load::Load;
use crate::objects::{MOST_OBJECTS, ObjectSet};

/// Longest object, bytes. Source: spec RE-2.
pub const MOST_OBJECT_BYTES: usize = 64 << 10;
/// Most request numbers in one message.
pub const MOST_IDS: usize = 64;

/// What neighbors say about objects. Source: spec RE-3.
///
/// ```text
/// have    1 | flags 1 (bit 0 scarce) | load 2 | set        what is offered to you: all of it
/// gained  2 | load 2 | set                                 and this as well
/// lost    3 | set                                          and this no longer
/// ask     4 | done: list of ids | wants: list of (id, index)
/// object  5 | id | index | load 2 | bytes to the end
/// deny    6 | why 1 | load 2 | list of ids
/// cancel  7 | list of ids
/// ```
///
/// Ids are the asker's, counted up on each link. `load` is a [`Load`] of the sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Everything that the sender offers, in place of what it said before.
    Have {
        /// Whether to ask it only for what nobody else offers: it has all and should not send it twice.
        is_scarce: bool,
        /// How busy it is.
        load: Load,
        /// What it offers.
        set: ObjectSet,
    },
    /// It offers this as well.
    Gained {
        /// How busy it is.
        load: Load,
        /// What came.
        set: ObjectSet,
    },
    /// It no longer offers this.
    Lost(ObjectSet),
    /// Please send objects; and those with the first ids have come.
    Ask {
        /// Ids of requests whose objects came.
        done: Vec<u64>,
        /// What is wanted next.
        wants: Vec<Want>,
    },
    /// An object.
    Object {
        /// Which request it answers.
        id: u64,
        /// Its number.
        index: u64,
        /// How busy the sender is.
        load: Load,
        /// Its bytes.
        payload: Bytes,
    },
    /// These requests will not be answered.
    Deny {
        /// Why.
        why: Denied,
        /// How busy the sender is.
        load: Load,
        /// Which.
        ids: Vec<u64>,
    },
    /// Please forget these requests; each that is not on its way yet is denied.
    Cancel(Vec<u64>),
}

/// One request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Want {
    /// The asker's number for it.
    pub id: u64,
    /// The object's number.
    pub index: u64,
}

/// Why a request is denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// As many uploads as are allowed: ask elsewhere, or here later.
    Busy,
    /// It is not offered to the asker.
    NotOffered,
    /// The application said no.
    Refused,
    /// The asker took it back.
    Cancelled,
}

const DENIED: [(Denied, u8); 4] =
    [(Denied::Busy, 1), (Denied::NotOffered, 2), (Denied::Refused, 3), (Denied::Cancelled, 4)];

impl Wire for Denied {
    fn encode(&self, writer: &mut Writer) {
        let code = DENIED.iter().find(|(why, _)| why == self).map_or(0, |(_, code)| *code);
        writer.u8(code);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let code = reader.u8()?;
        DENIED.iter().find(|(_, known)| *known == code).map(|(why, _)| *why).ok_or(DecodeError::Unknown)
    }
}

impl Wire for Want {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.id);
        writer.varint(self.index);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { id: reader.varint()?, index: index(reader)? })
    }
}

fn index(reader: &mut Reader) -> Result<u64, DecodeError> {
    let index = reader.varint()?;
    if index < MOST_OBJECTS { Ok(index) } else { Err(DecodeError::Number) }
}

impl Message {
    /// Everything but the bytes of an object, and those: so that they can be sent without being copied.
    pub fn split(&self) -> Option<(Bytes, Bytes)> {
        let Self::Object { payload, .. } = self else { return None };
        let mut writer = Writer::new();
        self.encode_head(&mut writer);
        Some((writer.finish(), payload.clone()))
    }

    fn encode_head(&self, writer: &mut Writer) {
        match self {
            Self::Have { is_scarce, load, set } => {
                writer.u8(1);
                writer.u8(u8::from(*is_scarce));
                load.encode(writer);
                set.encode(writer);
            }
            Self::Gained { load, set } => {
                writer.u8(2);
                load.encode(writer);
                set.encode(writer);
            }
            Self::Lost(set) => {
                writer.u8(3);
                set.encode(writer);
            }
            Self::Ask { done, wants } => {
                writer.u8(4);
                writer.list(done);
                writer.list(wants);
            }
            Self::Object { id, index, load, .. } => {
                writer.u8(5);
                writer.varint(*id);
                writer.varint(*index);
                load.encode(writer);
            }
            Self::Deny { why, load, ids } => {
                writer.u8(6);
                why.encode(writer);
                load.encode(writer);
                writer.list(ids);
            }
            Self::Cancel(ids) => {
                writer.u8(7);
                writer.list(ids);
            }
        }
    }
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        self.encode_head(writer);
        if let Self::Object { payload, .. } = self {
            writer.raw(payload);
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Have {
                is_scarce: bool::decode(reader)?,
                load: Wire::decode(reader)?,
                set: Wire::decode(reader)?,
            },
            2 => Self::Gained { load: Wire::decode(reader)?, set: Wire::decode(reader)? },
            3 => Self::Lost(Wire::decode(reader)?),
            4 => Self::Ask { done: reader.list(MOST_IDS)?, wants: reader.list(MOST_IDS)? },
            5 => {
                let (id, index, load) = (reader.varint()?, index(reader)?, Load::decode(reader)?);
                if reader.remaining() > MOST_OBJECT_BYTES {
                    return Err(DecodeError::TooLong);
                }
                Self::Object { id, index, load, payload: reader.rest() }
            }
            6 => Self::Deny {
                why: Wire::decode(reader)?,
                load: Wire::decode(reader)?,
                ids: reader.list(MOST_IDS)?,
            },
            7 => Self::Cancel(reader.list(MOST_IDS)?),
            _ => return Err(DecodeError::Unknown),
        })
    }

    fn wire_len(&self) -> usize {
        let mut writer = Writer::counting();
        self.encode_head(&mut writer);
        let payload = if let Self::Object { payload, .. } = self { payload.len() } else { 0 };
        writer.len() + payload
    }
}
