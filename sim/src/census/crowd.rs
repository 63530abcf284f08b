use stratus_core::Rng;

/// Ring neighbors on each side that a member must be linked with to be right.
pub(super) const RING_EACH_SIDE: usize = 3;
/// A look-up that goes further than this goes in circles.
const MOST_HOPS: u32 = 64;

/// A group as one that sees everything sees it.
pub(crate) trait Group {
    /// Members that ever joined have the numbers below this.
    fn member_count(&self) -> u32;
    /// Whether a member is there.
    fn is_alive(&self, member: u32) -> bool;
    /// Whether it has been there for long enough that others should know it.
    fn is_expected(&self, member: u32) -> bool;
    /// Its place on the ring.
    fn place(&self, member: u32) -> u64;
    /// Appends those to whom it has an open link, dead ones that it takes for living included.
    fn links(&self, member: u32, into: &mut Vec<u32>);
    /// Whether it has an open link to `other`.
    fn has_link(&self, member: u32, other: u32) -> bool;
    /// How many members it thinks there are.
    fn estimate(&self, member: u32) -> u64;
    /// Exchanges begun by all that are there.
    fn exchanges(&self) -> u64;
}

/// Everybody who is there, in ring order, but newcomers that nobody could know yet: who has only just come and has no
/// link.
pub(crate) struct Crowd<'a> {
    group: &'a dyn Group,
    ring: Vec<(u64, u32)>,
}

/// One look-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Walk {
    pub(super) hops: u32,
    /// Whether it ended at the living member nearest to its target.
    pub(super) reached: bool,
    /// Members on the way that would have been asked, and are dead.
    pub(super) dead_ends: u32,
}

impl<'a> Crowd<'a> {
    pub(crate) fn of(group: &'a dyn Group) -> Self {
        let mut links = Vec::new();
        let mut has_links = |member| {
            links.clear();
            group.links(member, &mut links);
            !links.is_empty()
        };
        let mut ring: Vec<(u64, u32)> = (0..group.member_count())
            .filter(|member| group.is_alive(*member) && (group.is_expected(*member) || has_links(*member)))
            .map(|member| (group.place(member), member))
            .collect();
        ring.sort_unstable();
        Self { group, ring }
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Members without a link.
    pub(crate) fn lonely(&self) -> usize {
        self.link_counts().iter().filter(|count| **count == 0).count()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = u32> {
        self.ring.iter().map(|(_, member)| *member)
    }

    /// Members that are linked with the next one clockwise.
    pub(crate) fn right_successors(&self) -> usize {
        (0..self.ring.len()).filter(|position| self.is_linked(*position, 1)).count()
    }

    /// Members that are linked with so many on each side.
    pub(crate) fn right_count(&self, each: usize) -> usize {
        let each = each.min(self.ring.len().saturating_sub(1) / 2);
        let count = self.ring.len();
        // A link is that of both its ends: looking one way round is enough.
        let ahead: Vec<bool> =
            (0..count).map(|position| (1..=each).all(|step| self.is_linked(position, step))).collect();
        let behind =
            |position: usize| (1..=each).all(|step| self.is_linked((position + count - step) % count, step));
        (0..count).filter(|position| ahead[*position] && behind(*position)).count()
    }

    /// Whether the member at `position` and the one so many steps on are linked, as both see it.
    fn is_linked(&self, position: usize, step: usize) -> bool {
        let (a, b) = (self.ring[position].1, self.ring[(position + step) % self.ring.len()].1);
        a == b || self.group.has_link(a, b) && self.group.has_link(b, a)
    }

    pub(crate) fn link_counts(&self) -> Vec<usize> {
        let mut links = Vec::new();
        let mut count = |member| {
            links.clear();
            self.group.links(member, &mut links);
            links.len()
        };
        self.members().map(&mut count).collect()
    }

    /// Parts into which the group has fallen.
    pub(crate) fn components(&self) -> u32 {
        let mut parents: Vec<u32> = (0..self.group.member_count()).collect();
        let (mut parts, mut links) = (self.ring.len() as u32, Vec::new());
        for member in self.members() {
            links.clear();
            self.group.links(member, &mut links);
            for other in links.iter().copied().filter(|other| self.group.is_alive(*other)) {
                let (a, b) = (root(&mut parents, member), root(&mut parents, other));
                parts -= u32::from(a != b);
                parents[a as usize] = b;
            }
        }
        parts
    }

    /// From a random member to a random place; `None` in a group of nobody.
    pub(super) fn random_walk(&self, chance: &mut Rng) -> Option<Walk> {
        let target = chance.next_u64();
        let &(_, from) = chance.pick(&self.ring)?;
        Some(self.walk(from, target))
    }

    /// Greedily: each passes it on to whomever it has a link with that is nearest, and tries the next nearest if
    /// that one does not answer.
    pub(super) fn walk(&self, from: u32, target: u64) -> Walk {
        let distance = |member: u32| distance(self.group.place(member), target);
        let (mut at, mut hops, mut dead_ends, mut links) = (from, 0, 0, Vec::new());
        while hops < MOST_HOPS {
            links.clear();
            self.group.links(at, &mut links);
            let own = distance(at);
            let nearer = |member: &u32| distance(*member) < own;
            let alive = links.iter().copied().filter(|member| self.group.is_alive(*member)).filter(nearer);
            let next = alive.min_by_key(|member| distance(*member));
            let limit = next.map_or(own, distance);
            let is_dead_end = |member: &&u32| !self.group.is_alive(**member) && distance(**member) < limit;
            dead_ends += links.iter().filter(is_dead_end).count() as u32;
            let Some(next) = next else { break };
            at = next;
            hops += 1;
        }
        let nearest = self.nearest(target);
        Walk { hops, reached: distance(at) == distance(nearest), dead_ends }
    }

    fn nearest(&self, target: u64) -> u32 {
        let after = self.ring.partition_point(|(place, _)| *place < target) % self.ring.len();
        let before = (after + self.ring.len() - 1) % self.ring.len();
        let both = [self.ring[after], self.ring[before]];
        both.into_iter().min_by_key(|(place, _)| distance(*place, target)).expect("two").1
    }
}

fn distance(a: u64, b: u64) -> u64 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

fn root(parents: &mut [u32], mut member: u32) -> u32 {
    while parents[member as usize] != member {
        parents[member as usize] = parents[parents[member as usize] as usize];
        member = parents[member as usize];
    }
    member
}
