use stratus_core::{Cx, Delivery, PeerId, Wire as _};

use super::{Overlay, timer};
use crate::api::Output;
use crate::best::View;
use crate::message::{Aged, Digest, MAX_DIGESTS, MAX_RECORD_BYTES, Message, Role};
use crate::places::{Place, around};

/// Push-pull gossip, digests first. Source: spec OV-10.
impl Overlay {
    /// An exchange with one neighbor in turn, chosen by chance.
    pub(super) fn gossip(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let neighbors: Vec<PeerId> = self.open_links().map(|link| link.peer).collect();
        let Some(peer) = cx.rng.pick(&neighbors).copied() else { return };
        self.start_exchange(cx, peer, out);
        let interval = if self.alarm.is_on(cx.now) {
            self.config.hurried_interval
        } else {
            self.pace.next_interval(self.config.hurried_interval, self.config.gossip_interval)
        };
        self.timers.set(timer::GOSSIP, cx.now + cx.rng.jitter(interval));
    }

    pub(super) fn start_exchange(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let digests = self.digests_for(cx, peer);
        self.stats.exchange_count += 1;
        let message = Message::Offer { role: Role::Start, digests };
        out.push(Output::Send { to: peer, message, how: Delivery::Control });
    }

    /// What `peer` may want to know of, most important first: its best list as it looks from here, those
    /// nearest to it on the ring, those nearest to us in latency, and a few by chance.
    fn digests_for(&self, cx: &mut Cx<'_>, peer: PeerId) -> Vec<Digest> {
        let center = self.place_of(&peer);
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
        places.extend(around(&known, center, self.config.ring_width));
        places.extend((0..self.config.random_offered).filter_map(|_| cx.rng.pick(&known).copied()));
        let mut digests: Vec<Digest> = Vec::with_capacity(places.len());
        let mut offered = Vec::with_capacity(places.len());
        for place in places {
            if let (Err(position), Some(entry)) = (offered.binary_search(&place), self.heard.get(place)) {
                offered.insert(position, place);
                digests.push(Digest::of(place, entry.record()));
            }
        }
        digests.truncate(MAX_DIGESTS);
        digests
    }

    /// The records of those whom `peer` should know, as many as one message may hold.
    pub(super) fn records_for(&self, cx: &mut Cx<'_>, peer: PeerId) -> Vec<Aged> {
        let digests = self.digests_for(cx, peer);
        self.gather(cx, digests.into_iter().map(|digest| digest.place))
    }

    /// A neighbor offers what it knows: ask for what is news, tell what is news to it.
    pub(super) fn offered(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        role: Role,
        digests: &[Digest],
        out: &mut Vec<Output>,
    ) {
        let is_admitted = self.admits_request(cx, &from);
        if role == Role::Start {
            self.stats.exchange_answered_count += u64::from(is_admitted);
            self.stats.exchange_refused_count += u64::from(!is_admitted);
        }
        if !is_admitted {
            return;
        }
        let mut wants: Vec<Place> =
            digests.iter().filter(|digest| self.wants(cx, **digest)).map(|digest| digest.place).collect();
        wants.truncate(self.config.records_per_message);
        if !wants.is_empty() {
            out.push(Output::Send { to: from, message: Message::Want(wants), how: Delivery::Control });
        }
        let newer = digests.iter().filter(|digest| self.outdates(**digest)).map(|digest| digest.place);
        let newer = self.gather(cx, newer);
        if !newer.is_empty() {
            out.push(self.send_records(from, newer));
        }
        if role == Role::Start {
            self.answer(cx, from, digests, out);
        }
    }

    /// Offers in return what the neighbor did not mention; it knows what it did.
    fn answer(&mut self, cx: &mut Cx<'_>, from: PeerId, digests: &[Digest], out: &mut Vec<Output>) {
        let mut mentioned: Vec<Place> = digests.iter().map(|digest| digest.place).collect();
        mentioned.sort_unstable();
        let mut digests = self.digests_for(cx, from);
        digests.retain(|digest| mentioned.binary_search(&digest.place).is_err());
        if !digests.is_empty() {
            let message = Message::Offer { role: Role::Answer, digests };
            out.push(Output::Send { to: from, message, how: Delivery::Control });
        }
    }

    /// Whether the record that `digest` stands for would be kept.
    fn wants(&self, cx: &Cx<'_>, digest: Digest) -> bool {
        let Digest { place, .. } = digest;
        if place == self.me() {
            return digest.is_newer_than(Digest::of(place, self.own.record()));
        }
        match self.heard.get(place) {
            Some(entry) => digest.is_newer_than(Digest::of(place, entry.record())),
            // The whole sequence is in the record alone; whoever is buried or dead is not asked for blindly.
            None => {
                !self.is_banned(place, cx.now)
                    && !self.troubles.refuses(place, u64::from(digest.sequence), cx.now)
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
