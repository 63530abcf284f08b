//! Which members are worth a link: the sort on which, and on nothing else, the topology depends.

use std::fmt;

use crate::places::{Place, clockwise, counterclockwise, nearest};

/// Ring neighbors on each side.
pub const RING_EACH_SIDE: usize = 3;
/// Members chosen for low latency.
pub const NEAR_COUNT: usize = 6;

/// All that the sort may look at. Nothing in it says whose list it is, so it serves any center.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// For whom the list is.
    pub center: Place,
    /// The members to choose from, in rising order, without the center.
    pub known: &'a [Place],
    /// Those of `known` whose latency was measured, lowest first.
    pub near: &'a [Place],
    /// How many members the group is thought to have.
    pub members: u64,
    /// Decides the random choice; stays the same for a round.
    pub chance: u64,
}

/// Why there is a link, or why there should be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// One of the nearest on the ring.
    Ring,
    /// Half, a quarter, an eighth … of the ring away.
    Shortcut,
    /// Of low latency.
    Near,
    /// Chosen by chance, for this round.
    Random,
    /// Another layer needs it.
    Pinned,
    /// The owner asked for it.
    Added,
    /// The other side chose it.
    Incoming,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ring => "ring",
            Self::Shortcut => "shortcut",
            Self::Near => "near",
            Self::Random => "random",
            Self::Pinned => "pinned",
            Self::Added => "added",
            Self::Incoming => "incoming",
        })
    }
}

/// One member of a best list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Which member.
    pub place: Place,
    /// What for.
    pub reason: Reason,
}

/// The members worth a link, most important first, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BestList(Vec<Choice>);

/// A sort: from what is known to whom to be linked with. Source: spec OV-7.
pub type Policy = fn(&View<'_>) -> BestList;

impl BestList {
    /// Adds a member unless it is there already; says whether it was added.
    pub fn add(&mut self, place: Place, reason: Reason) -> bool {
        let is_new = !self.contains(place);
        if is_new {
            self.0.push(Choice { place, reason });
        }
        is_new
    }

    /// Whether the member at `place` is in it.
    pub fn contains(&self, place: Place) -> bool {
        self.reason(place).is_some()
    }

    /// What the member at `place` is in it for.
    pub fn reason(&self, place: Place) -> Option<Reason> {
        self.0.iter().find(|choice| choice.place == place).map(|choice| choice.reason)
    }

    /// The members, most important first.
    pub fn iter(&self) -> impl Iterator<Item = Choice> + '_ {
        self.0.iter().copied()
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The sort of RTMFP Groups: three ring neighbors on each side, the nearest to center + 1/2, 1/4, 1/8 … as far
/// as the group's size gives them a meaning, the six of lowest latency among the rest (any, while fewer were
/// measured), and one by chance.
///
/// With the choices of others that makes about 2·log2 n + 13 links. Cost: about 2 µs. Source: spec OV-8.
pub fn standard(view: &View<'_>) -> BestList {
    let mut best = BestList::default();
    ring(view, &mut best);
    shortcuts(view, &mut best);
    let near = view.near.iter().filter(|place| view.known.binary_search(place).is_ok());
    let mut missing = NEAR_COUNT;
    for place in near {
        if missing > 0 && best.add(*place, Reason::Near) {
            missing -= 1;
        }
    }
    // Whose latency nobody measured is tried, as long as there are not enough others; by a rule on which both
    // ends agree.
    unmeasured(view, missing, &mut best);
    let others = view.known.iter().filter(|place| !best.contains(**place));
    if let Some(place) = others.min_by_key(|place| mix(**place ^ view.chance)).copied() {
        best.add(place, Reason::Random);
    }
    best
}

/// Adds the nearest ring neighbors, nearest first, sides in turn.
pub fn ring(view: &View<'_>, best: &mut BestList) {
    let (up, down) = (clockwise(view.known, view.center), counterclockwise(view.known, view.center));
    for (up, down) in up.zip(down).take(RING_EACH_SIDE) {
        best.add(up, Reason::Ring);
        best.add(down, Reason::Ring);
    }
}

/// Adds the nearest known to half the ring away, a quarter, and so on.
fn shortcuts(view: &View<'_>, best: &mut BestList) {
    for halvings in 1..=view.members.max(1).ilog2() {
        if let Some(place) = nearest(view.known, view.center.wrapping_add(1 << (64 - halvings))) {
            best.add(place, Reason::Shortcut);
        }
    }
}

/// Adds `count` members of unknown latency.
fn unmeasured(view: &View<'_>, count: usize, best: &mut BestList) {
    if count == 0 {
        return;
    }
    let others = view.known.iter().filter(|place| !best.contains(**place));
    let mut ranked: Vec<(u64, Place)> = others.map(|place| (mix(*place ^ view.center), *place)).collect();
    ranked.sort_unstable();
    for (_, place) in ranked.into_iter().take(count) {
        best.add(place, Reason::Near);
    }
}

/// Spreads 64 bits evenly (the finalizer of SplitMix64).
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests;
