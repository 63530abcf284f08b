use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use stratus_core::{Bucket, Time};

use crate::api::RequestId;
use crate::load::Load;
use crate::message::{MOST_IDS, Want};
use crate::objects::ObjectSet;

/// How long what a neighbor said of its load is believed.
const LOAD_LIFETIME: Duration = Duration::from_millis(500);
/// What came and is not told of while more is waited for.
pub(crate) const MOST_UNTOLD: usize = 3;
/// Requests that were given up and may still be answered.
const MOST_LOST: usize = MOST_IDS;
/// Objects that a first seed offers to one neighbor at first.
pub(crate) const LEAST_REVEAL: usize = 4;

/// What is known of a neighbor.
#[derive(Clone, Debug)]
pub(crate) struct Neighbor {
    /// What it offers.
    pub(crate) have: ObjectSet,
    /// Whether it is to be asked only for what nobody else has.
    pub(crate) is_scarce: bool,
    load: Load,
    load_at: Time,
    /// Our requests that it has not answered: objects by id.
    pub(crate) requests: BTreeMap<u64, u64>,
    /// Requests that were given up.
    lost: VecDeque<Want>,
    pub(crate) next_id: u64,
    /// Ids of what came and was not acknowledged yet.
    pub(crate) done: Vec<u64>,
    /// What came is told now.
    pub(crate) is_overdue: bool,
    /// Requests that leave at the end of the turn.
    pub(crate) wants: Vec<Want>,
    /// It is not asked before this.
    pub(crate) pause_until: Time,
    /// Requests in a row that it did not answer in time.
    pub(crate) strikes: u32,
    /// How long it takes to answer, in the mean.
    pub(crate) latency: Duration,
    /// The state of our wants at which nothing of it was of use.
    pub(crate) dry_at: u64,
    /// Its requests, by its ids.
    pub(crate) uploads: BTreeMap<u64, RequestId>,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    /// Bytes that came from it, the older the less.
    pub(crate) score: u64,
    pub(crate) served_at: Time,
    /// What a first seed has offered it.
    pub(crate) offered: ObjectSet,
    pub(crate) reveal: usize,
    pub(crate) revealed_at: Time,
    pub(crate) news: Bucket,
    pub(crate) control: Bucket,
}

impl Neighbor {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            have: ObjectSet::default(),
            is_scarce: false,
            load: Load::default(),
            load_at: now,
            requests: BTreeMap::new(),
            lost: VecDeque::new(),
            next_id: 0,
            done: Vec::new(),
            is_overdue: false,
            wants: Vec::new(),
            pause_until: now,
            strikes: 0,
            latency: Duration::from_millis(200),
            dry_at: 0,
            uploads: BTreeMap::new(),
            received_bytes: 0,
            sent_bytes: 0,
            score: 0,
            served_at: Time::ZERO,
            offered: ObjectSet::default(),
            reveal: LEAST_REVEAL,
            revealed_at: now,
            news: Bucket::default(),
            control: Bucket::default(),
        }
    }

    pub(crate) fn note_load(&mut self, now: Time, load: Load) {
        (self.load, self.load_at) = (load, now);
    }

    /// How busy it is: what it said of itself lately, and what we have asked of it.
    pub(crate) fn load(&self, now: Time) -> usize {
        let told = if now.since(self.load_at) < LOAD_LIFETIME { usize::from(self.load.uploads) } else { 0 };
        told.max(self.requests.len()) + self.requests.len()
    }

    /// How long it would take to answer one more, in steps of its load.
    pub(crate) fn wait(&self, now: Time) -> u64 {
        self.load.steps(self.load(now) + 1)
    }

    pub(crate) fn note_answer(&mut self, took: Duration) {
        self.latency = (self.latency * 7 + took) / 8;
        self.strikes = 0;
    }

    /// Whether what came has to be told now: where that may wait, once nothing more is waited for or there is something to
    /// ask.
    pub(crate) fn has_to_tell(&mut self, may_wait: bool) -> bool {
        let is_overdue = std::mem::take(&mut self.is_overdue);
        let is_now = !may_wait || is_overdue || self.requests.is_empty() || self.done.len() > MOST_UNTOLD;
        !self.wants.is_empty() || (is_now && !self.done.is_empty())
    }

    /// A request that is not waited for any more.
    pub(crate) fn lose(&mut self, want: Want) {
        self.requests.remove(&want.id);
        self.lost.truncate(MOST_LOST - 1);
        self.lost.push_front(want);
    }

    /// Whether this answers a request that was given up; it is then forgotten.
    pub(crate) fn was_lost(&mut self, want: Want) -> bool {
        let place = self.lost.iter().position(|lost| *lost == want);
        place.is_some_and(|place| self.lost.remove(place).is_some())
    }

    pub(crate) fn lost_len(&self) -> usize {
        self.lost.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lost_requests_are_remembered_and_not_one_more() {
        let mut neighbor = Neighbor::new(Time::ZERO);
        let want = |id: usize| Want { id: id as u64, index: 7 };
        (0..MOST_LOST).for_each(|id| neighbor.lose(want(id)));
        assert_eq!(neighbor.lost_len(), MOST_LOST);
        neighbor.lose(want(MOST_LOST));
        assert_eq!(neighbor.lost_len(), MOST_LOST);
        assert!(!neighbor.was_lost(want(0)) && neighbor.was_lost(want(1)) && !neighbor.was_lost(want(1)));
    }
}
