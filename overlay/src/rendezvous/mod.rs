//! The meeting point: what members and a rendezvous server tell each other, and the server's whole mind.
//!
//! Nouns: [`ClientMessage`] and [`ServerMessage`] (one frame each), [`Registration`] (what a member signs),
//! [`Registry`] (a pure machine: who is registered where), [`Refusal`] (why not), [`Config`], [`Stats`].
//!
//! Inputs of the registry: a connection opened or closed, a message on it, stop. Outputs: send, close, events
//! for a log. It knows connections by number; whose they are, from where they come and their TLS exporter
//! value are told when they open.
//!
//! It refuses to know a group's secret, name or members beyond what they register, to keep anything that
//! outlives a connection, and to be needed once a group has formed.

mod config;
mod connection;
mod crowds;
mod group;
mod io;
mod listings;
mod message;
mod network;
mod refusal;
mod registration;
mod registry;
mod requests;
mod stats;

pub use config::Config;
pub use io::{Event, Input, Output};
pub use message::{ClientMessage, MAX_CANDIDATES, MAX_NAMED, MAX_RECORD, Named, ServerMessage, Subject};
pub use refusal::Refusal;
pub use registration::Registration;
pub use registry::Registry;
pub use stats::Stats;
pub use stratus_core::Rate;
