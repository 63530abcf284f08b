use std::time::Duration;

use bytes::Bytes;

use super::{Fate, Happening, Net, Passing};
use crate::testing::Layer;
use crate::{Cx, Delivery, Input, Output, PeerId, Time, Wire as _, drive};

/// Turns of machines, and what they ask for.
impl<M: Layer> Net<M> {
    pub(super) fn schedule(&mut self, at: Time, happening: Happening<M::Command>) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }

    /// One turn of `peer`: an input, or what is due.
    pub(super) fn turn(&mut self, peer: PeerId, input: Option<Input<M::Message, M::Command>>) {
        let node = self.nodes.get_mut(&peer).expect("only living nodes have turns");
        let mut cx = Cx { now: self.now, rng: &mut node.rng, verify: &*self.verify };
        let mut out = Vec::new();
        match input {
            Some(input) => drive(&mut node.machine, &mut cx, input, &mut out),
            None => node.machine.wake(&mut cx, &mut out),
        }
        let due = node.machine.deadline().filter(|deadline| deadline.at <= self.now);
        assert!(due.is_none(), "law 2: {} is still due after its turn: {due:?}", self.trace.name(&peer));
        self.arm(peer);
        out.into_iter().for_each(|output| self.apply(peer, output));
    }

    pub(super) fn arm(&mut self, peer: PeerId) {
        let node = self.nodes.get_mut(&peer).expect("only living nodes are armed");
        let at = node.machine.deadline().map(|deadline| deadline.at.max(self.now));
        if node.armed != at {
            node.armed = at;
            if let Some(at) = at {
                self.schedule(at, Happening::Wake(peer));
            }
        }
    }

    pub(super) fn wake(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&peer) else { return };
        if node.armed == Some(now) {
            node.armed = None;
            self.turn(peer, None);
        }
    }

    pub(super) fn apply(&mut self, from: PeerId, output: Output<M::Message, M::Event>) {
        match output {
            Output::Connect(to) => self.dial(from, to),
            Output::Disconnect(to) => self.close(from, to),
            Output::Send { to, message, how } => self.send(from, to, &message, how),
            Output::Event(event) => {
                self.trace.note(self.now, &from, &format!("{event:?}"));
                self.logs.get_mut(&from).expect("made by add").events.push((self.now, event));
            }
        }
    }

    pub(super) fn send(&mut self, from: PeerId, to: PeerId, message: &M::Message, how: Delivery) {
        let side = self.links.side(from, to);
        assert!(side.is_some(), "law 3: {} has no link to {}", self.trace.name(&from), self.trace.name(&to));
        let side = side.expect("checked above");
        let (generation, is_open) = (side.generation, side.is_open);
        if self.trace.has_messages {
            let text = format!("{} to {to:?}: {message:?}", word(how));
            self.trace.note(self.now, &from, &text);
        }
        let passing = Passing { at: self.now, from, to, message, how };
        let fate = self.tap.as_mut().map_or(Fate::Pass, |tap| tap(&passing));
        let bytes = match &fate {
            Fate::Pass | Fate::Drop => message.to_bytes(),
            Fate::Replace(other) => other.to_bytes(),
        };
        let traffic = &mut self.logs.get_mut(&from).expect("made by add").traffic;
        traffic.sent_count += 1;
        traffic.sent_bytes += bytes.len() as u64;
        if !is_open || matches!(fate, Fate::Drop) {
            return;
        }
        match how {
            Delivery::Control | Delivery::Background | Delivery::Bulk => {
                self.send_control(from, to, generation, bytes);
            }
            Delivery::Live { expires, .. } => {
                if expires >= self.now {
                    self.send_live(from, to, generation, &bytes);
                }
            }
        }
    }

    pub(super) fn send_control(&mut self, from: PeerId, to: PeerId, generation: u64, bytes: Bytes) {
        assert!(bytes.len() <= self.config.control_bytes_limit, "a control message of {} B", bytes.len());
        let jitter = self.rng.between(Duration::ZERO, self.config.jitter);
        let at = self.last_word(from, to) + jitter;
        if let Some(side) = self.links.side_mut(from, to) {
            side.control_until = at;
        }
        self.schedule(at, Happening::Arrive { from, to, generation, bytes, is_control: true });
    }

    pub(super) fn send_live(&mut self, from: PeerId, to: PeerId, generation: u64, bytes: &Bytes) {
        assert!(bytes.len() <= self.config.live_bytes_limit, "a datagram of {} B", bytes.len());
        if self.rng.chance(self.config.lost_per_mille, 1_000) {
            return;
        }
        let copies = 1 + u64::from(self.rng.chance(self.config.doubled_per_mille, 1_000));
        for _ in 0..copies {
            let jitter = self.rng.between(Duration::ZERO, self.config.jitter);
            let at = self.now + self.links.latency(from, to, self.config.latency) + jitter;
            let bytes = bytes.clone();
            self.schedule(at, Happening::Arrive { from, to, generation, bytes, is_control: false });
        }
    }

    /// The soonest that something ordered from `from` can arrive at `to`.
    pub(super) fn last_word(&mut self, from: PeerId, to: PeerId) -> Time {
        let soonest = self.now + self.links.latency(from, to, self.config.latency);
        self.links.side(from, to).map_or(soonest, |side| soonest.max(side.control_until))
    }
}

fn word(how: Delivery) -> &'static str {
    match how {
        Delivery::Control => "control",
        Delivery::Live { .. } => "live",
        Delivery::Background => "background",
        Delivery::Bulk => "bulk",
    }
}
