//! Pull: what push did not bring is asked for, from the best holder, until it comes or the window closes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, Delivery, PeerId, Priority, Time, Wire as _};

use super::{Swarm, Turn};
use crate::message::{MAX_WANTS, Want};
use crate::neighbor::Neighbor;
use crate::tolerance::Tolerance;
use crate::window::Run;
use crate::{Message, PieceEntry, SliceStamp};

/// Most requests of children that wait for what we are missing ourselves.
pub(super) const MAX_PENDING: usize = 1_024;
/// A repair that could not be sent for this long is asked elsewhere anyway.
const REPAIR_LIFETIME: Duration = Duration::from_millis(700);
/// Headers of a fragment on the wire: ours, QUIC's, UDP's and IP's.
const DATAGRAM_OVERHEAD: usize = 72;
/// Arrival times of one slice at one member differ by about this.
const SPREAD: Duration = Duration::from_millis(30);
/// Holes that a map told of this long ago may be filled.
const STALE_MAP: Duration = Duration::from_millis(500);
/// With nobody left to ask, ask again after this.
const RETRY: Duration = Duration::from_millis(60);
/// A former parent pushes what is its to push for this long.
const HAND_OVER: Duration = Duration::from_millis(600);
/// A run that is known for this long is not on its way any more, whatever its parent pushes meanwhile.
const MOST_LATE: Duration = Duration::from_millis(1_500);
/// A run that is on its way is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(40);
/// A member that called itself busy is left alone for about this long.
const BUSY: Duration = Duration::from_millis(250);
/// Each further request waits so much longer for its answer.
const ANSWER_SLACK: Duration = Duration::from_millis(40);
/// Runs known only from a neighbor's claim are made places for, at most this far ahead.
const MAX_CLAIMED_AHEAD: u64 = 64;

/// What became of a request for one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Served {
    /// So many bytes were sent.
    Sent(usize),
    /// Nothing of it is here.
    Missing,
    /// It is here, and the upload is spoken for.
    Busy,
}

/// Bytes that may be sent as repairs now: a token bucket of a twentieth of a second.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance {
    bytes: u64,
    at: Time,
}

impl Allowance {
    fn take(&mut self, now: Time, rate: u64, bytes: u64) -> bool {
        let earned = rate * now.since(self.at).as_micros().min(1_000_000) as u64 / 1_000_000;
        // One whole run must fit even into a small bucket.
        let most = (rate / 20).max(8_000);
        self.bytes = (self.bytes + earned).min(most);
        self.at = now;
        let is_enough = self.bytes >= bytes;
        if is_enough {
            self.bytes -= bytes;
        }
        is_enough
    }
}

/// How good a source is, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Holder {
    /// It pushes us this slice, and left a gap in it or is held up itself.
    Pusher,
    /// Its map says so.
    Told,
    /// Its map is older than the run, or there is none; it probably has it.
    Likely,
    /// The publisher has everything, and everyone's last resort.
    Publisher,
}

/// Whom to ask, the least first: whether it is unreliable, what it holds, how much it was asked, how far it is, and
/// chance.
type Rank = (bool, Holder, usize, Duration, u64);

impl Swarm {
    /// When a new run is to be pulled: a fetch period from now, or after its slice should have brought it.
    ///
    /// Trees of different slices differ in delay, most where uplinks are scarce; a run that another slice has
    /// overtaken is not lost.
    pub(super) fn first_check(&self, turn: &mut Turn<'_, '_>, run: u64) -> Time {
        let now = turn.cx.now;
        let slice = self.parents.get(self.slice_of(run));
        let fetch = self.properties.fetch_period;
        let is_expected = slice.parent.is_some_and(|parent| parent.until.is_none_or(|until| run < until));
        if !is_expected && slice.asked.is_none() {
            return now + turn.cx.rng.jitter(fetch / 2);
        }
        let expected_at = slice.lag.map_or(0, |lag| self.published_at(run).saturating_add(lag));
        let expected_at = Time::from_micros(u64::try_from(expected_at).unwrap_or(0));
        (now + fetch).max((expected_at + fetch / 2).min(now + fetch * 4))
    }

