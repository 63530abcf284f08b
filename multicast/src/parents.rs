use std::time::Duration;

use stratus_core::{BitSet, PeerId, Rng, Time};

/// Most peers remembered as having said no to one slice.
const MAX_REFUSED: usize = 32;
/// Who said no again is asked again after twice as long, up to 2^4 times as long as at first: where places are few, all
/// neighbors come to be asked.
const MOST_REFUSALS: u32 = 4;

/// The receiving side of one slice (spec MC-8).
///
/// ```text
///            ask            accepted
///   (none) ──────► asked ────────────► parent ──── silent, gone, or says stop ───► (none)
///                    │ refused           │  ▲
///                    ▼                   ▼  │ accepted: the old one is told to stop at the same run
///                 (none)               asked (someone quicker)
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// Who pushes it to us.
    pub(crate) parent: Option<Parent>,
    /// Whom we have asked.
    pub(crate) asked: Option<Asked>,
    /// The newest run that came whole through an unbroken chain of pushes, and when.
    pub(crate) flowed: Option<(u64, Time)>,
    /// When it got a parent after having none.
    pub(crate) rooted_at: Time,
    /// The newest run of which the parent pushed anything.
    pub(crate) pushed: Option<u64>,
    /// Its parent sends the manifest of a run after the fragments, so that it ends a train.
    pub(crate) sends_trains: bool,
    /// How many pushes away from the publisher we are, or were last.
    pub(crate) hops: u8,
    /// When the parent last pushed anything good.
    pub(crate) heard_at: Time,
    /// The newest run of which it did.
    pub(crate) heard_run: u64,
    /// Typical time from the publisher's stamp to our having the whole run, µs on a clock of unknown offset.
    pub(crate) lag: Option<i64>,
    refused: Vec<Refusal>,
}

/// Someone who said no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Refusal {
    peer: PeerId,
    /// It is not asked before this.
    until: Time,
    /// How often it said no in a row.
    times: u32,
}

/// Someone who had a place as a parent and did not serve it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Failed {
    peer: PeerId,
    /// It is asked for no slice before this.
    until: Time,
    /// Each time counts double.
    times: u32,
}

/// Most of them that are remembered.
const MAX_FAILED: usize = 128;
/// Someone who fell silent as a parent, starved us or let us go is not asked for about this long.
const FAILURE_MEMORY: Duration = Duration::from_secs(8);
/// Doubled with each failure up to 2^5 times as long, about four minutes.
const MOST_DOUBLINGS: u32 = 5;

/// A parent whose first run is to come has the place for this long although nothing of its slice comes.
const LONGEST_PROMISE: Duration = Duration::from_secs(3);

/// A parent in one slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parent {
    pub(crate) peer: PeerId,
    pub(crate) from_run: u64,
    pub(crate) since: Time,
    /// It has said that this run is the first that it will not push.
    pub(crate) until: Option<u64>,
}

/// A question that is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) peer: PeerId,
    pub(crate) at: Time,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            parent: None,
            asked: None,
            flowed: None,
            rooted_at: Time::ZERO,
            pushed: None,
            sends_trains: false,
            hops: u8::MAX,
            heard_at: Time::ZERO,
            heard_run: 0,
            lag: None,
            refused: Vec::new(),
        }
    }
}

impl Slice {
    /// Whether a member `hops` from the publisher that has `run` cannot be below us in this slice's tree.
    ///
    /// Whoever is as near to the publisher as we are is not below us. Once we have no parent, neither is
    /// anyone who got a later run than we did: what is below us gets nothing but through us (spec MC-8).
    pub(crate) fn is_above(&self, hops: u8, run: Option<u64>) -> bool {
        let is_fresher = || match (run, self.flowed) {
            (Some(run), Some((own, _))) => run > own,
            (Some(_), None) => true,
            (None, _) => false,
        };
        hops <= self.hops || self.parent.is_none() && is_fresher()
    }

    /// Whether `peer` should push `run` to us.
    pub(crate) fn expects(&self, peer: &PeerId, run: u64) -> bool {
        self.parent.is_some_and(|parent| parent.peer == *peer && run >= parent.from_run)
    }

    /// Whether the parent should push `run`, which became known at `known_at`.
    pub(crate) fn is_to_push(&self, run: u64, known_at: Time) -> bool {
        self.parent.is_some_and(|parent| {
            run >= parent.from_run && known_at >= parent.since && parent.until.is_none_or(|until| run < until)
        })
    }

    /// Whether the parent's first run is still to come, by its own word, although it has had the place for long: more
    /// than `far` ahead, or while nobody brings the slice, as its predecessor should. A place is not kept by promises
    /// (spec MC-24).
    pub(crate) fn promises_only(&self, now: Time, newest: u64, slack: u64, far: u64) -> bool {
        let is_long_ago = |at: Time| now.since(at) > LONGEST_PROMISE;
        let flows = |(run, at): (u64, Time)| newest <= run + slack || !is_long_ago(at);
        self.parent.is_some_and(|parent| {
            let waits = newest <= parent.from_run && is_long_ago(parent.since);
            let is_dry = newest > slack && !self.flowed.is_some_and(flows);
            waits && (parent.from_run > newest.saturating_add(far) || is_dry)
        })
    }

