use std::time::Duration;

use stratus_core::Time;
use stratus_node::Node;

use super::Run;
use crate::census::{Group, PATIENCE};
use crate::report::GroupResults;
use crate::score::Score;
use crate::world::World;

/// The group of a run, to be counted.
struct Seen<'a> {
    world: &'a World<Node, Score>,
    places: &'a [u64],
    /// Whether members come after the first crowd.
    has_newcomers: bool,
}

/// After this, a newcomer in a group that stands is expected to be part of it.
const SETTLED: Duration = Duration::from_secs(5);

impl Group for Seen<'_> {
    fn member_count(&self) -> u32 {
        self.world.member_count()
    }

    fn is_alive(&self, member: u32) -> bool {
        self.world.is_alive(member)
    }

    fn is_expected(&self, member: u32) -> bool {
        let joined_at = self.world.watch.cast.roles[member as usize].joined_at;
        !self.has_newcomers || self.world.now().since(joined_at) >= SETTLED
    }

    fn place(&self, member: u32) -> u64 {
        self.places[member as usize]
    }

    fn links(&self, member: u32, into: &mut Vec<u32>) {
        self.world.open_links(member, into);
    }

    fn has_link(&self, member: u32, other: u32) -> bool {
        self.world.has_link(member, other)
    }

    fn estimate(&self, member: u32) -> u64 {
        self.world.machine(member).overlay().estimated_member_count()
    }

    fn exchanges(&self) -> u64 {
        let living = (0..self.member_count()).filter(|member| self.is_alive(*member));
        living.map(|member| self.world.machine(member).overlay().stats().exchange_count).sum()
    }
}

/// A run without streams, which is about the group itself.
impl Run<'_> {
    pub(super) fn count(&mut self) {
        let (now, is_observed) = (self.world.now(), self.world.watch.is_streaming);
        let has_newcomers = self.scenario.churn > 0.0 || self.scenario.crowd.is_some();
        if let Some(census) = &mut self.census {
            census.count(now, &Seen { world: &self.world, places: &self.places, has_newcomers }, is_observed);
        }
    }

    /// A share of the members is cut off from the others.
    pub(super) fn part(&mut self) {
        let Some(cut) = self.scenario.partition else { return };
        let mut apart: Vec<u32> =
            (0..self.world.member_count()).filter(|member| self.world.is_alive(*member)).collect();
        self.chance.shuffle(&mut apart);
        apart.truncate((apart.len() as f64 * cut.share).round() as usize);
        self.world.part(&apart, self.world.now() + cut.lasts);
    }

    pub(super) fn group_results(&mut self) -> Option<GroupResults> {
        let has_newcomers = self.scenario.churn > 0.0 || self.scenario.crowd.is_some();
        let seen = Seen { world: &self.world, places: &self.places, has_newcomers };
        let results = self.census.as_mut()?.results(&seen);
        let seconds: f64 = (0..self.world.member_count()).map(|member| self.observed_for(member)).sum();
        let membership: u64 = self.world.watch.sent.iter().map(|purpose| purpose.control).sum();
        let rate =
            |bytes: u64| if seconds > 0.0 { (bytes as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 };
        let results = GroupResults {
            membership_bytes_per_s: rate(membership),
            wire_bytes_per_s: rate(self.wire_bytes() - self.wire_before),
            talk: self.world.watch.talk.as_ref().map(|talk| talk.results(seconds)).unwrap_or_default(),
            ..results
        };
        self.judge_liveness(&results);
        Some(results)
    }

    /// For how long a member was there since the group had settled, in seconds.
    fn observed_for(&self, member: u32) -> f64 {
        let role = &self.world.watch.cast.roles[member as usize];
        let begin = role.joined_at.max(self.end_at - self.scenario.secs);
        let end = role.left_at.unwrap_or(self.world.now());
        end.since(begin.min(end)).as_secs_f64()
    }

    /// Once faults have been over for a while, the group is whole.
    fn judge_liveness(&mut self, results: &GroupResults) {
        let quiet_since = self.scenario.faults_end().unwrap_or_default();
        let is_quiet = self.scenario.churn == 0.0 && quiet_since + PATIENCE <= self.scenario.secs;
        let (parts, exact) = (results.components, results.exact_at_end);
        if is_quiet && (parts != 1 || exact < 1.0) {
            let now: Time = self.world.now();
            let quiet: Duration = self.scenario.secs - quiet_since;
            self.world.watch.faults.add_of_group(now, || {
                format!(
                    "{} s after the last fault the group has {parts} parts, and {exact} of it is in place",
                    quiet.as_secs()
                )
            });
        }
    }
}
