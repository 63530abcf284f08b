//! Requests of ours: what is asked of whom, and what becomes of it. Spec RE-4 to RE-9.

use std::ops::Range;
use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Time};

use crate::api::{Event, Output};
use crate::config::Strategy;
use crate::load::Load;
use crate::message::{Denied, Message, Want};
use crate::neighbor::Neighbor;
use crate::objects::{CHUNK, ObjectSet, bits};
use crate::rarity::generous;
use crate::replication::{Replication, misbehaved};

/// How often requests and uploads are looked at while there are any.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// Requests under way at first, before it is known how fast objects come.
const LEAST_REQUESTS: u64 = 8;
/// Objects of so many milliseconds are asked for ahead.
const AHEAD_MILLIS: u64 = 500;
/// As many are asked of one neighbor at a time as come in so many milliseconds.
const TOGETHER_MILLIS: u64 = 50;
/// Fewer are not worth it.
const LEAST_TOGETHER: usize = 4;
/// Chunks that one search looks at.
const MOST_SEARCHED: usize = 256;
/// Chunks with something to ask for that one search looks at, once it has found as much as it wants.
const MOST_RANKED: usize = 32;
/// Shortest patience with a holder.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);
/// How long a holder may take to say that it has forgotten a request.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// How long a holder that answers nothing is left alone.
const DEAD_PAUSE: Duration = Duration::from_secs(4);
/// After so long without any request under way, those who should not be asked are asked as well.
const IDLE: Duration = Duration::from_millis(500);
/// At the end, a request younger than this stays where it is.
const LEAST_AGE: Duration = Duration::from_millis(300);
/// Requests that are moved at one look.
const MOST_MOVES: usize = 4;

/// One request of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetch {
    pub(crate) peer: PeerId,
    pub(crate) id: u64,
    pub(crate) asked_at: Time,
    /// Since when the holder is to forget it.
    pub(crate) cancelled_at: Option<Time>,
}

impl Replication {
    /// How many requests should be under way: as many objects as come in 0.5 s. If the neighbors can give more, they
    /// come sooner, and more are asked for. Spec RE-5.
    fn wanted_requests(&mut self, now: Time) -> usize {
        let ahead = self.arrivals.per_second(now) * AHEAD_MILLIS / 1_000;
        let most = self.config.max_requests as u64;
        ahead.max(LEAST_REQUESTS).min(most) as usize
    }

    /// How many objects are asked of one neighbor at a time: where they come slowly, each of whoever is the soonest.
    pub(crate) fn together(&mut self, now: Time) -> usize {
        let together = (self.arrivals.per_second(now) * TOGETHER_MILLIS / 1_000) as usize;
        if self.config.asks_together && together >= LEAST_TOGETHER { together } else { 1 }
    }

    /// Asks for more while there is room and something to ask for.
    pub(crate) fn fill(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        if !self.fetches.is_empty() || self.want.is_empty() {
            self.busy_at = cx.now;
        }
        if self.want.is_empty() {
            return;
        }
        let wanted = self.wanted_requests(cx.now);
        // Whoever cannot keep up with what comes is sent no more.
        let mut room = wanted.saturating_sub(self.fetches.len() + self.handed.len() as usize);
        // Searching is dear where much is under way anyway.
        if room * 8 < wanted {
            return;
        }
        // Objects that come one behind the other from one neighbor cost less than as many from several.
        let together = self.together(cx.now);
        while room > 0
            && let Some((peer, its_room)) = self.next_holder(cx)
        {
            let share = (room / self.neighbors.len()).max(together).clamp(1, its_room).min(room);
            let picked = self.pick(cx, peer, share);
            room -= picked.len();
            if picked.is_empty()
                && let Some(neighbor) = self.neighbors.get_mut(&peer)
            {
                neighbor.dry_at = self.version;
            }
            picked.into_iter().for_each(|index| self.ask(cx.now, peer, index, out));
        }
    }

    /// The neighbor that would answer soonest and may have something for us, and how many requests it may get. Spec RE-6.
    fn next_holder(&self, cx: &mut Cx<'_>) -> Option<(PeerId, usize)> {
        let mut best: Option<(u64, u64, PeerId, usize)> = None;
        for (peer, neighbor) in &self.neighbors {
            let room = self.config.max_requests_per_neighbor.saturating_sub(neighbor.requests.len());
            let is_of_use = neighbor.dry_at != self.version && !neighbor.have.is_empty();
            if room == 0 || !is_of_use || neighbor.pause_until > cx.now {
                continue;
            }
            let rank = (neighbor.wait(cx.now), cx.rng.next_u64());
            if best.is_none_or(|(wait, chance, ..)| rank < (wait, chance)) {
                best = Some((rank.0, rank.1, *peer, room));
            }
        }
        best.map(|(_, _, peer, room)| (peer, room))
    }

