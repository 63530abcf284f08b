use stratus_core::{Cx, PeerId};

use super::Overlay;
use crate::api::Output;
use crate::dials::Purpose;
use crate::heard::{Entry, Put};
use crate::message::Digest;
use crate::places::Place;

/// Who is gone, as far as we found out or were told. Source: spec OV-28.
impl Overlay {
    /// The member at `place` is not heard of any more, and others are told. Its record is kept, should it come back.
    pub(super) fn miss(&mut self, cx: &mut Cx<'_>, place: Place, entry: Entry) {
        if let Some((place, entry)) = self.absent.note(place, entry, cx.now) {
            self.remember(cx, place, &entry);
        }
        self.sort_soon(cx);
    }

    /// A neighbor tells who is missing. Believed of members to which there is no link; one that would be a ring neighbor
    /// is dialled nevertheless, so that nobody can be hidden from those who should be linked with it.
    pub(super) fn told_missing(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        missing: &[Digest],
        out: &mut Vec<Output>,
    ) {
        for told in missing {
            if !self.admits_record(cx, &from) {
                return;
            }
            let linked = self.open_links().find(|link| link.place == told.place);
            if let Some((peer, is_probed)) = linked.map(|link| (link.peer, link.probe.is_some())) {
                if !is_probed {
                    self.ping(cx, peer, out);
                }
                continue;
            }
            let Some(entry) = self.heard.get(told.place) else { continue };
            if Digest::of(told.place, entry.record()).is_newer_than(*told) {
                continue;
            }
            let peer = entry.record().peer();
            let is_worth_a_look =
                !self.is_alarmed(cx.now) && self.has_spare_dials() && self.is_ring_near(told.place);
            let entry = self.heard.remove(told.place).expect("just seen");
            self.miss(cx, told.place, entry);
            if is_worth_a_look {
                self.dial(cx, peer, Purpose::Memory, out);
            }
        }
    }

    /// It was the network, not they: all that are missing are heard of again.
    pub(super) fn take_back(&mut self, cx: &mut Cx<'_>) {
        self.troubles.forgive_all();
        for (place, entry) in self.absent.take_all().collect::<Vec<_>>() {
            if entry.expires() > cx.now && !self.is_banned(place, cx.now) {
                self.put(cx, place, entry);
            }
        }
        self.sort_soon(cx);
    }

    /// Into the heard list.
    pub(super) fn put(&mut self, cx: &mut Cx<'_>, place: Place, entry: Entry) -> Put {
        let me = self.me();
        let (links, pins, best, ring) = (&self.links, &self.pins, &self.best, &self.ring);
        let kept = || {
            let linked = links.values().map(|link| link.place);
            let pinned = pins.iter().map(|peer| crate::places::place_of(ring, peer));
            let mut kept: Vec<Place> =
                best.iter().map(|choice| choice.place).chain(linked).chain(pinned).collect();
            kept.sort_unstable();
            kept
        };
        self.heard.put(place, entry, me, kept, cx.rng)
    }
}
