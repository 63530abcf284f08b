use std::collections::BTreeMap;
use std::time::Duration;

use super::args::Live;
use super::figures::Ratio;
use super::load::Load;
use super::ours::{self, Beside, Traffic};
use super::stage::Schedule;
use super::star::{self, Carrier, Signing};
use super::tally::Tally;
use super::{machine, phase};
use crate::console::Console;
use crate::stop::Stop;

/// What is measured, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Members, the publisher among them.
    pub(crate) nodes: usize,
    /// What is streamed.
    pub(crate) load: Load,
    /// The group's part of each round.
    pub(crate) ours: Schedule,
    /// Each star's part of each round; `None`: no stars.
    pub(crate) star: Option<Schedule>,
    /// Group and stars take turns so often.
    pub(crate) rounds: u16,
    /// What else the group's members have to do, and with what.
    pub(crate) beside: Beside,
}

/// What all rounds together gave.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Results {
    /// What the group's viewers got.
    pub(crate) ours: Tally,
    /// What its members received and sent.
    pub(crate) traffic: Traffic,
    /// The slowest round's way from starting the members to everybody having got a message.
    pub(crate) join: Duration,
    /// Fragments in a run, on average over the latest round; the signed star takes it over.
    pub(crate) run_length: f64,
    /// The star whose viewers check what they get.
    pub(crate) star: Rival,
    /// The other one.
    pub(crate) unsigned_star: Rival,
    /// The most memory that the process held until the group's first window was over: nothing but this group
    /// has been in it by then. `None` where the system does not say.
    pub(crate) peak_resident_bytes: Option<u64>,
}

/// A star, by each way in which its messages were carried.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Rival {
    /// What its viewers got.
    pub(crate) tallies: BTreeMap<Carrier, Tally>,
    /// The group's processor time to that of the cheapest way, round by round.
    pub(crate) ratio: Ratio,
}

impl Rival {
    /// The way that was the cheapest over all rounds.
    pub(crate) fn cheapest(&self) -> Option<(Carrier, &Tally)> {
        // Messages are of one size, so the time for a message orders them as that for a byte does.
        let cost = |tally: &Tally| tally.cpu_s_per_gb(1);
        let tallies = self.tallies.iter().map(|(carrier, tally)| (*carrier, tally));
        tallies.min_by(|(_, one), (_, other)| cost(one).total_cmp(&cost(other)))
    }
}

impl From<&Live> for Plan {
    fn from(options: &Live) -> Self {
        let measured = Duration::from_secs(options.secs.into());
        let ours = Schedule { warm_up: Duration::from_secs(5), measured };
        // Half as long: a star has nothing to settle, and two of them and the group take turns.
        let star = Schedule { warm_up: Duration::from_secs(1), measured: measured / 2 };
        Self {
            nodes: options.nodes.into(),
            load: Load { size: options.size as usize, rate: options.rate },
            ours,
            star: (!options.no_star).then_some(star),
            rounds: options.rounds,
            beside: Beside {
                uplink: options.uplink.map(|bits| bits / 8),
                share_bytes: options.share.map(|mebibytes| u64::from(mebibytes) << 20),
            },
        }
    }
}

impl Plan {
    /// Payload bytes of so many messages.
    pub(crate) fn bytes(&self, messages: u64) -> f64 {
        messages as f64 * self.load.size as f64
    }

    /// Measures everything. Each part has a runtime of its own, so nothing of the one before is left running.
    pub(crate) fn run(&self, console: Console) -> Result<Results, Stop> {
        let mut results = Results::default();
        for round in 1..=self.rounds {
            console.note(format_args!("round {round} of {}: the group", self.rounds));
            let ours_cost = self.group(&mut results)?;
            if let Some(schedule) = self.star {
                console.note(format_args!("round {round} of {}: the stars", self.rounds));
                let signing = Signing::Runs(results.run_length);
                self.star(schedule, signing, ours_cost, &mut results.star)?;
                self.star(schedule, Signing::None, ours_cost, &mut results.unsigned_star)?;
            }
        }
        Ok(results)
    }

    /// Gives the processor seconds for each gigabyte.
    fn group(&self, results: &mut Results) -> Result<f64, Stop> {
        let outcome = phase(ours::run(self.load, self.nodes - 1, self.ours, self.beside))?;
        let cost = outcome.tally.cpu_s_per_gb(self.load.size);
        results.run_length = outcome.run_length;
        results.ours.merge(outcome.tally);
        results.traffic.add(outcome.traffic);
        results.join = results.join.max(outcome.join);
        results.peak_resident_bytes = results.peak_resident_bytes.or_else(machine::peak_resident_bytes);
        Ok(cost)
    }

    /// One star, carried in every way worth trying.
    fn star(
        &self,
        schedule: Schedule,
        signing: Signing,
        ours_cost: f64,
        rival: &mut Rival,
    ) -> Result<(), Stop> {
        let mut least = f64::INFINITY;
        for &carrier in Carrier::for_load(self.load) {
            let tally = phase(star::run(self.load, self.nodes - 1, schedule, signing, carrier))?;
            least = least.min(tally.cpu_s_per_gb(self.load.size));
            rival.tallies.entry(carrier).or_default().merge(tally);
        }
        rival.ratio.add(ours_cost, least);
        Ok(())
    }
}
