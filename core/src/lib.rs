//! What every layer of Stratus stands on.
//!
//! Nouns: [`PeerId`], [`GroupId`], [`GroupAddress`] and its ring arithmetic, [`Time`], [`Rng`], [`Verify`],
//! the [`Machine`] trait with its [`Input`] and [`Output`], [`Timers`], the wire codec ([`Reader`],
//! [`Writer`], [`Wire`]), [`BitSet`], [`Bucket`], [`Histogram`], [`Roster`], and the [`testing`] kit that runs machines over a
//! made-up network.
//!
//! It refuses to have a clock, a socket, a task or a lock, and it never iterates in hash order.

mod bits;
mod bucket;
mod hash;
mod histogram;
mod identity;
mod lookup;
mod machine;
mod plain;
mod ring;
mod rng;
mod roster;
pub mod testing;
mod time;
mod timers;
mod verify;
mod wire;

pub use bits::BitSet;
pub use bucket::{Bucket, Rate};
pub use hash::derived_hash;
pub use histogram::Histogram;
pub use identity::{GroupId, Identity, PeerId, PublicKey, Signature};
pub use lookup::Lookup;
pub use machine::{Cx, Deadline, Delivery, Input, Machine, Output, Priority, drive};
pub use ring::{Arc as RingArc, Distance, GroupAddress, RingKey};
pub use rng::Rng;
pub use roster::Roster;
pub use time::Time;
pub use timers::Timers;
pub use verify::{CachingVerify, Digest, DirectVerify, Verify};
pub use wire::{DecodeError, Reader, Wire, Writer};
