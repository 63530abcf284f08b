use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DecodeError, GroupId, PeerId, Reader, Wire, Writer};

use super::{Refusal, Registration};
use crate::Record;

/// Longest encoded member record.
pub const MAX_RECORD: usize = Record::MAX_BYTES;
/// Most addresses in one introduction, as in RTMFP.
pub const MAX_CANDIDATES: usize = 24;
/// Most members named in one welcome.
pub const MAX_NAMED: usize = 64;

/// What a member tells a server. One frame each; the first byte is the kind.
///
/// ```text
/// 1 | registration
/// 2 | 32 group
/// 3 | 32 group
/// 4 | 32 group | 32 target | varint n ≤ 24, n addresses
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientMessage {
    /// List me, or list me with this record and address from now on. Answered by `Welcome` or `Refused`.
    Register(Registration),
    /// I am still here. Answered only if that is news (`Refused`, `NotRegistered`).
    Refresh {
        /// The group.
        group: GroupId,
    },
    /// Take me off the list. Never answered.
    Leave {
        /// The group.
        group: GroupId,
    },
    /// Tell `target` and me of each other, now. Answered by `Introduced` or `Refused`.
    Introduce {
        /// The group in which both are registered.
        group: GroupId,
        /// Who is wanted.
        target: PeerId,
        /// Addresses at which the asker may be met, besides those of its record and the one the server sees.
        candidates: Vec<SocketAddr>,
    },
}

/// What a server tells a member. One frame each; the first byte is the kind.
///
/// ```text
/// 1 | 32 group | address observed | varint ms refresh | varint ms expiry | varint n ≤ 64, n named
/// 2 | 32 group | 32 peer | varint n ≤ 512, n record | varint n ≤ 24, n addresses
/// 3 | subject | 1 refusal
/// 4 |
/// named: address observed | varint n ≤ 512, n record
/// subject: 0 | or 1, 32 group | or 2, 32 group, 32 target
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerMessage {
    /// You are listed.
    Welcome {
        /// The group.
        group: GroupId,
        /// The address from which the client is seen to come.
        observed: SocketAddr,
        /// How often to send `Refresh`.
        refresh_every: Duration,
        /// After how long without one the registration is gone.
        expires_after: Duration,
        /// Ring neighbors as stated, nearest first, then members chosen by chance. Never the asker.
        members: Vec<Named>,
    },
    /// Meet this member: dial it now, it is told the same about you in the same moment.
    Introduced {
        /// The group of both.
        group: GroupId,
        /// The other one.
        peer: PeerId,
        /// Its encoded record.
        record: Bytes,
        /// Where it may be met, best first.
        candidates: Vec<SocketAddr>,
    },
    /// That was not done.
    Refused {
        /// What was asked.
        subject: Subject,
        /// Why not.
        refusal: Refusal,
    },
    /// The server is about to close this connection in good order; nothing is wrong with the client.
    Goodbye,
}

/// One member as a server names it in a welcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The address from which the server sees it come.
    pub observed: SocketAddr,
    /// Its encoded record.
    pub record: Bytes,
}

/// What a refusal is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The connection as a whole, or a frame that could not be read.
    Connection,
    /// The client's registration in this group.
    Group(GroupId),
    /// An introduction.
    Introduction {
        /// The group.
        group: GroupId,
        /// Who was wanted.
        target: PeerId,
    },
}

impl ClientMessage {
    /// What a refusal of this message is about.
    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Register(registration) => Subject::Group(registration.group()),
            Self::Refresh { group } | Self::Leave { group } => Subject::Group(*group),
            Self::Introduce { group, target, .. } => Subject::Introduction { group: *group, target: *target },
        }
    }
}

impl Wire for ClientMessage {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Register(registration) => {
                writer.u8(1);
                registration.encode(writer);
            }
            Self::Refresh { group } => {
                writer.u8(2);
                group.encode(writer);
            }
            Self::Leave { group } => {
                writer.u8(3);
                group.encode(writer);
            }
            Self::Introduce { group, target, candidates } => {
                writer.u8(4);
                group.encode(writer);
                target.encode(writer);
                writer.list(candidates);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Register(Wire::decode(reader)?),
            2 => Self::Refresh { group: Wire::decode(reader)? },
            3 => Self::Leave { group: Wire::decode(reader)? },
            4 => Self::Introduce {
                group: Wire::decode(reader)?,
                target: Wire::decode(reader)?,
                candidates: reader.list(MAX_CANDIDATES)?,
            },
            _ => return Err(DecodeError::Unknown),
        })
    }
}

impl Wire for ServerMessage {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Welcome { group, observed, refresh_every, expires_after, members } => {
                writer.u8(1);
                group.encode(writer);
                observed.encode(writer);
                encode_millis(*refresh_every, writer);
                encode_millis(*expires_after, writer);
                writer.list(members);
            }
            Self::Introduced { group, peer, record, candidates } => {
                writer.u8(2);
                group.encode(writer);
                peer.encode(writer);
                writer.sized(record);
                writer.list(candidates);
            }
            Self::Refused { subject, refusal } => {
                writer.u8(3);
                subject.encode(writer);
                refusal.encode(writer);
            }
            Self::Goodbye => writer.u8(4),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Welcome {
                group: Wire::decode(reader)?,
                observed: Wire::decode(reader)?,
                refresh_every: decode_millis(reader)?,
                expires_after: decode_millis(reader)?,
                members: reader.list(MAX_NAMED)?,
            },
            2 => Self::Introduced {
                group: Wire::decode(reader)?,
                peer: Wire::decode(reader)?,
                record: reader.sized(MAX_RECORD)?,
                candidates: reader.list(MAX_CANDIDATES)?,
            },
            3 => Self::Refused { subject: Wire::decode(reader)?, refusal: Wire::decode(reader)? },
            4 => Self::Goodbye,
            _ => return Err(DecodeError::Unknown),
        })
    }
}

impl Wire for Named {
    fn encode(&self, writer: &mut Writer) {
        self.observed.encode(writer);
        writer.sized(&self.record);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { observed: Wire::decode(reader)?, record: reader.sized(MAX_RECORD)? })
    }
}

impl Wire for Subject {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Connection => writer.u8(0),
            Self::Group(group) => {
                writer.u8(1);
                group.encode(writer);
            }
            Self::Introduction { group, target } => {
                writer.u8(2);
                group.encode(writer);
                target.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            0 => Self::Connection,
            1 => Self::Group(Wire::decode(reader)?),
            2 => Self::Introduction { group: Wire::decode(reader)?, target: Wire::decode(reader)? },
            _ => return Err(DecodeError::Unknown),
        })
    }
}

fn encode_millis(duration: Duration, writer: &mut Writer) {
    writer.varint(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
}

/// A second to a day: no server can make its clients hammer it, nor fall silent for ever.
fn decode_millis(reader: &mut Reader) -> Result<Duration, DecodeError> {
    let millis = reader.varint_up_to(86_400_000)?;
    if millis < 1_000 { Err(DecodeError::Invalid) } else { Ok(Duration::from_millis(millis)) }
}

#[cfg(test)]
mod tests;
