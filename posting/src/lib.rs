//! Posts in a group: each is announced, pulled once by every member, and kept for a while for those who come late.
//!
//! Nouns, in the order a post meets them: a [`Post`] is signed by its sender; its [`Item`] is what members say when they
//! mean it; a `Neighbor` is told of it, says that it lacks it, and it is `Wanted` until it has come; the `History` keeps it, and
//! a [`Summary`] of a stretch of the history tells two members whether they hold the same there. [`Posting`] is the
//! machine that owns all of it.
//!
//! It refuses to know how members find each other, what a post means, and what a wall clock says beyond what its owner
//! told it.

mod api;
mod config;
mod history;
mod item;
mod message;
mod neighbor;
mod post;
mod posting;
mod senders;
mod stats;
mod wanted;

#[cfg(test)]
mod tests;

pub use api::{Command, Draft, Event, Input, Output, PostError, Setup};
pub use config::Config;
pub use item::{Item, Stretch, Summary};
pub use message::{Listing, Message};
pub use post::{Author, MAX_BODY, Post, PostId};
pub use posting::Posting;
pub use stats::{Data, PostingInfo, Refused};