    /// Up to `most` objects that `peer` should be asked for. Spec RE-4.
    fn pick(&mut self, cx: &mut Cx<'_>, peer: PeerId, most: usize) -> Vec<u64> {
        let Self { neighbors, rarity, want, asked, .. } = self;
        let Some(holder) = neighbors.get(&peer) else { return Vec::new() };
        // Who is to be asked for nothing that others have is asked for it if nobody else gives anything.
        let is_spared = holder.is_scarce && cx.now.since(self.busy_at) < IDLE;
        let search = Search {
            start: match self.strategy {
                Strategy::LowestFirst => 0,
                Strategy::RarestFirst => {
                    let chunks = want.next_common(&holder.have, 0).zip(holder.have.last_chunk());
                    let Some(((first, _), last)) = chunks else { return Vec::new() };
                    first + cx.rng.below(last.saturating_sub(first) + 1)
                }
            },
            salt: cx.rng.next_u64(),
            most,
            is_ordered: self.strategy == Strategy::LowestFirst && !is_spared,
            is_spared,
        };
        let sets = Sets { want, have: &holder.have, asked };
        search.run(&sets, |chunk| rarity.counts(chunk, generous(neighbors)))
    }

    fn ask(&mut self, now: Time, peer: PeerId, index: u64, out: &mut Vec<Output>) {
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let id = neighbor.next_id;
        neighbor.next_id += 1;
        neighbor.requests.insert(id, index);
        neighbor.wants.push(Want { id, index });
        self.fetches.insert(index, Fetch { peer, id, asked_at: now, cancelled_at: None });
        self.asked.insert(index);
        out.push(Output::Event(Event::SendNotify { index }));
    }

    /// Sends what neighbors are asked for, with the numbers of what came from them.
    pub(crate) fn flush(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let may_wait = self.together(cx.now) > 1;
        for (peer, neighbor) in &mut self.neighbors {
            let mut has_more = neighbor.has_to_tell(may_wait);
            while has_more {
                let done = take_some(&mut neighbor.done);
                let message = Message::Ask { done, wants: take_some(&mut neighbor.wants) };
                out.push(Output::Send { to: *peer, message, how: Delivery::Control });
                has_more = !neighbor.done.is_empty() || !neighbor.wants.is_empty();
            }
        }
    }

    /// An object may be asked for again.
    pub(crate) fn reopen(&mut self, index: u64) {
        self.fetches.remove(&index);
        self.asked.remove(index);
        self.version += 1;
    }

    pub(crate) fn hear_object(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        want: Want,
        load: Load,
        object: bytes::Bytes,
        out: &mut Vec<Output>,
    ) {
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        neighbor.note_load(cx.now, load);
        match neighbor.requests.get(&want.id).copied() {
            Some(index) if index == want.index => {
                neighbor.requests.remove(&want.id);
                if let Some(fetch) = self.fetches.remove(&want.index) {
                    neighbor.note_answer(cx.now.since(fetch.asked_at));
                }
                self.asked.remove(want.index);
            }
            Some(_) => return misbehaved(from, "sent another object than was asked for", out),
            None if want.id >= neighbor.next_id => {
                return misbehaved(from, "sent an object that was not asked for", out);
            }
            // Given up, and here all the same.
            None if neighbor.was_lost(want) => self.withdraw(want.index, out),
            None => {}
        }
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        neighbor.done.push(want.id);
        neighbor.received_bytes += object.len() as u64;
        neighbor.score += object.len() as u64;
        if !self.want.remove(want.index) {
            self.stats.duplicate_bytes += object.len() as u64;
            return;
        }
        self.handed.insert(want.index);
        self.arrivals.note(cx.now);
        self.stats.received_objects += 1;
        self.stats.received_bytes += object.len() as u64;
        out.push(Output::Event(Event::Result { index: want.index, peer: from, object }));
    }

    /// Takes the request for an object back that came another way.
    fn withdraw(&mut self, index: u64, out: &mut Vec<Output>) {
        let Some(fetch) = self.fetches.remove(&index) else { return };
        self.asked.remove(index);
        if let Some(neighbor) = self.neighbors.get_mut(&fetch.peer) {
            neighbor.lose(Want { id: fetch.id, index });
            // It may not have left yet.
            neighbor.wants.retain(|want| want.id != fetch.id);
            send_cancel(fetch.peer, vec![fetch.id], out);
        }
    }

