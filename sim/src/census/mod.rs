use std::time::Duration;

use stratus_core::{Rng, Time};

use crate::report::GroupResults;
use crate::series::Curve;

mod crowd;
mod talk;
#[cfg(test)]
mod tests;

pub(crate) use crowd::{Crowd, Group};
use crowd::{RING_EACH_SIDE, Walk};
pub(crate) use talk::Talk;

/// Look-ups tried at each count.
const LOOK_UPS: usize = 128;
/// Look-ups tried at the end, for the number of hops.
const LAST_LOOK_UPS: usize = 20_000;
/// Share of right successors that makes a ring.
const RING: f64 = 0.999;
/// A group is whole again this long after the last fault, or something is wrong with it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Counts, again and again, how well a group is put together: who is linked with its neighbors on the ring, and
/// whether look-ups over the links reach the member they are for.
///
/// It sees the links as the world has them, so a member counts as right only if the link is up at both ends.
#[derive(Debug)]
pub(crate) struct Census {
    chance: Rng,
    /// When the last member of the first crowd had joined.
    joined_at: Time,
    /// When the last fault was over; `None`: there are none, or they never end.
    faults_end_at: Option<Time>,
    ring_at: Option<Time>,
    exact_at: Option<Time>,
    recovered_at: Option<Time>,
    exact_exchanges: f64,
    /// Members counted while it is observed, and those of them that were right.
    counted: u64,
    right: u64,
    walks: Walks,
    /// When it was counted how many were right: their share.
    history: Vec<(Time, f64)>,
    /// Look-ups by the hops they took, in the end.
    hops: Vec<u32>,
}

/// Look-ups, and what came of them.
#[derive(Clone, Copy, Default, Debug)]
struct Walks {
    tried: u64,
    reached: u64,
    /// Reached without asking any member that was no longer there.
    straight: u64,
}

impl Walks {
    fn add(&mut self, walk: Walk) {
        self.tried += 1;
        self.reached += u64::from(walk.reached);
        self.straight += u64::from(walk.reached && walk.dead_ends == 0);
    }
}

impl Census {
    /// Of a group that has joined by `joined_at`.
    pub(crate) fn new(chance: Rng, joined_at: Time, faults_end_at: Option<Time>) -> Self {
        Self {
            chance,
            joined_at,
            faults_end_at,
            ring_at: None,
            exact_at: None,
            recovered_at: None,
            exact_exchanges: 0.0,
            counted: 0,
            right: 0,
            walks: Walks::default(),
            history: Vec::new(),
            hops: Vec::new(),
        }
    }

    /// Seconds, and the share of members that were right.
    pub(crate) fn history(&self) -> Curve {
        self.history.iter().map(|(at, share)| (at.as_micros() as f64 / 1e6, *share)).collect()
    }

    /// Hops, and look-ups that took so many in the end.
    pub(crate) fn hops(&self) -> Curve {
        let most = self.hops.last().copied().unwrap_or_default();
        let count = |hops| self.hops.iter().filter(|other| **other == hops).count();
        (0..=most).map(|hops| (f64::from(hops), count(hops) as f64)).collect()
    }

    /// Counts at `now`; `is_observed` once the group has settled.
    pub(crate) fn count(&mut self, now: Time, group: &dyn Group, is_observed: bool) {
        let crowd = Crowd::of(group);
        if is_observed {
            for _ in 0..LOOK_UPS {
                if let Some(walk) = crowd.random_walk(&mut self.chance) {
                    self.walks.add(walk);
                }
            }
        }
        let is_settling = now >= self.joined_at && self.exact_at.is_none();
        let is_recovering = self.faults_end_at.is_some_and(|end| now > end) && self.recovered_at.is_none();
        if !is_observed && !is_settling && !is_recovering {
            return;
        }
        let exact = crowd.right_count(RING_EACH_SIDE);
        let is_exact = exact == crowd.len();
        self.history.push((now, crate::report::ratio(exact as f64, crowd.len() as f64)));
        if is_settling && self.ring_at.is_none() {
            let has_ring = crowd.right_successors() as f64 >= RING * crowd.len() as f64;
            self.ring_at = has_ring.then_some(now);
        }
        if is_settling && is_exact {
            self.exact_at = Some(now);
            self.exact_exchanges = group.exchanges() as f64 / crowd.len() as f64;
        }
        if is_recovering && is_exact {
            self.recovered_at = Some(now);
        }
        if is_observed {
            self.counted += crowd.len() as u64;
            self.right += exact as u64;
        }
    }

