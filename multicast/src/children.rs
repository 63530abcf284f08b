use std::time::Duration;

use stratus_core::{BitSet, PeerId, Time};

/// Who gets the runs of one slice pushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Child {
    pub(crate) peer: PeerId,
    pub(crate) from_run: u64,
    /// The first run that will not be pushed, once that was said.
    pub(crate) until: Option<u64>,
    /// The slice is one of the child's home slices, where it serves most.
    pub(crate) is_home: bool,
    /// It said that it has children of its own in the slice.
    pub(crate) is_inner: bool,
    /// The newest run that was pushed to it.
    last: Option<u64>,
    /// The run that is pushed to it though it came here by repair, and since when.
    resumed: Option<(u64, Time)>,
}

/// So long the rest of a repair is pushed on after its first piece. What comes later was lost once more; the child has
/// asked for it by then, and pushed now it would look as if paths reorder by so much.
const RESUMED: Duration = Duration::from_millis(20);

/// Most overlapping promises to one child in one slice.
const MAX_PROMISES: usize = 4;

impl Child {
    fn is_leaving(&self) -> bool {
        self.until.is_some()
    }

    fn wants(&self, run: u64) -> bool {
        run >= self.from_run && self.until.is_none_or(|until| run < until)
    }
}

/// The pushing side of every slice of a stream: who is served, and who else may be (spec MC-8).
#[derive(Clone, Debug)]
pub(crate) struct Children {
    slices: Vec<Vec<Child>>,
}

/// What this member can give; a pure function of its settings and its upload (see [`Room::of`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// Most children in a home slice.
    pub(crate) at_home: usize,
    /// Most children in another slice.
    pub(crate) away: usize,
    /// Most children over all slices.
    pub(crate) total: usize,
    /// Most slices for one child. The source deals its slices out so that the trees differ.
    pub(crate) per_child: u32,
    /// The slices where we are at home.
    pub(crate) home: BitSet,
    /// Places kept for home slices: other slices may fill what is left.
    pub(crate) reserved: usize,
    /// A source deals its places out evenly over the slices: nobody else could begin them.
    pub(crate) is_source: bool,
    /// How many quarters of the places our maps offer: three, one where stronger members have
    /// places, none where the upload is too small to serve quickly.
    pub(crate) offered_quarters: usize,
}

/// The answer to a request for one slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Refused,
    Accepted,
    /// Accepted, and this child must look for another parent.
    Displacing(PeerId),
}

impl Room {
    /// Slots from an upload budget: nine tenths of it, over what one slice costs on the wire.
    pub(crate) fn slots(upload: Option<u64>, wire_rate: u64, slices: u32) -> usize {
        match upload {
            None => usize::MAX,
            Some(_) if wire_rate == 0 => 2 * slices as usize,
            Some(upload) => (upload * 9 * u64::from(slices) / (wire_rate * 10)) as usize,
        }
    }

    fn limit(&self, slice: u32) -> usize {
        if self.home.contains(slice) { self.at_home } else { self.away }
    }
}

impl Children {
    pub(crate) fn new(slices: u32) -> Self {
        Self { slices: vec![Vec::new(); slices as usize] }
    }

    /// The peers that `run` of `slice` is pushed to: those first that have children themselves, longest served
    /// first. The others would only keep all that hangs below these waiting for the uplink.
    pub(crate) fn targets(&self, slice: u32, run: u64) -> impl Iterator<Item = PeerId> {
        let children = &self.slices[slice as usize];
        let of = move |is_inner| {
            let those = children.iter().filter(move |child| child.is_inner == is_inner && child.wants(run));
            those.map(|child| child.peer)
        };
        of(true).chain(of(false))
    }

    pub(crate) fn has(&self, slice: u32, peer: &PeerId) -> bool {
        self.slices[slice as usize].iter().any(|child| child.peer == *peer && !child.is_leaving())
    }

    /// Children over all slices, those on notice not counted.
    pub(crate) fn total(&self) -> usize {
        self.slices.iter().flatten().filter(|child| !child.is_leaving()).count()
    }

    /// In how many slices `peer` is served.
    pub(crate) fn slices_of(&self, peer: &PeerId) -> u32 {
        self.slices.iter().flatten().filter(|c| c.peer == *peer && !c.is_leaving()).count() as u32
    }

    fn may_displace(&self, room: &Room, slice: u32) -> bool {
        let leaving = |children: &[Child]| children.iter().filter(|child| child.is_leaving()).count();
        let all: usize = self.slices.iter().map(|children| leaving(children)).sum();
        leaving(&self.slices[slice as usize]) == 0 && all < (room.total / 8).max(1)
    }

    fn count(&self, slice: u32) -> usize {
        self.slices[slice as usize].iter().filter(|child| !child.is_leaving()).count()
    }

