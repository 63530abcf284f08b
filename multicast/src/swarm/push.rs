//! Push: who asks whom for which slice, who is served, and when that changes (spec MC-8).

use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::{BitSet, PeerId, Time, Wire as _};

use super::{Swarm, Turn};
use crate::children::{Room, Verdict};
use crate::message::{PushAnswer, PushRequest, PushStop};
use crate::neighbor::Neighbor;
use crate::parents::{Asked, Parent};
use crate::tolerance::Tolerance;
use crate::window::Run;
use crate::{Message, SliceStamp};

/// Someone who refused a slice is not asked for it again for about this long.
const REFUSAL_MEMORY: Duration = Duration::from_millis(700);
/// Someone who let us go is not asked for about this long.
const SILENCE_MEMORY: Duration = Duration::from_secs(4);
/// What was due from parents is looked at this often,
const JUDGE_PERIOD: Duration = Duration::from_millis(500);
/// so far back,
const JUDGED: Duration = Duration::from_millis(3_000);
/// and a run is due so long after it became known: queues on scarce uplinks are shorter.
const DUE: Duration = Duration::from_millis(1_000);
/// Part of a second's upload that a new child may catch up with.
const CATCH_UP_SHARE: u64 = 10;
/// Notice given to a child that must look elsewhere: time to find another parent, at one copy too many.
const NOTICE: Duration = Duration::from_secs(2);
/// The same where more was promised than the upload carries: what is too much queues, and all children wait for it.
const SHORT_NOTICE: Duration = Duration::from_millis(600);
/// No parent begins so many runs later than it was asked to, whatever the stream's rate.
const FAR: u64 = 1_024;
/// Places in a slice are for children at home there for this long after it began to flow.
const HOME_FIRST: Duration = Duration::from_millis(400);
/// A child that was asked whether it is there, and gave no answer for two round trips and this, is dead as far as its
/// places are concerned.
const CHILD_SILENCE: Duration = Duration::from_millis(1_500);
/// And for this long: it may be dead, and makes room for who asks.
const CHILD_DOUBT: Duration = Duration::from_millis(150);
/// A question without an answer is dropped after this and two round trips.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
/// A stamp older than this shows a slice that does not flow.
const STAMP_AGE: Duration = Duration::from_millis(1_500);
/// A quicker parent must be quicker by this much: a change costs messages and may bring a run twice.
const QUICKER_BY: Duration = Duration::from_millis(12);
/// A quicker parent is looked for where one of the last so many runs of the slice came whole: where much is lost, what
/// is played waits for repairs, and a change brings a run twice for nothing.
const LATELY: u64 = 3;
/// A quicker parent is looked for about this often.
const QUICKER_PERIOD: Duration = Duration::from_millis(400);
/// A lost control message is sent again after a round trip or two and this.
const SENT_AGAIN: Duration = Duration::from_millis(80);
/// A parent is kept at least this long before a quicker one is looked for.
const PARENT_TRIAL: Duration = Duration::from_millis(700);

/// What a neighbor would be as a parent; the least is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Prospect {
    /// It said that it has no place.
    is_full: bool,
    /// We already get this many slices from it, over our share.
    crowding: u32,
    /// It did not say that it has room for many: those that did are to carry more (spec MC-8).
    is_ordinary: bool,
    /// When it has runs, µs after their stamp, by our clock; unknown counts as slow.
    lag: i64,
    rtt: Duration,
    tie: u64,
}

/// What a neighbor must be to take the place of a parent that does its work.
#[derive(Clone, Copy, Debug)]
struct Goal {
    /// It has runs sooner than this.
    lag: i64,
    /// Or is strong and has them sooner than this.
    strong_lag: i64,
}

impl Goal {
    fn is_met_by(self, prospect: &Prospect) -> bool {
        let lag = if prospect.is_ordinary { self.lag } else { self.strong_lag };
        prospect.lag < lag && !prospect.is_full
    }
}

