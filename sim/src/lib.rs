//! A made-up world that drives the same [`stratus_node::Node`]s as the real host does.
//!
//! A [`Scenario`] says what is played: so many members, one live stream, uplinks, latency, loss, a kill.
//! [`run()`] plays it and answers with [`Results`]. Below that stands the [`World`], which drives any
//! [`Member`] machine: a [`Queue`] of happenings in exact order, links that take time to open, [`Uplink`]s
//! that send so many wire bytes a second, [`Latency`] computed for each pair, [`MemoVerify`] that checks each
//! signature once for all, and a [`Trace`] whose hash tells whether two runs were the same.
//!
//! # To run one again
//!
//! ```text
//! cargo run --release -p stratus-sim -- run --members 1000 --uplink 2 --secs 20 --seed 7
//! ```
//!
//! prints one line of JSON with the scenario, its seed and the results. The same flags print the same line,
//! `timing` excepted, on every machine; `-v` says on stderr where delay arises, and `--trace-events 50` what
//! happened first. The exit code is 5 if a promise was broken, such as a message delivered twice.
//!
//! # What is true to life, and what is not
//!
//! Messages travel as values, and their size is counted with every header ([`Size`]); a parity test against
//! real sockets covers the codec. Control is reliable and in order, a loss costs it a round trip; datagrams are
//! lost, overtake one another, and expire in the queue. There is no congestion but that of one's own uplink and
//! downlink, and acknowledgements are a constant share. What the network would double, QUIC drops, so nothing is doubled.
//!
//! It refuses to look at a clock, to use threads, and to keep a table of pairs.

mod anatomy;
mod cast;
mod census;
mod file;
mod floor;
mod histogram;
mod hostile;
mod journal;
mod last;
mod latency;
mod member;
mod parse;
mod posts;
mod queue;
mod rendezvous;
mod report;
mod rivals;
mod run;
mod scenario;
mod score;
mod series;
mod size;
mod slab;
mod source;
mod swarm;
mod trace;
mod uplink;
mod verify;
mod world;

pub use file::{Bound, FileError, Must, ScenarioFile, Verdict};
pub use floor::floor;
pub use latency::{Globe, Latency};
pub use parse::{Multiple, duration_text, parse_duration, parse_rate};
pub use queue::Queue;
pub use report::{
    GroupResults, HostileResults, PartResults, PostResults, Report, Results, RingResults, RivalResults,
    SCHEMA, Timing,
};
pub use run::{Options, Outcome, run};
pub use scenario::{
    AUDIO_WIRE_PER_PAYLOAD, Bootstrap, Invalid, Kill, LatencyLaw, Opponent, Opponents, Posts, Rules,
    Scenario, Shape, Share, Spell, Uplinks, Victims, WIRE_PER_PAYLOAD,
};
pub use series::{Curve, Series};
pub use size::{ACK_BYTES, HANDSHAKE_BYTES, MOST_LIVE_BYTES, Size};
pub use swarm::{Swarm, SwarmResults};
pub use trace::{Kind, Trace};
pub use uplink::{Class, Uplink};
pub use verify::MemoVerify;
pub use world::{Config, Content, Head, Member, Packet, Rule, Totals, Trouble, Watch, World};
