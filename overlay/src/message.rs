use std::net::SocketAddr;
use std::sync::Arc;

use stratus_core::{DecodeError, PeerId, Reader, Wire, Writer};

use crate::places::{Place, read_places, write_places};
use crate::record::Record;
use crate::rendezvous::MAX_CANDIDATES;

/// Most digests in one offer.
pub const MAX_DIGESTS: usize = 256;
/// Most members of whom a later record is asked for, and most missing ones, in one offer.
pub const MAX_MISSING: usize = 64;
/// Most records in one message.
pub const MAX_RECORDS: usize = 40;
/// Most bytes of records in one message.
pub const MAX_RECORD_BYTES: usize = 16 * 1_024;

/// What members of a group tell each other. One message each; the first byte is the kind.
///
/// ```text
///  1 | record                                          hello
///  2 | 1 role (0 start, 1 answer, 2 start and ask for all) | varint members | three lists: offered (n ≤ 256),
///    | old (n ≤ 64), missing (n ≤ 64): varint n, n × (8 place | 4 sequence)
///  3 | varint n ≤ 40, n × 8 place
///  4 | varint n ≤ 40, n × (varint age in tenths of a second | record)
///  5 | 1 (0 first, 1 repeated) | 4 nonce               ping
///  6 | 4 nonce | varint members                        pong
///  7 |                                                 ask to leave
///  8 | 1 why (1 leaving, 2 full)                       goodbye
///  9 | 32 target | varint n ≤ 24, n addresses          introduce me
/// 10 | 32 peer | 0, or 1 and record | varint n ≤ 24, n addresses
/// 11 | 32 target                                       not introduced
/// 12 | address                                         I see you at
/// 13 | 8 place                                         silent
/// ```
///
/// A first ping and its pong travel as datagrams, all others as control. Source: spec OV-25.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// The first message on a link, from both ends: the sender's own record.
    Hello(Arc<Record>),
    /// Members that the sender thinks the receiver wants, most important first.
    Offer {
        /// Who began the exchange.
        role: Role,
        /// How many members the group has, as far as the sender can tell by itself; 0: it cannot.
        members: u64,
        /// What is offered.
        digests: Vec<Digest>,
        /// Members of whom the sender would like a later record than this, if there is one.
        old: Vec<Digest>,
        /// Members that the sender found gone, or was told are, and what was last heard of them.
        missing: Vec<Digest>,
    },
    /// Send me the records of these.
    Want(Vec<Place>),
    /// Records, asked for or new.
    Records(Vec<Aged>),
    /// Are you there?
    Ping {
        /// Comes back in the pong.
        nonce: u32,
        /// Whether one before it went unanswered: then the pong is sent as control.
        is_repeated: bool,
    },
    /// Yes.
    Pong {
        /// The ping's.
        nonce: u32,
        /// As in an offer.
        members: u64,
    },
    /// I have no use for this link; end it unless you have.
    AskLeave,
    /// I am about to end this link.
    Goodbye(Farewell),
    /// Tell `target` and me of each other.
    Introduce {
        /// Who is wanted.
        target: PeerId,
        /// Where the sender may be met, besides what its record says.
        candidates: Vec<SocketAddr>,
    },
    /// Meet this member: dial it now, it is told the same about you in the same moment.
    Introduced {
        /// Whom to meet.
        peer: PeerId,
        /// Its record, if the introducer has it.
        record: Option<Arc<Record>>,
        /// Where to meet it, best first.
        candidates: Vec<SocketAddr>,
    },
    /// I cannot introduce you to this one.
    NotIntroduced(PeerId),
    /// The address from which I see you come.
    Observed(SocketAddr),
    /// This member does not answer me; see for yourself.
    Silent(Place),
}

/// Which side of an exchange an offer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It begins one: answer with what is not in it.
    Start,
    /// It answers one.
    Answer,
    /// It begins one and knows little: answer with all that it may want, not only with news.
    Ask,
}

/// Why a neighbor ends a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Farewell {
    /// It leaves the group.
    Leaving,
    /// It has as many links as it may have.
    Full,
}

/// Twelve bytes that say which record of which member is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest {
    /// The member.
    pub place: Place,
    /// The low 32 bits of the record's sequence.
    pub sequence: u32,
}

impl Digest {
    /// The digest of `record`, whose owner sits at `place`.
    pub fn of(place: Place, record: &Record) -> Self {
        Self { place, sequence: record.sequence() as u32 }
    }

    /// Which edition of the record it is, as far as can be seen.
    pub(crate) fn edition(self) -> u32 {
        self.sequence >> Record::EDITION_BITS
    }

    /// Whether this is of a later record than `other`, both of the same member.
    pub fn is_newer_than(self, other: Self) -> bool {
        // Like serial numbers: whatever is less than half of all numbers ahead.
        self.sequence.wrapping_sub(other.sequence).cast_signed() > 0
    }
}

