//! Maps: what is here and who has places, said to neighbors in turn, and what they say (spec MC-9).

use std::collections::BTreeSet;
use std::time::Duration;

use stratus_core::{Delivery, PeerId, Time};

use super::{Swarm, Turn};
use crate::{Availability, Message, SliceStamp};

/// Maps that must go to everyone soon are sent this much later, to gather what else changes.
const OWED_MAP_DELAY: Duration = Duration::from_millis(10);
/// A parent hears from its child at least about this often, or every so many availability periods if that is longer.
const PARENT_MAP_PERIOD: Duration = Duration::from_millis(700);
const PARENT_MAP_ROUNDS: u32 = 6;
/// Where nothing has gone wrong for long, maps are no more frequent than this.
const CALM_PERIOD: Duration = Duration::from_millis(500);
/// The period grows to it as this part of the time for which nothing went wrong.
const CALM_SHARE: u32 = 20;
/// After a disturbance neighbors are asked for their maps for this long,
const LOOKING_AROUND: Duration = Duration::from_secs(2);
/// those whose last one is older than this.
const OLD_MAP: Duration = Duration::from_millis(1_500);
/// Who is refused for want of places finds some later if they belong to the dead: children that said nothing for this
/// long are asked whether they are there.
const QUIET_CHILD: Duration = Duration::from_secs(1);

/// When maps go out, and whose turn it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// The next one in turn.
    regular_at: Option<Time>,
    /// The next to those that are owed one.
    owed_at: Option<Time>,
    last: Option<PeerId>,
    next_parent_slice: u32,
    /// When something last went wrong: a parent was lost, or something must be asked for.
    disturbed_at: Time,
}

