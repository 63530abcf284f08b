//! Directed routing: messages that go from neighbor to neighbor towards a place on the ring, and what stands on it.
//!
//! Nouns: a [`Parcel`] is what travels; a member's [`ReceiveMode`] says for which places it takes parcels; a [`Way`]
//! says whom one goes to. Each hop surfaces in the application ([`Event::Arrived`]), which forwards, changes, answers
//! or drops. [`Routing`] is the machine of one member of one group whose groupspec allows routing.
//!
//! It refuses to know how neighbors are chosen: the node tells it of links, and asks the overlay for it.

mod api;
mod config;
mod message;
mod neighbor;
#[expect(clippy::module_inception, reason = "the noun of this module")]
mod routing;
mod sending;

pub use api::{
    Arrived, Command, Event, Input, Output, ReceiveMode, Send, SendError, SendResult, Setup, Stats, Way,
};
pub use config::Config;
pub use message::{MAX_HOPS, MAX_PAYLOAD, Message, Parcel};
pub use routing::Routing;