/// A record and for how long its sequence has not moved, as far as the sender knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aged {
    /// The record.
    pub record: Arc<Record>,
    /// Tenths of a second since its sequence was new.
    pub age: u32,
}

impl Message {
    /// A short fixed word for the kind, for traces and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Offer { .. } => "offer",
            Self::Want(_) => "want",
            Self::Records(_) => "records",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::AskLeave => "ask_leave",
            Self::Goodbye(_) => "goodbye",
            Self::Introduce { .. } => "introduce",
            Self::Introduced { .. } => "introduced",
            Self::NotIntroduced(_) => "not_introduced",
            Self::Observed(_) => "observed",
            Self::Silent(_) => "silent",
        }
    }
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Hello(record) => {
                writer.u8(1);
                record.encode(writer);
            }
            Self::Offer { role, members, digests, old, missing } => {
                writer.u8(2);
                writer.u8(*role as u8);
                writer.varint(*members);
                writer.list(digests);
                writer.list(old);
                writer.list(missing);
            }
            Self::Want(places) => {
                writer.u8(3);
                write_places(writer, places);
            }
            Self::Records(records) => {
                writer.u8(4);
                writer.list(records);
            }
            Self::Ping { nonce, is_repeated } => {
                writer.u8(5);
                writer.u8(u8::from(*is_repeated));
                writer.u32(*nonce);
            }
            Self::Pong { nonce, members } => {
                writer.u8(6);
                writer.u32(*nonce);
                writer.varint(*members);
            }
            Self::AskLeave => writer.u8(7),
            Self::Goodbye(why) => {
                writer.u8(8);
                writer.u8(*why as u8 + 1);
            }
            _ => self.encode_meeting(writer),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Hello(Arc::new(Record::decode(reader)?)),
            2 => Self::Offer {
                role: Role::decode(reader)?,
                members: reader.varint()?,
                digests: reader.list(MAX_DIGESTS)?,
                old: reader.list(MAX_MISSING)?,
                missing: reader.list(MAX_MISSING)?,
            },
            3 => Self::Want(read_places(reader, MAX_RECORDS)?),
            4 => Self::Records(reader.list(MAX_RECORDS)?),
            5 => Self::Ping { is_repeated: read_bool(reader)?, nonce: reader.u32()? },
            6 => Self::Pong { nonce: reader.u32()?, members: reader.varint()? },
            7 => Self::AskLeave,
            8 => Self::Goodbye(Farewell::decode(reader)?),
            9 => {
                Self::Introduce { target: PeerId::decode(reader)?, candidates: reader.list(MAX_CANDIDATES)? }
            }
            10 => Self::Introduced {
                peer: PeerId::decode(reader)?,
                record: read_optional_record(reader)?,
                candidates: reader.list(MAX_CANDIDATES)?,
            },
            11 => Self::NotIntroduced(PeerId::decode(reader)?),
            12 => Self::Observed(SocketAddr::decode(reader)?),
            13 => Self::Silent(reader.u64()?),
            _ => return Err(DecodeError::Unknown),
        })
    }
}

impl Message {
    /// Those messages by which members meet and lose each other.
    fn encode_meeting(&self, writer: &mut Writer) {
        match self {
            Self::Introduce { target, candidates } => {
                writer.u8(9);
                target.encode(writer);
                writer.list(candidates);
            }
            Self::Introduced { peer, record, candidates } => {
                writer.u8(10);
                peer.encode(writer);
                writer.u8(u8::from(record.is_some()));
                if let Some(record) = record {
                    record.encode(writer);
                }
                writer.list(candidates);
            }
            Self::NotIntroduced(target) => {
                writer.u8(11);
                target.encode(writer);
            }
            Self::Observed(address) => {
                writer.u8(12);
                address.encode(writer);
            }
            Self::Silent(place) => {
                writer.u8(13);
                writer.u64(*place);
            }
            _ => unreachable!("`encode` handles all others"),
        }
    }
}

impl Role {
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::Start),
            1 => Ok(Self::Answer),
            2 => Ok(Self::Ask),
            _ => Err(DecodeError::Unknown),
        }
    }
}

impl Farewell {
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            1 => Ok(Self::Leaving),
            2 => Ok(Self::Full),
            _ => Err(DecodeError::Unknown),
        }
    }
}

impl Wire for Digest {
    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.place);
        writer.u32(self.sequence);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { place: reader.u64()?, sequence: reader.u32()? })
    }
}

impl Wire for Aged {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(u64::from(self.age));
        self.record.encode(writer);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let age = reader.varint_up_to(u64::from(u32::MAX))? as u32;
        Ok(Self { age, record: Arc::new(Record::decode(reader)?) })
    }
}

fn read_optional_record(reader: &mut Reader) -> Result<Option<Arc<Record>>, DecodeError> {
    Ok(if read_bool(reader)? { Some(Arc::new(Record::decode(reader)?)) } else { None })
}

fn read_bool(reader: &mut Reader) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Unknown),
    }
}

#[cfg(test)]
mod tests;
