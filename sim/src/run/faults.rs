use std::time::Duration;

use stratus_core::Time;
use stratus_node::Command;
use stratus_overlay as overlay;

use super::{Act, LISTED_FOR, Run};
use crate::cast::Part;
use crate::latency::Latency;
use crate::scenario::Victims;

/// What goes wrong, and who comes and goes.
impl Run<'_> {
    /// Plans everything of that, for a stream that begins at `start`.
    pub(super) fn plan_spells(&mut self, start: Time) {
        let scenario = self.scenario;
        let once = [
            (scenario.kill.map(|kill| kill.at), Act::Kill),
            (scenario.partition.map(|cut| cut.at), Act::Part),
            (scenario.freeze.map(|spell| spell.at), Act::Freeze),
        ];
        for (at, act) in once.into_iter().filter_map(|(at, act)| Some((at?, act))) {
            self.plan(start + at, act);
        }
        let minutes = scenario.secs.as_secs_f64() / 60.0;
        let replaced = scenario.churn * f64::from(scenario.mortal_count()) * minutes;
        for _ in 0..replaced.round() as u64 {
            let at = start + self.chance.between(Duration::ZERO, scenario.secs);
            self.plan(at, Act::Replace);
        }
        let Some(crowd) = scenario.crowd else { return };
        for _ in 0..(crowd.share * f64::from(scenario.mortal_count())).round() as u64 {
            let at = start + crowd.at + self.chance.between(Duration::ZERO, crowd.lasts);
            self.plan(at, Act::Crowd);
        }
    }

    /// A share stops for a while.
    pub(super) fn freeze(&mut self) {
        let Some(spell) = self.scenario.freeze else { return };
        let mut frozen = self.mortals();
        self.chance.shuffle(&mut frozen);
        frozen.truncate((frozen.len() as f64 * spell.share).round() as usize);
        let until = self.world.now() + spell.lasts;
        frozen.into_iter().for_each(|member| self.world.freeze(member, until));
    }

    pub(super) fn kill(&mut self) {
        let share = self.scenario.kill.map_or(0.0, |kill| kill.share);
        let mut victims = self.mortals();
        let count = (victims.len() as f64 * share).round() as usize;
        self.chance.shuffle(&mut victims);
        match (self.scenario.victims, self.scenario.latency.draw(self.scenario.seed)) {
            (Victims::Region, Latency::Coordinate(globe)) => {
                // Clusters in the order in which chance has their first member.
                let mut order = Vec::new();
                for metro in victims.iter().map(|victim| globe.metro(*victim)) {
                    if !order.contains(&metro) {
                        order.push(metro);
                    }
                }
                victims.sort_by_key(|victim| order.iter().position(|metro| *metro == globe.metro(*victim)));
            }
            (Victims::Arc, _) => {
                let from = victims.first().map_or(0, |first| self.places[*first as usize]);
                victims.sort_by_key(|victim| self.places[*victim as usize].wrapping_sub(from));
            }
            _ => {}
        }
        victims.truncate(count);
        for victim in victims {
            self.kill_one(victim);
        }
    }

    /// Living members that may die: those that play and do not publish, or all where nothing is played.
    fn mortals(&self) -> Vec<u32> {
        let watch = &self.world.watch;
        let is_mortal = |member: &u32| {
            self.census.is_some() || watch.cast.plays(*member) && watch.cast.part(*member) != Part::Publisher
        };
        let everybody = 0..self.world.member_count();
        everybody.filter(|member| self.world.is_alive(*member)).filter(is_mortal).collect()
    }

    fn kill_one(&mut self, victim: u32) {
        let now = self.world.now();
        let role = &mut self.world.watch.cast.roles[victim as usize];
        (role.left_at, role.was_killed) = (Some(now), true);
        self.world.kill(victim);
        self.plan(self.world.now() + LISTED_FOR, Act::Unlist(victim));
    }

    /// A viewer goes, with or without a word, and a newcomer takes its place.
    pub(super) fn replace(&mut self) {
        let mortals = self.mortals();
        let Some(leaver) = self.chance.pick(&mortals).copied() else { return };
        if self.chance.chance(1, 2) {
            self.kill_one(leaver);
        } else {
            self.world.watch.cast.roles[leaver as usize].left_at = Some(self.world.now());
            self.listing.remove(&self.address_of(leaver));
            self.world.leave(leaver, Command::Overlay(overlay::Command::Leave));
        }
        self.join();
    }
}
