//! Live streams in a group: runs with signed manifests, a window, push slices, and pull underneath.
//!
//! Nouns, in the order a byte meets them: a [`Piece`] enters at the publisher, the `Cutter` groups pieces
//! into runs and signs a [`Manifest`] for each, a `Window` holds runs for as long as they are worth having,
//! `Children` and `Parents` say who pushes which slice to whom, `Holes` are pulled, and the `Player` gives
//! whole [`StreamMessage`]s to the application in order. A `Swarm` is one stream as one member sees it;
//! [`Multicast`] is the machine that owns the swarms.
//!
//! It refuses to know how members find each other, what a message means, and what time it is on a wall.

mod announcement;
mod api;
mod availability;
mod children;
mod config;
mod cutter;
mod holes;
mod manifest;
mod message;
mod multicast;
mod neighbor;
mod parents;
mod patience;
mod player;
mod properties;
mod stats;
mod stream;
mod swarm;
mod tolerance;
mod window;

#[cfg(test)]
mod tests;

pub use announcement::{Announcement, End, Parameters};
pub use api::{Command, Event, Input, Output, Publish, PublishError, Setup};
pub use availability::{Availability, SliceStamp};
pub use config::{Config, ConfigError};
pub use manifest::{Manifest, PieceEntry};
pub use message::{Message, PushAnswer, PushRequest, PushStop, Start, StartAnswer, Subscriber, Want};
pub use multicast::Multicast;
pub use properties::{Overrides, Properties, Reliability, SampleAccess};
pub use stats::{MulticastInfo, Path};
pub use stream::{Kind, Piece, PieceFlags, StreamAlias, StreamId, StreamMessage};
pub use swarm::StreamInfo;