impl Rounds {
    pub(super) fn begin(&mut self, at: Time) {
        self.regular_at = Some(at);
        self.disturbed_at = at;
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.regular_at.into_iter().chain(self.owed_at).min()
    }

    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.last = self.last.filter(|last| last != peer);
    }

    /// Something went wrong: the next map comes no later than after `period`.
    pub(super) fn disturb(&mut self, now: Time, period: Duration) {
        self.disturbed_at = now;
        self.regular_at = self.regular_at.map(|at| at.min(now + period));
    }

    fn is_looking_around(&self, now: Time) -> bool {
        now.since(self.disturbed_at) <= LOOKING_AROUND
    }
}

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
    fn give_map(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, mut map: Availability) {
        let now = turn.cx.now;
        let is_looking = self.rounds.is_looking_around(now);
        if let Some(neighbor) = self.neighbors.get_mut(&to) {
            neighbor.mapped_at = now;
            let is_old = neighbor.map.as_ref().is_none_or(|(at, _)| now.since(*at) > OLD_MAP);
            map.asks = is_looking && is_old || neighbor.is_doubted;
            if map.asks {
                neighbor.asked_at.get_or_insert(now);
            }
        }
        let is_complete = map.is_complete;
        let message = Message::Map { stream: self.alias, map };
        if is_complete {
            self.send(turn, to, message, Delivery::Background);
        } else {
            self.send_urgent(turn, to, message);
        }
    }

    /// How often a map goes to one neighbor in turn: seldom where nothing has gone wrong for long. Where uploads are
    /// limited a search for quicker parents lives on maps, and is worth more than they cost.
    fn map_period(&self, turn: &Turn<'_, '_>) -> Duration {
        let usual = self.properties.availability_update_period;
        if self.properties.availability_send_to_all || turn.config.upload.is_some() {
            return usual;
        }
        (turn.cx.now.since(self.rounds.disturbed_at) / CALM_SHARE).clamp(usual, usual.max(CALM_PERIOD))
    }

    /// Someone needs places of ours that may belong to the dead.
    pub(super) fn doubt_children(&mut self, now: Time) {
        let children: BTreeSet<PeerId> = self.children.peers().collect();
        let mut has_doubts = false;
        for (peer, neighbor) in &mut self.neighbors {
            let is_quiet = now.since(neighbor.heard_at) > QUIET_CHILD && neighbor.asked_at.is_none();
            if is_quiet && children.contains(peer) {
                (neighbor.is_doubted, neighbor.owes_map) = (true, true);
                has_doubts = true;
            }
        }
        if has_doubts {
            self.map_soon(now);
        }
    }

    /// A parent was lost. Who could take its place is known best by those who are asked now.
    pub(super) fn look_around(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        self.rounds.disturb(now, self.properties.availability_update_period);
        for neighbor in self.neighbors.values_mut() {
            neighbor.owes_map |= neighbor.map.as_ref().is_none_or(|(at, _)| now.since(*at) > OLD_MAP);
        }
        self.map_soon(now);
    }

    /// One map to the neighbor whose turn it is, or to all (`multicastAvailabilitySendToAll`), and to those
    /// that are owed one.
    pub(super) fn update_maps(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        self.rounds.owed_at = None;
        let is_regular = self.rounds.regular_at.is_some_and(|at| at <= now);
        if is_regular {
            let period = turn.cx.rng.jitter(self.map_period(turn));
            self.rounds.regular_at = (!self.has_drained).then_some(now + period);
        }
        if !self.has_started() || self.neighbors.is_empty() {
            return;
        }
        let to_all = is_regular && self.properties.availability_send_to_all && self.takes_turns(turn);
        let turns = if is_regular { self.whose_turn(turn) } else { [None, None] };
        let mut recipients = Vec::new();
        for (peer, neighbor) in &mut self.neighbors {
            if std::mem::take(&mut neighbor.owes_map) || to_all || turns.contains(&Some(*peer)) {
                recipients.push(*peer);
            }
        }
        if recipients.is_empty() {
            return;
        }
        let map = self.map(turn);
        for peer in recipients {
            self.give_map(turn, peer, map.clone());
        }
    }

    /// Nobody waits for a map of a drained stream but those that are owed the last one. One that gives nothing shows
    /// itself to its parents alone: nobody else has use for its map.
    fn takes_turns(&self, turn: &Turn<'_, '_>) -> bool {
        !self.has_drained && !self.gives_nothing(turn.config)
    }

    /// The neighbor whose turn it is, and a parent that has waited long.
    fn whose_turn(&mut self, turn: &Turn<'_, '_>) -> [Option<PeerId>; 2] {
        let in_turn = if self.takes_turns(turn) { self.next_in_turn() } else { None };
        self.rounds.last = in_turn;
        [in_turn, self.next_parent_in_turn(turn)]
    }

    fn next_in_turn(&self) -> Option<PeerId> {
        let later = self.rounds.last.and_then(|last| self.neighbors.next_key(&last));
        later.or_else(|| self.neighbors.keys().next()).copied()
    }

    /// A parent that has not had our map for a while, too: it takes who is silent for dead, and gives the place
    /// away. In small groups its turn comes sooner by itself.
    fn next_parent_in_turn(&mut self, turn: &Turn<'_, '_>) -> Option<PeerId> {
        let patience = PARENT_MAP_PERIOD.max(self.map_period(turn) * PARENT_MAP_ROUNDS);
        let slice = self.rounds.next_parent_slice % self.slices();
        self.rounds.next_parent_slice = slice + 1;
        let parent = self.parents.get(slice).parent.filter(|_| !self.has_drained)?.peer;
        let neighbor = self.neighbors.get(&parent)?;
        (turn.cx.now.since(neighbor.mapped_at) > patience).then_some(parent)
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
        let soon = now + OWED_MAP_DELAY;
        self.rounds.owed_at = Some(self.rounds.owed_at.map_or(soon, |at| at.min(soon)));
    }

    /// A neighbor's map came.
    pub(crate) fn on_map(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, map: Availability) {
        let now = turn.cx.now;
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        let (claimed, free) = (map.end(), map.free);
        self.children.note_inner(&from, map.inner);
        // Who asks again at once has had its answer, or has it on the way.
        let is_asked =
            map.asks && now.since(neighbor.mapped_at) >= self.properties.availability_update_period;
        neighbor.map = Some((now, map));
        if self.is_subscribed() && self.has_started() {
            self.reach_claimed(turn, claimed);
        }
        if is_asked && self.has_started() {
            self.owe_map(now, &from);
        }
        let orphans = self.parents.orphans();
        for slice in orphans.intersection(free).iter() {
            self.parents.get_mut(slice).pardon(&from);
        }
        if !orphans.is_empty() {
            self.links.hurry(now);
        }
        self.check_drained(turn);
    }
}
