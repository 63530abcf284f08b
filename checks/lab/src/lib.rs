//! The lab: real members in network namespaces, on paths that lose, delay, double, damage and limit.
//!
//! Nouns: [`Network`] (hosts on a bridge), [`Path`] (what happens to packets), [`Scenario`] (what is tried),
//! [`Outcome`] (what came of it), [`probe()`] (whether a path is what was asked for). It needs root, iproute2,
//! nftables and `/dev/net/tun`; `docs/lab.md` says how to run it.
//!
//! It takes away all that it makes, and sweeps up after labs that were killed. It refuses to touch any network
//! but its own.

mod clock;
mod crew;
mod forwarder;
mod lab;
pub mod member;
mod namespace;
mod network;
mod outcome;
mod packet;
mod path;
mod probe;
mod scenario;
mod stamp;
mod trouble;

pub use clock::since_boot;
pub use forwarder::Tally;
pub use lab::{Settings, run};
pub use namespace::{Namespace, sweep};
pub use network::{Counted, Host, HostPlan, Network};
pub use outcome::Outcome;
pub use path::Path;
pub use probe::{Probe, probe};
pub use scenario::{Bars, Midway, SCENARIOS, Scenario, Uploads, WIRE_PER_MILLE, find};
pub use trouble::Trouble;
