use std::sync::Arc;

use bytes::Bytes;
use stratus_core::{DecodeError, GroupAddress, Reader, Wire, Writer};

use super::api::ReceiveMode;
use super::value::{Key, Value};
use crate::places::Place;
use crate::record::Record;

/// Most bytes of a parcel's payload. Source: spec RO-5.
pub const MAX_PAYLOAD: usize = 8 * 1_024;
/// Most links that a parcel goes over. Source: spec RO-4.
pub const MAX_HOPS: u8 = 32;

/// Most members that an answer names.
pub const MAX_FOUND: usize = 8;
/// Most values that are offered at once.
pub const MAX_OFFERED: usize = 64;
/// Longest lifetime that travels, in seconds: a day.
const MAX_LIFETIME: u64 = 86_400;

/// What members say for directed routing, and for the values that stand on it. One message each; the first byte is the kind.
///
/// ```text
/// 1 | 1 mode (0 exact, 1 nearest)
/// 2 | 1 hops (1 to 32) | 32 origin | 1 (0 for a neighbor, 1 and 32 place) | varint n ≤ 8,192, n payload
///  3 | 4 nonce | 8 place                                                  find
///  4 | 4 nonce | varint n ≤ 8, n records                                  found
///  5 | 4 nonce | 32 key                                                   fetch
///  6 | 4 nonce | 0, or 1 and value | varint n ≤ 8, n records              fetched
///  7 | 4 nonce | varint seconds ≤ 86,400 | value                          keep
///  8 | 4 nonce | 1 reply (0 kept, 1 older and varint sequence, 2 no room, 3 too fast, 4 invalid)
///  9 | 4 nonce | varint n ≤ 64, n × (32 key | varint sequence)            offer
/// 10 | 4 nonce | varint n ≤ 64, n × 32 key                                wish
/// ```
///
/// All travel as control. Source: spec RO-7, RO-9, DH-7.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// For which places the sender takes parcels from now on; before the first one, for its own address alone.
    Mode(ReceiveMode),
    /// Something on its way.
    Parcel(Parcel),
    /// Which members do you know nearest to this place?
    Find {
        /// Comes back in the answer.
        nonce: u32,
        /// The place.
        target: Place,
    },
    /// These.
    Found {
        /// Of the question.
        nonce: u32,
        /// The nearest first.
        records: Vec<Arc<Record>>,
    },
    /// What do you keep under this key, and who is nearest to it?
    Fetch {
        /// Comes back in the answer.
        nonce: u32,
        /// The key.
        key: Key,
    },
    /// This.
    Fetched {
        /// Of the question.
        nonce: u32,
        /// What, if anything.
        value: Option<Value>,
        /// The nearest first.
        records: Vec<Arc<Record>>,
    },
    /// Keep this.
    Keep {
        /// Comes back in the answer.
        nonce: u32,
        /// For so many seconds.
        lifetime: u32,
        /// What.
        value: Value,
    },
    /// What became of it.
    Reply {
        /// Of the question.
        nonce: u32,
        /// What.
        reply: Reply,
    },
    /// I keep these, and you are near.
    Offer {
        /// Comes back in the answer.
        nonce: u32,
        /// Which.
        offered: Vec<Offered>,
    },
    /// I lack these of them.
    Wish {
        /// Of the offer.
        nonce: u32,
        /// Which.
        keys: Vec<Key>,
    },
}

/// What became of a value that somebody was asked to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// It is kept.
    Kept,
    /// Another value of this sequence or a later one is kept.
    Older(u64),
    /// There is no room.
    NoRoom,
    /// Too much was asked of late.
    TooFast,
    /// Its signature does not hold.
    Invalid,
}

/// A value that is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offered {
    /// Its key.
    pub key: Key,
    /// Its sequence.
    pub sequence: u64,
}

/// What is sent from neighbor to neighbor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// Links it will have come over when it is read.
    pub hops: u8,
    /// Who says to have sent it first.
    pub origin: GroupAddress,
    /// The place it is for; `None`: the neighbor.
    pub to: Option<GroupAddress>,
    /// What.
    pub payload: Bytes,
}

