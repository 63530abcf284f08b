use std::fmt;

use stratus_core::{DecodeError, Reader, Wire, Writer};

/// Why a server did not do what a client asked. Nothing changed; the connection stays unless said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// The frame is no message of this version. The server closes the connection.
    Malformed,
    /// The registration is not signed by the group's rendezvous key over this very connection.
    Stranger,
    /// The record is not this peer's, not for this group, or not well formed.
    BadRecord,
    /// More requests than the server takes from one client. Slow down; the server closes on those who do not.
    TooFast,
    /// This connection has no live registration in the group. Register again.
    NotRegistered,
    /// Nobody of that id is registered in the group. Ask another introducer, or not at all.
    UnknownPeer,
    /// This connection is registered in as many groups as one may be.
    ConnectionFull,
    /// The group has as many members here as one may have.
    GroupFull,
    /// Too many registrations come from the client's network.
    NetworkFull,
    /// The server is full: connections, groups or members in all. Try another, or later.
    ServerFull,
    /// Another connection of the same key has taken this one's place. The server closes this one; whoever
    /// comes back at once fights with itself, or with a copy of its key.
    Replaced,
}

impl Refusal {
    /// Every refusal, in the order of its number on the wire.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Stranger,
        Self::BadRecord,
        Self::TooFast,
        Self::NotRegistered,
        Self::UnknownPeer,
        Self::ConnectionFull,
        Self::GroupFull,
        Self::NetworkFull,
        Self::ServerFull,
        Self::Replaced,
    ];

    /// A short fixed word, for counters and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Stranger => "stranger",
            Self::BadRecord => "bad_record",
            Self::TooFast => "too_fast",
            Self::NotRegistered => "not_registered",
            Self::UnknownPeer => "unknown_peer",
            Self::ConnectionFull => "connection_full",
            Self::GroupFull => "group_full",
            Self::NetworkFull => "network_full",
            Self::ServerFull => "server_full",
            Self::Replaced => "replaced",
        }
    }

    /// The number on the wire: 1 … 11.
    pub(super) fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the message is not one of this version",
            Self::Stranger => "not signed with the group's key for this connection",
            Self::BadRecord => "the record is not this peer's for this group",
            Self::TooFast => "too many requests in too short a time",
            Self::NotRegistered => "not registered in this group",
            Self::UnknownPeer => "no such member is registered here",
            Self::ConnectionFull => "registered in as many groups as one connection may be",
            Self::GroupFull => "the group has as many members here as one may have",
            Self::NetworkFull => "too many registrations from this network",
            Self::ServerFull => "the server is full",
            Self::Replaced => "another connection of the same identity has taken this one's place",
        })
    }
}

impl std::error::Error for Refusal {}

impl Wire for Refusal {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.number());
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let number = reader.u8()?;
        Self::ALL.into_iter().find(|refusal| refusal.number() == number).ok_or(DecodeError::Unknown)
    }
}
