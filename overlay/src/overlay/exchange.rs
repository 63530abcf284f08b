use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Time, Wire as _};

use super::interest::Interest;
use super::{Overlay, timer};
use crate::api::Output;
use crate::best::View;
use crate::heard::{Entry, tenths};
use crate::message::{Aged, Digest, MAX_DIGESTS, MAX_MISSING, MAX_RECORD_BYTES, Message, Role};
use crate::places::{Place, around};

/// How long a neighbor is offered nothing but news, in tenths of a second: then all that it may want, once.
const OFFER_ALL_EVERY: u32 = 3_000;
/// For how long somebody is new: what it hears is no news to others.
const YOUNG_FOR: Duration = Duration::from_secs(10);
/// Whom one is referred to that is turned away: so many nearest to it on each side, and so many by chance.
const REFERRED_EACH_SIDE: usize = 2;
const REFERRED_BY_CHANCE: usize = 2;
/// How many are asked for all that they know, by one that is new.
const ASKED_WHEN_NEW: u64 = 8;
/// How many on each side of a member far from us are offered to it.
const FAR_WIDTH: usize = 8;

/// What an offer says.
pub(super) struct Offer {
    pub(super) role: Role,
    pub(super) members: u64,
    pub(super) digests: Vec<Digest>,
    pub(super) old: Vec<Digest>,
    pub(super) missing: Vec<Digest>,
}

/// Push-pull gossip, digests first, and of those only news. Source: spec OV-10.
impl Overlay {
    /// An exchange with one neighbor in turn, chosen by chance.
    pub(super) fn gossip(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let neighbors: Vec<PeerId> = self.open_links().map(|link| link.peer).collect();
        let Some(peer) = cx.rng.pick(&neighbors).copied() else { return };
        self.start_exchange(cx, peer, false, out);
        let interval = if self.alarm.is_on(cx.now) || self.is_young(cx.now) {
            self.config.hurried_interval
        } else {
            self.pace.next_interval(self.config.hurried_interval, self.config.gossip_interval)
        };
        self.timers.set(timer::GOSSIP, cx.now + cx.rng.jitter(interval));
    }

    /// With one that is `new` to us: all that either may want, if both look at the same stretch of the ring.
    pub(super) fn start_exchange(&mut self, cx: &mut Cx<'_>, peer: PeerId, new: bool, out: &mut Vec<Output>) {
        self.stats.exchange_count += 1;
        let is_near = new && self.is_ring_near(self.place_of(&peer));
        // Who has asked a few knows what the rest would tell.
        let is_curious = new && self.is_young(cx.now) && self.stats.exchange_count <= ASKED_WHEN_NEW;
        let role = if is_near || is_curious { Role::Ask } else { Role::Start };
        self.offer(cx, peer, role, is_near, &[], out);
    }

    /// Whether we came only just now, and hear for the first time what everybody knows.
    pub(super) fn is_young(&self, now: Time) -> bool {
        now.since(self.born_at) < YOUNG_FOR
    }

    /// Offers `peer` what it may want and does not know: what was news here since it was offered anything (or `all`),
    /// without what it `mentioned` itself, and what is old here.
    fn offer(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        role: Role,
        all: bool,
        mentioned: &[Digest],
        out: &mut Vec<Output>,
    ) {
        let now = tenths(cx.now);
        let Some(link) = self.open_link(&peer) else { return };
        let all = all || link.offered_all_at + OFFER_ALL_EVERY <= now;
        let (place, since) = (link.place, if all { 0 } else { link.offered_until });
        let mut mentioned: Vec<Place> = mentioned.iter().map(|digest| digest.place).collect();
        mentioned.sort_unstable();
        let is_unmentioned = |digest: &Digest| mentioned.binary_search(&digest.place).is_err();
        let (mut digests, mut old) = self.digests_for(cx, place, since);
        let mut missing = self.missing_for(cx.now, place, link.offered_until);
        [&mut digests, &mut old, &mut missing].into_iter().for_each(|list| list.retain(is_unmentioned));
        digests.truncate(MAX_DIGESTS);
        old.truncate(MAX_MISSING);
        missing.truncate(MAX_MISSING);
        let link = self.links.get_mut(&peer).expect("just seen");
        link.offered_until = now;
        if all {
            link.offered_all_at = now;
        }
        if role != Role::Answer || !digests.is_empty() || !missing.is_empty() || !old.is_empty() {
            let members = self.told_estimate(cx.now);
            let message = Message::Offer { role, members, digests, old, missing };
            out.push(Output::Send { to: peer, message, how: Delivery::Control });
        }
    }

