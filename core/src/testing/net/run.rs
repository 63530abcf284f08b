use std::time::Duration;

use super::{Happening, Net, Traffic};
use crate::testing::Layer;
use crate::{Input, PeerId, Time};

/// Running it, and looking at what came of it.
impl<M: Layer> Net<M> {
    /// The present moment.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Runs everything up to and including `end`.
    pub fn run_until(&mut self, end: Time) {
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// Runs for `duration` from now.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// Runs until `is_done`, at most until `end`; says whether it was.
    pub fn run_until_done(&mut self, end: Time, is_done: impl Fn(&Self) -> bool) -> bool {
        while !is_done(self) {
            if self.queue.first_key_value().is_none_or(|((at, _), _)| *at > end) {
                self.now = self.now.max(end);
                return false;
            }
            self.step();
        }
        true
    }

    /// Runs the next thing that happens; says whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(((at, _), happening)) = self.queue.pop_first() else { return false };
        self.now = at;
        match happening {
            Happening::Arrive { from, to, generation, bytes, is_control } => {
                self.arrive(from, to, generation, bytes, is_control);
            }
            Happening::Dialed { from, to } => self.dialed(from, to),
            Happening::DialFailed { from, to } => self.dial_failed(from, to),
            Happening::Gone { at, peer, generation, why } => self.gone(at, peer, generation, why),
            Happening::Wake(peer) => self.wake(peer),
            Happening::Command(peer, command) => {
                if self.nodes.contains_key(&peer) {
                    self.turn(peer, Some(Input::Command(command)));
                }
            }
        }
        true
    }

    /// The machine of a living node.
    pub fn machine(&self, peer: &PeerId) -> &M {
        &self.nodes.get(peer).expect("the node is alive").machine
    }

    /// Whether the node is alive.
    pub fn is_alive(&self, peer: &PeerId) -> bool {
        self.nodes.contains_key(peer)
    }

    /// The living nodes, lowest id first.
    pub fn peers(&self) -> Vec<PeerId> {
        self.nodes.keys().copied().collect()
    }

    /// All that a node told its owner, dead or alive.
    pub fn events(&self, peer: &PeerId) -> &[(Time, M::Event)] {
        self.logs.get(peer).map_or(&[], |log| &log.events)
    }

    /// Takes what a node told its owner since the last time.
    pub fn take_events(&mut self, peer: &PeerId) -> Vec<(Time, M::Event)> {
        self.logs.get_mut(peer).map(|log| std::mem::take(&mut log.events)).unwrap_or_default()
    }

    /// What a node sent and received, dead or alive.
    pub fn traffic(&self, peer: &PeerId) -> Traffic {
        self.logs.get(peer).map(|log| log.traffic).unwrap_or_default()
    }

    /// Whom `peer` has a link to, lowest id first.
    pub fn links(&self, peer: &PeerId) -> Vec<PeerId> {
        self.links.of(*peer).collect()
    }

    /// What happened so far, one line each: `0.050 a  connected b`.
    pub fn trace(&self) -> &str {
        self.trace.text()
    }
}
