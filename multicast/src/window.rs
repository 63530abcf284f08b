use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, Digest, Time};

use crate::manifest::MAX_RUN;
use crate::{Kind, Manifest, PieceEntry};

/// Headers of a datagram, and of a manifest what is not payload, roughly.
const PACKET: usize = 100;

/// One run, from the moment we know that it exists until it leaves the window.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// When we learned that it exists; its window is counted from here (spec MC-10).
    pub(crate) known_at: Time,
    /// Its verified manifest.
    pub(crate) manifest: Option<Arc<Manifest>>,
    /// What the next manifest names as the one before it.
    pub(crate) link: Digest,
    /// When the last of it came.
    pub(crate) came_at: Option<Time>,
    /// When a later run of its slice, or a later fragment of it, was seen to have overtaken some of it.
    pub(crate) overtaken_at: Option<Time>,
    /// Some of it came by a pull.
    pub(crate) is_repaired: bool,
    /// How many of its fragments its parent brought, by push or when it was asked.
    pub(crate) brought: u32,
    /// Its parent has sent all that it had of it: what is missing is lost.
    pub(crate) is_sent: bool,
    /// Its messages are given up; nothing of it is sought any more.
    pub(crate) is_abandoned: bool,
    held: BitSet,
    payloads: Vec<Bytes>,
}

impl Run {
    fn new(known_at: Time) -> Self {
        Self {
            known_at,
            manifest: None,
            link: [0; 16],
            came_at: None,
            overtaken_at: None,
            is_repaired: false,
            brought: 0,
            is_sent: false,
            is_abandoned: false,
            held: BitSet::EMPTY,
            payloads: Vec::new(),
        }
    }

    /// Whether the manifest and every fragment are here.
    pub(crate) fn is_complete(&self) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| self.held.len() as usize == manifest.pieces.len())
    }

    /// Positions that are here.
    pub(crate) fn held(&self) -> BitSet {
        self.held
    }

    /// Positions that are not; all 32 while the manifest is unknown.
    pub(crate) fn missing(&self) -> BitSet {
        let count = self.manifest.as_ref().map_or(MAX_RUN, |manifest| manifest.pieces.len());
        BitSet::first(count as u32).minus(self.held)
    }

    /// The highest position that came by itself; payloads inside the manifest say nothing of the others.
    pub(crate) fn arrived_up_to(&self) -> Option<u32> {
        let manifest = self.manifest.as_ref()?;
        let is_hashed =
            |position: &u32| matches!(manifest.pieces[*position as usize], PieceEntry::Hashed { .. });
        self.held.iter().filter(is_hashed).last()
    }

    /// The payloads at `positions` that are here and travel by themselves, not inside the manifest.
    pub(crate) fn separate_payloads(&self, positions: BitSet) -> Vec<(u32, Bytes)> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let is_separate =
            |position: &u32| matches!(manifest.pieces[*position as usize], PieceEntry::Hashed { .. });
        let held = positions.intersection(self.held).iter().filter(is_separate);
        held.map(|position| (position, self.payloads[position as usize].clone())).collect()
    }

    /// What the fragment at `position` belongs to, once the manifest is known.
    pub(crate) fn kind(&self, position: u32) -> Option<Kind> {
        let piece = self.manifest.as_ref()?.pieces.get(position as usize)?;
        Some(piece.flags().kind)
    }

    /// The payload at `position`, if it is here.
    pub(crate) fn payload(&self, position: u32) -> Option<&Bytes> {
        self.held.contains(position).then(|| &self.payloads[position as usize])
    }

    fn set_manifest(&mut self, manifest: Arc<Manifest>) -> usize {
        self.payloads = vec![Bytes::new(); manifest.pieces.len()];
        let mut added = 0;
        for (position, piece) in manifest.pieces.iter().enumerate() {
            if let PieceEntry::Inline { payload, .. } = piece {
                self.payloads[position] = payload.clone();
                self.held.insert(position as u32);
                added += payload.len();
            }
        }
        self.manifest = Some(manifest);
        added
    }

    /// About what it weighs when it is sent.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.bytes() + (self.held.len() as usize + 1) * PACKET
    }

    fn bytes(&self) -> usize {
        self.payloads.iter().map(Bytes::len).sum()
    }
}

/// The runs of one stream that are worth having, in order, without holes in their numbering.
///
/// Only verified fragments are in it. Bounded by runs, by bytes and by time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    base: u64,
    runs: VecDeque<Run>,
    /// One more than the newest run whose manifest was verified or whose existence the publisher signed.
    verified_end: u64,
    bytes: usize,
    newest_key: Option<u64>,
    /// Runs that lack something: few, while the window is long.
    incomplete: BTreeSet<u64>,
    /// How many of the runs are beats, which bring nothing.
    beats: usize,
}

/// How much a window may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) runs: usize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
    pub(crate) key_age: Duration,
}

impl Window {
    /// Forgets everything and begins at `base`.
    pub(crate) fn restart(&mut self, base: u64) {
        *self = Self { base, verified_end: base, ..Self::default() };
    }