    /// A neighbor claims runs that we know nothing of: so much of it is believed that we ask.
    pub(super) fn reach_claimed(&mut self, turn: &mut Turn<'_, '_>, claimed_end: u64) {
        let most = self.window.verified_end().saturating_add(MAX_CLAIMED_AHEAD);
        let end = claimed_end.min(most);
        if let Some(last) = end.checked_sub(1)
            && last >= self.window.base()
        {
            self.reach(turn, last);
        }
    }

    /// Acts on every hole that is due: one request per neighbor for all that is asked of it.
    pub(super) fn pull(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let mut requests: BTreeMap<PeerId, Vec<Want>> = BTreeMap::new();
        for run in self.holes.due(now) {
            let Some(want) = self.want(now, run) else {
                if let Some(asked) = self.holes.close(run).and_then(|hole| hole.asked) {
                    self.request_ended(&asked);
                }
                continue;
            };
            if self.is_on_its_way(now, run) {
                self.look_again_at(turn, run);
                continue;
            }
            self.give_up_on_asked(run);
            let holder = self.best_holder(turn, run);
            self.note_disturbance(now, run, holder);
            match holder {
                Some(peer) => {
                    self.note_asked(now, run, peer);
                    requests.entry(peer).or_default().push(want);
                }
                None => self.retry_later(turn, run),
            }
        }
        for (peer, wants) in requests {
            self.stats.pulls_sent += wants.len() as u64;
            for wants in wants.chunks(MAX_WANTS) {
                let message = Message::Pull { stream: self.alias, wants: wants.to_vec() };
                self.send_urgent(turn, peer, message);
            }
        }
    }

    /// Who pushes a slice is asked for what got lost on the way; that is all in order. Who asks again, or elsewhere, or
    /// knows nobody to ask, does better with new maps (spec MC-9).
    fn note_disturbance(&mut self, now: Time, run: u64, holder: Option<PeerId>) {
        let slice = self.parents.get(self.slice_of(run));
        let is_in_order = self.holes.get(run).is_some_and(|hole| hole.attempts == 0)
            && holder.is_some_and(|holder| slice.expects(&holder, run));
        if !is_in_order {
            self.rounds.disturb(now, self.properties.availability_update_period);
        }
    }

    /// Whether the parent of its slice pushes, and has not come to `run` yet: then it is late, not lost, and a
    /// pull would bring it twice.
    fn is_on_its_way(&self, now: Time, run: u64) -> bool {
        let slice = self.parents.get(self.slice_of(run));
        let Some(hole) = self.holes.get(run) else { return false };
        let is_first = hole.attempts == 0;
        let is_headless = self.window.get(run).is_some_and(|place| place.manifest.is_none());
        let has_gap = if is_headless { hole.prefer.is_some() } else { self.has_gap(run) };
        let patience = self.slice_interval() + self.properties.fetch_period;
        let is_pushing = now.since(slice.heard_at) <= patience;
        let is_new = self.window.get(run).is_some_and(|place| now.since(place.known_at) <= MOST_LATE);
        let is_ahead = slice.pushed.is_none_or(|pushed| run > pushed || run == pushed && !has_gap);
        is_first
            && is_new
            && is_ahead
            && slice.parent.is_some_and(|parent| {
                // What comes before its first run comes from its predecessor, if it had one.
                let has_predecessor = slice.rooted_at < parent.since;
                let is_handed_over = has_predecessor && now.since(parent.since) <= HAND_OVER;
                let is_covered = run >= parent.from_run || is_handed_over;
                is_pushing && is_covered && parent.until.is_none_or(|until| run < until)
            })
    }

    /// Positions of `run` that later ones have overtaken, or the end of their train; the rest may not have been
    /// sent yet.
    fn gap(&self, run: u64) -> BitSet {
        let Some(place) = self.window.get(run) else { return BitSet::EMPTY };
        match &place.manifest {
            Some(_) if place.is_sent => place.missing(),
            Some(_) => place.missing().intersection(BitSet::first(place.arrived_up_to().unwrap_or(0))),
            None if self.parents.get(self.slice_of(run)).sends_trains => {
                place.missing().minus(self.waiting(run))
            }
            None => {
                let waiting = self.waiting(run);
                BitSet::first(waiting.iter().last().unwrap_or(0)).minus(waiting)
            }
        }
    }

