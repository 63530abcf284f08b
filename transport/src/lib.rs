//! Everything with a socket in it: QUIC between peers, and to rendezvous services.
//!
//! Nouns: [`Endpoint`] (one UDP socket), [`GroupPort`] (one group on it), [`Link`] (one proven neighbor in one
//! group), [`LinkEvent`], [`Packet`], and for the rendezvous [`Consultation`] and [`ServiceEvent`].
//!
//! It knows nothing of rings, streams or records: it proves that both ends of a connection are in the same
//! group, keeps one connection per pair of peers whoever dialled, and carries three kinds of message: reliable
//! and ordered, datagrams that expire, and bulk that yields to both. It refuses to wait on behalf of a caller: what does not fit is queued,
//! counted and dropped.

mod accept;
mod budget;
mod bulk;
mod config;
mod congestion;
mod connection;
mod conversation;
mod dial;
mod endpoint;
mod error;
mod frame;
mod group;
mod handshakes;
mod intake;
mod link;
mod live;
mod meter;
mod peers;
mod proof;
mod queue;
mod service;
mod settings;
mod shared;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod tls;

pub use config::{Config, Congestion};
pub use endpoint::{Buffers, Endpoint, EndpointCounters};
pub use error::{BindError, DialError, JoinError, SendError};
pub use group::{GroupPort, LinkEvent};
pub use handshakes::HandshakeCounters;
pub use link::{Link, LinkCounters, Packet};
pub use queue::Drops;
pub use service::{Consultation, ServiceEvent};
