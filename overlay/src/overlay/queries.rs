use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use stratus_core::{GroupAddress, PeerId, RingArc, Time};

use super::Overlay;
use crate::api::{Neighbor, Stats};
use crate::asked::Asked;
use crate::best::{BestList, RING_EACH_SIDE, Reason};
use crate::dials::Stage;
use crate::estimate;
use crate::link::Link;
use crate::places::{Place, around, distance};
use crate::record::Record;
use crate::rendezvous::MAX_CANDIDATES;

/// So many more are looked at, since some may be dead.
const CLOSEST_SPARE: usize = 8;

/// What the owner may look at.
impl Overlay {
    /// Everybody we have a link with, by peer id.
    pub fn neighbors(&self) -> Vec<Neighbor> {
        let neighbor = |link: &Link| Neighbor {
            peer: link.peer,
            address: link.address,
            rtt: link.rtt,
            reason: self.reason(link),
        };
        self.open_links().map(neighbor).collect()
    }

    /// How many they are.
    pub fn neighbor_count(&self) -> usize {
        self.open_links().count()
    }

    /// How many members the group has, ourselves included, as far as can be told from here.
    pub fn estimated_member_count(&self) -> u64 {
        let own = self.own_estimate();
        // Those near us look at the same stretch of the ring as we do, and are wrong in the same way.
        let stretch = (u64::MAX / own).saturating_mul(estimate::EACH_SIDE as u64);
        let is_far = |link: &&Link| distance(self.me(), link.place) > stretch;
        let told = self.open_links().filter(is_far).map(|link| u64::from(link.members));
        let members = estimate::middle(told.filter(|members| *members > 0).chain([own]).collect());
        // Who knows nearly all counts them.
        let counted = self.heard.len() as u64 + 1;
        let knows_all = self.heard.len() < self.config.heard && members <= counted + counted / 4;
        if knows_all { counted } else { members }
    }

    /// What we tell others of it; 0 while we know too few to tell more than their number, or are new.
    pub(super) fn told_estimate(&self, now: Time) -> u64 {
        let can_tell = self.heard.len() > 2 * estimate::EACH_SIDE && !self.is_young(now);
        if can_tell { self.own_estimate() } else { 0 }
    }

    /// The same, judged by nothing but the places that we know.
    fn own_estimate(&self) -> u64 {
        estimate::members_from(self.me(), self.heard.places())
    }

    /// The stretch of the ring that we answer for.
    pub fn coverage(&self) -> RingArc {
        self.coverage
    }

    /// Of the nearest known members on each side of the ring, with how many there is a link that they keep as well, and
    /// how many they are. A group holds together while these agree; all of one or of the other right after entering is
    /// no fault.
    pub fn ring_agreement(&self, now: Time) -> (usize, usize) {
        let nearest = around(self.heard.places(), self.me(), RING_EACH_SIDE);
        let agrees = |link: &Link| {
            let asked_at = link.refused_to_leave_at;
            // Who still wants to be rid of us says so again.
            nearest.contains(&link.place)
                && asked_at.is_none_or(|at| at + self.config.leave_period * 2 <= now)
        };
        (self.open_links().filter(|link| agrees(link)).count(), nearest.len())
    }

    /// Our place on the ring.
    pub fn address(&self) -> GroupAddress {
        self.address
    }

    /// What we say of ourselves.
    pub fn own_record(&self) -> &Record {
        self.own.record()
    }

    /// Where `peer` may be met, best first; empty if nothing is known.
    pub fn candidates(&self, peer: &PeerId) -> Vec<SocketAddr> {
        let place = self.place_of(peer);
        let introduced = self.dials.get(peer).map(|dial| dial.candidates.as_slice()).unwrap_or_default();
        let heard = self.heard.get(place).map(|entry| entry.addresses()).unwrap_or_default();
        let absent = self.absent.record(place).map(|record| record.addresses()).unwrap_or_default();
        let remembered = self.memory.record(place).map(|record| record.addresses()).unwrap_or_default();
        let mut candidates = Vec::new();
        for address in introduced.iter().chain(heard).chain(absent).chain(remembered) {
            if candidates.len() < MAX_CANDIDATES && !candidates.contains(address) {
                candidates.push(*address);
            }
        }
        candidates
    }

