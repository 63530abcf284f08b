use std::fmt;
use std::net::SocketAddr;

use stratus_overlay::rendezvous::Refusal;
use stratus_transport::DialError;

/// One way into a group, and how it went so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// A server or a member.
    pub what: String,
    /// What came of it.
    pub outcome: String,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.outcome)
    }
}

/// How a group stands with one rendezvous server.
///
/// ```text
/// Seeking ──► Connected ──► Registered ⇄ Refused
///    ▲  │         │             │
///    │  ▼         ▼             ▼
///    └─ Unreachable ◄─────────── (lost)
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ServerState {
    Seeking,
    Unresolvable,
    Unreachable(DialError),
    Connected,
    Registered { at: SocketAddr, named: usize },
    Refused(Refusal),
    Lost,
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seeking => f.write_str("no answer yet"),
            Self::Unresolvable => f.write_str("the name has no address"),
            Self::Unreachable(error) => error.fmt(f),
            Self::Connected => f.write_str("connected, not registered yet"),
            Self::Registered { named: 0, .. } => f.write_str("connected, no other member is registered"),
            Self::Registered { named: 1, .. } => f.write_str("connected, 1 member named"),
            Self::Registered { named, .. } => write!(f, "connected, {named} members named"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Lost => f.write_str("the connection was lost"),
        }
    }
}