    /// Whether it reaches us through an unbroken chain that will last: something came within `patience`, or
    /// nothing could have come, since the parent is that new or the stream itself rests.
    pub(crate) fn flows(&self, now: Time, patience: Duration, is_resting: bool) -> bool {
        let is_recent = |at: Time| is_resting || now.since(at) <= patience;
        self.parent.is_some_and(|parent| {
            let has_flow = is_recent(parent.since) || self.flowed.is_some_and(|(_, at)| is_recent(at));
            parent.until.is_none() && has_flow
        })
    }

    /// Notes a whole run that came by push, `lag` µs after its stamp.
    pub(crate) fn flowed_at(&mut self, run: u64, now: Time, lag: i64) {
        if self.flowed.is_none_or(|(newest, _)| run > newest) {
            self.flowed = Some((run, now));
        }
        self.lag = Some(self.lag.map_or(lag, |old| old + (lag - old) / 4));
    }

    /// Does not ask `peer` again before `until`.
    pub(crate) fn refuse(&mut self, peer: PeerId, until: Time) {
        self.note_refusal(Refusal { peer, until, times: 0 });
    }

    /// It said no at `now`: not before `until`, or longer if it did so before.
    pub(crate) fn refuse_again(&mut self, peer: PeerId, now: Time, until: Time) {
        let past = self.refused.iter().find(|refusal| refusal.peer == peer).map_or(0, |past| past.times);
        let until = now + until.since(now) * (1 << past);
        self.note_refusal(Refusal { peer, until, times: (past + 1).min(MOST_REFUSALS) });
    }

    fn note_refusal(&mut self, refusal: Refusal) {
        self.refused.retain(|other| other.peer != refusal.peer);
        if self.refused.len() == MAX_REFUSED {
            self.refused.remove(0);
        }
        self.refused.push(refusal);
    }

    /// `peer` says that it has a place.
    pub(crate) fn pardon(&mut self, peer: &PeerId) {
        self.refused.retain(|refusal| refusal.peer != *peer || refusal.times == 0);
    }

    /// Whether `peer` may be asked.
    fn may_ask(&self, peer: &PeerId, now: Time) -> bool {
        !self.refused.iter().any(|refusal| refusal.peer == *peer && now < refusal.until)
    }

    /// Forgets `peer`; says whether it was the parent.
    pub(crate) fn forget(&mut self, peer: &PeerId) -> bool {
        self.refused.retain(|refusal| refusal.peer != *peer);
        if self.asked.is_some_and(|asked| asked.peer == *peer) {
            self.asked = None;
        }
        let was_parent = self.parent.is_some_and(|parent| parent.peer == *peer);
        if was_parent {
            self.parent = None;
        }
        was_parent
    }
}

/// Every slice of one stream, from the receiving side.
#[derive(Clone, Debug)]
pub(crate) struct Parents {
    pub(crate) slices: Vec<Slice>,
    failed: Vec<Failed>,
}

impl Parents {
    pub(crate) fn new(slices: u32) -> Self {
        Self { slices: vec![Slice::default(); slices as usize], failed: Vec::new() }
    }

    pub(crate) fn get(&self, slice: u32) -> &Slice {
        &self.slices[slice as usize]
    }

    pub(crate) fn get_mut(&mut self, slice: u32) -> &mut Slice {
        &mut self.slices[slice as usize]
    }

    /// `peer` had a place and did not serve it: it is asked for nothing for a while, twice as long each time. What
    /// it does well elsewhere does not count (spec MC-24).
    pub(crate) fn note_failure(&mut self, peer: PeerId, now: Time, rng: &mut Rng) {
        let past = self.failed.iter().find(|failed| failed.peer == peer).copied();
        if past.is_some_and(|past| now < past.until) {
            // Several slices fail together.
            return;
        }
        let times = past.map_or(0, |past| past.times);
        let until = now + rng.jitter(FAILURE_MEMORY * (1 << times.min(MOST_DOUBLINGS)));
        self.failed.retain(|failed| failed.peer != peer);
        if self.failed.len() == MAX_FAILED {
            self.failed.remove(0);
        }
        self.failed.push(Failed { peer, until, times: times + 1 });
    }

    /// `peer` was asked and did not answer: no slice asks it before `until`.
    pub(crate) fn note_unanswered(&mut self, peer: PeerId, until: Time) {
        for slice in &mut self.slices {
            slice.asked = slice.asked.filter(|asked| asked.peer != peer);
            slice.refuse(peer, until);
        }
    }

    /// Whether `peer` may be asked to push `slice`.
    pub(crate) fn may_ask(&self, slice: u32, peer: &PeerId, now: Time) -> bool {
        let has_failed = self.failed.iter().any(|failed| failed.peer == *peer && now < failed.until);
        !has_failed && self.get(slice).may_ask(peer, now)
    }