    pub(super) fn has_gap(&self, run: u64) -> bool {
        !self.gap(run).is_empty()
    }

    /// Fragments of `run` came from its parent before their manifest. Where that ends a train it follows at once, and
    /// where it goes first it is lost: in both cases there is no need to wait for the next run of the slice.
    pub(super) fn note_headless(&mut self, now: Time, from: &PeerId, run: u64) {
        if !self.parents.get(self.slice_of(run)).expects(from, run) {
            return;
        }
        let check_at = now + self.patience.train(now);
        if let Some(hole) = self.holes.get_mut(run).filter(|hole| hole.attempts == 0) {
            hole.prefer = Some(*from);
            hole.check_at = check_at;
        }
    }

    /// A later run is known, and fragments of this one have come from its parent without their manifest.
    pub(super) fn note_overtaken_manifest(&mut self, now: Time, run: u64) {
        let Some(parent) = self.parents.get(self.slice_of(run)).parent.map(|parent| parent.peer) else {
            return;
        };
        let has_waiting = |neighbor: &Neighbor| !neighbor.waiting_positions(run).is_empty();
        if self.neighbors.get(&parent).is_some_and(has_waiting) {
            self.note_headless(now, &parent, run);
        }
    }

    fn look_again_at(&mut self, turn: &mut Turn<'_, '_>, run: u64) {
        let check_at = turn.cx.now + turn.cx.rng.jitter(LOOK_AGAIN);
        if let Some(hole) = self.holes.get_mut(run) {
            hole.check_at = check_at;
        }
    }

    /// What is missing of `run`, if it is still worth asking for.
    fn want(&self, now: Time, run: u64) -> Option<Want> {
        let place = self.window.get(run)?;
        if place.is_abandoned || place.is_complete() {
            return None;
        }
        let waiting = if place.manifest.is_none() { self.waiting(run) } else { BitSet::EMPTY };
        let mut positions = place.missing().minus(waiting);
        let is_arriving = self.parents.get(self.slice_of(run)).pushed == Some(run);
        if is_arriving && self.holes.get(run).is_some_and(|hole| hole.attempts == 0) {
            let gap = self.gap(run);
            positions = if gap.is_empty() && place.manifest.is_some() { positions } else { gap };
        }
        positions = positions.minus(self.let_go(now, place));
        let manifest = place.manifest.is_none();
        (manifest || !positions.is_empty()).then_some(Want { run, manifest, positions })
    }

    /// Positions of a run whose class is not worth repairing any more (spec MC-19).
    fn let_go(&self, now: Time, place: &Run) -> BitSet {
        let (window, reliability) =
            (self.properties.window_duration, self.announcement.parameters.reliability);
        let age = now.since(place.known_at);
        let is_late = |position: &u32| {
            let kind = place.kind(*position);
            kind.is_some() && age > reliability.patience(kind, window)
        };
        place.missing().iter().filter(is_late).collect()
    }

    /// Positions of `run` that are here and wait for its manifest: asking for them would bring them twice.
    pub(super) fn waiting(&self, run: u64) -> BitSet {
        let of = |neighbor: &Neighbor| neighbor.waiting_positions(run);
        self.neighbors.values().map(of).fold(BitSet::EMPTY, BitSet::union)
    }

    /// Whoever was asked for `run` did not answer in time.
    fn give_up_on_asked(&mut self, run: u64) {
        let Some(hole) = self.holes.get_mut(run) else { return };
        if let Some(asked) = hole.asked.take() {
            if std::mem::take(&mut hole.is_answered) {
                // What did not come of the answer was lost on the way, or is not there.
                self.request_ended(&asked);
                return;
            }
            hole.note_tried(asked);
            self.request_ended(&asked);
            if let Some(neighbor) = self.neighbors.get_mut(&asked) {
                neighbor.note_unanswered();
            }
        }
    }