    /// Who is missing since a moment of those whom the member at `center` probably knows.
    fn missing_for(&self, now: Time, center: Place, since: u32) -> Vec<Digest> {
        if self.absent.latest() < since {
            return Vec::new();
        }
        let interest = Interest::of(center, self.heard.places(), self.width(now), 1);
        self.absent.since(since).filter(|digest| interest.has(digest.place)).collect()
    }

    /// What the member at `center` may want to know of, most important first: its best list as it looks from here, those
    /// nearest to it on the ring, those nearest to us in latency, and a few by chance. Of these, what was news since a
    /// moment (0: whatever it was); and those of which our record is old, since the other may have a later one.
    fn digests_for(&self, cx: &mut Cx<'_>, center: Place, since: u32) -> (Vec<Digest>, Vec<Digest>) {
        let is_news = |entry: &Entry| since == 0 || entry.news_at() >= since && !entry.is_from(center);
        let is_old = |entry: &Entry| self.is_old(cx.now, entry);
        if !self.heard.iter().any(|(_, entry)| is_news(entry) || is_old(entry)) {
            return Default::default();
        }
        let known: Vec<Place> =
            self.heard.places().iter().copied().filter(|place| *place != center).collect();
        let near = self.near();
        let view = View {
            center,
            known: &known,
            near: &near,
            members: self.estimated_member_count(),
            chance: cx.rng.next_u64(),
        };
        let mut places: Vec<Place> = (self.config.policy)(&view).iter().map(|choice| choice.place).collect();
        places.extend(around(&known, center, self.width_for(cx.now, center)));
        if since == 0 {
            places.extend((0..self.config.random_offered).filter_map(|_| cx.rng.pick(&known).copied()));
        }
        let mut seen = Vec::with_capacity(places.len());
        places.retain(|place| {
            let found = seen.binary_search(place);
            found.inspect_err(|position| seen.insert(*position, *place)).is_err()
        });
        let digests_of = |places: Vec<Place>, is_due: &dyn Fn(&Entry) -> bool| {
            let entries = places.into_iter().filter_map(|place| Some((place, self.heard.get(place)?)));
            let due = entries.filter(|(_, entry)| is_due(entry));
            due.map(|(place, entry)| Digest::of(place, entry.record())).collect()
        };
        let news = digests_of(places, &|entry| is_news(entry) && !is_old(entry));
        (news, digests_of(around(&known, center, MAX_MISSING), &is_old))
    }

    /// How many on each side of the member at `center` are offered to it. Of those far from us we know too little to
    /// offer many.
    fn width_for(&self, now: Time, center: Place) -> usize {
        let width = self.width(now);
        let is_close = Interest::of(self.me(), self.heard.places(), width, 1).has(center);
        if is_close { width } else { width.min(FAR_WIDTH) }
    }

    /// Whether a record will die soon if nobody has a later one.
    fn is_old(&self, now: Time, entry: &Entry) -> bool {
        entry.expires().since(now) <= self.config.age_limit / 3
    }

    /// The records of some whom `peer` should know: those nearest to it on the ring, and some by chance. Few: hundreds may
    /// be turned away within a second. Source: spec OV-11.
    pub(super) fn records_for(&self, cx: &mut Cx<'_>, peer: PeerId) -> Vec<Aged> {
        let center = self.place_of(&peer);
        let known = self.heard.places();
        let mut places = around(known, center, REFERRED_EACH_SIDE);
        places.extend((0..REFERRED_BY_CHANCE).filter_map(|_| cx.rng.pick(known).copied()));
        places.sort_unstable();
        places.dedup();
        self.gather(cx, places.into_iter().filter(|place| *place != center))
    }

