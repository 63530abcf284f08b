use std::time::Duration;

use stratus_core::{Cx, PeerId, Time};

use super::{Overlay, timer};
use crate::api::Output;
use crate::best::{BestList, Choice, Reason, View};
use crate::dials::{Dial, Purpose, Stage};
use crate::link::Link;
use crate::places::{Place, distance};

/// How fast to gossip: quickly while the best list changes, then ever more slowly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: Duration,
    has_changed: bool,
}

impl Pace {
    pub(super) fn new(hurried: Duration) -> Self {
        Self { interval: hurried, has_changed: true }
    }

    /// The time to the next exchange. Source: spec OV-10.
    pub(super) fn next_interval(&mut self, hurried: Duration, quiet: Duration) -> Duration {
        let has_changed = std::mem::take(&mut self.has_changed);
        self.interval = if has_changed { hurried } else { (self.interval * 2).min(quiet) };
        self.interval
    }
}

/// Whom to be linked with, and dialling them. Source: spec OV-7, OV-11.
impl Overlay {
    /// Makes the best list anew, and dials those in it to whom there is no link.
    pub(super) fn sort(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.timers.clear(timer::SORT);
        self.stats.sort_count += 1;
        let known = self.choosable(cx.now);
        let near = self.near();
        let view = View {
            center: self.me(),
            known: &known,
            near: &near,
            members: self.estimated_member_count(),
            chance: self.chance,
        };
        let before = std::mem::replace(&mut self.best, (self.config.policy)(&view));
        self.react(cx, &before, out);
        self.dial_wanted(cx, out);
        // Whoever is left out for a while is thought of again when that ends. Source: spec OV-13.
        if let Some(end) = self.troubles.next_end(cx.now) {
            self.timers.set_sooner(timer::SORT, end);
        }
        if self.has_unneeded() && self.timers.get(timer::PART).is_none() {
            self.timers.set(timer::PART, cx.now + cx.rng.jitter(self.config.leave_after / 2));
        }
    }

    /// Gossips faster when those change that make the group hold together; the six of low latency and the one
    /// by chance may change for ever.
    fn react(&mut self, cx: &mut Cx<'_>, before: &BestList, out: &mut Vec<Output>) {
        let is_structure = |choice: &Choice| matches!(choice.reason, Reason::Ring | Reason::Shortcut);
        let news: Vec<Choice> = self
            .best
            .iter()
            .filter(|choice| is_structure(choice) && !before.contains(choice.place))
            .collect();
        if news.is_empty() {
            return;
        }
        self.hurry(cx);
        let ring = news.iter().filter(|choice| choice.reason == Reason::Ring);
        // A link that is only just up has an exchange of its own.
        let is_settled = |link: &&Link| link.since + self.config.hurried_interval <= cx.now;
        let settled: Vec<PeerId> = ring
            .filter_map(|choice| self.open_links().filter(is_settled).find(|link| link.place == choice.place))
            .map(|link| link.peer)
            .collect();
        for peer in settled {
            self.start_exchange(cx, peer, true, out);
        }
    }

    pub(super) fn hurry(&mut self, cx: &mut Cx<'_>) {
        self.pace.has_changed = true;
        if !self.links.is_empty() {
            self.timers.set_sooner(timer::GOSSIP, cx.now + cx.rng.jitter(self.config.hurried_interval));
        }
    }

    /// A new random choice.
    pub(super) fn next_round(&mut self, cx: &mut Cx<'_>) {
        self.chance = cx.rng.next_u64();
        self.timers.set(timer::ROUND, cx.now + cx.rng.jitter(self.config.random_period));
        self.sort_soon(cx);
    }

    /// The members with whom a link might be had, in rising order.
    fn choosable(&self, now: Time) -> Vec<Place> {
        let patience = self.slow_dial(now);
        let slow = |dial: &&Dial| dial.since + patience <= now;
        let slow: Vec<Place> = self.dials.iter().filter(slow).map(|dial| dial.place).collect();
        let hints = self.hints.iter().map(|peer| self.place_of(peer));
        let is_avoided = |place: Place| self.troubles.avoids(place, now) || self.is_banned(place, now);
        let may_be_had = |place: &Place| !is_avoided(*place) && !slow.contains(place);
        let mut known: Vec<Place> =
            self.heard.places().iter().copied().chain(hints).filter(may_be_had).collect();
        if !self.hints.is_empty() {
            known.sort_unstable();
            known.dedup();
        }
        known
    }

    /// The members whose latency was measured, lowest first. Differences under about an eighth count for
    /// nothing against a link that is up, or links would come and go with every measurement.
    pub(super) fn near(&self) -> Vec<Place> {
        let me = self.me();
        let mut linked: Vec<Place> = self.open_links().map(|link| link.place).collect();
        linked.sort_unstable();
        let rank = |(place, entry): (Place, &crate::heard::Entry)| {
            let is_far = linked.binary_search(&place).is_err();
            entry.rtt().map(|rtt| (coarse(rtt), is_far, distance(me, place), place))
        };
        let mut near: Vec<_> = self.heard.iter().filter_map(rank).collect();
        near.sort_unstable();
        near.into_iter().map(|(.., place)| place).collect()
    }

