use std::time::Duration;

use crate::{PeerId, Rng, Time, Verify};

/// All that a machine may use of the world besides its input.
pub struct Cx<'a> {
    /// The present moment; the same during one turn.
    pub now: Time,
    /// The only source of chance.
    pub rng: &'a mut Rng,
    /// Checks signatures and hashes payloads: the host does the arithmetic, the simulator remembers verdicts.
    pub verify: &'a dyn Verify,
}

/// When a machine next wants to be woken, and which of its timers asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline {
    /// The moment.
    pub at: Time,
    /// The timer's name, for traces.
    pub timer: &'static str,
}

/// A pure protocol layer: inputs in, outputs out, nothing else.
///
/// The laws that every layer keeps are in [`crate::testing::laws`].
pub trait Machine {
    /// What may happen to it.
    type Input;
    /// What it may ask of its host.
    type Output;

    /// Takes one input; appends what the caller must now do, in order.
    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Vec<Self::Output>);
    /// Runs whatever is due at `cx.now`; harmless when nothing is.
    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Self::Output>);
    /// Valid until the next `handle` or `wake`; `None`: only input can move it.
    fn deadline(&self) -> Option<Deadline>;
}

/// What every layer hears: links that come and go, messages, and its owner's commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<M, C> {
    /// A proven link to a member of this group is up.
    Connected(PeerId),
    /// The link is gone, whoever ended it.
    Disconnected(PeerId),
    /// A message came over a link that is up.
    Received {
        /// The neighbor that sent it.
        from: PeerId,
        /// The message.
        message: M,
    },
    /// The owner wants something.
    Command(C),
}

/// What every layer asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output<M, E> {
    /// Please open a link to this member; `Connected` tells when it is up.
    Connect(PeerId),
    /// Please close the link.
    Disconnect(PeerId),
    /// Please send a message over a link that is up.
    Send {
        /// The neighbor.
        to: PeerId,
        /// The message.
        message: M,
        /// How the transport should carry it.
        how: Delivery,
    },
    /// Something the owner should know.
    Event(E),
}

/// How the transport should carry a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Reliable and in order, for control.
    Control,
    /// A datagram that is worth nothing after `expires`.
    Live {
        /// When a queue should drop it unsent.
        expires: Time,
        /// Which queued datagram goes first.
        priority: Priority,
    },
    /// Reliable and in order, and may be late: maps, announcements.
    Background,
    /// Reliable, and yields to everything else: objects.
    Bulk,
}

/// Order of sending among queued datagrams.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// Manifests, requests, refusals, maps: small, and others wait for them.
    Urgent,
    /// Pushed fragments.
    Push,
    /// Answers to pulls and the first pieces of a fast start.
    Repair,
}

/// Gives `machine` one input at `cx.now`, then whatever has become due.
pub fn drive<M: Machine>(machine: &mut M, cx: &mut Cx<'_>, input: M::Input, out: &mut Vec<M::Output>) {
    machine.handle(cx, input, out);
    if machine.deadline().is_some_and(|deadline| deadline.at <= cx.now) {
        machine.wake(cx, out);
    }
}

impl Delivery {
    /// A datagram that expires `lifetime` after `now`.
    pub fn live(now: Time, lifetime: Duration, priority: Priority) -> Self {
        Self::Live { expires: now + lifetime, priority }
    }
}