impl Swarm {
    /// What we can give in push.
    pub(super) fn room(&self, now: Time, config: &crate::Config) -> Room {
        let slices = self.slices();
        let upload = self.upload(config);
        let total = Room::slots(upload, self.rate.wire(), slices);
        let limit = self.properties.push_neighbor_limit;
        // Who has room for more in every slice takes more, or strong members would idle while weak ones carry.
        let by_upload = if upload.is_some() { total / slices as usize } else { 0 };
        let is_usual = limit == config.push_neighbor_limit;
        let strong_limit = if is_usual { config.strong_push_neighbor_limit } else { limit };
        let limit = limit.max(by_upload.min(strong_limit));
        if self.is_publisher() {
            // One copy of every slice goes out whatever the budget, or nobody has it.
            let total = total.max(slices as usize);
            let limit = limit.min(total.div_ceil(slices as usize));
            let share = (slices as usize * limit).div_ceil(self.neighbors.len().max(1)) as u32;
            // Who asks first would get more than its share, and lose it when it serves others already.
            let share = if self.is_young(now, self.began_at, config) { 1 } else { share };
            return Room {
                at_home: limit,
                away: limit,
                total,
                per_child: share,
                home: BitSet::EMPTY,
                reserved: 0,
                is_source: true,
                offered_quarters: 3,
            };
        }
        if self.gives_nothing(config) {
            // Every request is refused.
            let home = BitSet::EMPTY;
            return Room {
                at_home: 0,
                away: 0,
                total: 0,
                per_child: 0,
                home,
                reserved: 0,
                is_source: false,
                offered_quarters: 0,
            };
        }
        let homes = limit * self.home.len() as usize;
        let away = match config.upload {
            // Half, but nothing that strong members could give is left idle where it is needed.
            Some(_) => {
                let elsewhere = (slices as usize - self.home.len() as usize).max(1);
                limit.div_ceil(2).max(total.saturating_sub(homes).div_ceil(elsewhere)).min(limit)
            }
            None => limit,
        };
        let reserved = if config.upload.is_some() { homes.min(total * 6 / 10) } else { 0 };
        let is_strong = limit > self.properties.push_neighbor_limit;
        let offered_quarters = match () {
            // Who cannot send half a copy takes long for a single run, and all below it would wait.
            () if total < slices as usize / 2 => 0,
            () if !is_strong && self.knows_strong() => 1,
            () => 3,
        };
        let (at_home, per_child, home) = (limit, slices, self.home);
        Room { at_home, away, total, per_child, home, reserved, is_source: false, offered_quarters }
    }

    /// Whether a parent neither publishes nor said that it is strong: work should move from it to those that are.
    fn is_ordinary(&self, parent: &PeerId) -> bool {
        let map = self.neighbors.get(parent).and_then(|neighbor| neighbor.map.as_ref());
        *parent != self.announcement.publisher && !map.is_some_and(|(_, map)| map.is_strong)
    }

    /// Whether a neighbor can carry more than most and has places.
    fn knows_strong(&self) -> bool {
        let maps = self.neighbors.values().filter_map(|neighbor| neighbor.map.as_ref());
        maps.into_iter().any(|(_, map)| map.is_strong && !map.free.is_empty())
    }

    /// A neighbor asks us to push slices to it.
    pub(crate) fn on_push_request(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        request: &PushRequest,
        tolerance: &mut Tolerance,
    ) {
        if !self.neighbors.contains_key(&from) {
            return;
        }
        let now = turn.cx.now;
        let room = self.room(now, turn.config);
        let flowing = self.flowing(now);
        let asked = request.slices.intersection(BitSet::first(self.slices()));
        let wanted = self.first_to_push(now, request.from_run, tolerance);
        let from_run = self.first_affordable(turn.config, wanted, asked.intersection(flowing));
        let inner = self.children.inner();
        let silent = self.silent(now, CHILD_DOUBT);
        let mut accepted = BitSet::EMPTY;
        let mut displaced: BTreeMap<PeerId, BitSet> = BTreeMap::new();
        for slice in asked.intersection(flowing).iter() {
            if self.parents.get(slice).parent.is_some_and(|parent| parent.peer == from) {
                continue;
            }
            let is_home = request.home.contains(slice);
            if !is_home && self.is_for_home_only(turn, slice) {
                continue;
            }
            match self.children.judge(&room, slice, &from, is_home, &silent) {
                Verdict::Refused => continue,
                Verdict::Accepted => {}
                Verdict::Displacing(child) => {
                    displaced.entry(child).or_default().insert(slice);
                    self.children.end(slice, &child, self.notice_run(NOTICE));
                }
            }
            self.children.add(slice, from, from_run, is_home);
            accepted.insert(slice);
        }
        self.tell_parents_of_inner(now, accepted.minus(inner));
        if accepted != asked {
            self.doubt_children(now);
        }
        let (free, home_free) = self.children.free(&room, flowing);
        let answer = PushAnswer {
            stream: self.alias,
            accepted,
            hops: accepted.iter().map(|slice| self.hops(slice)).collect(),
            refused: asked.minus(accepted),
            from_run,
            free: free.union(home_free.intersection(request.home)),
        };
        self.send_control(turn, from, Message::PushAnswer(answer));
        for (child, slices) in displaced {
            self.give_notice(turn, child, slices, NOTICE);
        }
        let bytes = self.catch_up(turn, from, accepted, from_run);
        tolerance.note_served(self.alias, bytes);
    }