    /// Whether `peer` may have `slice`, where those that are `silent` may be dead. Changes nothing.
    pub(crate) fn judge(
        &self,
        room: &Room,
        slice: u32,
        peer: &PeerId,
        is_home: bool,
        silent: &[PeerId],
    ) -> Verdict {
        if self.has(slice, peer) {
            return Verdict::Accepted;
        }
        let is_over_share = self.slices_of(peer) >= room.per_child;
        if self.has_place(room, slice) && !is_over_share {
            return Verdict::Accepted;
        }
        if is_over_share || room.limit(slice) == 0 {
            return Verdict::Refused;
        }
        // With notice, as any: it may live, and only its words were lost.
        if let Some(child) = self.silent_in(slice, silent) {
            return Verdict::Displacing(child);
        }
        // One on notice at a time: each is a copy too many while it looks for another parent.
        if !self.may_displace(room, slice) {
            return Verdict::Refused;
        }
        self.displaceable(room, slice, is_home).map_or(Verdict::Refused, Verdict::Displacing)
    }

    fn silent_in(&self, slice: u32, silent: &[PeerId]) -> Option<PeerId> {
        let mut children = self.slices[slice as usize].iter().filter(|child| !child.is_leaving());
        children.find(|child| silent.contains(&child.peer)).map(|child| child.peer)
    }

    fn has_place(&self, room: &Room, slice: u32) -> bool {
        let total = self.total();
        let elsewhere = || (0..).zip(&self.slices).filter(|(slice, _)| !room.home.contains(*slice));
        let is_within = room.home.contains(slice)
            || elsewhere().map(|(slice, _)| self.count(slice)).sum::<usize>()
                < room.total.saturating_sub(room.reserved);
        let unserved = if room.is_source { self.unserved(room, slice) } else { 0 };
        self.count(slice) < room.limit(slice) && total.saturating_add(unserved) < room.total && is_within
    }

    /// Places that the other slices lack for an even share of a source's places: a slice that few got first hand
    /// would be a level deeper, and what is played waits for the slowest slice.
    fn unserved(&self, room: &Room, slice: u32) -> usize {
        let share = (room.total / self.slices.len()).clamp(1, room.at_home.max(1));
        let others = (0..self.slices.len() as u32).filter(|other| *other != slice);
        others.map(|other| share.saturating_sub(self.count(other))).sum()
    }

    /// A child of `slice` that should make room: one that has more than its share of slices, or one that is
    /// not at home there when the newcomer is. Only a leaf: it can go anywhere, while whoever has children
    /// might find its new parent among what hangs below it (spec MC-8).
    fn displaceable(&self, room: &Room, slice: u32, is_home: bool) -> Option<PeerId> {
        let children = self.slices[slice as usize].iter().filter(|child| !child.is_inner);
        let mut best = None;
        for child in children {
            let share = self.slices_of(&child.peer);
            let is_greedy = share > room.per_child;
            let is_away = is_home && !child.is_home;
            if is_greedy || is_away {
                best = best.max(Some((is_away, share, child.peer)));
            }
        }
        best.map(|(.., peer)| peer)
    }

    /// Serves `peer` in `slice` from `from_run` on. What it was promised before that, it still gets.
    pub(crate) fn add(&mut self, slice: u32, peer: PeerId, from_run: u64, is_home: bool) {
        let children = &mut self.slices[slice as usize];
        children.retain(|child| child.peer != peer || child.until.is_some_and(|until| until <= from_run));
        if children.iter().filter(|child| child.peer == peer).count() >= MAX_PROMISES {
            children.retain(|child| child.peer != peer);
        }
        children.push(Child {
            peer,
            from_run,
            until: None,
            is_home,
            is_inner: false,
            last: None,
            resumed: None,
        });
    }

    /// Notes that `run` of `slice` is pushed to whom it concerns.
    pub(crate) fn note_pushed(&mut self, slice: u32, run: u64) {
        for child in self.slices[slice as usize].iter_mut().filter(|child| child.wants(run)) {
            child.last = child.last.max(Some(run));
        }
    }

    /// The children that a run which came by repair can still be pushed to: those that have seen nothing
    /// later of the slice, and so cannot have missed it.
    pub(crate) fn resumable(&mut self, slice: u32, run: u64, now: Time) -> Vec<PeerId> {
        let mut peers = Vec::new();
        for child in self.slices[slice as usize].iter_mut().filter(|child| child.wants(run)) {
            if child.last.is_none_or(|last| run > last) {
                child.last = Some(run);
                child.resumed = Some((run, now));
            }
            if child.resumed.is_some_and(|(resumed, at)| resumed == run && now.since(at) <= RESUMED) {
                peers.push(child.peer);
            }
        }
        peers
    }

