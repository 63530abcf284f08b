//! Who is connected to whom: members find each other, choose whom to stay linked with, notice who is gone, and
//! introduce each other.
//!
//! Nouns: a [`Record`] is what one member says of itself, signed; the heard list holds the records of others,
//! the [`BestList`] those of them that are worth a link; gossip keeps both up to date ([`Message`]). A
//! [`introducer::Introducer`] tells two members of each other. [`Overlay`] is the machine of one member of one
//! group; [`rendezvous`] is the server's; [`routing`] sends what applications say from member to member.
//!
//! Inputs: links that come and go, messages, [`Command`]s. Outputs: links wanted and not wanted, messages,
//! [`Event`]s. It refuses to know what the links carry besides its own messages, and how dialling is done.

mod absent;
mod api;
mod asked;
mod bans;
mod best;
mod changes;
mod comings;
mod config;
mod coverage;
mod dials;
mod estimate;
mod heard;
pub mod introducer;
mod link;
mod memory;
mod message;
mod overlay;
mod places;
mod record;
pub mod rendezvous;
pub mod routing;
mod troubles;

pub use api::{Command, Event, Input, Neighbor, Output, Setup, Stats};
pub use best::{BestList, Choice, NEAR_COUNT, Policy, RING_EACH_SIDE, Reason, View, ring, standard};
pub use changes::{Arrival, Changes, Departure};
pub use config::Config;
pub use message::{
    Aged, Digest, Farewell, MAX_DIGESTS, MAX_MISSING, MAX_RECORD_BYTES, MAX_RECORDS, Message, Role,
};
pub use overlay::Overlay;
pub use places::Place;
pub use record::{Draft, Record};
