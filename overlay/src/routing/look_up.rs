use std::sync::Arc;

use stratus_core::{PeerId, Time};

use super::message::MAX_FOUND;
use super::value::{Key, Value};
use crate::places::{Place, distance};
use crate::record::Record;

/// Most members that a look-up keeps in mind: the nearest ones.
pub(super) const MOST_CANDIDATES: usize = 64;
/// So much farther than expected may the eighth nearest lie: by chance it does in one look-up of three thousand.
const SPARSE: u128 = 3;
/// So much farther, and it is doubted: by chance in one of a hundred.
const DOUBTFUL: u128 = 2;
/// Members of our own overlay that are asked in doubt: those whom a liar names, lie as well.
const WITNESSES: usize = 8;

/// A search for the members nearest to a place. Pure: it says whom to ask, and is told what they said. Source: spec RO-8.
#[derive(Clone, Debug)]
pub(super) struct LookUp {
    pub(super) target: Place,
    pub(super) goal: Goal,
    pub(super) ends_at: Time,
    /// When to ask again who is known, if nobody was.
    pub(super) again_at: Option<Time>,
    /// How many members there are, as far as we know.
    pub(super) members: u64,
    pub(super) asked: u32,
    /// How many of the nearest must have answered.
    pub(super) needed: usize,
    /// The nearest first.
    candidates: Vec<Candidate>,
    /// Values that were found, by whom.
    pub(super) values: Vec<(PeerId, Value)>,
}

/// What a look-up is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    /// The owner wants to know.
    Owner(u64),
    /// A put.
    Put(u64),
    /// A get of what stands under the key.
    Get(u64, Key),
    /// A parcel for the member that sits there, by the number of what waits.
    Parcel(u64),
}

/// A member that may be nearest.
#[derive(Clone, Debug)]
struct Candidate {
    place: Place,
    peer: PeerId,
    /// `None`: ourselves.
    record: Option<Arc<Record>>,
    /// Whether our own overlay knows it.
    is_own: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    Asked,
    /// It has not answered for so long that others are asked.
    Slow,
    Answered,
    Failed,
}

impl Candidate {
    /// Whether it answers, as far as is known.
    fn is_good(&self) -> bool {
        !matches!(self.state, State::Failed | State::Slow)
    }
}

impl LookUp {
    /// A search that knows only ourselves, who need not be asked.
    pub(super) fn new(
        target: Place,
        goal: Goal,
        needed: usize,
        (own, me): (Place, PeerId),
        ends_at: Time,
    ) -> Self {
        let own = Candidate { place: own, peer: me, record: None, is_own: true, state: State::Answered };
        Self {
            target,
            goal,
            ends_at,
            again_at: None,
            members: 1,
            asked: 0,
            needed,
            candidates: vec![own],
            values: Vec::new(),
        }
    }

    /// Whether a member at `place` would be kept in mind: its record is worth a check.
    pub(super) fn wants(&self, place: Place) -> bool {
        let is_known = self.candidates.iter().any(|candidate| candidate.place == place);
        let is_near = self.candidates.len() < MOST_CANDIDATES
            || self.candidates.last().is_some_and(|last| self.rank(place) < self.rank(last.place));
        !is_known && is_near
    }

    fn rank(&self, place: Place) -> (u64, u64) {
        (distance(place, self.target), place.wrapping_sub(self.target))
    }

    /// Keeps a member in mind, whose record was checked; `is_own`: our own overlay knows it.
    pub(super) fn add(&mut self, place: Place, record: Arc<Record>, is_own: bool) {
        if !self.wants(place) {
            return;
        }
        let rank = self.rank(place);
        let at = self.candidates.partition_point(|candidate| self.rank(candidate.place) < rank);
        let peer = record.peer();
        self.candidates
            .insert(at, Candidate { place, peer, record: Some(record), is_own, state: State::New });
        // Whoever was asked answers nevertheless; an answer of one that is forgotten is taken all the same.
        self.candidates.truncate(MOST_CANDIDATES);
    }

    /// Whether nobody but ourselves is known.
    pub(super) fn is_alone(&self) -> bool {
        self.candidates.iter().all(|candidate| candidate.record.is_none())
    }