    /// Slices that need a parent and have asked nobody.
    pub(crate) fn orphans(&self) -> BitSet {
        let is_ending = |slice: &Slice| slice.parent.is_some_and(|parent| parent.until.is_some());
        self.matching(|slice| (slice.parent.is_none() || is_ending(slice)) && slice.asked.is_none())
    }

    /// Slices that flow (see [`Slice::flows`]).
    pub(crate) fn flowing(&self, now: Time, patience: Duration, is_resting: bool) -> BitSet {
        self.matching(|slice| slice.flows(now, patience, is_resting))
    }

    /// Every parent, once per slice.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.slices.iter().filter_map(|slice| slice.parent.map(|parent| parent.peer))
    }

    /// In how many slices the parent is the publisher.
    pub(crate) fn first_hops(&self) -> usize {
        self.slices.iter().filter(|slice| slice.parent.is_some() && slice.hops == 1).count()
    }

    /// Forgets `peer`; gives back the slices it pushed.
    pub(crate) fn forget(&mut self, peer: &PeerId) -> BitSet {
        self.failed.retain(|failed| failed.peer != *peer);
        (0..).zip(&mut self.slices).filter_map(|(index, slice)| slice.forget(peer).then_some(index)).collect()
    }

    fn matching(&self, is_wanted: impl Fn(&Slice) -> bool) -> BitSet {
        (0..).zip(&self.slices).filter_map(|(index, slice)| is_wanted(slice).then_some(index)).collect()
    }
}

/// The slices where a member is at home: a quarter of them, from its group address.
pub(crate) fn home_slices(home: u64, slices: u32) -> BitSet {
    let count = (slices / 4).max(1);
    let first = home % u64::from(slices);
    // Evenly spread, so that no two members share all homes unless they share the first.
    (0..count).map(|k| ((first + u64::from(k * slices / count)) % u64::from(slices)) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_asked_by_no_slice_for_a_while() {
        let mut parents = Parents::new(8);
        let (peer, other) = (stratus_core::testing::peer(7), stratus_core::testing::peer(8));
        let at = Time::from_millis(300);
        parents.get_mut(2).asked = Some(Asked { peer, at });
        parents.get_mut(3).asked = Some(Asked { peer: other, at });
        parents.note_unanswered(peer, Time::from_millis(1_000));
        assert_eq!((parents.get(2).asked, parents.get(3).asked), (None, Some(Asked { peer: other, at })));
        assert!((0..8).all(|slice| !parents.may_ask(slice, &peer, Time::from_millis(999))));
        assert!((0..8).all(|slice| parents.may_ask(slice, &peer, Time::from_millis(1_000))));
        assert!(parents.may_ask(3, &other, at));
    }

    #[test]
    fn who_fails_again_is_left_alone_twice_as_long() {
        let (mut parents, mut rng) = (Parents::new(8), Rng::from_seed(3));
        let peer = stratus_core::testing::peer(7);
        let mut now = Time::from_millis(700);
        let mut waits = Vec::new();
        for _ in 0..8 {
            parents.note_failure(peer, now, &mut rng);
            parents.note_failure(peer, now, &mut rng);
            let begin = now;
            while !parents.may_ask(3, &peer, now) {
                now += Duration::from_millis(100);
            }
            waits.push(now.since(begin).as_secs());
        }
        for (wait, expected) in waits.iter().zip([8, 16, 32, 64, 128, 256, 256, 256]) {
            assert!((expected * 7 / 10..=expected * 13 / 10).contains(wait), "{waits:?}");
        }
        parents.forget(&peer);
        assert_eq!(parents.failed, []);
    }

    #[test]
    fn who_says_no_again_is_asked_after_twice_as_long_until_it_has_a_place() {
        let (mut slice, peer) = (Slice::default(), stratus_core::testing::peer(7));
        let mut now = Time::from_millis(700);
        let mut waits = Vec::new();
        for _ in 0..7 {
            slice.refuse_again(peer, now, now + Duration::from_millis(700));
            let begin = now;
            while !slice.may_ask(&peer, now) {
                now += Duration::from_millis(100);
            }
            waits.push(now.since(begin).as_millis());
        }
        assert_eq!(waits, [700, 1_400, 2_800, 5_600, 11_200, 11_200, 11_200]);
        slice.refuse_again(peer, now, now + Duration::from_millis(700));
        slice.pardon(&peer);
        assert!(slice.may_ask(&peer, now));
        slice.refuse(peer, now + Duration::from_millis(700));
        slice.pardon(&peer);
        assert!(!slice.may_ask(&peer, now), "a place does not make good what it failed to serve");
        for number in 0..=MAX_REFUSED as u64 {
            slice.refuse_again(stratus_core::testing::peer(50 + number), now, now);
        }
        assert_eq!(slice.refused.len(), MAX_REFUSED);
    }

    #[test]
    fn a_quarter_of_the_slices_is_home_and_every_slice_is_someones() {
        assert_eq!(home_slices(3, 8), [3, 7].into_iter().collect());
        assert_eq!(home_slices(50, 1), BitSet::single(0));
        let all = (0..8).fold(BitSet::EMPTY, |all, home| all.union(home_slices(home, 8)));
        assert_eq!(all, BitSet::first(8));
    }
}
