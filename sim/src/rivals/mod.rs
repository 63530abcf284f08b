//! Rule sets of others, as small machines from their public specifications, to hold ours against.
//!
//! They play in the same [`World`](crate::World), with the same seed, travel times, uplinks and bytes. What they are
//! held to before they count is in `tests.rs`.

use bytes::Bytes;
use stratus_core::PeerId;

use crate::scenario::Scenario;
use crate::world::{Config, Member};

mod gossipsub;
mod hyparview;
mod play;
mod plumtree;
mod talk;
mod tally;
#[cfg(test)]
mod tests;

pub(crate) use play::play;
pub(crate) use talk::{Talked, talk};

/// A member that plays by the rules of others.
trait Rival: Member<Command = Order, Event = Bytes> {
    /// One that has not joined yet.
    fn new(peer: PeerId) -> Self;

    /// Bytes of the stream in a message.
    fn payload_in(message: &Self::Message) -> usize;
}

/// The scenario's network, as it is for ours.
fn network(scenario: &Scenario) -> Config {
    Config {
        loss_ppm: (scenario.loss * 1e6).round() as u32,
        burst: scenario.burst,
        rules: scenario.rules(),
        jitter: scenario.jitter,
        // They have limits of their own, if any.
        most_links: usize::MAX,
        ..Config::new(scenario.latency.draw(scenario.seed))
    }
}

/// What its owner tells a rival's member. What it answers is the payload of each message it has for the first time.
enum Order {
    /// It has joined, and knows of these.
    Join(Vec<PeerId>),
    /// A link could not be opened.
    ConnectFailed(PeerId),
    /// Send this to everybody.
    Publish(Bytes),
    /// It is about to go: whatever it says last.
    Leave,
}
