//! How the one who brings a set sends each object once. Spec RE-13.

use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Time};

use crate::api::{Event, Output, RequestId};
use crate::load::Load;
use crate::message::Message;
use crate::neighbor::LEAST_REVEAL;
use crate::objects::{ObjectSet, bits};
use crate::replication::Replication;

/// Objects that are offered to one neighbor at a time, at most.
const MOST_REVEAL: usize = 64;
/// A neighbor that needs more so soon is offered twice as many.
const SOON: Duration = Duration::from_millis(250);
/// One that took so long is offered half as many.
const LATE: Duration = Duration::from_secs(1);
/// How long the objects may spread from neighbor to neighbor before all are offered to all.
const GRACE: Duration = Duration::from_secs(3);

/// What a first seed has still to send.
#[derive(Clone, Default, Debug)]
pub(crate) struct Economy {
    /// What it is about; what was offered before is offered to all.
    governed: ObjectSet,
    /// Nobody has said that it has these.
    unsent: ObjectSet,
    /// Of these, what is not offered to anybody.
    pool: ObjectSet,
    /// Of these, what is being sent.
    sending: BTreeMap<u64, RequestId>,
    /// Since when nothing is unsent.
    spread_at: Option<Time>,
    /// What was spread before more came, and since when.
    earlier: Option<(Time, ObjectSet)>,
    /// Everything is offered to everybody.
    pub(crate) is_over: bool,
}

impl Economy {
    /// Whether something will happen with time alone.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_over && (self.spread_at.is_some() || self.earlier.is_some())
    }

    /// Whether everything is out, and nobody was told yet.
    pub(crate) fn is_news(&self) -> bool {
        !self.is_over && self.spread_at.is_none() && self.is_spread()
    }

    fn is_spread(&self) -> bool {
        self.unsent.is_empty() && self.sending.is_empty() && !self.governed.is_empty()
    }
}

impl Replication {
    pub(crate) fn set_first_seed(&mut self, cx: &mut Cx<'_>, is_first: bool, out: &mut Vec<Output>) {
        if is_first == self.economy.is_some() {
            return;
        }
        self.economy = is_first.then(Economy::default);
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in peers {
            self.introduce(cx, peer, out);
        }
    }

    /// Whether objects are held back.
    pub(crate) fn is_economical(&self) -> bool {
        self.economy.as_ref().is_some_and(|economy| !economy.is_over)
    }

    /// What is offered to everybody.
    pub(crate) fn open_objects(&self) -> ObjectSet {
        let mut open = self.have.clone();
        if let Some(economy) = self.economy.as_ref().filter(|economy| !economy.is_over) {
            open.subtract(&economy.governed);
        }
        open
    }

    pub(crate) fn economy_gained(&mut self, objects: &ObjectSet) {
        if let Some(economy) = self.economy.as_mut().filter(|economy| !economy.is_over) {
            if let Some(at) = economy.spread_at.take() {
                economy.earlier = Some((at, economy.governed.clone()));
            }
            economy.governed.add(objects);
            economy.unsent.add(objects);
            economy.pool.add(objects);
        }
    }

    pub(crate) fn economy_lost(&mut self, objects: &ObjectSet) {
        if let Some(economy) = &mut self.economy {
            economy.governed.subtract(objects);
            economy.unsent.subtract(objects);
            economy.pool.subtract(objects);
        }
    }

    /// What `peer` may ask for; of a first seed only what nobody else was sent.
    pub(crate) fn is_offered(&self, peer: PeerId, index: u64) -> bool {
        match &self.economy {
            Some(economy) if !economy.is_over && economy.governed.contains(index) => {
                let is_told = self.neighbors.get(&peer).is_some_and(|n| n.offered.contains(index));
                is_told && economy.unsent.contains(index) && !economy.sending.contains_key(&index)
            }
            _ => self.have.contains(index),
        }
    }

    /// An object is about to be sent.
    pub(crate) fn sending(&mut self, index: u64, request: RequestId) {
        if let Some(economy) = self.economy.as_mut().filter(|economy| !economy.is_over)
            && economy.governed.contains(index)
        {
            economy.sending.insert(index, request);
        }
    }

    /// It came.
    pub(crate) fn spread(&mut self, index: u64) {
        if let Some(economy) = &mut self.economy {
            economy.sending.remove(&index);
            economy.unsent.remove(index);
            economy.pool.remove(index);
        }
    }

    /// It was not sent after all.
    pub(crate) fn unsent(&mut self, index: u64, request: RequestId) {
        if let Some(economy) = &mut self.economy
            && economy.sending.get(&index) == Some(&request)
        {
            economy.sending.remove(&index);
            if economy.unsent.contains(index) {
                economy.pool.insert(index);
            }
        }
    }