    /// Whether `run` was pushed to `peer` less than `ago` ago though it came by repair: it may not have had it when it
    /// asked for it.
    pub(crate) fn was_resumed(&self, slice: u32, run: u64, peer: &PeerId, now: Time, ago: Duration) -> bool {
        let is_meant = |(resumed, at): (u64, Time)| resumed == run && now.since(at) < ago;
        self.slices[slice as usize]
            .iter()
            .any(|child| child.peer == *peer && child.resumed.is_some_and(is_meant))
    }

    /// `peer` told in which slices it has children.
    pub(crate) fn note_inner(&mut self, peer: &PeerId, inner: BitSet) {
        for (slice, children) in (0..).zip(&mut self.slices) {
            for child in children.iter_mut().filter(|child| child.peer == *peer) {
                child.is_inner = inner.contains(slice);
            }
        }
    }

    /// The slices in which anybody is served.
    pub(crate) fn inner(&self) -> BitSet {
        (0..).zip(&self.slices).filter(|(_, children)| !children.is_empty()).map(|(slice, _)| slice).collect()
    }

    /// Puts `peer` on notice: `from_run` and later are not pushed.
    pub(crate) fn end(&mut self, slice: u32, peer: &PeerId, from_run: u64) {
        for child in self.slices[slice as usize].iter_mut().filter(|child| child.peer == *peer) {
            child.until = Some(child.until.map_or(from_run, |until| until.min(from_run)));
        }
    }

    pub(crate) fn remove(&mut self, slice: u32, peer: &PeerId) {
        self.slices[slice as usize].retain(|child| child.peer != *peer);
    }

