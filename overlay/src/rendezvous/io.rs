use std::net::SocketAddr;

use stratus_core::{GroupId, PeerId};

use super::{ClientMessage, Refusal, ServerMessage, Subject};

/// What happens to a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A client connected and proved its key. Numbers are never used twice.
    Opened {
        /// The connection.
        connection: u64,
        /// Whose key it proved.
        peer: PeerId,
        /// From where it is seen to come.
        observed: SocketAddr,
        /// The TLS exporter value of the connection.
        exporter: [u8; 32],
    },
    /// A client sent a message.
    Received {
        /// The connection.
        connection: u64,
        /// The message.
        message: ClientMessage,
    },
    /// A client sent something that is no message.
    Garbled {
        /// The connection.
        connection: u64,
    },
    /// The connection is gone, whoever ended it.
    Closed {
        /// The connection.
        connection: u64,
    },
    /// Say goodbye to everybody and take nobody new.
    Stop,
}

/// What a registry asks of its host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Please send this.
    Send {
        /// The connection.
        connection: u64,
        /// The message.
        message: ServerMessage,
    },
    /// Please close, once what was sent before has gone out. The registry has forgotten the connection.
    Close {
        /// The connection.
        connection: u64,
    },
    /// Something for the log.
    Event(Event),
}

/// What the operator may want to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A member is listed that was not before.
    Registered {
        /// The group.
        group: GroupId,
        /// The member.
        peer: PeerId,
    },
    /// A member left, lost its connection or did not refresh.
    Unregistered {
        /// The group.
        group: GroupId,
        /// The member.
        peer: PeerId,
    },
    /// Two members were told of each other.
    Introduced {
        /// The group.
        group: GroupId,
        /// Who asked.
        asker: PeerId,
        /// Who was wanted.
        target: PeerId,
    },
    /// A request was refused.
    Refused {
        /// Whose.
        peer: PeerId,
        /// Why.
        refusal: Refusal,
    },
}

impl Output {
    pub(super) fn refused(connection: u64, subject: Subject, refusal: Refusal) -> Self {
        Self::Send { connection, message: ServerMessage::Refused { subject, refusal } }
    }

    pub(super) fn goodbye(connection: u64) -> Self {
        Self::Send { connection, message: ServerMessage::Goodbye }
    }
}