    /// Parents let leaves go when they need room. Those that took us for one must know soon that we serve others now: who
    /// loses its place high in a tree takes all that hangs below it deep down.
    fn tell_parents_of_inner(&mut self, now: Time, begun: BitSet) {
        let parents =
            begun.iter().filter_map(|slice| self.parents.get(slice).parent.map(|parent| parent.peer));
        for parent in parents.collect::<Vec<_>>() {
            self.owe_map(now, &parent);
        }
    }

    /// The first run that someone who wants to be pushed everything from `wanted` on gets: who was given enough
    /// of what is here already gets only what is to come (spec MC-23).
    fn first_to_push(&self, now: Time, wanted: u64, tolerance: &mut Tolerance) -> u64 {
        let may_catch_up = tolerance.may_be_served(now, self.alias, self.serving());
        let first = if may_catch_up { self.window.base() } else { self.window.verified_end() };
        wanted.max(first)
    }

    /// What a new child is to catch up with delays all that is pushed to the others. Where uploads are limited it gets
    /// little of it, and asks many for the rest.
    fn first_affordable(&self, config: &crate::Config, wanted: u64, slices: BitSet) -> u64 {
        let Some(upload) = self.upload(config) else { return wanted };
        let mut left = upload / CATCH_UP_SHARE;
        for run in (wanted.max(self.window.base())..self.window.end()).rev() {
            let is_asked = slices.contains(self.slice_of(run));
            let bytes = self.window.get(run).filter(|_| is_asked).map_or(0, Run::wire_bytes) as u64;
            if bytes > left {
                return run + 1;
            }
            left -= bytes;
        }
        wanted
    }

    /// While a slice is young and the stream rests, its places are for those at home there: they will serve most, and should stand
    /// high in its tree. Where uploads are plenty it does not matter who stands where.
    fn is_for_home_only(&self, turn: &Turn<'_, '_>, slice: u32) -> bool {
        let rooted_at = if self.is_publisher() { self.began_at } else { self.parents.get(slice).rooted_at };
        self.is_young(turn.cx.now, rooted_at, turn.config)
    }

    /// Whether uploads are scarce, the stream rests, and what began to flow at that time did so only now.
    fn is_young(&self, now: Time, rooted_at: Time, config: &crate::Config) -> bool {
        let is_resting = self.window.verified_end() == 0;
        config.upload.is_some() && is_resting && now.since(rooted_at) < HOME_FIRST
    }

    /// The first run that a child on notice no longer gets.
    fn notice_run(&self, notice: Duration) -> u64 {
        self.window.verified_end() + self.rate.runs_in(notice)
    }

    fn give_notice(&mut self, turn: &mut Turn<'_, '_>, child: PeerId, slices: BitSet, notice: Duration) {
        let from_run = self.notice_run(notice);
        for slice in slices.iter() {
            self.children.end(slice, &child, from_run);
        }
        let stop = PushStop { stream: self.alias, slices, from_run, is_from_parent: true };
        self.send_control(turn, child, Message::PushStop(stop));
    }

    /// Gives the places of children that are silent to others. A living child says its map more often than that,
    /// and looks for another parent if it was wronged.
    pub(super) fn drop_silent_children(&mut self, now: Time) {
        for peer in self.silent(now, CHILD_SILENCE) {
            self.children.forget(&peer);
            self.pending.retain(|(.., child), _| *child != peer);
        }
    }

    /// Neighbors that do not answer for so long.
    fn silent(&self, now: Time, time: Duration) -> Vec<PeerId> {
        let silent = self.neighbors.iter().filter(|(_, neighbor)| neighbor.is_silent(now, time));
        silent.map(|(peer, _)| *peer).collect()
    }