    /// A repair came from this neighbor.
    pub(super) fn note_reliable(&mut self, from: &PeerId) {
        if let Some(neighbor) = self.neighbors.get_mut(from) {
            neighbor.note_answer();
        }
    }

    fn best_holder(&self, turn: &mut Turn<'_, '_>, run: u64) -> Option<PeerId> {
        let hole = self.holes.get(run)?;
        let mut best: Option<(Rank, PeerId)> = None;
        for (peer, neighbor) in &self.neighbors {
            let is_full = neighbor.outstanding >= turn.config.max_requests;
            if is_full || neighbor.busy_until > turn.cx.now || hole.was_tried(peer) {
                continue;
            }
            let Some(holder) = self.judge_holder(turn.cx.now, run, peer, neighbor) else { continue };
            let (is_unreliable, load) = (neighbor.is_unreliable(), neighbor.outstanding / 4);
            let rank = (is_unreliable, holder, load, neighbor.rtt, turn.cx.rng.next_u64());
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, *peer));
            }
        }
        best.map(|(_, peer)| peer)
    }

    fn judge_holder(&self, now: Time, run: u64, peer: &PeerId, neighbor: &Neighbor) -> Option<Holder> {
        let hole = self.holes.get(run)?;
        let slice = self.parents.get(self.slice_of(run));
        let is_pushing = slice.expects(peer, run) && now.since(slice.heard_at) <= self.patience();
        let is_pusher = is_pushing && !self.has_queues;
        if hole.attempts == 0 && (is_pusher || hole.prefer == Some(*peer)) {
            return Some(Holder::Pusher);
        }
        if *peer == self.announcement.publisher {
            return Some(Holder::Publisher);
        }
        let (at, map) = neighbor.map.as_ref()?;
        if map.holds(run) {
            return Some(Holder::Told);
        }
        // A hole below its newest run, told lately, is a hole indeed. A later run it should have by now, if
        // the slice reaches it by push.
        let stamp = map.stamp(self.slice_of(run)).filter(|stamp| stamp.age < SliceStamp::NEVER)?;
        let has_at = self.published_at(run).saturating_add(self.lag_of(*at, stamp.run, stamp.age));
        let is_due = has_at + SPREAD.as_micros() as i64 <= now.as_micros() as i64;
        let is_untold = run >= map.end() || now.since(*at) > STALE_MAP;
        (is_due && is_untold).then_some(Holder::Likely)
    }

    fn note_asked(&mut self, now: Time, run: u64, peer: PeerId) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        neighbor.outstanding += 1;
        let rtt = neighbor.rtt;
        let Some(hole) = self.holes.get_mut(run) else { return };
        // Who cannot answer says so at once: silence means loss, or a queue on the way, longer each time.
        let past = if self.has_queues { hole.attempts } else { hole.attempts.saturating_sub(2) };
        let patience = self.patience.answer(rtt) + ANSWER_SLACK * past.min(8);
        hole.asked = Some(peer);
        hole.is_answered = false;
        hole.asked_at = now;
        hole.attempts += 1;
        hole.check_at = now + patience;
    }

    fn retry_later(&mut self, turn: &mut Turn<'_, '_>, run: u64) {
        let Some(hole) = self.holes.get_mut(run) else { return };
        hole.rounds += 1;
        hole.check_at = turn.cx.now + turn.cx.rng.jitter(RETRY * hole.rounds.min(8));
        hole.start_over();
    }

    /// Someone cannot give us what we asked: ask elsewhere at once.
    pub(crate) fn on_refuse(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, is_busy: bool, runs: &[u64]) {
        let now = turn.cx.now;
        if is_busy && let Some(neighbor) = self.neighbors.get_mut(&from) {
            neighbor.busy_until = now + turn.cx.rng.jitter(BUSY);
        }
        for run in runs {
            let Some(hole) = self.holes.get_mut(*run) else { continue };
            if hole.asked == Some(from) {
                hole.asked = None;
                hole.note_tried(from);
                hole.check_at = now;
                self.request_ended(&from);
            }
        }
    }

    /// A neighbor asks for runs: what is here goes at once; what is not is refused, except to a child that
    /// waits for what we are waiting for ourselves. Who was given enough of the stream gets no answer.
    pub(crate) fn on_pull(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        wants: &[Want],
        tolerance: &mut Tolerance,
    ) {
        if !self.neighbors.contains_key(&from) {
            return;
        }
        let serving = self.serving();
        let (mut missing, mut busy) = (Vec::new(), Vec::new());
        for want in wants {
            if !tolerance.may_be_served(turn.cx.now, self.alias, serving) {
                self.stats.pulls_ignored += 1;
                continue;
            }
            let Some(want) = self.still_wanted(turn.cx.now, &from, want) else { continue };
            match self.serve(turn, from, &want) {
                Served::Sent(bytes) => tolerance.note_served(self.alias, bytes),
                Served::Missing if self.keep_pending(turn.cx.now, &from, &want) => {}
                Served::Missing => missing.push(want.run),
                Served::Busy => busy.push(want.run),
            }
        }
        for (is_busy, runs) in [(false, missing), (true, busy)] {
            if !runs.is_empty() {
                self.stats.refusals_sent += runs.len() as u64;
                self.send_urgent(turn, from, Message::Refuse { stream: self.alias, is_busy, runs });
            }
        }
    }

    /// What a neighbor wants, less what was on its way to it when it asked.
    fn still_wanted(&self, now: Time, from: &PeerId, want: &Want) -> Option<Want> {
        let rtt = self.neighbors.get(from).map_or(Duration::ZERO, |neighbor| neighbor.rtt);
        if !self.children.was_resumed(self.slice_of(want.run), want.run, from, now, rtt) {
            return Some(*want);
        }
        let held = self.window.get(want.run).map_or(BitSet::EMPTY, Run::held);
        let positions = want.positions.minus(held);
        (!positions.is_empty()).then_some(Want { run: want.run, manifest: false, positions })
    }

    /// Sends what we hold of a wanted run, if the upload allows.
    fn serve(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, want: &Want) -> Served {
        if self.gives_nothing(turn.config) {
            return Served::Missing;
        }
        let Some(place) = self.window.get(want.run) else { return Served::Missing };
        let Some(manifest) = place.manifest.clone() else { return Served::Missing };
        let payloads = place.separate_payloads(want.positions);
        if payloads.is_empty() && !want.manifest {
            return Served::Missing;
        }
        let bytes: usize = payloads.iter().map(|(_, payload)| payload.len() + DATAGRAM_OVERHEAD).sum();
        if !self.afford_repair(turn, bytes as u64) {
            return Served::Busy;
        }
        let how = Delivery::live(turn.cx.now, REPAIR_LIFETIME, Priority::Repair);
        let manifest_bytes = if want.manifest { manifest.wire_len() } else { 0 };
        if want.manifest {
            for piece in &manifest.pieces {
                if let PieceEntry::Inline { payload, .. } = piece {
                    self.stats.requested_by_peers.count(payload.len());
                }
            }
            let message = Message::Manifest { stream: self.alias, is_repair: true, hops: u8::MAX, manifest };
            self.send(turn, to, message, how);
        }
        for (position, payload) in payloads {
            self.repair(turn, to, want.run, position, payload, how);
        }
        Served::Sent(bytes + manifest_bytes)
    }

    /// Whether what push leaves of the upload can carry `bytes` more at once. A repair that queues for long
    /// is asked elsewhere meanwhile and comes twice, so a busy member says no at once.
    pub(super) fn afford_repair(&mut self, turn: &Turn<'_, '_>, bytes: u64) -> bool {
        let Some(upload) = self.upload(turn.config) else { return true };
        let promised = self.children.total() as u64 * self.rate.wire() / u64::from(self.slices());
        let spare = upload.saturating_sub(promised).max(upload / 20);
        self.allowance.take(turn.cx.now, spare, bytes)
    }

    pub(super) fn repair(
        &mut self,
        turn: &mut Turn<'_, '_>,
        to: PeerId,
        run: u64,
        position: u32,
        payload: Bytes,
        how: Delivery,
    ) {
        self.stats.requested_by_peers.count(payload.len());
        let message = Message::Fragment { stream: self.alias, is_repair: true, run, position, payload };
        self.send(turn, to, message, how);
    }

    /// Remembers a child's request for what has not reached us either; says whether it waits.
    fn keep_pending(&mut self, now: Time, child: &PeerId, want: &Want) -> bool {
        let is_ours = self.children.has(self.slice_of(want.run), child);
        let is_coming = self.holes.get(want.run).is_some();
        if !is_ours || !is_coming || self.pending.len() + want.positions.len() as usize > MAX_PENDING {
            return false;
        }
        for position in want.positions.iter() {
            self.pending.insert((want.run, position, *child), now);
        }
        true
    }

    /// How long a neighbor's question may wait here before it asks somebody else.
    fn patience_of(&self, neighbor: &PeerId) -> Duration {
        let rtt = self.neighbors.get(neighbor).map_or(Duration::ZERO, |neighbor| neighbor.rtt);
        self.patience.answer(rtt).saturating_sub(rtt)
    }

    /// An answer brought something: how long it took is how long answers take, and the rest of it is not far.
    pub(super) fn note_answer(&mut self, now: Time, from: &PeerId, run: u64) {
        let rtt = self.neighbors.get(from).map_or(Duration::ZERO, |neighbor| neighbor.rtt);
        let Some(hole) = self.holes.get_mut(run).filter(|hole| hole.asked == Some(*from)) else { return };
        self.patience.answered(now.since(hole.asked_at), rtt);
        // Where uplinks are scarce, the pieces of an answer come far apart.
        if !self.has_queues {
            hole.is_answered = true;
            hole.check_at = now + self.patience.rest(now);
        }
    }

    /// Something of `run` came by push. If it had been overtaken, paths reorder by so much.
    pub(super) fn note_overtaken(&mut self, now: Time, from: &PeerId, run: u64, position: u32) {
        let state = self.parents.get(self.slice_of(run));
        let Some(place) = self.window.get(run) else { return };
        let Some(overtaken_at) = place.overtaken_at else { return };
        let is_behind = state.pushed > Some(run)
            || place.is_sent
            || place.arrived_up_to().is_none_or(|high| position < high);
        let is_same_path = state.expects(from, run)
            && state.parent.is_some_and(|parent| parent.since <= overtaken_at && parent.until.is_none());
        if is_behind && is_same_path {
            self.patience.overtaken(now, now.since(overtaken_at));
        }
    }

    /// Something of `run` came by repair: the children that wait for it get it. Says who got something.
    pub(super) fn serve_pending(&mut self, turn: &mut Turn<'_, '_>, run: u64) -> Vec<PeerId> {
        let nobody = PeerId::from_bytes([0; 32]);
        let waiting = self.pending.range((run, 0, nobody)..(run + 1, 0, nobody));
        let waiting: Vec<_> = waiting.map(|(wanted, asked_at)| (*wanted, *asked_at)).collect();
        if waiting.is_empty() {
            return Vec::new();
        }
        let Some(place) = self.window.get(run) else { return Vec::new() };
        let Some(manifest) = &place.manifest else { return Vec::new() };
        let known = BitSet::first(manifest.pieces.len() as u32);
        let mut served: BTreeMap<PeerId, BitSet> = BTreeMap::new();
        for ((_, position, child), asked_at) in waiting {
            // By now it has asked elsewhere: it waits as long for an answer as we would.
            if turn.cx.now.since(asked_at) > self.patience_of(&child) {
                self.pending.remove(&(run, position, child));
                continue;
            }
            if place.payload(position).is_some() || !known.contains(position) {
                served.entry(child).or_default().insert(position);
            }
        }
        let children = served.keys().copied().collect();
        for (child, positions) in served {
            for position in positions.iter() {
                self.pending.remove(&(run, position, child));
            }
            let is_first = positions.iter().any(|position| position >= known.len());
            self.serve(turn, child, &Want { run, manifest: is_first, positions });
        }
        children
    }
}
