use std::io;
use std::net::SocketAddr;

use quinn::{ConnectError, ConnectionError, TransportErrorCode};

/// Why an endpoint could not be opened. Nothing is left open.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program, or another endpoint, has the port.
    #[error("udp port is in use: {address}")]
    PortInUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The port needs a privilege that this process lacks.
    #[error("no permission for udp port: {address}")]
    NotPermitted {
        /// What was asked for.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error("no such local address: {address}")]
    NoSuchAddress {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Two settings contradict each other.
    #[error("transport settings: {0}")]
    Config(&'static str),
    /// Anything else the system said.
    #[error("cannot bind udp port {address}: {source}")]
    Io {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    pub(crate) fn from_io(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { address },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Io { address, source },
        }
    }
}

/// Why a group could not be joined on this endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinError {
    /// The endpoint is in this group already; use the port it has.
    #[error("this endpoint is in the group already")]
    AlreadyJoined,
    /// Leave another group first.
    #[error("this endpoint is in as many groups as it may be")]
    TooManyGroups,
    /// The endpoint was closed.
    #[error("the endpoint is closed")]
    Closed,
}

/// Why no link came of a dial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum DialError {
    /// The endpoint or the group is closed, or the dial was called off.
    #[error("the dial was called off")]
    Cancelled,
    /// No candidate address can be dialled from here.
    #[error("no usable address")]
    NoAddress,
    /// Nothing answered in time.
    #[error("no answer in time")]
    TimedOut,
    /// The machine answers, but the connection broke before it was proven.
    #[error("the connection was closed")]
    Closed,
    /// Something answers that will not talk to us.
    #[error("the connection was refused")]
    Refused,
    /// Something answers that speaks another protocol or version.
    #[error("another protocol or version answers there")]
    WrongProtocol,
    /// Another peer answers at this address.
    #[error("another peer answers there")]
    WrongPeer,
    /// The peer is there, but is not in this group.
    #[error("the peer is not in this group")]
    NotMember,
    /// As many dials or connections as allowed are under way.
    #[error("as many connections as allowed are open")]
    TooMany,
    /// The address is our own.
    #[error("that peer is this peer")]
    Oneself,
}

impl DialError {
    pub(crate) fn of_connection(error: &ConnectionError) -> Self {
        let code = match error {
            ConnectionError::TransportError(error) => error.code,
            ConnectionError::ConnectionClosed(close) => close.error_code,
            ConnectionError::TimedOut => return Self::TimedOut,
            ConnectionError::LocallyClosed => return Self::Cancelled,
            ConnectionError::VersionMismatch => return Self::WrongProtocol,
            _ => return Self::Closed,
        };
        match code {
            // no_application_protocol
            code if code == TransportErrorCode::crypto(0x78) => Self::WrongProtocol,
            // access_denied is what our own check of the expected key answers.
            code if code == TransportErrorCode::crypto(0x31) => Self::WrongPeer,
            TransportErrorCode::CONNECTION_REFUSED => Self::Refused,
            _ => Self::Closed,
        }
    }

    pub(crate) fn of_connect(error: &ConnectError) -> Self {
        match error {
            ConnectError::EndpointStopping => Self::Cancelled,
            ConnectError::CidsExhausted => Self::TooMany,
            _ => Self::NoAddress,
        }
    }
}

/// Why a control message was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The neighbor is hundreds of messages behind. Drop it, or try later.
    #[error("the neighbor does not keep up with control messages")]
    Full,
    /// Longer than a control frame may be.
    #[error("the control message is too long")]
    TooLong,
    /// The link is down.
    #[error("the link is down")]
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_the_address_last() {
        let address = "127.0.0.1:4433".parse().unwrap();
        let error = BindError::from_io(address, io::ErrorKind::AddrInUse.into());
        assert_eq!(error.to_string(), "udp port is in use: 127.0.0.1:4433");
    }

    #[test]
    fn the_more_telling_of_two_failures_is_the_greater() {
        assert!(DialError::WrongPeer > DialError::TimedOut && DialError::TimedOut > DialError::NoAddress);
    }
}
