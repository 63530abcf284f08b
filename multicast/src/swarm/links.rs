//! Who we keep links with for this stream's sake, and when the swarm is tended.

use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::{PeerId, Time};

use super::{Swarm, Turn};
use crate::{Event, Message};

/// The swarm is tended at least this often while it is active.
const TEND_PERIOD: Duration = Duration::from_millis(100);
/// And this soon after something changed.
const HURRY: Duration = Duration::from_millis(4);
/// Links are reviewed this often.
const REVIEW_PERIOD: Duration = Duration::from_millis(500);
/// A wanted peer that is not connected after this is let go.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Reviews in a row that find a slice without a parent before more members are met: neighbors that are full stay full.
const HUNGRY: u32 = 3;
/// Most links kept for one stream's sake, hungry or not.
const MOST_WANTED: usize = 32;
/// Asking for more subscribers slows down to this.
const MAX_ASK_PERIOD: Duration = Duration::from_secs(30);

/// Links that the overlay should keep for us.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    wanted: BTreeMap<PeerId, Time>,
    tend_at: Option<Time>,
    review_at: Time,
    ask_at: Time,
    ask_period: Duration,
    /// How many reviews in a row found a slice without a parent.
    hungry: u32,
}

impl Links {
    pub(super) fn begin(&mut self, now: Time) {
        self.tend_at = Some(now + HURRY);
        self.ask_period = REVIEW_PERIOD;
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.tend_at
    }

    /// Something changed: tend soon.
    pub(super) fn hurry(&mut self, now: Time) {
        if let Some(at) = &mut self.tend_at {
            *at = (*at).min(now + HURRY);
        }
    }

    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.wanted.remove(peer);
    }

    pub(super) fn release_all(&mut self, turn: &mut Turn<'_, '_>) {
        for peer in std::mem::take(&mut self.wanted).into_keys() {
            turn.event(Event::Release(peer));
        }
        self.tend_at = None;
    }
}

impl Swarm {
    /// Everything periodic but maps and pulls: a start, parents, links.
    pub(super) fn tend(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        self.links.tend_at = (!self.has_drained).then(|| now + turn.cx.rng.jitter(TEND_PERIOD));
        self.has_queues = turn.config.upload.is_some();
        self.expire(turn);
        self.seek_start(turn);
        self.doubt_start(turn);
        if self.has_started() && self.is_subscribed() && !self.has_finished {
            self.leave_silent_parents(turn);
            self.choose_parents(turn);
            self.seek_quicker(turn);
        }
        self.judge_suspects(turn);
        self.drop_silent_children(now);
        self.shed_surplus(turn);
        if now >= self.links.review_at {
            self.links.review_at = now + REVIEW_PERIOD;
            self.review_links(turn);
        }
    }

    /// Keeps parents and enough other subscribers connected (spec MC-15).
    fn review_links(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.is_subscribed() {
            return;
        }
        let enough = turn.config.subscriber_links;
        self.release_absent(turn);
        let parents: Vec<PeerId> = self.parents.peers().collect();
        for parent in parents {
            self.keep(turn, parent);
        }
        // Those that give nothing keep whom they need themselves.
        let givers = self.neighbors.iter().filter(|(_, neighbor)| !neighbor.gives_nothing());
        let givers: Vec<PeerId> = givers.map(|(peer, _)| *peer).collect();
        let giver_count = givers.len();
        for peer in givers {
            if self.links.wanted.len() < enough {
                self.keep(turn, peer);
            }
        }
        let is_hungry = self.is_hungry() && self.links.wanted.len() < MOST_WANTED;
        if giver_count < enough || is_hungry {
            self.seek_links(turn);
        }
    }

    /// Whether a slice has had no parent for a while: whoever has a place may be nobody's neighbor here.
    fn is_hungry(&mut self) -> bool {
        let has_orphan = self.has_started() && self.parents.peers().count() < self.slices() as usize;
        self.links.hungry = if has_orphan { self.links.hungry + 1 } else { 0 };
        if self.links.hungry == HUNGRY {
            self.links.ask_period = REVIEW_PERIOD;
            self.links.ask_at = Time::ZERO;
        }
        self.links.hungry >= HUNGRY
    }

    fn keep(&mut self, turn: &mut Turn<'_, '_>, peer: PeerId) {
        if self.links.wanted.insert(peer, turn.cx.now).is_none() {
            turn.event(Event::Want(peer));
        }
    }

    /// Lets go of those that were wanted and never came.
    fn release_absent(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let is_absent = |peer: &PeerId, since: &Time| {
            !self.neighbors.contains_key(peer) && now.since(*since) > CONNECT_PATIENCE
        };
        let absent: Vec<PeerId> = self
            .links
            .wanted
            .iter()
            .filter(|(peer, since)| is_absent(peer, since))
            .map(|(p, _)| *p)
            .collect();
        for peer in absent {
            self.links.wanted.remove(&peer);
            turn.event(Event::Release(peer));
        }
    }

    /// Too few subscribers are connected: dial one that we heard of, or ask who else there is.
    fn seek_links(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let mut unconnected: Vec<PeerId> =
            self.subscribers.keys().filter(|peer| !self.neighbors.contains_key(peer)).copied().collect();
        turn.cx.rng.shuffle(&mut unconnected);
        for peer in unconnected.into_iter().take(2) {
            // Heard once, tried once; whoever is alive will be heard of again.
            self.subscribers.remove(&peer);
            self.keep(turn, peer);
        }
        if now < self.links.ask_at {
            return;
        }
        self.links.ask_period = (self.links.ask_period * 2).min(MAX_ASK_PERIOD);
        self.links.ask_at = now + turn.cx.rng.jitter(self.links.ask_period);
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        if let Some(peer) = turn.cx.rng.pick(&peers).copied() {
            let message = Message::Interest {
                stream: self.alias,
                is_on: true,
                asks_for_others: true,
                record: turn.record.clone(),
            };
            self.send_control(turn, peer, message);
        }
    }
}
