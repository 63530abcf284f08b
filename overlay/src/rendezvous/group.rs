use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound::{Excluded, Unbounded};

use bytes::Bytes;
use stratus_core::{GroupAddress, PeerId, Rng, Time};

use super::network::Network;
use super::{Config, MAX_RECORD};

/// Of the members chosen by chance, at most this many come from one site while others are to be had.
const PER_SITE: usize = 2;
/// Draws for each member wanted by chance, so that there are others to be had.
const DRAWS: usize = 4;

/// What is kept of one member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The connection that registered it.
    pub(super) connection: u64,
    /// Its place on the ring, as stated.
    pub(super) address: GroupAddress,
    /// Where the server sees it come from.
    pub(super) observed: SocketAddr,
    /// Its encoded record.
    pub(super) record: Bytes,
    /// When it is gone unless refreshed.
    pub(super) expires_at: Time,
    /// Where it stands in `Group::order`.
    place: usize,
}

impl Member {
    /// A member that is not in a group yet.
    pub(super) fn new(
        connection: u64,
        address: GroupAddress,
        observed: SocketAddr,
        record: &Bytes,
        expires_at: Time,
    ) -> Self {
        // Copied, since a slice would keep the whole frame it came in alive.
        let record = Bytes::copy_from_slice(record);
        Self { connection, address, observed, record, expires_at, place: 0 }
    }
}

// spec RV-5: record, member, and its keys in the group's three tables and the queue of expiries.
const _: () = assert!(MAX_RECORD + size_of::<Member>() + 5 * 32 + 128 <= 1_024, "a member costs over 1 KiB");

/// The members of one group, in ring order.
///
/// Two members may state one address (one of them lies), so the ring is keyed by both: nobody can push
/// another off it.
#[derive(Clone, Default, Debug)]
pub(super) struct Group {
    members: BTreeMap<PeerId, Member>,
    ring: BTreeSet<(GroupAddress, PeerId)>,
    /// All members in no particular order, for drawing.
    order: Vec<PeerId>,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn get(&self, peer: &PeerId) -> Option<&Member> {
        self.members.get(peer)
    }

    /// Lets a member live until `expires_at`; gives back until when it would have lived.
    pub(super) fn postpone(&mut self, peer: &PeerId, expires_at: Time) -> Option<Time> {
        let member = self.members.get_mut(peer)?;
        Some(std::mem::replace(&mut member.expires_at, expires_at))
    }

    /// Lists a member, or lists it anew.
    pub(super) fn insert(&mut self, peer: PeerId, member: Member) {
        self.remove(&peer);
        self.ring.insert((member.address, peer));
        self.members.insert(peer, Member { place: self.order.len(), ..member });
        self.order.push(peer);
    }

    /// Takes a member off.
    pub(super) fn remove(&mut self, peer: &PeerId) -> Option<Member> {
        let member = self.members.remove(peer)?;
        self.ring.remove(&(member.address, *peer));
        self.order.swap_remove(member.place);
        if let Some(moved) = self.order.get(member.place) {
            self.members.get_mut(moved).expect("every peer in the order is a member").place = member.place;
        }
        Some(member)
    }

    /// Whom to name to `asker`: its ring neighbors as stated, then members by chance; never itself, nobody
    /// twice, and everybody if the group is small. Source: spec RV-6.
    pub(super) fn introduce(&self, asker: &PeerId, config: &Config, rng: &mut Rng) -> Vec<&Member> {
        let mut named = self.ring_neighbors(asker, config.ring_neighbors);
        self.add_random(&mut named, asker, config.random_members, rng);
        named.iter().map(|peer| &self.members[peer]).collect()
    }

    /// Up to `each_side` members clockwise and as many the other way, nearest first, sides in turn.
    fn ring_neighbors(&self, asker: &PeerId, each_side: usize) -> Vec<PeerId> {
        let Some(member) = self.members.get(asker) else { return Vec::new() };
        let here = (member.address, *asker);
        let above = || self.ring.range((Excluded(here), Unbounded));
        let below = || self.ring.range(..here);
        let clockwise = above().chain(below()).take(each_side);
        let mut counter = below().rev().chain(above().rev()).take(each_side);
        let mut neighbors = Vec::with_capacity(2 * each_side);
        for (_, next) in clockwise {
            let before = counter.next().map(|(_, peer)| *peer);
            for peer in [Some(*next), before].into_iter().flatten() {
                if !neighbors.contains(&peer) {
                    neighbors.push(peer);
                }
            }
        }
        neighbors
    }

    /// Adds up to `wanted` members by chance, first those of sites that are not yet well represented.
    fn add_random(&self, named: &mut Vec<PeerId>, asker: &PeerId, wanted: usize, rng: &mut Rng) {
        let mut drawn = self.draw(wanted * DRAWS + named.len() + 1, rng);
        drawn.retain(|peer| peer != asker && !named.contains(peer));
        let mut sites: BTreeMap<Network, usize> = BTreeMap::new();
        let (spread, crowded): (Vec<_>, Vec<_>) = drawn.into_iter().partition(|peer| {
            let count = sites.entry(Network::of_site(self.members[peer].observed.ip())).or_default();
            *count += 1;
            *count <= PER_SITE
        });
        named.extend(spread.into_iter().chain(crowded).take(wanted));
    }

    /// `count` different members by chance, in random order; all if there are no more.
    fn draw(&self, count: usize, rng: &mut Rng) -> Vec<PeerId> {
        let total = self.order.len();
        let mut places = BTreeSet::new();
        // Floyd's sampling: exactly `count` draws, each set as likely.
        for last in total.saturating_sub(count)..total {
            let place = rng.below(last as u64 + 1) as usize;
            if !places.insert(place) {
                places.insert(last);
            }
        }
        let mut drawn: Vec<_> = places.into_iter().map(|place| self.order[place]).collect();
        rng.shuffle(&mut drawn);
        drawn
    }
}

#[cfg(test)]
mod tests;