    pub(crate) fn hear_deny(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        why: Denied,
        load: Load,
        ids: &[u64],
        out: &mut Vec<Output>,
    ) {
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        neighbor.note_load(cx.now, load);
        if ids.iter().any(|id| *id >= neighbor.next_id) {
            return misbehaved(from, "denied what was not asked for", out);
        }
        // What is not there was given up.
        let indices: Vec<u64> = ids.iter().filter_map(|id| neighbor.requests.remove(id)).collect();
        match why {
            Denied::Busy | Denied::Cancelled => {
                neighbor.pause_until = cx.now + cx.rng.jitter(self.config.busy_pause);
                self.stats.met_busy += u64::from(why == Denied::Busy) * indices.len() as u64;
            }
            // What is denied may be asked for again once it is offered again.
            Denied::NotOffered | Denied::Refused => {
                for index in &indices {
                    neighbor.have.remove(*index);
                }
                self.rarity.forget();
                out.extend(indices.iter().map(|index| Output::Event(Event::Failed { index: *index })));
            }
        }
        indices.into_iter().for_each(|index| self.reopen(index));
    }

    pub(crate) fn remove_want(&mut self, range: Range<u64>, out: &mut Vec<Output>) {
        self.want.remove_range(range.clone());
        self.handed.remove_range(range.clone());
        let asked: Vec<u64> = self.fetches.range(range).map(|(index, _)| *index).collect();
        asked.into_iter().for_each(|index| self.withdraw(index, out));
    }

    /// What this neighbor sent was wrong. Spec RE-12.
    pub(crate) fn reject(&mut self, index: u64, peer: PeerId, out: &mut Vec<Output>) {
        self.stats.rejected += 1;
        self.handed.remove(index);
        if !self.have.contains(index) {
            self.want.insert(index);
            self.version += 1;
        }
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            // Until its link is gone it gets no further chance.
            neighbor.have = ObjectSet::default();
            self.rarity.forget();
        }
        misbehaved(peer, "sent an object with wrong bytes", out);
    }

    /// Looks at what is under way: who is late, and what would come sooner from another holder.
    pub(crate) fn look_at_requests(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let late: Vec<(u64, Fetch)> = self.fetches.iter().map(|(index, fetch)| (*index, *fetch)).collect();
        for (index, fetch) in late {
            let Some(neighbor) = self.neighbors.get(&fetch.peer) else { continue };
            let patience =
                (neighbor.latency * 4).clamp(LEAST_PATIENCE, self.config.request_timeout.max(LEAST_PATIENCE));
            match fetch.cancelled_at {
                Some(since) if cx.now.since(since) >= LAST_PATIENCE => self.give_up(cx.now, index, fetch),
                None if cx.now.since(fetch.asked_at) >= patience => {
                    self.stats.timed_out += 1;
                    out.push(Output::Event(Event::Failed { index }));
                    self.cancel(cx.now, index, out);
                }
                _ => {}
            }
        }
        self.move_slow_ones(cx, out);
    }

    /// Asks the holder to forget a request; until it says that it has, nobody else is asked. Spec RE-8.
    fn cancel(&mut self, now: Time, index: u64, out: &mut Vec<Output>) {
        let Some(fetch) = self.fetches.get_mut(&index).filter(|fetch| fetch.cancelled_at.is_none()) else {
            return;
        };
        fetch.cancelled_at = Some(now);
        send_cancel(fetch.peer, vec![fetch.id], out);
    }

    /// The holder is as good as dead.
    fn give_up(&mut self, now: Time, index: u64, fetch: Fetch) {
        if let Some(neighbor) = self.neighbors.get_mut(&fetch.peer) {
            neighbor.lose(Want { id: fetch.id, index });
            neighbor.strikes += 1;
            neighbor.pause_until = now + DEAD_PAUSE * neighbor.strikes.min(4);
        }
        self.reopen(index);
    }

    /// At the end, when everything is asked for: takes old requests back from slow holders for whom another one has
    /// nothing to do. The object comes once all the same. Spec RE-8.
    fn move_slow_ones(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        if self.want.len() > self.fetches.len() as u64 {
            return;
        }
        let mut old: Vec<(Time, u64, PeerId)> = self
            .fetches
            .iter()
            .filter(|(_, fetch)| fetch.cancelled_at.is_none() && cx.now.since(fetch.asked_at) >= LEAST_AGE)
            .map(|(index, fetch)| (fetch.asked_at, *index, fetch.peer))
            .collect();
        old.sort_unstable();
        let mut moved = 0;
        for (asked_at, index, holder) in old {
            let age = cx.now.since(asked_at);
            let is_better = |(peer, other): (&PeerId, &Neighbor)| {
                *peer != holder
                    && other.have.contains(index)
                    && !other.is_scarce
                    && other.requests.is_empty()
                    && other.pause_until <= cx.now
                    && age > LEAST_AGE + crate::load::STEP * (2 * other.wait(cx.now).min(1_000) as u32)
            };
            if moved < MOST_MOVES && self.neighbors.iter().any(is_better) {
                moved += 1;
                self.stats.moved += 1;
                self.cancel(cx.now, index, out);
            }
        }
    }

    /// Whether something could be asked for later that cannot be now: its holders are left alone for a while.
    pub(crate) fn has_pauses(&self) -> bool {
        self.want.len() > self.fetches.len() as u64
            && self.neighbors.values().any(|neighbor| neighbor.have.meets(&self.want))
    }

    /// Without any request under way for a while, everybody is looked at again.
    pub(crate) fn look_when_idle(&mut self, now: Time) {
        if self.fetches.is_empty() && now.since(self.busy_at) >= IDLE {
            self.version += 1;
        }
    }
}

