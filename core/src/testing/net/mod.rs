use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::Layer;
use crate::{Delivery, DirectVerify, Input, PeerId, Rng, Time, Verify};

mod config;
mod link_events;
mod links;
mod run;
#[cfg(test)]
mod tests;
mod trace;
mod turns;

pub use config::{Fate, NetConfig, Passing, Traffic};
use links::Links;
use trace::Trace;

/// A small network in one thread: virtual time, seeded chance, the same run for the same seed.
///
/// Every message is encoded when sent and decoded when it arrives, so the codec is always in use. Control is
/// reliable and ordered within a link; datagrams (`Delivery::Live`) may be lost, doubled and overtaken. `Connect` takes a round trip,
/// then both ends hear `Connected`. A link that is closed tells its own end at once and the other after the latency.
/// Fails the test when a machine sends over a link it has not, stays due after a wake, or sends what does not read back.
pub struct Net<M: Layer> {
    config: NetConfig,
    now: Time,
    sequence: u64,
    queue: BTreeMap<(Time, u64), Happening<M::Command>>,
    nodes: BTreeMap<PeerId, Node<M>>,
    logs: BTreeMap<PeerId, Log<M::Event>>,
    links: Links,
    dialing: BTreeSet<(PeerId, PeerId)>,
    rng: Rng,
    verify: Box<dyn Verify>,
    connect_failed: Option<fn(PeerId) -> M::Command>,
    tap: Option<Tap<M::Message>>,
    trace: Trace,
}

