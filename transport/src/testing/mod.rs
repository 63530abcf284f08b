//! A path of any quality, for the tests of this crate and of those above it.
//!
//! A real socket with [`Conditions`] in front of what it receives: loss, delay, jitter. Everything is drawn from
//! a seed, so the same packets meet the same fate; only when they come is up to the machine.

mod frames;
mod rude;
mod socket;

use std::time::Duration;

pub use frames::{frames, read_frames};
pub use rude::{RawFrames, RudeMember};
pub(crate) use socket::LossySocket;

/// The quality of everything that one endpoint receives.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conditions {
    /// Datagrams lost, out of 1,000.
    pub loss_per_mille: u32,
    /// One-way delay.
    pub delay: Duration,
    /// Up to so much more delay, drawn for each datagram: more than the gap between two of them reorders.
    pub jitter: Duration,
    /// What the fates are drawn from.
    pub seed: u64,
    /// Lets in only what comes from where something was sent to, as most routers do.
    pub is_walled: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { loss_per_mille: 0, delay: Duration::ZERO, jitter: Duration::ZERO, seed: 0, is_walled: false }
    }
}
