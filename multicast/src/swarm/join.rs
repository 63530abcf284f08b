//! A newcomer's first moment: one neighbor gives it the newest key frame and all since (spec MC-14).

use std::collections::BTreeSet;
use std::time::Duration;

use stratus_core::{BitSet, Delivery, PeerId, Priority, Time, Wire as _};

use super::{Role, Swarm, Turn};
use crate::message::{Start, StartAnswer};
use crate::parents::Parents;
use crate::player::Player;
use crate::tolerance::Tolerance;
use crate::window::Run;
use crate::{Availability, Message, PieceEntry};

/// The first pieces are worth sending even if the uplink needs seconds for them.
const START_LIFETIME: Duration = Duration::from_secs(4);
/// So long after a start something of it must have come.
const START_PROOF: Duration = Duration::from_secs(2);
/// With nobody left to ask, ask everyone again after this.
const RETRY: Duration = Duration::from_millis(100);

/// Looking for a place to start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Join {
    /// Where we were told to start, by whom and when, until it has proven true.
    given: Option<Given>,
    asked: Option<(PeerId, Time)>,
    tried: Vec<PeerId>,
    not_before: Time,
    served_in: Option<Time>,
    served: u32,
}

/// A start that was believed.
#[derive(Clone, Copy, Debug)]
struct Given {
    /// `None` if it is gone.
    by: Option<PeerId>,
    at: Time,
    first: u64,
    next: u64,
}

impl Join {
    pub(super) fn forget(&mut self, peer: &PeerId, now: Time) {
        self.tried.retain(|tried| tried != peer);
        if let Some(given) = &mut self.given {
            given.by = given.by.filter(|giver| giver != peer);
        }
        if self.asked.is_some_and(|(asked, _)| asked == *peer) {
            self.asked = None;
            self.not_before = now;
        }
    }

    /// Whether one more start may be served in this second.
    fn admit(&mut self, now: Time, most: u32) -> bool {
        if self.served_in.is_none_or(|since| now.since(since) >= Duration::from_secs(1)) {
            self.served_in = Some(now);
            self.served = 0;
        }
        self.served += 1;
        self.served <= most
    }
}

impl Swarm {
    /// We want this stream: everyone connected is told, and a start is sought, unless a neighbor was asked for one
    /// already.
    pub(crate) fn subscribe(
        &mut self,
        turn: &mut Turn<'_, '_>,
        connected: &[PeerId],
        sought: Option<(PeerId, Time)>,
    ) {
        if self.is_active() {
            return;
        }
        self.role = Role::Subscriber;
        self.advanced_at = turn.cx.now;
        self.alive_at = turn.cx.now;
        self.tell_interest(turn, connected);
        self.join.asked = sought;
        self.links.begin(turn.cx.now);
        self.rounds.begin(turn.cx.now + self.properties.availability_update_period);
    }

    /// Tells neighbors, interested themselves or not, that we take part.
    pub(crate) fn tell_interest(&mut self, turn: &mut Turn<'_, '_>, connected: &[PeerId]) {
        for peer in connected {
            let message = Message::Interest {
                stream: self.alias,
                is_on: self.is_active(),
                asks_for_others: false,
                record: turn.record.clone(),
            };
            self.stats.control_sent_bytes += stratus_core::Wire::wire_len(&message) as u64;
            turn.out.push(crate::Output::Send { to: *peer, message, how: Delivery::Control });
        }
    }

    /// We no longer want it; what depends on us is told.
    pub(crate) fn unsubscribe(&mut self, turn: &mut Turn<'_, '_>, connected: &[PeerId]) {
        if !self.is_subscribed() {
            return;
        }
        self.role = Role::Idle;
        self.tell_interest(turn, connected);
        self.links.release_all(turn);
        let (announcement, stats) = (self.announcement.clone(), self.stats);
        let neighbors = std::mem::take(&mut self.neighbors);
        let subscribers = std::mem::take(&mut self.subscribers);
        let life = self.life;
        *self = Self::new(turn.cx.now, announcement, Role::Idle, turn.setup, turn.config);
        self.life = life;
        self.stats = stats;
        self.subscribers = subscribers;
        self.neighbors = neighbors;
        for neighbor in self.neighbors.values_mut() {
            neighbor.outstanding = 0;
            neighbor.suspicion = None;
            neighbor.gave.clear();
        }
    }

