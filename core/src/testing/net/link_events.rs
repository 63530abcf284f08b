use std::time::Duration;

use bytes::Bytes;

use super::{Happening, Net, Why};
use crate::testing::{Layer, read_back};
use crate::{Input, PeerId};

/// What happens to links and on them.
impl<M: Layer> Net<M> {
    pub(super) fn arrive(
        &mut self,
        from: PeerId,
        to: PeerId,
        generation: u64,
        bytes: Bytes,
        is_control: bool,
    ) {
        let is_cut = self.links.is_cut(from, to);
        let Some(side) = self.links.side_mut(to, from) else { return };
        if side.generation != generation || !side.is_open {
            return;
        }
        if is_cut {
            if is_control {
                side.held.push(bytes);
            }
            return;
        }
        let traffic = &mut self.logs.get_mut(&to).expect("made by add").traffic;
        traffic.received_count += 1;
        traffic.received_bytes += bytes.len() as u64;
        let message = read_back::<M::Message>(&bytes).unwrap_or_else(|fault| panic!("{fault}"));
        self.turn(to, Some(Input::Received { from, message }));
    }

    pub(super) fn dial(&mut self, from: PeerId, to: PeerId) {
        let is_linked = self.links.side(from, to).is_some_and(|side| side.is_open);
        if is_linked || from == to || !self.dialing.insert((from, to)) {
            return;
        }
        self.trace.note(self.now, &from, &format!("connect {to:?}"));
        let round_trip = 2 * self.links.latency(from, to, self.config.latency);
        self.schedule(self.now + round_trip, Happening::Dialed { from, to });
    }

    pub(super) fn dialed(&mut self, from: PeerId, to: PeerId) {
        if !self.dialing.contains(&(from, to)) {
            return;
        }
        let is_silent = !self.nodes.contains_key(&to) || self.links.is_cut(from, to);
        if is_silent || self.links.is_blocked(from, to) {
            let wait = if is_silent { self.config.dial_timeout } else { Duration::ZERO };
            self.schedule(self.now + wait, Happening::DialFailed { from, to });
            return;
        }
        self.dialing.remove(&(from, to));
        if self.links.side(from, to).is_some_and(|side| side.is_open) {
            return;
        }
        // An end that has not heard of the end of an older link hears it now.
        for (at, peer) in [(from, to), (to, from)] {
            if let Some(generation) = self.links.side(at, peer).map(|side| side.generation) {
                self.gone(at, peer, generation, Why::Known);
            }
        }
        self.links.open(from, to, self.now);
        for (at, peer) in [(from, to), (to, from)] {
            self.trace.note(self.now, &at, &format!("connected {peer:?}"));
            self.turn(at, Some(Input::Connected(peer)));
        }
    }

    pub(super) fn dial_failed(&mut self, from: PeerId, to: PeerId) {
        if !self.dialing.remove(&(from, to)) {
            return;
        }
        self.trace.note(self.now, &from, &format!("no answer {to:?}"));
        if let Some(command) = self.connect_failed {
            self.turn(from, Some(Input::Command(command(to))));
        }
    }

    pub(super) fn close(&mut self, from: PeerId, to: PeerId) {
        let Some(generation) = self.links.side(from, to).map(|side| side.generation) else {
            panic!("law 3: {} closes a link to {} it has not", self.trace.name(&from), self.trace.name(&to));
        };
        self.trace.note(self.now, &from, &format!("disconnect {to:?}"));
        let at = self.last_word(from, to);
        self.links.side_mut(from, to).expect("looked up above").is_open = false;
        self.schedule(self.now, Happening::Gone { at: from, peer: to, generation, why: Why::Known });
        self.schedule(at, Happening::Gone { at: to, peer: from, generation, why: Why::Told });
    }

    pub(super) fn gone(&mut self, at: PeerId, peer: PeerId, generation: u64, why: Why) {
        if self.links.side(at, peer).is_none_or(|side| side.generation != generation) {
            return;
        }
        match why {
            Why::Cut(epoch) if epoch != self.links.epoch() => return,
            Why::Told if self.links.is_cut(at, peer) => {
                let later = self.now + self.config.idle_timeout;
                return self.schedule(later, Happening::Gone { at, peer, generation, why: Why::Known });
            }
            _ => {}
        }
        self.links.remove(at, peer);
        self.trace.note(self.now, &at, &format!("disconnected {peer:?}"));
        self.turn(at, Some(Input::Disconnected(peer)));
    }
}
