//! One member of one group: the layers, composed. The only place where they meet.
//!
//! [`Node`] owns an overlay and a multicast layer, puts each one's messages under a byte of their own, and carries
//! what one learns to the other: round trips, records, which links are needed, who misbehaved. It refuses to know
//! anything that one layer alone could know.

pub mod journal;
mod message;
mod node;
mod services;
#[cfg(test)]
mod tests;

pub use message::Message;
pub use node::{Command, Config, Event, Input, Node, Output, Setup};
pub use services::Services;
