use std::sync::Arc;
use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Time};

use super::{Overlay, timer};
use crate::api::Output;
use crate::heard::{Entry, Put};
use crate::message::{Aged, Message};
use crate::places::{Place, place_of};
use crate::record::Record;
use crate::troubles::Trouble;

/// What is older than this is no news to others, if it is to one who has only just come.
const NEWS_FOR: Duration = Duration::from_secs(20);
/// With fewer links than this, speed counts more than the number of dials.
const SPARSE: usize = 16;

/// How records get into the heard list, and out of it.
impl Overlay {
    /// Members from a server or another source outside the group.
    pub(super) fn bootstrap(&mut self, cx: &mut Cx<'_>, records: Vec<Record>, out: &mut Vec<Output>) {
        for record in records {
            self.hear(cx, Arc::new(record), Duration::ZERO, None, out);
        }
    }

    /// A neighbor says who it is. Source: spec OV-23.
    pub(super) fn hello(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        record: Arc<Record>,
        out: &mut Vec<Output>,
    ) {
        if !self.admits_record(cx, &from) {
            return;
        }
        if record.peer() == from {
            self.hear(cx, record, Duration::ZERO, Some(from), out);
        } else {
            Self::misbehaved(from, "hello with another's record", out);
        }
    }

    /// Records that were asked for, or are new.
    pub(super) fn records(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        records: Vec<Aged>,
        out: &mut Vec<Output>,
    ) {
        for Aged { record, age } in records {
            if !self.admits_record(cx, &from) {
                continue;
            }
            let age = Duration::from_millis(u64::from(age) * 100);
            if !self.hear(cx, record, age, Some(from), out) {
                return;
            }
        }
    }

    /// Whether `from` may tell us one more record at this moment. Source: spec OV-22.
    pub(super) fn admits_record(&mut self, cx: &Cx<'_>, from: &PeerId) -> bool {
        let rate = self.config.records;
        let is_admitted = self.links.get_mut(from).is_some_and(|link| link.records.take(cx.now, rate));
        self.stats.throttled_count += u64::from(!is_admitted);
        is_admitted
    }

    /// Takes a record into account; false if it was forged, so that nothing more is believed of its source.
    ///
    /// The signature is checked only if the record would be kept. Source: spec OV-3, OV-4, OV-6.
    pub(super) fn hear(
        &mut self,
        cx: &mut Cx<'_>,
        record: Arc<Record>,
        age: Duration,
        source: Option<PeerId>,
        out: &mut Vec<Output>,
    ) -> bool {
        let peer = record.peer();
        let place = self.place_of(&peer);
        self.asked.answered(place);
        if !self.is_news(cx, place, &record, age, source, out) {
            self.stats.stale_count += 1;
            return true;
        }
        self.stats.verify_count += 1;
        if !record.verify(cx.verify, &self.group) {
            if let Some(source) = source {
                Self::misbehaved(source, "forged record", out);
            }
            return false;
        }
        self.stats.news_count += 1;
        if peer == self.identity.peer() {
            self.outdo(cx, record.sequence(), out);
        } else {
            self.keep(cx, place, record, age, source);
        }
        true
    }

    fn is_news(
        &self,
        cx: &Cx<'_>,
        place: Place,
        record: &Arc<Record>,
        age: Duration,
        source: Option<PeerId>,
        out: &mut Vec<Output>,
    ) -> bool {
        let (peer, sequence) = (record.peer(), record.sequence());
        if peer == self.identity.peer() {
            return sequence > self.own.record().sequence();
        }
        if let Some(held) = self.heard.get(place).map(|entry| entry.record().clone()) {
            let is_owners = source == Some(peer) && held.peer() == peer;
            if is_owners && held.sequence() > sequence {
                // It was here before under the same key and does not know: it will issue above this.
                out.push(self.send_records(peer, vec![self.aged(cx, place, held)]));
                return false;
            }
            return held.peer() == peer && sequence > held.sequence();
        }
        let is_alive = source == Some(peer);
        age < self.config.age_limit
            && (is_alive || !self.troubles.refuses(place, sequence))
            && (is_alive || !self.absent.refuses(place, sequence as u32))
            && !self.is_banned(place, cx.now)
            && (is_alive || !self.has_expired(cx, place, sequence))
    }