    /// Forgets `peer` everywhere.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        for slice in 0..self.slices.len() as u32 {
            self.remove(slice, peer);
        }
    }

    /// Forgets children whose notice ran out before `run`. Slices lag behind each other, so `run` should lie
    /// well behind the newest one.
    pub(crate) fn prune(&mut self, run: u64) {
        for children in &mut self.slices {
            children.retain(|child| child.until.is_none_or(|until| run < until && child.from_run < until));
        }
    }

    /// A child to let go because more was promised than there is: away from home first, newest first.
    pub(crate) fn surplus(&self, room: &Room) -> Option<(u32, PeerId)> {
        if self.total() <= room.total {
            return None;
        }
        let all = (0..).zip(&self.slices).flat_map(|(slice, children)| {
            children.iter().filter(|c| !c.is_leaving()).map(move |child| (slice, child))
        });
        all.max_by_key(|(slice, child)| {
            (!room.home.contains(*slice), !child.is_home, child.from_run, child.peer)
        })
        .map(|(slice, child)| (slice, child.peer))
    }

    /// The slices with a place: for anyone, and for a child that is at home there.
    pub(crate) fn free(&self, room: &Room, flowing: BitSet) -> (BitSet, BitSet) {
        // The rest is for those who find no other place. A full uplink queues.
        let total = match room.offered_quarters {
            0 => 0,
            quarters => room.total - room.total / 4 * (4 - quarters),
        };
        let room = &Room { total, ..*room };
        let mut free = BitSet::EMPTY;
        let mut home_free = BitSet::EMPTY;
        for slice in flowing.iter() {
            if self.has_place(room, slice) {
                free.insert(slice);
                home_free.insert(slice);
            } else if self.may_displace(room, slice) && self.displaceable(room, slice, true).is_some() {
                home_free.insert(slice);
            }
        }
        (free, home_free)
    }

    /// Every peer that is served.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.slices.iter().flatten().map(|child| child.peer)
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::testing::peer;

    use super::*;

    fn room(total: usize) -> Room {
        let home = BitSet::single(0);
        Room {
            at_home: 4,
            away: 2,
            total,
            per_child: 8,
            home,
            reserved: 0,
            is_source: false,
            offered_quarters: 3,
        }
    }

    fn filled(slice: u32, children: &[(u64, bool)]) -> Children {
        let mut filled = Children::new(2);
        for (number, is_home) in children {
            filled.add(slice, peer(*number), 0, *is_home);
        }
        filled
    }

    #[test]
    fn a_home_child_displaces_a_leaf_that_is_not_at_home_and_nobody_else() {
        let mut children = filled(1, &[(1, true), (2, false)]);
        assert_eq!(children.judge(&room(50), 1, &peer(3), true, &[]), Verdict::Displacing(peer(2)));
        assert_eq!(children.judge(&room(50), 1, &peer(3), false, &[]), Verdict::Refused);
        children.note_inner(&peer(2), BitSet::single(1));
        assert_eq!(children.judge(&room(50), 1, &peer(3), true, &[]), Verdict::Refused);
    }

    #[test]
    fn who_may_be_dead_makes_room_whoever_asks() {
        let children = filled(1, &[(1, true), (2, true)]);
        let judge = |silent: &[PeerId]| children.judge(&room(50), 1, &peer(3), false, silent);
        assert_eq!(judge(&[peer(9)]), Verdict::Refused);
        assert_eq!(judge(&[peer(2), peer(9)]), Verdict::Displacing(peer(2)));
        let nobody_may = Room { away: 0, ..room(50) };
        assert_eq!(children.judge(&nobody_may, 1, &peer(3), false, &[peer(2)]), Verdict::Refused);
    }

    #[test]
    fn children_of_a_slice_and_of_all_end_at_their_limits() {
        let three = [(1, true), (2, true), (3, true)];
        assert_eq!(filled(0, &three).judge(&room(50), 0, &peer(7), true, &[]), Verdict::Accepted);
        let four = filled(0, &[&three[..], &[(4, true)]].concat());
        assert_eq!(four.judge(&room(50), 0, &peer(7), true, &[]), Verdict::Refused, "a fifth of the slice");
        assert_eq!(four.judge(&room(5), 1, &peer(7), false, &[]), Verdict::Accepted);
        assert_eq!(four.judge(&room(4), 1, &peer(7), false, &[]), Verdict::Refused, "a fifth of all");
    }

    #[test]
    fn one_child_of_a_slice_is_on_notice_at_a_time() {
        let mut children = filled(1, &[(1, false), (2, false)]);
        children.end(1, &peer(1), 700);
        children.add(1, peer(3), 0, true);
        assert_eq!(children.judge(&room(50), 1, &peer(4), true, &[]), Verdict::Refused);
        children.prune(701);
        assert_eq!(children.judge(&room(50), 1, &peer(4), true, &[]), Verdict::Displacing(peer(2)));
    }

    #[test]
    fn a_child_that_comes_back_gets_what_it_was_promised_before() {
        let mut children = filled(0, &[(1, false)]);
        children.end(0, &peer(1), 50);
        children.add(0, peer(1), 90, false);
        let served: Vec<u64> = (40..100).filter(|run| children.targets(0, *run).count() == 1).collect();
        assert_eq!(served, (40..50).chain(90..100).collect::<Vec<_>>());
        assert!((0..200).all(|run| children.targets(0, run).count() <= 1), "a run would be pushed twice");
    }

    #[test]
    fn a_source_serves_each_slice_before_any_gets_more_than_its_share() {
        let source = Room { at_home: 4, away: 4, is_source: true, home: BitSet::EMPTY, ..room(5) };
        let mut children = filled(0, &[(1, false), (2, false), (3, false)]);
        assert_eq!(children.judge(&source, 0, &peer(4), false, &[]), Verdict::Refused);
        assert_eq!(children.judge(&source, 1, &peer(4), false, &[]), Verdict::Accepted);
        children.add(1, peer(4), 0, false);
        assert_eq!(children.judge(&source, 1, &peer(5), false, &[]), Verdict::Accepted);
    }

    #[test]
    fn a_repaired_run_is_pushed_on_only_to_who_has_seen_nothing_later() {
        let mut children = filled(0, &[(1, false), (2, false)]);
        children.end(0, &peer(2), 8);
        children.note_pushed(0, 8);
        let at = Time::from_millis;
        assert_eq!(children.resumable(0, 7, at(700)), [peer(2)]);
        assert_eq!(children.resumable(0, 7, at(720)), [peer(2)], "the rest of the run follows");
        assert_eq!(children.resumable(0, 7, at(721)), [], "and is asked for if it takes longer");
        assert_eq!(children.resumable(0, 6, at(700)), []);
        let ms = Duration::from_millis;
        assert!(children.was_resumed(0, 7, &peer(2), at(750), ms(51)));
        assert!(!children.was_resumed(0, 7, &peer(2), at(750), ms(50)));
        assert!(!children.was_resumed(0, 7, &peer(1), at(750), ms(51)));
    }

    #[test]
    fn who_has_children_is_served_first() {
        let mut children = filled(0, &[(1, true), (2, true), (3, false), (4, true)]);
        children.note_inner(&peer(3), BitSet::single(0));
        children.note_inner(&peer(2), BitSet::single(0));
        children.note_inner(&peer(1), BitSet::single(1));
        let order: Vec<PeerId> = children.targets(0, 9).collect();
        assert_eq!(order, [peer(2), peer(3), peer(1), peer(4)]);
    }

    #[test]
    fn the_surplus_is_away_from_home_first() {
        let mut children = filled(0, &[(1, true), (2, false)]);
        children.add(1, peer(3), 0, true);
        assert_eq!(children.surplus(&room(3)), None);
        assert_eq!(children.surplus(&room(2)), Some((1, peer(3))));
    }
}
