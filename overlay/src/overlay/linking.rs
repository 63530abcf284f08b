use stratus_core::{Cx, Delivery, PeerId, Time};

use super::parting::ALONE_RETRY;
use super::{Overlay, timer};
use crate::api::{Event, Output};
use crate::best::RING_EACH_SIDE;
use crate::changes::{Arrival, Departure};
use crate::dials::Purpose;
use crate::link::Link;
use crate::message::Message;
use crate::places::{Place, clockwise, counterclockwise};

/// Links that come, and links that go. Source: spec OV-11.
impl Overlay {
    /// A link is up.
    pub(super) fn connected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if self.links.contains_key(&peer) {
            // The host replaced a link whose end it did not notice.
            self.disconnected(cx, peer, out);
        }
        let dial = self.dials.take(&peer);
        let place = self.place_of(&peer);
        if !self.comings.note(place, cx.now) && !self.is_banned(place, cx.now) {
            Self::misbehaved(peer, "comes and goes all the time", out);
            self.bans.add(place, cx.now);
        }
        let is_unwelcome = self.has_left || peer == self.identity.peer() || self.is_banned(place, cx.now);
        if is_unwelcome {
            out.push(Output::Disconnect(peer));
            return;
        }
        let purpose = dial.map(|dial| dial.purpose);
        if !self.has_room_for(cx, &peer, purpose, out) {
            self.refer(cx, peer, out);
            out.push(Output::Disconnect(peer));
            return;
        }
        self.welcome(cx, peer, purpose, out);
    }

    fn welcome(&mut self, cx: &mut Cx<'_>, peer: PeerId, purpose: Option<Purpose>, out: &mut Vec<Output>) {
        let place = self.place_of(&peer);
        if self.troubles.forgive(place) || self.links.is_empty() {
            // One that was thought dead is back, or nobody answered and now somebody does: it was the network.
            self.take_back(cx);
        }
        let mut link = Link::new(peer, self.ring.address(&peer), cx.now);
        let address = link.address;
        link.added_until = (purpose == Some(Purpose::Added)).then(|| cx.now + self.config.added_for);
        self.links.insert(peer, link);
        self.stats.changes.note_arrival(arrival(purpose));
        out.push(Output::Event(Event::NeighborConnect { peer, address }));
        self.update_coverage(out);
        let hello = Message::Hello(self.own.record().clone());
        out.push(Output::Send { to: peer, message: hello, how: Delivery::Control });
        self.ping(cx, peer, out);
        if purpose.is_some_and(|purpose| purpose != Purpose::Courtesy) {
            self.start_exchange(cx, peer, true, out);
        }
        self.timers.set_sooner(timer::PROBE, cx.now + cx.rng.jitter(self.config.probe_period));
        if self.timers.get(timer::GOSSIP).is_none() {
            self.timers.set(timer::GOSSIP, cx.now + cx.rng.jitter(self.config.hurried_interval));
        }
        self.sort_soon(cx);
    }

    /// The link is gone.
    pub(super) fn disconnected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let Some(link) = self.links.remove(&peer) else { return };
        self.introducer.forget(&peer);
        let usual = if link.asked_to_leave_at.is_some() { Departure::Unwanted } else { Departure::Lost };
        self.stats.changes.note_departure(link.closing.unwrap_or(usual));
        out.push(Output::Event(Event::NeighborDisconnect { peer, address: link.address }));
        if self.has_left {
            return;
        }
        self.update_coverage(out);
        let was_expected = link.is_closing() || link.asked_to_leave_at.is_some();
        if matches!(link.closing, None | Some(Departure::Left | Departure::Silent | Departure::Lost))
            && link.asked_to_leave_at.is_none()
        {
            self.last_departure = cx.now;
        }
        if !was_expected {
            self.note_death(cx, peer, out);
        }
        if self.links.is_empty() {
            self.timers.clear(timer::PROBE);
            self.timers.clear(timer::GOSSIP);
            self.timers.clear(timer::SILENCE);
            // Each that had no room refers to others that are nearer to us, and sooner or later to one that takes us.
            self.troubles.hasten_full(cx.now + cx.rng.jitter(ALONE_RETRY));
        }
        self.ask_others_than(cx, peer, out);
        self.sort_soon(cx);
    }

    /// Whether one more link may be had; if it is one that we want and others chose too many, one of those goes.
    ///
    /// Links that others chose never take more than `incoming_links`: the rest is for our own choice, so that
    /// nobody can surround us by dialling. Source: spec OV-11.
    fn has_room_for(
        &mut self,
        cx: &mut Cx<'_>,
        peer: &PeerId,
        purpose: Option<Purpose>,
        out: &mut Vec<Output>,
    ) -> bool {
        let is_ours = matches!(purpose, Some(Purpose::Wanted | Purpose::Added | Purpose::Memory));
        let place = self.place_of(peer);
        let is_chosen = is_ours || self.best.contains(place) || self.is_needed(peer);
        let unchosen: Vec<(Time, PeerId)> = self
            .open_links()
            .filter(|link| !self.is_chosen(link, cx.now))
            .map(|link| (link.since, link.peer))
            .collect();
        let is_full = self.links.len() >= self.config.links;
        if !is_full && (is_chosen || unchosen.len() < self.config.incoming_links) {
            return true;
        }
        let newest = unchosen.into_iter().max();
        let Some((_, newest)) = newest.filter(|_| is_chosen || self.is_ring_near(place)) else {
            return false;
        };
        self.dismiss(cx, newest, out);
        true
    }

    /// Whether a member at `place` would be one of our ring neighbors.
    pub(super) fn is_ring_near(&self, place: Place) -> bool {
        let me = self.me();
        let known = self.heard.places();
        let up = clockwise(known, me).nth(RING_EACH_SIDE - 1);
        let down = counterclockwise(known, me).nth(RING_EACH_SIDE - 1);
        up.is_none_or(|up| place.wrapping_sub(me) <= up.wrapping_sub(me))
            || down.is_none_or(|down| me.wrapping_sub(place) <= me.wrapping_sub(down))
    }
}

/// Why a link came, by the dial that made it.
fn arrival(purpose: Option<Purpose>) -> Arrival {
    match purpose {
        Some(Purpose::Wanted) => Arrival::Wanted,
        Some(Purpose::Added) => Arrival::Added,
        Some(Purpose::Memory) => Arrival::Remembered,
        Some(Purpose::Courtesy) => Arrival::Introduced,
        None => Arrival::Incoming,
    }
}
