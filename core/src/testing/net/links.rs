use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use crate::{PeerId, Rng, Time};

/// One node's end of a link.
#[derive(Debug)]
pub(super) struct Side {
    /// Which of the links that these two ever had.
    pub(super) generation: u64,
    /// False once this end asked to close and was not yet told that it is.
    pub(super) is_open: bool,
    /// When the last control message sent from this end arrives: the next may not be sooner.
    pub(super) control_until: Time,
    /// Control that reached this end during a partition, to be heard when it heals.
    pub(super) held: Vec<Bytes>,
}

/// Who is linked to whom, who could be, and how far apart they are.
#[derive(Debug)]
pub(super) struct Links {
    sides: BTreeMap<(PeerId, PeerId), Side>,
    latencies: BTreeMap<(PeerId, PeerId), Duration>,
    blocked: BTreeSet<(PeerId, PeerId)>,
    islands: BTreeMap<PeerId, usize>,
    epoch: u64,
    generation: u64,
    rng: Rng,
}

fn pair(a: PeerId, b: PeerId) -> (PeerId, PeerId) {
    (a.min(b), a.max(b))
}

impl Links {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            sides: BTreeMap::new(),
            latencies: BTreeMap::new(),
            blocked: BTreeSet::new(),
            islands: BTreeMap::new(),
            epoch: 0,
            generation: 0,
            rng,
        }
    }

    /// The one-way latency of these two, drawn when first asked for.
    pub(super) fn latency(&mut self, a: PeerId, b: PeerId, range: (Duration, Duration)) -> Duration {
        *self.latencies.entry(pair(a, b)).or_insert_with(|| self.rng.between(range.0, range.1))
    }

    pub(super) fn set_latency(&mut self, a: PeerId, b: PeerId, latency: Duration) {
        self.latencies.insert(pair(a, b), latency);
    }

    pub(super) fn block(&mut self, a: PeerId, b: PeerId) {
        self.blocked.insert(pair(a, b));
    }

    pub(super) fn unblock(&mut self, a: PeerId, b: PeerId) {
        self.blocked.remove(&pair(a, b));
    }

    pub(super) fn is_blocked(&self, a: PeerId, b: PeerId) -> bool {
        self.blocked.contains(&pair(a, b))
    }

    /// Whether a partition lies between these two.
    pub(super) fn is_cut(&self, a: PeerId, b: PeerId) -> bool {
        self.islands.get(&a) != self.islands.get(&b)
    }

    /// The number of the present partition, or of the present peace.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn set_islands(&mut self, islands: BTreeMap<PeerId, usize>) {
        self.islands = islands;
        self.epoch += 1;
    }

    /// Links these two, and gives both ends.
    pub(super) fn open(&mut self, a: PeerId, b: PeerId, now: Time) {
        self.generation += 1;
        for key in [(a, b), (b, a)] {
            let side =
                Side { generation: self.generation, is_open: true, control_until: now, held: Vec::new() };
            self.sides.insert(key, side);
        }
    }

    pub(super) fn side(&self, at: PeerId, peer: PeerId) -> Option<&Side> {
        self.sides.get(&(at, peer))
    }

    pub(super) fn side_mut(&mut self, at: PeerId, peer: PeerId) -> Option<&mut Side> {
        self.sides.get_mut(&(at, peer))
    }

    pub(super) fn remove(&mut self, at: PeerId, peer: PeerId) {
        self.sides.remove(&(at, peer));
    }

    pub(super) fn sides_mut(&mut self) -> impl Iterator<Item = ((PeerId, PeerId), &mut Side)> {
        self.sides.iter_mut().map(|(key, side)| (*key, side))
    }

    /// Every end: whose it is, of a link to whom, of which generation.
    pub(super) fn all(&self) -> Vec<(PeerId, PeerId, u64)> {
        self.sides.iter().map(|((at, peer), side)| (*at, *peer, side.generation)).collect()
    }

    /// The open links that `at` has.
    pub(super) fn of(&self, at: PeerId) -> impl Iterator<Item = PeerId> {
        self.sides.iter().filter(move |((a, _), side)| *a == at && side.is_open).map(|((_, peer), _)| *peer)
    }
}