    /// A neighbor has these, wherever from.
    pub(crate) fn seen_elsewhere(&mut self, objects: &ObjectSet) {
        if let Some(economy) = self.economy.as_mut().filter(|economy| !economy.is_over) {
            economy.unsent.subtract(objects);
            economy.pool.subtract(objects);
        }
    }

    /// What was offered to a neighbor that is gone can be offered to others.
    pub(crate) fn lose_offers(&mut self, offered: &ObjectSet) {
        if let Some(economy) = self.economy.as_mut().filter(|economy| !economy.is_over) {
            let mut free = offered.clone();
            let mut kept = free.clone();
            kept.subtract(&economy.unsent);
            free.subtract(&kept);
            for index in economy.sending.keys() {
                free.remove(*index);
            }
            economy.pool.add(&free);
        }
    }

    /// Offers `peer` more if it has little left of what nobody has.
    pub(crate) fn top_up(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let Some(economy) = self.economy.as_mut().filter(|economy| !economy.is_over) else { return };
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let mut open = 0;
        let mut from = 0;
        while open < neighbor.reveal
            && let Some((chunk, word)) = neighbor.offered.next_common(&economy.unsent, from)
        {
            open += bits(chunk, word).filter(|index| !economy.sending.contains_key(index)).count();
            from = chunk + 1;
        }
        if open * 2 > neighbor.reveal {
            return;
        }
        let since = cx.now.since(neighbor.revealed_at);
        neighbor.reveal = match since {
            _ if neighbor.offered.is_empty() => LEAST_REVEAL,
            _ if since < SOON => (neighbor.reveal * 2).min(MOST_REVEAL),
            _ if since > LATE => (neighbor.reveal / 2).max(LEAST_REVEAL),
            _ => neighbor.reveal,
        };
        let mut chosen = ObjectSet::default();
        while chosen.len() < (neighbor.reveal - open.min(neighbor.reveal)) as u64
            && let Some(index) = some(&economy.pool, cx)
        {
            economy.pool.remove(index);
            chosen.insert(index);
        }
        if chosen.is_empty() && open == 0 {
            chosen = shared(economy, &neighbor.offered, cx, neighbor.reveal);
        }
        if chosen.is_empty() {
            return;
        }
        neighbor.revealed_at = cx.now;
        neighbor.offered.add(&chosen);
        let load = Load::new(self.uploads.len(), self.pace.get().unwrap_or_default());
        let message = Message::Gained { load, set: chosen };
        out.push(Output::Send { to: peer, message, how: Delivery::Control });
    }

    /// What was spread a while before more came is offered to all, as newcomers may need it before they can ask for more.
    fn open_earlier(&mut self, now: Time, out: &mut Vec<Output>) {
        let load = self.load();
        let Some(economy) = &mut self.economy else { return };
        let Some((_, set)) = economy.earlier.take_if(|(since, _)| now.since(*since) >= GRACE) else { return };
        economy.governed.subtract(&set);
        for peer in self.neighbors.keys() {
            let message = Message::Gained { load, set: set.clone() };
            out.push(Output::Send { to: *peer, message, how: Delivery::Control });
        }
    }

    /// Objects spread, neighbors took what they were offered, or nothing is left to do.
    pub(crate) fn look_at_economy(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.open_earlier(cx.now, out);
        let Some(economy) = self.economy.as_mut().filter(|economy| !economy.is_over) else { return };
        if economy.is_spread() {
            let spread_at = *economy.spread_at.get_or_insert_with(|| {
                out.push(Output::Event(Event::Spread));
                cx.now
            });
            if cx.now.since(spread_at) >= GRACE {
                economy.is_over = true;
                let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
                peers.into_iter().for_each(|peer| self.introduce(cx, peer, out));
            }
            return;
        }
        economy.spread_at = None;
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.top_up(cx, peer, out));
    }
}

/// Some number of a set.
fn some(set: &ObjectSet, cx: &mut Cx<'_>) -> Option<u64> {
    let last = set.last_chunk()?;
    let first = set.next_chunk(0)?;
    let from = first + cx.rng.below(last - first + 1);
    let chunk = set.next_chunk(from)?;
    let indices: Vec<u64> = bits(chunk, set.word(chunk)).collect();
    cx.rng.pick(&indices).copied()
}

/// What others were offered and have not asked for: at the end the slow ones must not hold everybody up.
fn shared(economy: &Economy, offered: &ObjectSet, cx: &mut Cx<'_>, most: usize) -> ObjectSet {
    let mut left = economy.unsent.clone();
    left.subtract(offered);
    for index in economy.sending.keys() {
        left.remove(*index);
    }
    let mut chosen = ObjectSet::default();
    while chosen.len() < most as u64
        && let Some(index) = some(&left, cx)
    {
        left.remove(index);
        chosen.insert(index);
    }
    chosen
}
