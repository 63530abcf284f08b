//! One member of one group: the layers, composed. The only place where they meet, and still pure.
//!
//! Nouns: [`Node`] owns an overlay and a multicast machine, gives each what is meant for it, and carries what
//! one layer should know of the other (spec OV and MC name the events). [`Message`] is what travels between
//! two nodes of a group. It refuses to decide anything that a layer could decide.

mod message;
mod node;
#[cfg(test)]
mod tests;

pub use message::Message;
pub use node::{Command, Config, Event, Input, Node, Output, Setup};
