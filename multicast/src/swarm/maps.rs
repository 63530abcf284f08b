//! Maps: what is here and who has places, said to neighbors in turn, and what they say (spec MC-9).

use std::time::Duration;

use stratus_core::{Delivery, PeerId, Time};

use super::{Swarm, Turn};
use crate::{Availability, Message, SliceStamp};

/// Maps that must go to everyone soon are sent this much later, to gather what else changes.
const OWED_MAP_DELAY: Duration = Duration::from_millis(10);
/// A parent hears from its child at least about this often.
const PARENT_MAP_PERIOD: Duration = Duration::from_millis(700);

impl Swarm {
    /// Our map as it stands.
    fn map(&self, turn: &Turn<'_, '_>) -> Availability {
        let window = &self.window;
        if self.gives_nothing(turn.config) {
            let mut map = Availability::of_receiver(window.end());
            map.is_complete = self.is_complete();
            return map;
        }
        let mut map = Availability::of(window.base(), window.end(), window.incomplete());
        let now = turn.cx.now;
        let flowing = self.flowing(now);
        let room = self.room(now, turn.config);
        (map.free, map.home_free) = self.children.free(&room, flowing);
        map.is_strong = !room.is_source && room.at_home > self.properties.push_neighbor_limit;
        map.inner = self.children.inner();
        map.is_complete = self.is_complete();
        if !self.is_publisher() {
            map.stamps = flowing.iter().map(|slice| self.stamp(slice, &map, now)).collect();
        }
        map
    }

    fn stamp(&self, slice: u32, map: &Availability, now: Time) -> SliceStamp {
        let state = self.parents.get(slice);
        let hops = state.hops;
        match state.flowed.filter(|(run, _)| *run <= map.end()) {
            Some((run, at)) => {
                // As it travels, so that a message and its encoded form are the same.
                let age = Duration::from_millis(now.since(at).as_millis() as u64).min(SliceStamp::NEVER);
                SliceStamp { slice, run, age, hops }
            }
            None => SliceStamp { slice, run: map.base(), age: SliceStamp::NEVER, hops },
        }
    }

    pub(super) fn send_map(&mut self, turn: &mut Turn<'_, '_>, to: PeerId) {
        let map = self.map(turn);
        self.give_map(turn, to, map);
    }

    /// The word that we need nothing more may be our last, and others wait for it: it must not be lost. Media that
    /// others still need goes before it.
    fn give_map(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, map: Availability) {
        let is_complete = map.is_complete;
        let message = Message::Map { stream: self.alias, map };
        if is_complete {
            self.send(turn, to, message, Delivery::Bulk);
        } else {
            self.send_urgent(turn, to, message);
        }
    }

    /// One map to the neighbor whose turn it is, or to all (`multicastAvailabilitySendToAll`), and to those
    /// that are owed one.
    pub(super) fn update_maps(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        self.expire(turn);
        let period = turn.cx.rng.jitter(self.properties.availability_update_period);
        self.next_map_at = if self.has_drained { Time::ZERO } else { now + period };
        if !self.has_started() || self.neighbors.is_empty() {
            return;
        }
        // Nobody waits for a map of a drained stream but those that are owed the last one.
        // One that gives nothing shows itself to its parents alone: nobody else has use for its map.
        let takes_turns = !self.has_drained && !self.gives_nothing(turn.config);
        let to_all = self.properties.availability_send_to_all && takes_turns;
        let in_turn = if takes_turns { self.next_in_turn() } else { None };
        self.last_mapped = in_turn;
        let parent = self.next_parent_in_turn(now);
        let map = self.map(turn);
        let mut recipients = Vec::new();
        for (peer, neighbor) in &mut self.neighbors {
            let is_in_turn = in_turn == Some(*peer) || parent == Some(*peer);
            if std::mem::take(&mut neighbor.owes_map) || to_all || is_in_turn {
                recipients.push(*peer);
            }
        }
        for peer in recipients {
            if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                neighbor.mapped_at = now;
            }
            self.give_map(turn, peer, map.clone());
        }
    }

    fn next_in_turn(&self) -> Option<PeerId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.last_mapped.map_or(Unbounded, Excluded);
        let mut later = self.neighbors.range((after, Unbounded));
        later.next().or_else(|| self.neighbors.iter().next()).map(|(peer, _)| *peer)
    }

    /// A parent that has not had our map for a while, too: it takes who is silent for dead, and gives the place
    /// away. In small groups its turn comes sooner by itself.
    fn next_parent_in_turn(&mut self, now: Time) -> Option<PeerId> {
        let slice = self.next_parent_slice % self.slices();
        self.next_parent_slice = slice + 1;
        let parent = self.parents.get(slice).parent.filter(|_| !self.has_drained)?.peer;
        let neighbor = self.neighbors.get(&parent)?;
        (now.since(neighbor.mapped_at) > PARENT_MAP_PERIOD).then_some(parent)
    }

    /// Everyone should know soon: a slice began to flow, or we are complete.
    pub(super) fn owe_maps(&mut self, now: Time) {
        for neighbor in self.neighbors.values_mut() {
            neighbor.owes_map = true;
        }
        self.map_soon(now);
    }

    /// This neighbor should know soon what changed here.
    pub(super) fn owe_map(&mut self, now: Time, peer: &PeerId) {
        if let Some(neighbor) = self.neighbors.get_mut(peer) {
            neighbor.owes_map = true;
            self.map_soon(now);
        }
    }

    fn map_soon(&mut self, now: Time) {
        self.next_map_at = self.next_map_at.min(now + OWED_MAP_DELAY).max(Time::from_micros(1));
    }

    /// A neighbor's map came.
    pub(crate) fn on_map(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, map: Availability) {
        let now = turn.cx.now;
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        let claimed = map.end();
        self.children.note_inner(&from, map.inner);
        neighbor.map = Some((now, map));
        if self.is_subscribed() && self.has_started() {
            self.reach_claimed(turn, claimed);
        }
        if !self.parents.orphans().is_empty() {
            self.links.hurry(now);
        }
        self.check_drained(turn);
    }
}