impl Message {
    /// A short fixed word for the kind, for traces and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mode(_) => "mode",
            Self::Parcel(_) => "parcel",
            Self::Find { .. } => "find",
            Self::Found { .. } => "found",
            Self::Fetch { .. } => "fetch",
            Self::Fetched { .. } => "fetched",
            Self::Keep { .. } => "keep",
            Self::Reply { .. } => "reply",
            Self::Offer { .. } => "offer",
            Self::Wish { .. } => "wish",
        }
    }
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Mode(mode) => {
                writer.u8(1);
                writer.u8(*mode as u8);
            }
            Self::Parcel(parcel) => {
                writer.u8(2);
                parcel.encode(writer);
            }
            Self::Find { nonce, target } => {
                head(writer, 3, *nonce);
                writer.u64(*target);
            }
            Self::Found { nonce, records } => {
                head(writer, 4, *nonce);
                encode_records(writer, records);
            }
            _ => self.encode_value(writer),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Mode(match reader.u8()? {
                0 => ReceiveMode::Exact,
                1 => ReceiveMode::Nearest,
                _ => return Err(DecodeError::Unknown),
            }),
            2 => Self::Parcel(Parcel::decode(reader)?),
            3 => Self::Find { nonce: reader.u32()?, target: reader.u64()? },
            4 => Self::Found { nonce: reader.u32()?, records: decode_records(reader)? },
            5 => Self::Fetch { nonce: reader.u32()?, key: Wire::decode(reader)? },
            6 => Self::Fetched {
                nonce: reader.u32()?,
                value: Wire::decode(reader)?,
                records: decode_records(reader)?,
            },
            7 => Self::Keep {
                nonce: reader.u32()?,
                lifetime: reader.varint_up_to(MAX_LIFETIME)? as u32,
                value: Wire::decode(reader)?,
            },
            8 => Self::Reply { nonce: reader.u32()?, reply: Wire::decode(reader)? },
            9 => Self::Offer { nonce: reader.u32()?, offered: reader.list(MAX_OFFERED)? },
            10 => Self::Wish { nonce: reader.u32()?, keys: reader.list(MAX_OFFERED)? },
            _ => return Err(DecodeError::Unknown),
        })
    }
}

impl Message {
    /// Those messages that are about values.
    fn encode_value(&self, writer: &mut Writer) {
        match self {
            Self::Fetch { nonce, key } => {
                head(writer, 5, *nonce);
                key.encode(writer);
            }
            Self::Fetched { nonce, value, records } => {
                head(writer, 6, *nonce);
                value.encode(writer);
                encode_records(writer, records);
            }
            Self::Keep { nonce, lifetime, value } => {
                head(writer, 7, *nonce);
                writer.varint(u64::from(*lifetime));
                value.encode(writer);
            }
            Self::Reply { nonce, reply } => {
                head(writer, 8, *nonce);
                reply.encode(writer);
            }
            Self::Offer { nonce, offered } => {
                head(writer, 9, *nonce);
                writer.list(offered);
            }
            Self::Wish { nonce, keys } => {
                head(writer, 10, *nonce);
                writer.list(keys);
            }
            _ => unreachable!("`encode` handles all others"),
        }
    }
}

fn head(writer: &mut Writer, kind: u8, nonce: u32) {
    writer.u8(kind);
    writer.u32(nonce);
}

fn encode_records(writer: &mut Writer, records: &[Arc<Record>]) {
    writer.varint(records.len() as u64);
    records.iter().for_each(|record| record.encode(writer));
}

fn decode_records(reader: &mut Reader) -> Result<Vec<Arc<Record>>, DecodeError> {
    let count = reader.varint_up_to(MAX_FOUND as u64)?;
    (0..count).map(|_| Record::decode(reader).map(Arc::new)).collect()
}

impl Wire for Reply {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Kept => writer.u8(0),
            Self::Older(sequence) => {
                writer.u8(1);
                writer.varint(*sequence);
            }
            Self::NoRoom => writer.u8(2),
            Self::TooFast => writer.u8(3),
            Self::Invalid => writer.u8(4),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            0 => Self::Kept,
            1 => Self::Older(reader.varint()?),
            2 => Self::NoRoom,
            3 => Self::TooFast,
            4 => Self::Invalid,
            _ => return Err(DecodeError::Unknown),
        })
    }
}

impl Wire for Offered {
    fn encode(&self, writer: &mut Writer) {
        self.key.encode(writer);
        writer.varint(self.sequence);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { key: Wire::decode(reader)?, sequence: reader.varint()? })
    }
}

impl Wire for Parcel {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.hops);
        self.origin.encode(writer);
        self.to.encode(writer);
        writer.sized(&self.payload);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let hops = reader.u8()?;
        if !(1..=MAX_HOPS).contains(&hops) {
            return Err(DecodeError::Invalid);
        }
        Ok(Self {
            hops,
            origin: Wire::decode(reader)?,
            to: Wire::decode(reader)?,
            payload: reader.sized(MAX_PAYLOAD)?,
        })
    }
}

#[cfg(test)]
mod tests;
