//! Who has what: what neighbors say, and what they are told. Spec RE-3, RE-9.

use std::ops::Range;

use stratus_core::{Cx, Delivery, PeerId};

use crate::api::Output;
use crate::load::Load;
use crate::message::Message;
use crate::neighbor::Neighbor;
use crate::objects::{MOST_PIECES, ObjectSet};
use crate::replication::{Replication, timers};

/// What so many neighbors offer at most is told of sooner.
const RARE: u16 = 1;

impl Replication {
    pub(crate) fn connected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if self.neighbors.contains_key(&peer) {
            return;
        }
        self.neighbors.insert(peer, Neighbor::new(cx.now));
        if !self.have.is_empty() {
            self.introduce(cx, peer, out);
        }
    }

    /// Tells a neighbor everything that is offered to it.
    pub(crate) fn introduce(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let (load, is_scarce) = (self.load(), self.economy.is_some());
        if self.is_economical() {
            if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                neighbor.offered = ObjectSet::default();
            }
            self.offer(peer, &self.open_objects(), is_scarce, load, out);
            return self.top_up(cx, peer, out);
        }
        self.offer(peer, &self.have, is_scarce, load, out);
    }

    fn offer(&self, peer: PeerId, offered: &ObjectSet, is_scarce: bool, load: Load, out: &mut Vec<Output>) {
        let mut parts = parts(offered).into_iter();
        let first = parts.next().unwrap_or_default();
        let message = Message::Have { is_scarce, load, set: first };
        out.push(Output::Send { to: peer, message, how: Delivery::Control });
        for set in parts {
            let message = Message::Gained { load, set };
            out.push(Output::Send { to: peer, message, how: Delivery::Control });
        }
    }

    pub(crate) fn add_have(&mut self, cx: &mut Cx<'_>, range: Range<u64>, out: &mut Vec<Output>) {
        let mut gained = ObjectSet::of(range);
        self.want.subtract(&gained);
        self.handed.subtract(&gained);
        gained.subtract(&self.have);
        if gained.is_empty() {
            return;
        }
        self.have.add(&gained);
        if self.is_economical() {
            self.economy_gained(&gained);
            return self.look_at_economy(cx, out);
        }
        self.news.add(&gained);
        // What hardly anybody has is what others wait for; where much comes, it goes with the rest.
        let is_rare = gained.len() == 1
            && self.together(cx.now) == 1
            && gained.first(1).iter().all(|index| self.rarity.count_of(*index, &self.neighbors) <= RARE);
        let pause = if is_rare { self.config.news_interval / 4 } else { self.config.news_interval };
        let due = self.told_at.map_or(cx.now, |at| at + pause);
        if due <= cx.now && self.timers.get(timers::NEWS).is_none() {
            self.tell_news(cx, out);
        } else {
            self.timers.set_sooner(timers::NEWS, due.max(cx.now));
        }
    }

    /// Tells each neighbor what came and what it does not have itself. Spec RE-9.
    pub(crate) fn tell_news(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.told_at = Some(cx.now);
        self.timers.clear(timers::NEWS);
        let news = std::mem::take(&mut self.news);
        let load = self.load();
        for (peer, neighbor) in &self.neighbors {
            let mut of_use = news.clone();
            of_use.subtract(&neighbor.have);
            for set in parts(&of_use) {
                let message = Message::Gained { load, set };
                out.push(Output::Send { to: *peer, message, how: Delivery::Control });
            }
        }
    }

    pub(crate) fn remove_have(&mut self, range: Range<u64>, out: &mut Vec<Output>) {
        let mut lost = ObjectSet::of(range);
        let mut kept = self.have.clone();
        kept.subtract(&lost);
        lost = self.have.clone();
        lost.subtract(&kept);
        if lost.is_empty() {
            return;
        }
        self.have = kept;
        self.news.subtract(&lost);
        self.economy_lost(&lost);
        for (peer, neighbor) in &mut self.neighbors {
            neighbor.offered.subtract(&lost);
            for set in parts(&lost) {
                out.push(Output::Send { to: *peer, message: Message::Lost(set), how: Delivery::Control });
            }
        }
    }

    pub(crate) fn hear_have(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        is_scarce: bool,
        load: Load,
        set: ObjectSet,
    ) {
        self.rarity.forget();
        self.seen_elsewhere(&set);
        let most = self.config.max_pieces;
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        neighbor.note_load(cx.now, load);
        neighbor.is_scarce = is_scarce;
        neighbor.have = set;
        neighbor.dry_at = 0;
        self.stats.ignored_pieces += neighbor.have.pieces().saturating_sub(most) as u64;
        neighbor.have.truncate(most);
    }

    pub(crate) fn hear_gained(&mut self, cx: &mut Cx<'_>, from: PeerId, load: Load, set: &ObjectSet) {
        self.seen_elsewhere(set);
        let most = self.config.max_pieces;
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        neighbor.note_load(cx.now, load);
        if !neighbor.is_scarce {
            self.rarity.gained(set, &neighbor.have);
        }
        neighbor.have.add(set);
        neighbor.dry_at = 0;
        if neighbor.have.pieces() > most {
            self.stats.ignored_pieces += (neighbor.have.pieces() - most) as u64;
            neighbor.have.truncate(most);
            self.rarity.forget();
        }
    }

    /// What a neighbor lost it may want again: it was not told of what it had.
    pub(crate) fn hear_lost(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        set: &ObjectSet,
        out: &mut Vec<Output>,
    ) {
        self.rarity.forget();
        let load = self.load();
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        neighbor.have.subtract(set);
        if self.economy.as_ref().is_some_and(|economy| !economy.is_over) {
            return;
        }
        let mut others = self.have.clone();
        others.subtract(set);
        let mut of_use = self.have.clone();
        of_use.subtract(&others);
        for set in parts(&of_use) {
            let message = Message::Gained { load, set };
            out.push(Output::Send { to: from, message, how: Delivery::Control });
        }
        let _ = cx;
    }

    /// Looks at everything that time alone changes.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.look_when_idle(cx.now);
        self.neighbors.values_mut().for_each(|neighbor| neighbor.is_overdue = true);
        self.look_at_requests(cx, out);
        self.look_at_uploads(cx, out);
        self.look_at_economy(cx, out);
    }
}

/// A set in parts that a message can hold.
fn parts(set: &ObjectSet) -> Vec<ObjectSet> {
    if set.is_empty() {
        return Vec::new();
    }
    if set.pieces() <= MOST_PIECES {
        return vec![set.clone()];
    }
    let mut parts = vec![ObjectSet::default()];
    for range in set.ranges() {
        // A range has at most three pieces.
        if parts.last().is_some_and(|part| part.pieces() + 3 > MOST_PIECES) {
            parts.push(ObjectSet::default());
        }
        parts.last_mut().expect("there is one").insert_range(range);
    }
    parts
}