fn send_cancel(to: PeerId, ids: Vec<u64>, out: &mut Vec<Output>) {
    out.push(Output::Send { to, message: Message::Cancel(ids), how: Delivery::Control });
}

/// As many as one message may hold.
fn take_some<T>(items: &mut Vec<T>) -> Vec<T> {
    let rest = items.split_off(items.len().min(crate::MOST_IDS));
    std::mem::replace(items, rest)
}

/// One look for objects among what is wanted, held by one neighbor and not asked for.
struct Search {
    start: u64,
    salt: u64,
    most: usize,
    /// The first found are taken; otherwise the rarest.
    is_ordered: bool,
    /// Nothing is taken that any other neighbor has.
    is_spared: bool,
}

/// In what a search looks.
struct Sets<'a> {
    want: &'a ObjectSet,
    have: &'a ObjectSet,
    asked: &'a ObjectSet,
}

impl Search {
    /// `counts` says how many neighbors have each object of a chunk.
    fn run(&self, sets: &Sets<'_>, mut counts: impl FnMut(u64) -> [u16; CHUNK as usize]) -> Vec<u64> {
        let mut best: Vec<(u16, u64, u64)> = Vec::with_capacity(self.most + 1);
        let (mut from, mut is_wrapped) = (self.start, self.start == 0);
        let mut ranked = 0;
        for _ in 0..MOST_SEARCHED {
            let found = sets.want.next_common(sets.have, from);
            let found = found.filter(|(chunk, _)| !is_wrapped || self.start == 0 || *chunk < self.start);
            let Some((chunk, common)) = found else {
                if is_wrapped {
                    break;
                }
                (from, is_wrapped) = (0, true);
                continue;
            };
            from = chunk + 1;
            let open = common & !sets.asked.word(chunk);
            if open == 0 {
                continue;
            }
            self.rank(chunk, open, &counts(chunk), &mut best);
            ranked += 1;
            let is_full = best.len() == self.most;
            // Nothing is rarer than what one alone has, and of so many the rarest is rare enough.
            if is_full && (ranked >= MOST_RANKED || best.last().is_some_and(|(count, ..)| *count <= 1)) {
                break;
            }
        }
        best.into_iter().map(|(_, _, index)| index).collect()
    }

    /// Puts what is better than what was found so far in its place.
    fn rank(&self, chunk: u64, open: u64, counts: &[u16; CHUNK as usize], best: &mut Vec<(u16, u64, u64)>) {
        for index in bits(chunk, open) {
            let count = counts[(index % CHUNK) as usize];
            if self.is_spared && count > 0 {
                continue;
            }
            let order = if self.is_ordered { (0, index) } else { (count, scatter(index ^ self.salt)) };
            let is_worse = |other: &(u16, u64, u64)| (other.0, other.1) < order;
            if best.len() == self.most && best.last().is_none_or(is_worse) {
                continue;
            }
            best.insert(best.partition_point(is_worse), (order.0, order.1, index));
            best.truncate(self.most);
        }
    }
}

/// A number that looks like chance, from a number that does not.
fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