    /// Whether the record with this sequence was here and died of age.
    pub(super) fn has_expired(&self, cx: &Cx<'_>, place: Place, sequence: u64) -> bool {
        self.memory.expiry(place, sequence).is_some_and(|expires| expires <= cx.now)
    }

    fn keep(
        &mut self,
        cx: &mut Cx<'_>,
        place: Place,
        record: Arc<Record>,
        age: Duration,
        source: Option<PeerId>,
    ) {
        let mut expires = cx.now + self.config.age_limit.saturating_sub(age);
        if source != Some(record.peer()) {
            // Back from the dead, it is as old as it was.
            expires =
                self.memory.expiry(place, record.sequence()).map_or(expires, |known| known.min(expires));
        }
        let source = source.map_or(0, |source| self.place_of(&source));
        // Who has only just come hears for the first time what everybody else knows.
        let is_news = !self.is_young(cx.now) || age < NEWS_FOR;
        let entry = Entry::new(record, expires, source, if is_news { cx.now } else { Time::ZERO });
        if self.put(cx, place, entry) == Put::New {
            self.absent.take(place);
            self.memory.forget(place);
            let ring = &self.ring;
            self.hints.retain(|hint| place_of(ring, hint) != place);
            self.sort_soon(cx);
        }
    }

    /// `record` with its age as of now, to be passed on.
    pub(super) fn aged(&self, cx: &Cx<'_>, place: Place, record: Arc<Record>) -> Aged {
        let rest = self.heard.get(place).map_or(Duration::ZERO, |entry| entry.expires().since(cx.now));
        let age = self.config.age_limit.saturating_sub(rest).as_millis().div_ceil(100);
        Aged { record, age: u32::try_from(age).unwrap_or(u32::MAX) }
    }

    pub(super) fn send_records(&self, to: PeerId, records: Vec<Aged>) -> Output {
        Output::Send { to, message: Message::Records(records), how: Delivery::Control }
    }

    /// Takes those out whose sequence has not moved for the age limit, and remembers some of them.
    pub(super) fn bury_expired(&mut self, cx: &mut Cx<'_>) {
        for (place, entry) in self.heard.expire(cx.now) {
            self.remember(cx, place, &entry);
            self.sort_soon(cx);
        }
        for (place, entry) in self.absent.expire(cx.now) {
            self.remember(cx, place, &entry);
        }
    }

    /// A member did not answer: it is out of the list, and stays out for a while. Source: spec OV-13.
    pub(super) fn bury(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        let place = self.place_of(&peer);
        self.hints.retain(|hint| *hint != peer);
        let entry = self.heard.remove(place);
        let last = entry.as_ref().map_or(0, |entry| entry.record().sequence());
        let (dead_for, longest) = (self.config.dead_for, self.config.age_limit);
        self.troubles.note(place, Trouble::Dead(last), cx.now, dead_for, longest);
        if let Some(entry) = entry {
            self.miss(cx, place, entry);
        }
        self.sort_soon(cx);
    }

    pub(super) fn remember(&mut self, cx: &mut Cx<'_>, place: Place, entry: &Entry) {
        self.memory.keep(place, entry, cx.now + self.config.remember_for, cx.rng);
    }

    /// Makes the best list anew, once the news that are coming in now are in. Who has many links already can
    /// wait longer and choose better.
    pub(super) fn sort_soon(&mut self, cx: &Cx<'_>) {
        let patience = if self.links.len() < SPARSE { 1 } else { 5 };
        self.timers.set_sooner(timer::SORT, cx.now + self.config.sort_delay * patience);
    }
}