    /// What came of it all, at the end.
    pub(crate) fn results(&mut self, group: &dyn Group) -> GroupResults {
        let crowd = Crowd::of(group);
        let mut hops = Vec::with_capacity(LAST_LOOK_UPS);
        for _ in 0..LAST_LOOK_UPS {
            if let Some(walk) = crowd.random_walk(&mut self.chance).filter(|walk| walk.reached) {
                hops.push(walk.hops);
            }
        }
        hops.sort_unstable();
        self.hops.clone_from(&hops);
        let links: Vec<usize> = crowd.link_counts();
        let count = crowd.len() as f64;
        let since = |from: Time, at: Option<Time>| at.map(|at| at.since(from).as_secs_f64());
        let share = |part: u64, whole: u64| crate::report::ratio(part as f64, whole as f64);
        let mean = |sum: u64, count: usize| crate::report::ratio(sum as f64, count as f64);
        GroupResults {
            members: crowd.len() as u32,
            lonely: crowd.lonely() as u32,
            ring_s: since(self.joined_at, self.ring_at),
            exact_s: since(self.joined_at, self.exact_at),
            exact_exchanges: (self.exact_exchanges * 100.0).round() / 100.0,
            recovered_s: self.faults_end_at.and_then(|end| since(end, self.recovered_at)),
            exact_share: share(self.right, self.counted),
            exact_at_end: mean(crowd.right_count(RING_EACH_SIDE) as u64, crowd.len()),
            components: crowd.components(),
            links_mean: mean(links.iter().sum::<usize>() as u64, links.len()),
            links_most: links.iter().max().copied().unwrap_or_default() as u32,
            links_expected_ratio: crate::report::ratio(
                links.iter().sum::<usize>() as f64,
                links.len() as f64 * expected_links(count),
            ),
            hops_mean: mean(hops.iter().map(|hops| u64::from(*hops)).sum(), hops.len()),
            hops_p99: hops.get(hops.len() * 99 / 100).copied().unwrap_or_default(),
            hops_most: hops.last().copied().unwrap_or_default(),
            look_ups: self.walks.tried,
            look_ups_reached: share(self.walks.reached, self.walks.tried),
            look_ups_straight: share(self.walks.straight, self.walks.tried),
            ..estimates(&crowd, group)
        }
    }
}

/// How far members are wrong about the size of their group.
fn estimates(crowd: &Crowd<'_>, group: &dyn Group) -> GroupResults {
    let count = crowd.len() as f64;
    let mut errors: Vec<f64> =
        crowd.members().map(|member| (group.estimate(member) as f64 / count - 1.0).abs()).collect();
    errors.sort_unstable_by(f64::total_cmp);
    let within = |limit: f64| {
        crate::report::ratio(errors.partition_point(|error| *error <= limit) as f64, errors.len() as f64)
    };
    GroupResults {
        estimate_within_20: within(0.2),
        estimate_within_10: within(0.1),
        estimate_median_error: (errors.get(errors.len() / 2).copied().unwrap_or_default() * 1e4).round()
            / 1e4,
        ..GroupResults::default()
    }
}

/// Links of a member in a group of so many: all others, or 2·log₂ n + 13. Source: spec OV-9.
pub(crate) fn expected_links(count: f64) -> f64 {
    (count - 1.0).min(2.0 * count.log2() + 13.0).max(1.0)
}