    /// Whether we want this link ourselves.
    pub(super) fn is_chosen(&self, link: &Link, now: Time) -> bool {
        self.best.contains(link.place)
            || self.is_needed(&link.peer)
            || link.added_until.is_some_and(|until| until > now)
    }

    /// Whether there is a link that only the owner's wish or another's choice keeps.
    pub(super) fn has_unneeded(&self) -> bool {
        self.open_links().any(|link| !self.best.contains(link.place) && !self.is_needed(&link.peer))
    }

    /// Dials the chosen and the pinned to whom there is no link, as far as there is room.
    fn dial_wanted(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let linked: Vec<Place> = self.links.values().map(|link| link.place).collect();
        let is_missing = |place: Place| !linked.contains(&place) && !self.dials.holds(place);
        let chosen: Vec<PeerId> = self
            .best
            .iter()
            .filter(|choice| is_missing(choice.place))
            .filter_map(|choice| self.peer_at(choice.place))
            .collect();
        let pinned: Vec<PeerId> =
            self.pins.iter().copied().filter(|peer| is_missing(self.place_of(peer))).collect();
        for peer in chosen.into_iter().chain(pinned) {
            if self.troubles.avoids(self.place_of(&peer), cx.now) {
                // Only a pinned one: the others were not choosable.
                self.timers.set_sooner(timer::SORT, cx.now + self.config.dead_for);
            } else {
                self.dial(cx, peer, Purpose::Wanted, out);
            }
        }
    }

    /// Who sits at `place`, if it is known.
    fn peer_at(&self, place: Place) -> Option<PeerId> {
        let heard = self.heard.get(place).map(|entry| entry.record().peer());
        heard.or_else(|| self.hints.iter().copied().find(|hint| self.place_of(hint) == place))
    }

    /// Whether most dials are free for those that are probably alive.
    pub(super) fn has_spare_dials(&self) -> bool {
        self.dials.len() * 4 < self.config.dials
    }

    /// Asks the host for a link, unless there is one, or one in the making, or no room; says whether it did.
    pub(super) fn dial(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        purpose: Purpose,
        out: &mut Vec<Output>,
    ) -> bool {
        let is_busy = self.links.contains_key(&peer) || self.dials.get(&peer).is_some();
        let has_room = !self.dials.is_full() && self.links.len() + self.dials.len() < self.config.links;
        if is_busy || !has_room || peer == self.identity.peer() {
            return false;
        }
        self.stats.dial_count += 1;
        let place = self.place_of(&peer);
        let (candidates, asked) = (Vec::new(), Vec::new());
        self.dials.push(Dial {
            peer,
            place,
            purpose,
            stage: Stage::Dialing,
            since: cx.now,
            is_slow: false,
            candidates,
            asked,
        });
        let slow_at = cx.now + self.slow_dial(cx.now);
        self.timers.set_sooner(timer::SORT, slow_at);
        self.timers.set_sooner(timer::DIALS, slow_at);
        out.push(Output::Connect(peer));
        true
    }

    /// The owner wants a link with this member. Source: spec OV-15.
    pub(super) fn add_neighbor(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let until = cx.now + self.config.added_for;
        match self.links.get_mut(&peer) {
            Some(link) => link.added_until = Some(until),
            None => {
                self.dial(cx, peer, Purpose::Added, out);
            }
        }
    }

    /// The owner knows of a member, by its id alone. Source: spec OV-15.
    pub(super) fn add_hint(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        let is_known = peer == self.identity.peer() || self.has_heard_of(&peer) || self.hints.contains(&peer);
        if is_known || self.is_banned(self.place_of(&peer), cx.now) {
            return;
        }
        if self.hints.len() == self.config.hints {
            self.hints.remove(0);
        }
        self.hints.push(peer);
        self.sort_soon(cx);
    }

    /// Whether another layer needs a link to this member.
    pub(super) fn is_needed(&self, peer: &PeerId) -> bool {
        self.pins.contains(peer) || self.sought.contains(peer)
    }

    /// A look-up needs this link now, and only for a moment. Source: spec OV-15.
    pub(super) fn seek(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if self.sought.len() < self.config.pins && !self.is_banned(self.place_of(&peer), cx.now) {
            self.sought.insert(peer);
            self.dial(cx, peer, Purpose::Wanted, out);
        }
    }

    /// Another layer needs this link. Source: spec OV-15.
    pub(super) fn pin(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        let is_possible = peer != self.identity.peer() && !self.is_banned(self.place_of(&peer), cx.now);
        if is_possible && self.pins.len() < self.config.pins && self.pins.insert(peer) {
            self.sort_soon(cx);
        }
    }
}

/// A round trip in steps of about an eighth; all under 2 ms are alike.
fn coarse(rtt: Duration) -> u32 {
    let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
    if micros < 2_048 {
        return 0;
    }
    let log = micros.ilog2();
    log * 8 + (micros >> (log - 3) & 7) as u32
}