    /// Lets children go when more was promised than there is.
    pub(super) fn shed_surplus(&mut self, turn: &mut Turn<'_, '_>) {
        let room = self.room(turn.cx.now, turn.config);
        while let Some((slice, child)) = self.children.surplus(&room) {
            self.give_notice(turn, child, BitSet::single(slice), SHORT_NOTICE);
        }
    }

    /// Pushes what is here already of newly promised slices; says how many bytes that was.
    fn catch_up(&mut self, turn: &mut Turn<'_, '_>, child: PeerId, slices: BitSet, from_run: u64) -> usize {
        let mut bytes = 0;
        for run in from_run..self.window.end() {
            if !slices.contains(self.slice_of(run)) {
                continue;
            }
            let Some(place) = self.window.get(run) else { continue };
            let Some(manifest) = place.manifest.clone() else { continue };
            let payloads = place.separate_payloads(place.held());
            bytes += manifest.wire_len() + payloads.iter().map(|(_, payload)| payload.len()).sum::<usize>();
            self.children.note_pushed(self.slice_of(run), run);
            self.push_run(turn, &[child], &manifest, &payloads);
        }
        bytes
    }

    /// Someone we asked has answered.
    pub(crate) fn on_push_answer(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, answer: &PushAnswer) {
        let now = turn.cx.now;
        let all = BitSet::first(self.slices());
        if let Some((_, map)) = self.neighbors.get_mut(&from).and_then(|neighbor| neighbor.map.as_mut()) {
            map.free = answer.free;
            map.home_free = map.home_free.intersection(answer.free);
        }
        let mut unasked = BitSet::EMPTY;
        let mut begins_to_flow = false;
        let mut stops: BTreeMap<PeerId, BitSet> = BTreeMap::new();
        for (slice, hops) in
            answer.accepted.iter().zip(&answer.hops).filter(|(slice, _)| all.contains(*slice))
        {
            let state = self.parents.get_mut(slice);
            if state.asked.is_none_or(|asked| asked.peer != from) {
                unasked.insert(slice);
                continue;
            }
            state.asked = None;
            let parent = Parent { peer: from, from_run: answer.from_run, since: now, until: None };
            state.hops = hops.saturating_add(1);
            let old = state.parent.replace(parent);
            if old.is_none() {
                begins_to_flow = true;
                state.rooted_at = now;
            }
            if let Some(old) = old.filter(|old| old.peer != from) {
                stops.entry(old.peer).or_default().insert(slice);
            }
            state.heard_at = now;
            state.pushed = None;
        }
        for slice in answer.refused.intersection(all).iter() {
            let until = now + turn.cx.rng.jitter(REFUSAL_MEMORY);
            let state = self.parents.get_mut(slice);
            if state.asked.is_some_and(|asked| asked.peer == from) {
                state.asked = None;
                state.refuse_again(from, now, until);
            }
        }
        for (old, slices) in stops {
            self.stop_parent(turn, old, slices, answer.from_run);
        }
        if begins_to_flow {
            self.owe_maps(now);
        }
        if !unasked.is_empty() {
            self.stop_parent(turn, from, unasked, 0);
        }
        if !self.parents.orphans().is_empty() {
            self.links.hurry(now);
        }
    }

    pub(super) fn stop_parent(
        &mut self,
        turn: &mut Turn<'_, '_>,
        parent: PeerId,
        slices: BitSet,
        from_run: u64,
    ) {
        if self.neighbors.contains_key(&parent) {
            let stop = PushStop { stream: self.alias, slices, from_run, is_from_parent: false };
            self.send_control(turn, parent, Message::PushStop(stop));
        }
    }

    /// A parent will stop, or a child wants no more.
    pub(crate) fn on_push_stop(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, stop: &PushStop) {
        let now = turn.cx.now;
        for slice in stop.slices.intersection(BitSet::first(self.slices())).iter() {
            if !stop.is_from_parent {
                self.children.end(slice, &from, stop.from_run);
                continue;
            }
            let until = now + turn.cx.rng.jitter(SILENCE_MEMORY);
            let state = self.parents.get_mut(slice);
            if let Some(parent) = state.parent.as_mut().filter(|parent| parent.peer == from) {
                parent.until = Some(stop.from_run);
                state.refuse(from, until);
                self.links.hurry(now);
                self.look_around(turn);
            }
        }
        self.prune_children();
    }

