//! A made-up world that drives the same [`stratus_node::Node`]s as the real host does.
//!
//! Nouns: the [`World`] with its [`Queue`] of happenings, [`Latency`], [`Uplink`], [`MemoVerify`] and [`Trace`].
//!
//! It refuses to look at a clock, to use threads, and to keep a table of pairs.

mod latency;
mod queue;
mod size;
mod slab;
mod trace;
mod uplink;
mod verify;
mod world;

pub use latency::{Globe, Latency};
pub use queue::Queue;
pub use size::{ACK_BYTES, HANDSHAKE_BYTES, MOST_LIVE_BYTES, Size};
pub use trace::{Kind, Trace};
pub use uplink::{Class, Uplink};
pub use verify::MemoVerify;
pub use world::{Config, Content, Member, Packet, Totals, Watch, World};
