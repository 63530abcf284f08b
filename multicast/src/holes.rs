use std::collections::BTreeMap;

use stratus_core::{PeerId, Time};

/// Most peers remembered as having been asked for one run in vain: all neighbors that there can be, or a few
/// that refuse would be asked in turn for ever and nobody else.
const MAX_TRIED: usize = 128;

/// A run that is not complete, and what is being done about it (spec MC-12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hole {
    /// When to act next.
    pub(crate) check_at: Time,
    /// Whom to ask first: the pusher that left the gap.
    pub(crate) prefer: Option<PeerId>,
    /// Who was asked last and has not answered.
    pub(crate) asked: Option<PeerId>,
    /// When that was.
    pub(crate) asked_at: Time,
    /// Something of the answer came.
    pub(crate) is_answered: bool,
    /// Requests sent so far.
    pub(crate) attempts: u32,
    /// How often nobody was left to ask.
    pub(crate) rounds: u32,
    tried: Vec<PeerId>,
}

impl Hole {
    fn new(check_at: Time) -> Self {
        Self {
            check_at,
            prefer: None,
            asked: None,
            asked_at: Time::ZERO,
            is_answered: false,
            attempts: 0,
            rounds: 0,
            tried: Vec::new(),
        }
    }

    pub(crate) fn was_tried(&self, peer: &PeerId) -> bool {
        self.tried.contains(peer)
    }

    pub(crate) fn note_tried(&mut self, peer: PeerId) {
        if !self.was_tried(&peer) {
            if self.tried.len() == MAX_TRIED {
                self.tried.remove(0);
            }
            self.tried.push(peer);
        }
    }

    /// Everyone was asked in vain: all may be asked again.
    pub(crate) fn start_over(&mut self) {
        self.tried.clear();
    }
}

/// The incomplete runs of a stream, lowest first. At most as many as the window has runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holes(BTreeMap<u64, Hole>);

impl Holes {
    pub(crate) fn open(&mut self, run: u64, check_at: Time) {
        self.0.entry(run).or_insert_with(|| Hole::new(check_at));
    }

    pub(crate) fn close(&mut self, run: u64) -> Option<Hole> {
        self.0.remove(&run)
    }

    pub(crate) fn get(&self, run: u64) -> Option<&Hole> {
        self.0.get(&run)
    }

    pub(crate) fn get_mut(&mut self, run: u64) -> Option<&mut Hole> {
        self.0.get_mut(&run)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets holes below `run`, and gives back those that somebody was asked to fill.
    pub(crate) fn close_below(&mut self, run: u64) -> Vec<PeerId> {
        let kept = self.0.split_off(&run);
        std::mem::replace(&mut self.0, kept).into_values().filter_map(|hole| hole.asked).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// When the first hole wants attention.
    pub(crate) fn next_check(&self) -> Option<Time> {
        self.0.values().map(|hole| hole.check_at).min()
    }

    /// Runs that want attention at `now`, lowest first: the oldest leave the window first.
    pub(crate) fn due(&self, now: Time) -> Vec<u64> {
        self.0.iter().filter(|(_, hole)| hole.check_at <= now).map(|(run, _)| *run).collect()
    }

    /// The holes below `run`, lowest first.
    pub(crate) fn below(&mut self, run: u64) -> impl Iterator<Item = (u64, &mut Hole)> {
        self.0.range_mut(..run).map(|(run, hole)| (*run, hole))
    }

    /// `peer` is gone: what it was asked is asked elsewhere at once.
    pub(crate) fn forget(&mut self, peer: &PeerId, now: Time) {
        for hole in self.0.values_mut() {
            hole.tried.retain(|tried| tried != peer);
            hole.prefer = hole.prefer.filter(|preferred| preferred != peer);
            if hole.asked == Some(*peer) {
                hole.asked = None;
                hole.check_at = now;
            }
        }
    }

    /// Whether any hole still names `peer`.
    pub(crate) fn mentions(&self, peer: &PeerId) -> bool {
        let names =
            |hole: &Hole| hole.prefer == Some(*peer) || hole.asked == Some(*peer) || hole.was_tried(peer);
        self.0.values().any(names)
    }
}
