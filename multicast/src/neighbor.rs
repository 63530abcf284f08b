use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, Time};

use crate::Availability;
use crate::swarm::Suspicion;

/// Manifests remembered as given by one neighbor: a few seconds of them.
const MAX_GAVE: usize = 256;

/// A map of a living neighbor that has us for a parent comes each 4 s at least (spec MC-9).
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// So many requests in vain, and a neighbor is asked last. Loss alone rarely does that: of three requests more
/// than one would have to be answered by nothing at all.
const UNRELIABLE: u32 = 6;

/// A connected member, as one stream sees it.
#[derive(Clone, Debug)]
pub(crate) struct Neighbor {
    /// Round trip, as the overlay measured it; a guess before that.
    pub(crate) rtt: Duration,
    /// Its last map, and when it came.
    pub(crate) map: Option<(Time, Availability)>,
    /// When it was last sent our map.
    pub(crate) mapped_at: Time,
    /// When it last said anything about the stream.
    pub(crate) heard_at: Time,
    /// Since when it is asked for its map and has said nothing.
    pub(crate) asked_at: Option<Time>,
    /// It is to be asked whether it is there.
    pub(crate) is_doubted: bool,
    /// Its overlay record, opaque, for handing on.
    pub(crate) record: Bytes,
    /// Runs that we asked of it and that are not answered.
    pub(crate) outstanding: usize,
    /// Requests that it did not answer, less twice those that it did; never below 0.
    pub(crate) unanswered: u32,
    /// Fragments of its that wait for their manifest, by run and position.
    pub(crate) waiting: BTreeMap<(u64, u32), (Bytes, bool)>,
    /// It said that its upload is spoken for; nothing is asked of it before this.
    pub(crate) busy_until: Time,
    /// Our map changed in a way that it should know of soon.
    pub(crate) owes_map: bool,
    /// The last runs of which it gave us the manifest that we keep.
    pub(crate) gave: BTreeSet<u64>,
    /// It sent something that does not match, and is asked why.
    pub(crate) suspicion: Option<Suspicion>,
}

impl Neighbor {
    pub(crate) fn new(now: Time, rtt: Duration, record: Bytes) -> Self {
        let (waiting, busy_until) = (BTreeMap::new(), Time::ZERO);
        Self {
            rtt,
            map: None,
            mapped_at: now,
            heard_at: now,
            asked_at: None,
            is_doubted: false,
            record,
            outstanding: 0,
            unanswered: 0,
            waiting,
            busy_until,
            owes_map: false,
            gave: BTreeSet::new(),
            suspicion: None,
        }
    }

    /// It said something about the stream.
    pub(crate) fn heard(&mut self, now: Time) {
        self.heard_at = now;
        self.asked_at = None;
        self.is_doubted = false;
    }

    /// Whether it does not answer, or has said nothing for longer than any member that is there.
    pub(crate) fn is_silent(&self, now: Time, answer: Duration) -> bool {
        let has_no_answer = self.asked_at.is_some_and(|at| now.since(at) > self.rtt * 2 + answer);
        has_no_answer || now.since(self.heard_at) > LONGEST_SILENCE
    }

    /// Whether it said that it needs nothing more of an ended stream.
    pub(crate) fn is_complete(&self) -> bool {
        self.map.as_ref().is_some_and(|(_, map)| map.is_complete)
    }

    /// Whether it said that it only receives.
    pub(crate) fn gives_nothing(&self) -> bool {
        self.map.as_ref().is_some_and(|(_, map)| map.gives_nothing)
    }

    /// It gave us the manifest of `run`.
    pub(crate) fn note_gave(&mut self, run: u64) {
        self.gave.insert(run);
        if self.gave.len() > MAX_GAVE {
            self.gave.pop_first();
        }
    }

    /// Whether it lately left most requests unanswered, whatever its maps say (spec MC-24).
    pub(crate) fn is_unreliable(&self) -> bool {
        self.unanswered >= UNRELIABLE
    }

    /// A request to it was not answered in time.
    pub(crate) fn note_unanswered(&mut self) {
        self.unanswered = (self.unanswered + 1).min(2 * UNRELIABLE);
    }

    /// It answered a request.
    pub(crate) fn note_answer(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(2);
    }

    /// Positions of `run` that wait for its manifest.
    pub(crate) fn waiting_positions(&self, run: u64) -> BitSet {
        self.waiting.range((run, 0)..(run + 1, 0)).map(|((_, position), _)| *position).collect()
    }

    /// Takes the fragments of `run` that waited for its manifest.
    pub(crate) fn take_waiting(&mut self, run: u64) -> Vec<(u32, Bytes, bool)> {
        let mut taken = Vec::new();
        while let Some((&(found, position), _)) = self.waiting.range((run, 0)..(run + 1, 0)).next() {
            let (payload, is_repair) =
                self.waiting.remove(&(found, position)).expect("just found in this map");
            taken.push((position, payload, is_repair));
        }
        taken
    }
}