    /// A neighbor offers what it knows: ask for what is news, tell what is news to it.
    pub(super) fn offered(&mut self, cx: &mut Cx<'_>, from: PeerId, offer: Offer, out: &mut Vec<Output>) {
        let Offer { role, members, digests, old, missing } = offer;
        let is_admitted = self.admits_request(cx, &from);
        if role != Role::Answer {
            self.stats.exchange_answered_count += u64::from(is_admitted);
            self.stats.exchange_refused_count += u64::from(!is_admitted);
        }
        if !is_admitted {
            return;
        }
        if let Some(link) = self.links.get_mut(&from) {
            link.members = u32::try_from(members).unwrap_or(u32::MAX);
        }
        self.told_missing(cx, from, &missing, out);
        for wants in self.choose(cx, &digests).chunks(self.config.records_per_message) {
            out.push(Output::Send {
                to: from,
                message: Message::Want(wants.to_vec()),
                how: Delivery::Control,
            });
        }
        let is_other_edition = |digest: &&Digest| {
            let held = self.heard.get(digest.place).map(|entry| Digest::of(digest.place, entry.record()));
            held.is_some_and(|held| held.edition() != digest.edition())
        };
        let changed = digests.iter().filter(is_other_edition);
        let newer = old.iter().chain(changed).filter(|digest| self.outdates(**digest));
        let newer = self.gather(cx, newer.map(|digest| digest.place));
        if !newer.is_empty() {
            out.push(self.send_records(from, newer));
        }
        if role != Role::Answer {
            let mentioned: Vec<Digest> = digests.into_iter().chain(old).chain(missing).collect();
            self.offer(cx, from, Role::Answer, role == Role::Ask, &mentioned, out);
        }
    }

    /// Whose records to ask for of those offered: of members that matter, and of some others for hard times.
    fn choose(&mut self, cx: &Cx<'_>, digests: &[Digest]) -> Vec<Place> {
        self.asked.expire(cx.now);
        if digests.is_empty() {
            return Vec::new();
        }
        let mut offered: Vec<Place> =
            digests.iter().filter(|digest| self.wants(cx, **digest)).map(|digest| digest.place).collect();
        let interest = self.interest_in(cx.now, &offered);
        let mut curiosity = self.curiosity(cx.now);
        offered.retain(|place| self.asked.note(*place, cx.now));
        let mut wants = Vec::new();
        for place in offered {
            let is_known = place == self.me() || self.heard.get(place).is_some();
            let is_of_interest = is_known || interest.has(place);
            if !is_of_interest && curiosity == 0 {
                self.asked.answered(place);
                continue;
            }
            if !is_of_interest {
                curiosity -= 1;
                self.curiosity = self.curiosity.saturating_sub(1);
            }
            wants.push(place);
        }
        wants
    }

    /// Whether the record that `digest` stands for would be kept. What says nothing new but that its owner is still
    /// there is of use only once the one that we hold is old.
    fn wants(&self, cx: &Cx<'_>, digest: Digest) -> bool {
        let Digest { place, .. } = digest;
        if place == self.me() {
            return digest.is_newer_than(Digest::of(place, self.own.record()));
        }
        match self.heard.get(place) {
            Some(entry) => {
                let held = Digest::of(place, entry.record());
                digest.is_newer_than(held)
                    && (digest.edition() != held.edition() || self.is_old(cx.now, entry))
            }
            // The whole sequence is in the record alone; whoever is buried or dead is not asked for blindly.
            None => {
                !self.is_banned(place, cx.now)
                    && !self.troubles.refuses(place, u64::from(digest.sequence))
                    && !self.absent.refuses(place, digest.sequence)
                    && !self.has_expired(cx, place, u64::from(digest.sequence))
            }
        }
    }

    /// Whether we hold a later record than the one that `digest` stands for.
    fn outdates(&self, digest: Digest) -> bool {
        let entry = self.heard.get(digest.place);
        entry.is_some_and(|entry| Digest::of(digest.place, entry.record()).is_newer_than(digest))
    }

    /// A neighbor asks for records.
    pub(super) fn wanted(&mut self, cx: &mut Cx<'_>, from: PeerId, places: &[Place], out: &mut Vec<Output>) {
        if !self.admits_request(cx, &from) {
            return;
        }
        let records = self.gather(cx, places.iter().copied());
        if !records.is_empty() {
            out.push(self.send_records(from, records));
        }
    }

    /// The records of these members, as many as one message may hold.
    fn gather(&self, cx: &Cx<'_>, places: impl Iterator<Item = Place>) -> Vec<Aged> {
        let mut records = Vec::new();
        let mut bytes = 0;
        for place in places {
            let Some(entry) = self.heard.get(place) else { continue };
            let aged = self.aged(cx, place, entry.record().clone());
            bytes += aged.wire_len();
            if records.len() == self.config.records_per_message || bytes > MAX_RECORD_BYTES {
                break;
            }
            records.push(aged);
        }
        records
    }

    /// Whether `from` may ask something of us at this moment. Source: spec OV-22.
    pub(super) fn admits_request(&mut self, cx: &Cx<'_>, from: &PeerId) -> bool {
        let rate = self.config.requests;
        let is_admitted = self.links.get_mut(from).is_some_and(|link| link.requests.take(cx.now, rate));
        self.stats.throttled_count += u64::from(!is_admitted);
        is_admitted
    }
}
