//! Join a group, publish and play live streams: the library that applications import.
//!
//! Nouns: [`Connection`] (one socket, one identity), [`Group`] (one joined group), [`Publication`] and
//! [`Playback`] (one stream), [`Events`] and [`Event`], [`GroupInfo`]. Each group has one task, which owns one
//! [`Node`](stratus_node::Node) and drives it with what comes from the sockets, the clock and these handles.
//!
//! Every queue is bounded, and whoever is too slow for one is told so: a writer waits, a player gets
//! [`Played::Lagged`], a listener [`Event::Lagged`]. It refuses to know what a message means.
//!
//! ```no_run
//! # async fn run(text: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let spec = stratus::Groupspec::parse(text)?;
//! let connection = stratus::Connection::builder().server("stratus.example:1935").start().await?;
//! let group = connection.join(&spec).await?;
//! group.joined(std::time::Duration::from_secs(10)).await?;
//! let mut playback = group.play("cam", stratus::Play::default()).await?;
//! while let Some(played) = playback.next().await {
//!     if let stratus::Played::Message(message) = played {
//!         println!("{} bytes", message.len());
//!     }
//! }
//! connection.close().await;
//! # Ok(())
//! # }
//! ```

mod addresses;
mod builder;
mod cache;
mod connection;
mod dht;
mod error;
mod event;
mod group;
mod host;
mod info;
mod mailbox;
mod objects;
mod password;
mod playback;
mod publication;
mod rendezvous;
mod request;
mod routes;
#[cfg(test)]
mod tests;
mod ways;

pub use builder::Builder;
pub use connection::Connection;
pub use dht::Dht;
pub use error::{
    Closed, GetError, JoinError, JoinTimeout, JoinedError, LookUpError, ObjectsError, OverrideError,
    PlayError, PostError, PublishError, PutError, RouteError, StartError, WriteError,
};
pub use event::{Event, Events};
pub use group::Group;
pub use info::{ConnectionInfo, GroupInfo, NetGroupInfo, NetStreamMulticastInfo, WireInfo};
pub use objects::{ObjectEvent, Objects, ObjectsInfo};
pub use password::{NoEntropy, random_salt, stretch};
pub use playback::{Play, Playback, Played, Purpose};
pub use publication::{Outgoing, Publication, Publish};
pub use routes::{Hop, SendMode, SendTo};
pub use stratus_core::{GroupAddress, GroupId, Histogram, Identity, PeerId, RingArc};
pub use stratus_groupspec::{self as groupspec, Capabilities, GroupSpecifier, Groupspec, Password};
pub use stratus_multicast::{
    Config as MulticastConfig, ConfigError, Kind, MulticastInfo, Overrides, Parameters,
    Path as MulticastPath, Piece, PieceFlags, Properties, Reliability, SampleAccess, StreamId, StreamInfo,
    StreamMessage,
};
pub use stratus_overlay::routing::{
    Config as RoutingConfig, Found, Got, Key, MAX_PAYLOAD as MOST_ROUTED_BYTES, ReceiveMode, SendError,
    SendResult, Stats as RoutingStats, Value,
};
pub use stratus_overlay::{
    Arrival, Changes, Config as OverlayConfig, Departure, Neighbor, Reason, Stats as OverlayStats,
};
pub use stratus_posting::{
    Config as PostingConfig, Data as PostingData, MAX_BODY, Post, PostId, PostingInfo, Refused,
};
pub use stratus_replication::{
    Command as ObjectCommand, Exchange, MOST_OBJECT_BYTES, MOST_OBJECTS, ObjectSet, RequestId,
    Stats as ObjectStats, Strategy,
};
#[cfg(any(test, feature = "testing"))]
pub use stratus_transport::testing::Conditions;
pub use stratus_transport::{
    BindError, Buffers, Config as TransportConfig, Drops, EndpointCounters, HandshakeCounters,
};
pub use ways::Way;

/// 32 random bytes from the operating system.
fn entropy() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}