    /// The rendezvous servers that `peer` says it is registered at.
    pub fn servers_of(&self, peer: &PeerId) -> &[SocketAddr] {
        self.heard.get(self.place_of(peer)).map(|entry| entry.record().servers()).unwrap_or_default()
    }

    /// Whether the member is in the heard list.
    pub fn has_heard_of(&self, peer: &PeerId) -> bool {
        self.heard.get(self.place_of(peer)).is_some_and(|entry| entry.record().peer() == *peer)
    }

    /// The known members nearest to a place, nearest first, without those that are thought dead or kept out.
    pub fn closest(&self, target: Place, count: usize, now: Time) -> Vec<Arc<Record>> {
        let near = around(self.heard.places(), target, count + CLOSEST_SPARE);
        let held = self.heard.get(target).map(|_| target);
        let is_good = |place: &Place| !self.troubles.avoids(*place, now) && !self.is_banned(*place, now);
        let mut places: Vec<Place> = near.into_iter().chain(held).filter(is_good).collect();
        places.sort_unstable_by_key(|place| (distance(*place, target), *place));
        let records = places.into_iter().take(count).filter_map(|place| self.heard.get(place));
        records.map(|entry| entry.record().clone()).collect()
    }

    /// Until when a member is kept out for breaking the protocol; `None`: it is not.
    pub fn banned_until(&self, peer: &PeerId, now: Time) -> Option<Time> {
        self.bans.until(self.place_of(peer), now)
    }

    /// The present best list.
    pub fn best(&self) -> &BestList {
        &self.best
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        Stats {
            heard_now: self.heard.len(),
            remembered_now: self.memory.len(),
            troubles_now: self.troubles.len(),
            bans_now: self.bans.len(),
            best_now: self.best.len(),
            ..self.stats
        }
    }

    /// Whether anything but what may be remembered of the absent names `peer`: law 5 asks.
    pub fn mentions(&self, peer: &PeerId) -> bool {
        self.links.contains_key(peer) || self.dials.iter().any(|dial| dial.stage == Stage::Asking(*peer))
    }

    /// Sizes of what strangers could grow, each with its limit: law 4 asks.
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        vec![
            ("heard", self.heard.len(), self.config.heard),
            ("memory", self.memory.len(), self.config.remembered),
            ("troubles", self.troubles.len(), self.config.troubles),
            ("bans", self.bans.len(), self.config.bans),
            ("comings", self.comings.len(), self.config.troubles),
            ("hints", self.hints.len(), self.config.hints),
            ("pins", self.pins.len(), self.config.pins),
            ("sought", self.sought.len(), self.config.pins),
            ("links", self.neighbor_count(), self.config.links),
            // Until the host says that they are gone.
            ("links that end", self.links.len() - self.neighbor_count(), self.config.links),
            ("dials", self.dials.len(), self.config.dials),
            ("absent", self.absent.len(), self.config.absent),
            ("asked", self.asked.len(), Asked::LIMIT),
        ]
    }

    /// A line for each neighbor, in ring order from our own place.
    pub fn neighbors_table(&self) -> String {
        let mut neighbors = self.neighbors();
        neighbors.sort_by_key(|neighbor| self.address.clockwise_to(&neighbor.address));
        let mut table = format!("{:10} {:18} {:>9} {}\n", "peer", "place", "rtt", "why");
        for neighbor in neighbors {
            let peer = &neighbor.peer.to_string()[..8];
            let rtt = neighbor.rtt.map_or("-".to_owned(), |rtt| format!("{:.1} ms", rtt.as_secs_f64() * 1e3));
            let place = format!("{:?}", neighbor.address);
            writeln!(table, "{peer:10} {place:18} {rtt:>9} {}", neighbor.reason).expect("a String takes all");
        }
        table
    }

    /// Why there is this link.
    fn reason(&self, link: &Link) -> Reason {
        let chosen = self.best.reason(link.place);
        let pinned = self.is_needed(&link.peer).then_some(Reason::Pinned);
        let added = link.added_until.map(|_| Reason::Added);
        chosen.or(pinned).or(added).unwrap_or(Reason::Incoming)
    }
}