    /// Asks someone for a start, if we need one and nobody is asked.
    pub(super) fn seek_start(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        if self.has_started() || !self.is_subscribed() || self.neighbors.is_empty() {
            return;
        }
        if let Some((asked, at)) = self.join.asked {
            let rtt = self.neighbors.get(&asked).map_or(Duration::ZERO, |neighbor| neighbor.rtt);
            if now.since(at) < rtt * 2 + RETRY {
                return;
            }
            self.join.tried.push(asked);
            self.join.asked = None;
        }
        if now < self.join.not_before {
            return;
        }
        match self.start_candidate(turn) {
            Some(peer) => {
                self.join.asked = Some((peer, now));
                self.send_control(turn, peer, Message::Start { stream: self.alias });
            }
            None => {
                self.join.tried.clear();
                self.join.not_before = now + turn.cx.rng.jitter(RETRY);
            }
        }
    }

    /// A start is only a claim. If nothing of what was promised has come while others show something else, it was
    /// a lie, or its giver is gone: we begin again with another (spec MC-24).
    pub(super) fn doubt_start(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let Some(given) = self.join.given.filter(|given| now.since(given.at) > START_PROOF) else { return };
        self.join.given = None;
        let has_played = self.player.as_ref().is_some_and(|player| player.run() > given.first);
        let has_come = self.window.get(given.first).is_some_and(|place| place.manifest.is_some());
        if has_played || has_come || !self.is_contradicted(&given) {
            return;
        }
        // The others may have been asked before they could answer.
        self.join.tried = given.by.into_iter().collect();
        self.player = None;
        self.window.restart(0);
        self.holes.clear();
        self.neighbors.values_mut().for_each(|neighbor| neighbor.outstanding = 0);
        let parents: BTreeSet<PeerId> = self.parents.peers().collect();
        self.parents = Parents::new(self.slices());
        for parent in parents {
            let slices = BitSet::first(self.slices());
            self.stop_parent(turn, parent, slices, 0);
        }
        self.seek_start(turn);
    }

    /// Whether another neighbor shows runs that do not fit what the giver of a start said, or the giver is gone.
    fn is_contradicted(&self, given: &Given) -> bool {
        let differs = |map: &Availability| {
            let shows_runs = map.end() > map.base();
            shows_runs && (map.end() < given.first || map.base() > given.next || map.end() > given.next)
        };
        let others = self.neighbors.iter().filter(|(peer, _)| Some(**peer) != given.by);
        others.filter_map(|(_, neighbor)| neighbor.map.as_ref()).any(|(_, map)| differs(map))
    }

    /// Whoever shows runs, the nearest first; then the publisher; then anyone.
    fn start_candidate(&self, turn: &mut Turn<'_, '_>) -> Option<PeerId> {
        let candidates = self.neighbors.iter().filter(|(peer, _)| !self.join.tried.contains(peer));
        let rank = |peer: &PeerId, shows_runs: bool| match () {
            () if shows_runs => 0,
            () if *peer == self.announcement.publisher => 1,
            () => 2,
        };
        candidates
            .map(|(peer, neighbor)| {
                let shows_runs = neighbor.map.as_ref().is_some_and(|(_, map)| map.end() > map.base());
                (rank(peer, shows_runs), neighbor.rtt, turn.cx.rng.next_u64(), *peer)
            })
            .min()
            .map(|(.., peer)| peer)
    }

    /// A newcomer asks for a place to start.
    pub(crate) fn on_start(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, tolerance: &mut Tolerance) {
        if !self.neighbors.contains_key(&from) {
            return;
        }
        let may_be_served = tolerance.may_be_served(turn.cx.now, self.alias, self.serving());
        let start = if may_be_served { self.offer_start(turn) } else { Start::Refused };
        self.send_control(turn, from, Message::StartAnswer(StartAnswer { stream: self.alias, start }));
        if let Start::Offered { from: first, next } = start {
            for run in first..next {
                // Somebody waits for the first picture, or tone; the rest may wait for what others are pushed.
                let priority = if run == first { Priority::Urgent } else { Priority::Repair };
                let bytes = self.send_start_run(turn, from, run, priority);
                tolerance.note_served(self.alias, bytes);
            }
        }
    }