    /// Leaves parents that push nothing while the stream goes on: a dead one is noticed by its missing runs,
    /// within a second, not by its connection (spec MC-8).
    pub(super) fn leave_silent_parents(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let patience = self.patience();
        let newest = self.window.verified_end();
        let slack = u64::from(self.slices()) * 2;
        let far = FAR + self.rate.runs_in(2 * NOTICE);
        let starving = self.starving(now);
        for slice in 0..self.slices() {
            self.drop_unanswered(slice, now);
            let state = self.parents.get(slice);
            let Some(parent) = state.parent else { continue };
            let last_run = state.heard_run.max(parent.from_run);
            let is_silent = now.since(state.heard_at) > patience && newest > last_run + slack;
            let is_starving = starving.contains(slice);
            let is_over = parent.until.is_some_and(|until| newest >= until + slack);
            let is_promise = state.promises_only(now, newest, slack, far);
            if is_silent || is_starving || is_promise || is_over {
                self.parents.get_mut(slice).parent = None;
                if is_silent || is_starving || is_promise {
                    self.parents.note_failure(parent.peer, now, turn.cx.rng);
                } else {
                    let until = now + turn.cx.rng.jitter(SILENCE_MEMORY);
                    self.parents.get_mut(slice).refuse(parent.peer, until);
                }
                self.stats.reparented += 1;
                self.look_around(turn);
                self.stop_parent(turn, parent.peer, BitSet::single(slice), 0);
            }
        }
    }

    /// Slices whose parent pushed less than half of what it should have by now. It may be alive, quick and full
    /// of promises; a place that does not bring the stream is given to someone else (spec MC-24).
    fn starving(&mut self, now: Time) -> BitSet {
        if now < self.next_judged_at {
            return BitSet::EMPTY;
        }
        self.next_judged_at = now + JUDGE_PERIOD;
        let mut shares = vec![(0, 0, 0); self.slices() as usize];
        let first = self.window.verified_end().saturating_sub(self.rate.runs_in(JUDGED));
        for run in first.max(self.window.base())..self.window.verified_end() {
            let slice = self.slice_of(run);
            let Some(place) = self.window.get(run) else { continue };
            let is_due = now.since(place.known_at) > DUE && !place.is_abandoned;
            if is_due && self.parents.get(slice).is_to_push(run, place.known_at) {
                let (runs, expected, brought) = &mut shares[slice as usize];
                let fragments = place.manifest.as_ref().map_or(1, |manifest| manifest.pieces.len() as u32);
                *runs += 1;
                *expected += fragments;
                *brought += place.brought.min(fragments);
            }
        }
        let is_starving = |(runs, expected, brought): &(u32, u32, u32)| *runs >= 3 && brought * 2 < *expected;
        (0..).zip(&shares).filter(|(_, share)| is_starving(share)).map(|(slice, _)| slice).collect()
    }

    fn drop_unanswered(&mut self, slice: u32, now: Time) {
        let Some(asked) = self.parents.get(slice).asked else { return };
        let rtt = self.neighbors.get(&asked.peer).map_or(Duration::ZERO, |neighbor| neighbor.rtt);
        if now.since(asked.at) > rtt * 2 + ANSWER_PATIENCE {
            // It may be dead: the other slices need not find that out each for itself.
            self.parents.note_unanswered(asked.peer, now + REFUSAL_MEMORY);
        }
    }

    /// Finds a parent for every slice that needs one.
    pub(super) fn choose_parents(&mut self, turn: &mut Turn<'_, '_>) {
        let mut requests: BTreeMap<(PeerId, u64), BitSet> = BTreeMap::new();
        let mut load: BTreeMap<PeerId, u32> = BTreeMap::new();
        for peer in self.parents.peers() {
            *load.entry(peer).or_default() += 1;
        }
        for slice in self.parents.orphans().iter() {
            let Some(peer) = self.best_prospect(turn, slice, &load, None) else { continue };
            *load.entry(peer).or_default() += 1;
            let from_run = self.resume_at(slice);
            requests.entry((peer, from_run)).or_default().insert(slice);
        }
        for ((peer, from_run), slices) in requests {
            self.ask(turn, peer, slices, from_run);
        }
    }

