//! Objects by number: who has what, who asks whom, and what goes out first.
//!
//! Nouns: an [`ObjectSet`] says which of 2^53 objects are meant, a `Neighbor` is what is known of one member, a
//! `Fetch` is one request of ours, an `Upload` one of a neighbor's, `Economy` is how the one who brings a set sends
//! each object once. [`Replication`] is the machine. The application is the store: the machine asks it to read and
//! hands it what came. [`set`] makes files and folders of objects that can be checked one by one.
//!
//! It refuses to know what an object is, whether its bytes are right, and how members find each other.

mod api;
mod config;
mod fetch;
mod load;
mod message;
mod meter;
mod neighbor;
mod news;
mod objects;
mod rarity;
mod replication;
mod seed;
mod serve;
pub mod set;
#[cfg(test)]
mod tests;

pub use api::{Command, Event, Exchange, Input, Output, RequestId, Stats};
pub use config::{Config, Strategy};
pub use load::Load;
pub use message::{Denied, MOST_IDS, MOST_OBJECT_BYTES, Message, Want};
pub use objects::{MOST_OBJECTS, MOST_PIECES, ObjectSet};
pub use replication::Replication;