    fn offer_start(&mut self, turn: &Turn<'_, '_>) -> Start {
        if !self.has_started() || self.gives_nothing(turn.config) {
            return Start::Refused;
        }
        let next = self.window.verified_end();
        let from = self.window.newest_key().unwrap_or(next);
        let is_whole = self.window.get(from).is_some_and(|run| run.manifest.is_some());
        if from < next && (!is_whole || !self.join.admit(turn.cx.now, turn.config.max_starts_per_second)) {
            return Start::Refused;
        }
        if from == next && !self.is_publisher() && self.window.has_content() {
            // No key frame here: someone else may have one.
            return Start::Refused;
        }
        Start::Offered { from, next: self.affordable_end(turn, from, next) }
    }

    /// Where a start that our upload can carry at once ends; those who push the newcomer its slices from there on have a
    /// part of the rest each.
    fn affordable_end(&mut self, turn: &Turn<'_, '_>, from: u64, next: u64) -> u64 {
        let is_affordable = |run: &u64| {
            let bytes = self.window.get(*run).map_or(0, Run::wire_bytes);
            // Nobody begins with nothing.
            self.afford_repair(turn, bytes as u64) || *run == from
        };
        (from..next).take_while(is_affordable).last().map_or(from, |run| run + 1)
    }

    /// Sends what is here of a run; says how many bytes that was.
    fn send_start_run(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, run: u64, priority: Priority) -> usize {
        let Some(place) = self.window.get(run) else { return 0 };
        let Some(manifest) = place.manifest.clone() else { return 0 };
        let payloads = place.separate_payloads(place.held());
        let separate: usize = payloads.iter().map(|(_, payload)| payload.len()).sum();
        let bytes = separate + manifest.wire_len();
        let how = Delivery::live(turn.cx.now, START_LIFETIME, priority);
        for piece in &manifest.pieces {
            if let PieceEntry::Inline { payload, .. } = piece {
                self.stats.requested_by_peers.count(payload.len());
            }
        }
        let message = Message::Manifest { stream: self.alias, is_repair: true, hops: u8::MAX, manifest };
        self.send(turn, to, message, how);
        for (position, payload) in payloads {
            self.repair(turn, to, run, position, payload, how);
        }
        bytes
    }

    /// Our request for a start is answered.
    pub(crate) fn on_start_answer(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, start: Start) {
        if self.has_started() || self.join.asked.is_none_or(|(asked, _)| asked != from) {
            return;
        }
        self.join.asked = None;
        match start {
            Start::Refused => {
                self.join.tried.push(from);
                self.seek_start(turn);
            }
            Start::Offered { from: first, next } => self.begin_at(turn, from, first, next),
        }
    }

    fn begin_at(&mut self, turn: &mut Turn<'_, '_>, giver: PeerId, first: u64, next: u64) {
        let now = turn.cx.now;
        self.window.restart(first);
        self.player = Some(Player::new(first, turn.config.max_message));
        self.join.given = Some(Given { by: Some(giver), at: now, first, next });
        let most = first.saturating_add(turn.config.max_runs as u64 / 2);
        if let Some(last) = next.min(most).checked_sub(1)
            && last >= first
        {
            self.reach(turn, last);
            let rtt = self.neighbors.get(&giver).map_or(super::DEFAULT_RTT, |neighbor| neighbor.rtt);
            // They are on their way; the giver's uplink may need a while.
            for (_, hole) in self.holes.below(next) {
                hole.check_at = now + rtt * 2 + Duration::from_millis(400);
            }
        }
        self.on_end(turn);
        self.links.hurry(now);
        self.owe_maps(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_starts_a_second_and_not_one_more() {
        let mut join = Join::default();
        let at = |millis| Time::from_millis(millis);
        assert_eq!([7, 500, 900, 1_006].map(|millis| join.admit(at(millis), 3)), [true, true, true, false]);
        assert!(join.admit(at(1_007), 3), "a second later");
    }
}