    /// The next to be asked, if anybody should be now: the nearest of those that count, or, where what was found is too
    /// thin to be believed, anybody that is left, whom we know of ourselves first.
    pub(super) fn next(&mut self, parallel: usize, most: usize) -> Option<(PeerId, Arc<Record>)> {
        let in_flight = self.candidates.iter().filter(|candidate| candidate.state == State::Asked).count();
        if in_flight >= parallel || self.asked as usize >= most || self.is_done() {
            return None;
        }
        let is_doubted = self.has_nearest();
        let window = if is_doubted { MOST_CANDIDATES } else { self.needed + 2 };
        let good = self.candidates.iter_mut().filter(|candidate| candidate.is_good());
        let new = good.take(window).filter(|candidate| candidate.state == State::New);
        let next = new.min_by_key(|candidate| is_doubted && !candidate.is_own)?;
        next.state = State::Asked;
        self.asked += 1;
        let record = next.record.clone().expect("we ourselves are never new");
        Some((next.peer, record))
    }

    /// What a member that was asked did.
    pub(super) fn note(&mut self, peer: &PeerId, has_answered: bool) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.peer == *peer) {
            candidate.state = if has_answered { State::Answered } else { State::Failed };
        }
    }

    /// A member that was asked takes long to answer.
    pub(super) fn note_slow(&mut self, peer: &PeerId) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.peer == *peer) {
            candidate.state = State::Slow;
        }
    }

    /// Whether as many of the nearest have answered as must.
    fn has_nearest(&self) -> bool {
        let mut good = self.candidates.iter().filter(|candidate| candidate.is_good());
        good.by_ref().take(self.needed).all(|candidate| candidate.state == State::Answered)
    }

    /// Where those nearest to the key do not agree on what is the latest, more are asked: what one of them alone says may
    /// be an old value that somebody wants to be believed. Source: spec DH-4.
    pub(super) fn widen_if_disputed(&mut self) {
        if self.needed >= MAX_FOUND || !self.has_nearest() {
            return;
        }
        let latest = self.values.iter().map(|(_, value)| value.sequence()).max();
        let agreeing = self.values.iter().filter(|(_, value)| Some(value.sequence()) == latest).count();
        if latest.is_some() && agreeing * 2 <= self.needed {
            self.needed = MAX_FOUND;
        }
    }

    /// Whether what was found can be believed, or never will.
    pub(super) fn is_done(&self) -> bool {
        let is_there = matches!(self.goal, Goal::Parcel(_))
            && self.candidates.iter().any(|it| it.place == self.target && it.state == State::Answered);
        let has_value = self.values.iter().any(|(_, value)| matches!(value, Value::Content(_)));
        let is_shown = || self.is_proven() && (self.is_dense(DOUBTFUL) || self.has_witnesses());
        has_value || is_there || self.has_nearest() && is_shown()
    }

    /// Whether as many members as needed were asked of whom we know by ourselves, or all there are.
    fn has_witnesses(&self) -> bool {
        let mut own =
            self.candidates.iter().filter(|candidate| candidate.is_own && candidate.record.is_some());
        let heard = own.clone().filter(|candidate| candidate.state == State::Answered).count();
        heard >= WITNESSES || own.all(|candidate| !matches!(candidate.state, State::New | State::Asked))
    }

    /// Whether nobody is left who could be asked, or is being asked.
    pub(super) fn is_exhausted(&self, most: usize) -> bool {
        let is_any = |state: State| self.candidates.iter().any(|candidate| candidate.state == state);
        !is_any(State::Asked) && !is_any(State::Slow) && (!is_any(State::New) || self.asked as usize >= most)
    }

    /// Whether the members shown to lie nearest are as dense as the size of the group makes one expect: who leaves the
    /// true nearest out can show only others that lie farther apart. Source: spec RO-8.
    pub(super) fn is_proven(&self) -> bool {
        self.is_dense(SPARSE)
    }

    /// Whether they lie at most so much farther than expected.
    fn is_dense(&self, sparse: u128) -> bool {
        let shown = self.candidates.len().min(MAX_FOUND);
        if self.members <= MAX_FOUND as u64 {
            return shown as u64 * 2 >= self.members;
        }
        let farthest = self.candidates[shown - 1].place;
        // Members within a distance lie on both sides.
        let expected = ((shown as u128) << 64) / u128::from(self.members) / 2;
        shown == MAX_FOUND && u128::from(distance(farthest, self.target)) <= expected * sparse
    }

    /// The nearest that answered, nearest first.
    pub(super) fn nearest(&self) -> impl Iterator<Item = (&PeerId, Option<&Arc<Record>>)> {
        let answered = self.candidates.iter().filter(|candidate| candidate.state == State::Answered);
        answered.map(|candidate| (&candidate.peer, candidate.record.as_ref()))
    }

    /// The record of the member at this very place, whether or not it answered.
    pub(super) fn at(&self, place: Place) -> Option<&Arc<Record>> {
        self.candidates.iter().find(|candidate| candidate.place == place)?.record.as_ref()
    }

    /// How many it keeps in mind.
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::testing::{identity, peer};
    use stratus_core::{GroupId, RingKey, Rng};

    use super::*;
    use crate::places::place_of;
    use crate::record::Draft;

    const RING: RingKey = RingKey::new([3; 32]);

    fn records(count: u64) -> Vec<Arc<Record>> {
        let record =
            |number| Record::sign(&identity(number), &GroupId::from_bytes([7; 32]), Draft::default());
        (1..=count).map(|number| Arc::new(record(number))).collect()
    }

    fn search(target: Place, members: u64) -> LookUp {
        let me = (place_of(&RING, &peer(0)), peer(0));
        let look_up = LookUp::new(target, Goal::Owner(3), 3, me, Time::ZERO);
        LookUp { members, ..look_up }
    }

    fn add(look_up: &mut LookUp, record: &Arc<Record>) {
        look_up.add(place_of(&RING, &record.peer()), record.clone(), true);
    }

    #[test]
    fn who_hides_the_nearest_is_found_out_by_the_density() {
        // spec RO-8: one half of the group shows only the tenth that conspires
        let all = records(300);
        let mut rng = Rng::from_seed(50);
        let (mut believed, mut caught) = (0, 0);
        for _ in 0..50 {
            let target = rng.next_u64();
            let (mut honest, mut lied) = (search(target, 300), search(target, 300));
            all.iter().for_each(|record| add(&mut honest, record));
            all.iter().step_by(10).for_each(|record| add(&mut lied, record));
            believed += u32::from(honest.is_proven());
            caught += u32::from(!lied.is_proven());
        }
        assert_eq!((believed, caught), (50, 50));
    }

    #[test]
    fn no_more_candidates_are_kept_in_mind_than_allowed_and_those_are_the_nearest() {
        let all = records(MOST_CANDIDATES as u64 + 9);
        let target = 700;
        let mut look_up = search(target, 300);
        all.iter().for_each(|record| add(&mut look_up, record));
        assert_eq!(look_up.len(), MOST_CANDIDATES);
        let mut places: Vec<Place> = all.iter().map(|record| place_of(&RING, &record.peer())).collect();
        places.push(place_of(&RING, &peer(0)));
        places.sort_unstable_by_key(|place| distance(*place, target));
        let kept: Vec<Place> = look_up.candidates.iter().map(|candidate| candidate.place).collect();
        assert_eq!(kept, places[..MOST_CANDIDATES]);
    }

    #[test]
    fn so_many_are_asked_at_a_time_and_in_all() {
        // spec RO-9
        let mut look_up = search(700, 300);
        records(40).iter().for_each(|record| add(&mut look_up, record));
        let mut asked = Vec::new();
        while let Some((peer, _)) = look_up.next(3, 7) {
            asked.push(peer);
            if asked.len() >= 3 {
                look_up.note(&asked[asked.len() - 3], false);
            }
        }
        assert_eq!(asked.len(), 7);
        asked[5..].iter().for_each(|peer| look_up.note(peer, false));
        assert!(look_up.is_exhausted(7));
    }
}