    fn ask(&mut self, turn: &mut Turn<'_, '_>, peer: PeerId, slices: BitSet, from_run: u64) {
        let now = turn.cx.now;
        for slice in slices.iter() {
            self.parents.get_mut(slice).asked = Some(Asked { peer, at: now });
        }
        let rtt = self.neighbors.get(&peer).map_or(super::DEFAULT_RTT, |neighbor| neighbor.rtt);
        let slice_count = u64::from(self.slices());
        // The new parent sends what it has; pulling the same meanwhile would bring it twice.
        for (run, hole) in self.holes.below(u64::MAX) {
            if run >= from_run && slices.contains((run % slice_count) as u32) && hole.asked.is_none() {
                hole.check_at = hole.check_at.max(now + rtt * 3 / 2 + Duration::from_millis(40));
            }
        }
        let home = self.home(turn.config).intersection(slices);
        let request = PushRequest { stream: self.alias, slices, home, from_run };
        self.send_control(turn, peer, Message::PushRequest(request));
    }

    /// The first run that a new parent of `slice` should push: after the notice of the old one, or the oldest
    /// hole of which nothing is here, that nobody was asked to fill, and that has no later run behind it.
    fn resume_at(&self, slice: u32) -> u64 {
        if let Some(until) = self.parents.get(slice).parent.and_then(|parent| parent.until) {
            return until;
        }
        let slices = u64::from(self.slices());
        let mut first = self.window.verified_end();
        for run in (self.window.base()..first).rev().filter(|run| run % slices == u64::from(slice)) {
            match self.holes.get(run) {
                Some(hole) if hole.asked.is_none() && self.lacks_all_of(run) => first = run,
                _ => break,
            }
        }
        first
    }

    fn lacks_all_of(&self, run: u64) -> bool {
        self.window.get(run).is_none_or(|place| place.held().is_empty()) && self.waiting(run).is_empty()
    }

    /// The neighbor that should push `slice` to us, or none that could. With a goal, only one that meets it.
    fn best_prospect(
        &self,
        turn: &mut Turn<'_, '_>,
        slice: u32,
        load: &BTreeMap<PeerId, u32>,
        goal: Option<Goal>,
    ) -> Option<PeerId> {
        let share = self.slices().div_ceil(self.neighbors.len().max(1) as u32).max(2);
        let mut best: Option<(Prospect, PeerId)> = None;
        for (peer, neighbor) in &self.neighbors {
            if !self.parents.may_ask(slice, peer, turn.cx.now) || self.children.has(slice, peer) {
                continue;
            }
            let crowding = load.get(peer).map_or(0, |count| (count + 1).saturating_sub(share));
            let Some(prospect) = self.judge_prospect(turn, slice, peer, neighbor, crowding) else { continue };
            let is_quick = goal.is_none_or(|goal| goal.is_met_by(&prospect));
            if is_quick && best.is_none_or(|(least, _)| prospect < least) {
                best = Some((prospect, *peer));
            }
        }
        best.map(|(_, peer)| peer)
    }

    fn judge_prospect(
        &self,
        turn: &mut Turn<'_, '_>,
        slice: u32,
        peer: &PeerId,
        neighbor: &Neighbor,
        crowding: u32,
    ) -> Option<Prospect> {
        let now = turn.cx.now;
        let is_publisher = *peer == self.announcement.publisher;
        let (at, map) = match &neighbor.map {
            Some((at, map)) => (*at, map),
            // The publisher always flows; of others nothing is known before their first map.
            None if is_publisher => {
                let tie = turn.cx.rng.next_u64();
                let (is_full, is_ordinary, lag, rtt) = (false, false, i64::MAX, neighbor.rtt);
                return Some(Prospect { is_full, crowding, is_ordinary, lag, rtt, tie });
            }
            None => return None,
        };
        let state = self.parents.get(slice);
        // Nothing hangs below a leaf, so it may ask anyone.
        let is_leaf = !self.children.inner().contains(slice);
        let lag = match map.stamp(slice) {
            _ if is_publisher => self.source_lag(neighbor.rtt),
            Some(stamp) if stamp.age >= SliceStamp::NEVER => {
                (is_leaf || state.is_above(stamp.hops, None)).then_some(i64::MAX)?
            }
            Some(stamp) if stamp.age + now.since(at) <= STAMP_AGE => {
                let is_safe = is_leaf || state.is_above(stamp.hops, Some(stamp.run));
                is_safe.then(|| self.lag_of(at, stamp.run, stamp.age))?
            }
            _ => return None,
        };
        let free = if self.home(turn.config).contains(slice) { map.home_free } else { map.free };
        let is_full = !free.contains(slice);
        let is_ordinary = !is_publisher && !map.is_strong;
        let tie = turn.cx.rng.next_u64();
        Some(Prospect { is_full, crowding, is_ordinary, lag, rtt: neighbor.rtt, tie })
    }