    /// The oldest run that is kept.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// One more than the newest run that has a place, verified or not.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.runs.len() as u64
    }

    /// One more than the newest run known to exist for certain.
    pub(crate) fn verified_end(&self) -> u64 {
        self.verified_end
    }

    /// The newest run that begins with a key message and is here.
    pub(crate) fn newest_key(&self) -> Option<u64> {
        self.newest_key.filter(|&run| run >= self.base)
    }

    /// Payload bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether any run may bring something: not all are known to be beats.
    pub(crate) fn has_content(&self) -> bool {
        self.runs.len() > self.beats
    }

    pub(crate) fn get(&self, run: u64) -> Option<&Run> {
        self.runs.get(usize::try_from(run.checked_sub(self.base)?).ok()?)
    }

    pub(crate) fn get_mut(&mut self, run: u64) -> Option<&mut Run> {
        self.runs.get_mut(usize::try_from(run.checked_sub(self.base)?).ok()?)
    }

    /// The runs that lack something, rising.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = u64> {
        self.incomplete.iter().copied()
    }

    /// Makes places up to and including `run`; gives back the ones that are new.
    ///
    /// A run too far ahead to fit moves the base, and what was below it is forgotten.
    pub(crate) fn reach(&mut self, run: u64, now: Time, limits: &Limits) -> std::ops::Range<u64> {
        if run < self.end() {
            return 0..0;
        }
        if run - self.base >= limits.runs as u64 {
            self.drop_below(run + 1 - limits.runs as u64);
        }
        let first = self.end();
        self.runs.resize_with((run + 1 - self.base) as usize, || Run::new(now));
        self.incomplete.extend(first..run + 1);
        first..run + 1
    }

    /// The publisher's word that runs below `end` exist.
    pub(crate) fn confirm(&mut self, end: u64) {
        self.verified_end = self.verified_end.max(end);
    }

    /// Puts a verified manifest in its place, which must exist and be without one.
    pub(crate) fn insert_manifest(&mut self, manifest: Arc<Manifest>, link: Digest) {
        let run = manifest.run;
        self.confirm(run.saturating_add(1));
        let is_key = |piece: &PieceEntry| piece.flags().is_start && piece.flags().is_key;
        if manifest.pieces.first().is_some_and(is_key) {
            self.newest_key = self.newest_key.max(Some(run));
        }
        self.beats += usize::from(manifest.is_beat());
        let place = self.get_mut(run).expect("the caller made the place");
        assert!(place.manifest.is_none(), "spec MC-7: a second manifest for one run was accepted");
        let added = place.set_manifest(manifest);
        place.link = link;
        let is_complete = place.is_complete();
        self.bytes += added;
        if is_complete {
            self.incomplete.remove(&run);
        }
    }

    /// Puts a verified payload in its place, which must exist; says whether it was missing.
    pub(crate) fn insert_payload(&mut self, run: u64, position: u32, payload: Bytes) -> bool {
        let place = self.get_mut(run).expect("the caller made the place");
        if !place.held.insert(position) {
            return false;
        }
        let length = payload.len();
        place.payloads[position as usize] = payload;
        let is_complete = place.is_complete();
        self.bytes += length;
        if is_complete {
            self.incomplete.remove(&run);
        }
        true
    }

    /// Forgets what is too old or too much. The newest key run and what follows it stay longer, so that a
    /// newcomer finds a place to start (spec MC-11).
    pub(crate) fn expire(&mut self, now: Time, limits: &Limits) {
        let key = self.newest_key().unwrap_or(u64::MAX);
        while let Some(oldest) = self.runs.front() {
            let age = now.since(oldest.known_at);
            let is_worth_keeping = age <= limits.age || self.base >= key && age <= limits.key_age;
            if is_worth_keeping && self.bytes <= limits.bytes {
                break;
            }
            self.drop_below(self.base + 1);
        }
    }

    fn drop_below(&mut self, base: u64) {
        while self.base < base {
            match self.runs.pop_front() {
                Some(run) => {
                    self.bytes -= run.bytes();
                    self.beats -= usize::from(run.manifest.is_some_and(|manifest| manifest.is_beat()));
                    self.incomplete.remove(&self.base);
                }
                None => {
                    self.base = base;
                    return;
                }
            }
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::testing::identity;

    use super::*;
    use crate::PieceFlags;

    const LIMITS: Limits =
        Limits { runs: 4, bytes: 3_000, age: Duration::from_secs(8), key_age: Duration::from_secs(8) };

    #[test]
    fn as_many_runs_as_the_limit_are_kept_and_one_more_costs_the_oldest() {
        let mut window = Window::default();
        assert_eq!(window.reach(3, Time::ZERO, &LIMITS), 0..4);
        assert_eq!((window.base(), window.len()), (0, 4));
        assert_eq!(window.reach(4, Time::ZERO, &LIMITS), 4..5);
        assert_eq!((window.base(), window.len()), (1, 4));
        window.reach(1 << 60, Time::ZERO, &LIMITS);
        assert_eq!((window.end(), window.len()), ((1 << 60) + 1, 4));
    }

    #[test]
    fn as_many_bytes_as_the_limit_are_kept_and_one_more_costs_the_oldest() {
        let mut window = Window::default();
        window.reach(3, Time::ZERO, &LIMITS);
        for (run, length) in [(0, 1_000), (1, 1_000), (2, 1_000), (3, 1)] {
            let pieces = vec![PieceEntry::Hashed { flags: PieceFlags::default(), digest: [7; 16] }];
            let manifest = Manifest::signed(&identity(1), run, run, Duration::ZERO, [0; 16], pieces);
            window.insert_manifest(Arc::new(manifest), [0; 16]);
            window.insert_payload(run, 0, Bytes::from(vec![7; length]));
            window.expire(Time::ZERO, &LIMITS);
            let expected = if run < 3 { (0, 1_000 * (run as usize + 1)) } else { (1, 2_001) };
            assert_eq!((window.base(), window.bytes()), expected);
        }
    }
}