type Tap<Msg> = Box<dyn FnMut(&Passing<'_, Msg>) -> Fate<Msg>>;

struct Node<M> {
    machine: M,
    rng: Rng,
    armed: Option<Time>,
}

struct Log<Ev> {
    events: Vec<(Time, Ev)>,
    traffic: Traffic,
}

enum Happening<Cmd> {
    Arrive { from: PeerId, to: PeerId, generation: u64, bytes: Bytes, is_control: bool },
    Dialed { from: PeerId, to: PeerId },
    DialFailed { from: PeerId, to: PeerId },
    Gone { at: PeerId, peer: PeerId, generation: u64, why: Why },
    Wake(PeerId),
    Command(PeerId, Cmd),
}

/// How an end learns that its link is gone.
enum Why {
    /// It asked for it, or waited in vain for a sign of life.
    Known,
    /// The other end said so; a partition swallows that.
    Told,
    /// The idle timeout of the partition with this number.
    Cut(u64),
}

/// Building it, and changing the world during a run.
impl<M: Layer> Net<M> {
    /// An empty network; `seed` decides everything that is left to chance.
    pub fn new(seed: u64, config: NetConfig) -> Self {
        let mut rng = Rng::from_seed(seed);
        Self {
            config,
            now: Time::ZERO,
            sequence: 0,
            queue: BTreeMap::new(),
            nodes: BTreeMap::new(),
            logs: BTreeMap::new(),
            links: Links::new(rng.fork("links")),
            dialing: BTreeSet::new(),
            rng,
            verify: Box::new(DirectVerify),
            connect_failed: None,
            tap: None,
            trace: Trace::default(),
        }
    }

    /// Uses `verify` in place of [`DirectVerify`].
    #[must_use]
    pub fn verified_by(mut self, verify: impl Verify + 'static) -> Self {
        self.verify = Box::new(verify);
        self
    }

    /// Tells machines of failed dials by the command that `command` makes.
    #[must_use]
    pub fn telling_failed_dials(mut self, command: fn(PeerId) -> M::Command) -> Self {
        self.connect_failed = Some(command);
        self
    }

    /// Writes no trace: for networks of hundreds, whose trace nobody would read.
    #[must_use]
    pub fn untraced(mut self) -> Self {
        self.trace.is_off = true;
        self
    }

    /// Shows each message to `tap` as it is sent; `tap` may drop or replace it.
    pub fn tap(&mut self, tap: impl FnMut(&Passing<'_, M::Message>) -> Fate<M::Message> + 'static) {
        self.tap = Some(Box::new(tap));
    }

    /// Also writes messages into the trace.
    pub fn trace_messages(&mut self) {
        self.trace.has_messages = true;
    }

    /// Adds a node, alive from now on; `name` stands for it in traces. A peer that was killed may come back.
    pub fn add(&mut self, name: &str, peer: PeerId, machine: M) {
        assert!(!self.nodes.contains_key(&peer), "{name} is in the network already");
        self.trace.name_node(peer, name);
        let rng = self.rng.fork(name);
        self.nodes.insert(peer, Node { machine, rng, armed: None });
        self.logs.entry(peer).or_insert(Log { events: Vec::new(), traffic: Traffic::default() });
        self.arm(peer);
    }

    /// Kills a node without a word; its neighbors hear `Disconnected` after the idle timeout. Gives the machine back.
    pub fn kill(&mut self, peer: PeerId) -> M {
        let at = self.now + self.config.idle_timeout;
        self.take_out(peer, "killed", |_, _| (at, Why::Known))
    }

    /// Ends a node whose host closes its links; neighbors hear `Disconnected` after what it sent before.
    pub fn stop(&mut self, peer: PeerId) -> M {
        self.take_out(peer, "stopped", |net, other| (net.last_word(peer, other), Why::Told))
    }

    fn take_out(&mut self, peer: PeerId, what: &str, when: impl Fn(&mut Self, PeerId) -> (Time, Why)) -> M {
        let node = self.nodes.remove(&peer).expect("the node to take out is alive");
        self.trace.note(self.now, &peer, what);
        for (at, other, generation) in self.links.all() {
            if at == peer {
                let (time, why) = when(self, other);
                self.schedule(time, Happening::Gone { at: other, peer, generation, why });
                self.links.remove(peer, other);
            }
        }
        self.dialing.retain(|(from, _)| *from != peer);
        node.machine
    }

    /// Cuts the network into islands; nodes that are not named make up one more. Datagrams across are lost, control waits,
    /// links across die after the idle timeout.
    pub fn partition(&mut self, islands: &[&[PeerId]]) {
        let numbered = islands.iter().enumerate();
        let islands = numbered.flat_map(|(number, island)| island.iter().map(move |p| (*p, number)));
        self.links.set_islands(islands.collect());
        let (at, epoch) = (self.now + self.config.idle_timeout, self.links.epoch());
        for (end, peer, generation) in self.links.all() {
            if self.links.is_cut(end, peer) {
                self.schedule(at, Happening::Gone { at: end, peer, generation, why: Why::Cut(epoch) });
            }
        }
    }

    /// Ends a partition; links that outlived it go on, control that waited arrives.
    pub fn heal(&mut self) {
        self.links.set_islands(BTreeMap::new());
        let mut waiting = Vec::new();
        for ((to, from), side) in self.links.sides_mut() {
            let generation = side.generation;
            waiting.extend(side.held.drain(..).map(|bytes| (from, to, generation, bytes)));
        }
        for (from, to, generation, bytes) in waiting {
            let arrive = Happening::Arrive { from, to, generation, bytes, is_control: true };
            self.schedule(self.now, arrive);
        }
    }

    /// Makes dials between these two fail, as between two NATs; a link they have is kept.
    pub fn block_dials(&mut self, a: PeerId, b: PeerId) {
        self.links.block(a, b);
    }

    /// Lets these two dial again.
    pub fn allow_dials(&mut self, a: PeerId, b: PeerId) {
        self.links.unblock(a, b);
    }

    /// Sets the one-way latency of these two.
    pub fn set_latency(&mut self, a: PeerId, b: PeerId, latency: Duration) {
        self.links.set_latency(a, b, latency);
    }

    /// Changes what happens to messages from now on; latencies already drawn stay.
    pub fn config_mut(&mut self) -> &mut NetConfig {
        &mut self.config
    }

    /// Gives `peer` a command now.
    pub fn command(&mut self, peer: PeerId, command: M::Command) {
        self.turn(peer, Some(Input::Command(command)));
    }

    /// Gives `peer` a command later; nothing happens if it is dead by then.
    pub fn command_at(&mut self, at: Time, peer: PeerId, command: M::Command) {
        assert!(at >= self.now, "a command for the past");
        self.schedule(at, Happening::Command(peer, command));
    }

    /// Dials `to` for `from`, whatever its machine thinks.
    pub fn connect(&mut self, from: PeerId, to: PeerId) {
        self.dial(from, to);
    }

    /// Sends `message` as if `from` had; for hostile members. The two must be linked.
    pub fn forge(&mut self, from: PeerId, to: PeerId, message: &M::Message, how: Delivery) {
        self.send(from, to, message, how);
    }
}