    /// When a neighbor had `run`, seen from here: its map took as long to come as its push would.
    ///
    /// Where we have the same run, our own typical lag plus the difference: both are late together when the
    /// publisher was.
    pub(super) fn lag_of(&self, map_at: Time, run: u64, age: Duration) -> i64 {
        let had_at = map_at.as_micros() as i64 - age.as_micros() as i64;
        let own = self.window.get(run).filter(|place| !place.is_repaired).and_then(|place| place.came_at);
        match (own, self.parents.get(self.slice_of(run)).lag) {
            (Some(came_at), Some(lag)) => lag + had_at - came_at.as_micros() as i64,
            _ => had_at - self.published_at(run),
        }
    }

    /// The publisher has each run as it stamps it; half a round trip later we would.
    fn source_lag(&self, rtt: Duration) -> i64 {
        let best = self.parents.slices.iter().filter_map(|slice| slice.lag).min();
        best.map_or(i64::MIN, |lag| lag - rtt.as_micros() as i64)
    }

    /// The publisher's stamp of `run`, µs; guessed from the nearest known run when its manifest is not here.
    pub(super) fn published_at(&self, run: u64) -> i64 {
        let known = |run: u64| self.window.get(run).and_then(|place| place.manifest.as_ref());
        if let Some(manifest) = known(run) {
            return manifest.published_at.as_micros() as i64;
        }
        let interval = self.rate.run_interval().as_micros() as i64;
        let newest = (self.window.base()..self.window.end()).rev().find_map(known);
        newest.map_or(0, |manifest| {
            manifest.published_at.as_micros() as i64 + (run as i64 - manifest.run as i64) * interval
        })
    }

    /// Now and then asks for one slice from a neighbor that has its runs clearly sooner than we do. Home
    /// slices come first: high up there, we serve many.
    pub(super) fn seek_quicker(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        if now < self.next_quicker_at || !self.parents.orphans().is_empty() || self.rate.wire() == 0 {
            return;
        }
        self.next_quicker_at = now + turn.cx.rng.jitter(QUICKER_PERIOD);
        let newest = self.window.verified_end();
        let settled = |slice: &u32| {
            let state = self.parents.get(*slice);
            state.asked.is_none()
                && state.lag.is_some()
                && state.flowed.is_some_and(|(run, _)| run + LATELY * u64::from(self.slices()) >= newest)
                && state
                    .parent
                    .is_some_and(|parent| parent.until.is_none() && now.since(parent.since) > PARENT_TRIAL)
        };
        let mut slices: Vec<u32> = (0..self.slices()).filter(settled).collect();
        turn.cx.rng.shuffle(&mut slices);
        let wanted = match turn.cx.rng.below(4) {
            // High up at home we serve many.
            0 => slices.iter().copied().find(|slice| self.home(turn.config).contains(*slice)),
            1 => slices.first().copied(),
            // What is played waits for the slowest slice.
            _ => slices.iter().copied().max_by_key(|slice| self.parents.get(*slice).lag),
        };
        let Some(slice) = wanted else { return };
        let state = self.parents.get(slice);
        let (Some(lag), Some(parent)) = (state.lag, state.parent) else { return };
        let margin = QUICKER_BY.as_micros() as i64;
        let strong_lag = if self.is_ordinary(&parent.peer) { lag + margin } else { lag - margin };
        let goal = Goal { lag: lag - margin, strong_lag };
        let no_load = BTreeMap::new();
        let Some(peer) = self.best_prospect(turn, slice, &no_load, Some(goal)) else { return };
        if peer == parent.peer {
            return;
        }
        let rtt = |peer: &PeerId| self.neighbors.get(peer).map_or(Duration::ZERO, |neighbor| neighbor.rtt);
        // So far ahead that the old parent hears of it before it would push the same run, even if one of the
        // messages has to be sent again.
        let again = rtt(&peer).max(rtt(&parent.peer)) * 2 + SENT_AGAIN;
        let ahead = self.rate.runs_in(rtt(&peer) + rtt(&parent.peer) / 2 + again);
        let from_run = self.window.verified_end() + ahead + u64::from(self.slices());
        self.stats.quickened += 1;
        self.ask(turn, peer, BitSet::single(slice), from_run);
    }
}
