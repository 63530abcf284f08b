//! Directed routing: messages that go from neighbor to neighbor towards a place on the ring, and what stands on it.
//!
//! Nouns: a [`Parcel`] is what travels; a member's [`ReceiveMode`] says for which places it takes parcels; a [`Way`]
//! says whom one goes to. Each hop surfaces in the application ([`Event::Arrived`]), which forwards, changes, answers
//! or drops. A look-up asks one member after another who is nearest to a place; on it stands a table of values that the
//! members nearest to each [`Key`] keep ([`Value`]). [`Routing`] is the machine of one member of one group whose groupspec
//! allows routing.
//!
//! It refuses to know how neighbors are chosen: the node tells it of links, asks the overlay for the members that are
//! known, and for the links that a look-up needs.

mod api;
mod asking;
mod config;
mod keeping;
mod look_up;
mod message;
mod neighbor;
mod operations;
#[expect(clippy::module_inception, reason = "the noun of this module")]
mod routing;
mod searching;
mod sending;
mod store;
mod value;

pub use api::{
    Arrived, Command, Event, Found, GetError, Got, Input, LookUpError, Members, Output, Put, PutError, Quest,
    ReceiveMode, Send, SendError, SendResult, Setup, Stats, Way,
};
pub use config::Config;
pub use message::{MAX_FOUND, MAX_HOPS, MAX_OFFERED, MAX_PAYLOAD, Message, Offered, Parcel, Reply};
pub use routing::Routing;
pub use value::{Key, MAX_NAME, MAX_VALUE, Signed, Value};
