//! What came of a scenario: figures, and the bars that they miss.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lab::{Seen, Settings, upload};
use crate::member::{MESSAGE_BYTES, Viewed};
use crate::scenario::{Midway, Scenario};

/// A publisher that is back is heard within this.
const RESUME: Duration = Duration::from_secs(1);

/// What came of a scenario. Shares are of all that the viewers needed together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: String,
    /// How many viewers.
    pub viewers: usize,
    /// Messages that each of them should have got.
    pub messages: u64,
    /// Messages that did not come, all viewers together.
    pub missing: u64,
    /// Messages that came altered, twice or out of order. Always a fault.
    pub wrong: u64,
    /// Payload bytes that came twice.
    pub duplicates: f64,
    /// Payload bytes that came because they were asked for.
    pub pulled: f64,
    /// Half of the messages took no longer, milliseconds.
    pub p50_ms: u64,
    /// 99 in 100 took no longer.
    pub p99_ms: u64,
    /// None took longer.
    pub max_ms: u64,
    /// The longest time between two messages at any viewer, milliseconds.
    pub pause_ms: u64,
    /// UDP payload bytes that viewers received, for each byte of payload.
    pub wire: f64,
    /// Payload bytes that the publisher sent, for each byte of the stream.
    pub source_copies: f64,
    /// Packets that were lost on the way, by chance or in bursts.
    pub lost: f64,
    /// Packets that were too long for the path.
    pub too_long: u64,
    /// What the capped viewer sent in its fullest second, for each byte that it may send.
    pub fullest_second: Option<f64>,
    /// How long the slowest viewer needed to play a publisher that was back, milliseconds.
    pub resume_ms: Option<u64>,
    /// Gaps that players told of, at the viewer that was told most.
    pub gaps: u64,
    /// Runs that viewers asked for.
    pub requests: u64,
    /// Runs that viewers refused.
    pub refusals: u64,
    /// Slices that moved to another parent, for whatever reason.
    pub moves: u64,
    /// Datagrams that viewers' own queues dropped.
    pub dropped: u64,
    /// How late the lab's forwarder was at worst, milliseconds: the price of a busy machine.
    pub lab_late_ms: u64,
    /// Messages that the publisher wrote late, for the same reason.
    pub late_writes: u64,
    /// What is not as it must be.
    pub failures: Vec<String>,
}

impl Outcome {
    pub(crate) fn new(scenario: &Scenario, settings: &Settings<'_>, seen: &Seen) -> Self {
        let sum = |of: fn(&Viewed) -> u64| seen.viewed.iter().map(of).sum::<u64>();
        let delays = Delays::of(seen);
        let needed = (delays.count * MESSAGE_BYTES as u64).max(1) as f64;
        let arrived: u64 = seen.counted.iter().map(|counted| counted.arrived).sum();
        let lost: u64 = seen.counted.iter().map(|counted| counted.lost).sum();
        let most = |of: fn(&Viewed) -> u64| seen.viewed.iter().map(of).max().unwrap_or(0);
        let may = scenario.uploads.capped.map(|percent| upload(settings.rate, percent) as f64);
        let mut outcome = Self {
            scenario: scenario.name.to_owned(),
            viewers: seen.viewed.len(),
            messages: seen.published.messages,
            missing: sum(|viewed| viewed.missing),
            wrong: sum(|viewed| viewed.altered + viewed.disordered),
            duplicates: sum(|viewed| viewed.duplicate_bytes) as f64 / needed,
            pulled: sum(|viewed| viewed.pulled_bytes) as f64 / needed,
            p50_ms: delays.at(500),
            p99_ms: delays.at(990),
            max_ms: delays.at(1_000),
            pause_ms: most(|viewed| viewed.longest_pause.as_millis() as u64),
            wire: sum(|viewed| viewed.wire_received_bytes) as f64 / needed,
            source_copies: seen.published.sent_bytes as f64
                / (seen.published.messages * MESSAGE_BYTES as u64).max(1) as f64,
            lost: share(lost, arrived) + share(seen.carried.1, seen.carried.0),
            too_long: seen.counted.iter().map(|counted| counted.too_long).sum(),
            fullest_second: may.map(|may| seen.fullest_second as f64 / may),
            resume_ms: seen.back_at.map(|back_at| resume_ms(seen, back_at)),
            gaps: most(|viewed| viewed.gaps),
            requests: sum(|viewed| viewed.requests),
            refusals: sum(|viewed| viewed.refusals),
            moves: sum(|viewed| viewed.reparented + viewed.quickened),
            dropped: sum(|viewed| viewed.dropped),
            lab_late_ms: seen.most_late.as_millis() as u64,
            late_writes: seen.published.late,
            failures: Vec::new(),
        };
        outcome.failures = outcome.judge(scenario, seen, settings.room);
        outcome
    }

    /// What missed its bar. Chance and the machine have a say in shares and times: those bars are `room` times wider.
    /// What is missing, altered or without an end, and a network that is not as asked, is never excused.
    fn judge(&self, scenario: &Scenario, seen: &Seen, room: u64) -> Vec<String> {
        let bars = scenario.bars;
        let is_restart = scenario.midway == Some(Midway::PublisherDies);
        let missing_ppm = self.missing * 1_000_000 / (self.messages * self.viewers as u64).max(1);
        // One event tells that a stream has a gap between two lives of its publisher, and nothing else does.
        let told_once = |viewed: &&Viewed| (viewed.resets.len(), viewed.gaps, viewed.idles) == (1, 0, 0);
        let told = seen.viewed.iter().filter(told_once).count();
        let endless = seen.viewed.iter().filter(|viewed| !viewed.has_ended).count();
        let wide = |bar: Duration| bar.saturating_mul(room as u32);
        let pause = if is_restart { Duration::MAX } else { wide(bars.pause) };
        // A forwarder that comes late sees as much more at once.
        let excuse = if room > 1 { self.lab_late_ms as f64 / 1_000.0 } else { 0.0 };
        let checks = [
            (endless == 0, format!("{endless} viewers did not come to the end")),
            (self.wrong == 0, format!("{} messages altered, twice or out of order", self.wrong)),
            (
                missing_ppm <= bars.missing_ppm,
                format!("{} messages missing, {missing_ppm} in a million", self.missing),
            ),
            (
                self.duplicates * 1_000.0 <= (bars.duplicates_per_mille * room) as f64,
                format!("{:.2} % came twice", self.duplicates * 100.0),
            ),
            (Duration::from_millis(self.pause_ms) <= pause, format!("nothing came for {} ms", self.pause_ms)),
            (Duration::from_millis(self.p99_ms) <= wide(bars.p99), format!("p99 is {} ms", self.p99_ms)),
            (
                self.fullest_second.is_none_or(|share| share <= 1.01 + excuse),
                format!(
                    "the capped viewer sent {:.3} of its cap in a second",
                    self.fullest_second.unwrap_or(0.0)
                ),
            ),
            (
                !is_restart || told == self.viewers,
                format!("{told} of {} viewers were told once, by a Reset, of the new stream", self.viewers),
            ),
            (
                self.resume_ms.is_none_or(|ms| Duration::from_millis(ms) <= wide(RESUME)),
                format!("{} ms until the publisher that was back was played", self.resume_ms.unwrap_or(0)),
            ),
            (self.lab_is_sound(scenario, seen), "the lab itself lost packets, or not as asked".to_owned()),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
    }

    /// Whether the network did what it should, within chance.
    fn lab_is_sound(&self, scenario: &Scenario, seen: &Seen) -> bool {
        let bursts = scenario.path.burst_loss_per_mille;
        let asked = (scenario.loss_per_mille + bursts) as f64 / 1_000.0;
        // A short stream meets few bursts.
        let tolerance = if bursts > 0 { 0.3 } else { 0.1 };
        seen.refused == 0 && (self.lost - asked).abs() <= tolerance * asked
    }

    /// One line for people.
    pub fn heading() -> &'static str {
        "| scenario | missing | twice | pulled | p50 ms | p99 ms | max ms | pause ms | wire | source | lost | notes |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|"
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} of {} | {:.2} % | {:.1} % | {} | {} | {} | {} | {:.3} | {:.2} | {:.2} % | ",
            self.scenario,
            self.missing,
            self.messages * self.viewers as u64,
            self.duplicates * 100.0,
            self.pulled * 100.0,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.pause_ms,
            self.wire,
            self.source_copies,
            self.lost * 100.0,
        )?;
        if let Some(share) = self.fullest_second {
            write!(f, "fullest second {share:.3} of the cap; ")?;
        }
        if let Some(ms) = self.resume_ms {
            write!(f, "played {ms} ms after the publisher was back, {} gaps told; ", self.gaps)?;
        }
        write!(
            f,
            "{} requests, {} refusals, {} moves, {} drops, lab {} ms late |",
            self.requests, self.refusals, self.moves, self.dropped, self.lab_late_ms
        )
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// All viewers' delays.
struct Delays {
    count: u64,
    by_ms: BTreeMap<u64, u64>,
}

impl Delays {
    fn of(seen: &Seen) -> Self {
        let mut by_ms = BTreeMap::new();
        for (ms, count) in seen.viewed.iter().flat_map(|viewed| &viewed.delays_ms) {
            *by_ms.entry(*ms).or_default() += count;
        }
        Self { count: by_ms.values().sum(), by_ms }
    }

    /// So many of 1,000 took no longer.
    fn at(&self, per_mille: u64) -> u64 {
        let mut left = (self.count * per_mille).div_ceil(1_000);
        for (ms, count) in &self.by_ms {
            if left <= *count {
                return *ms;
            }
            left -= count;
        }
        0
    }
}

fn resume_ms(seen: &Seen, back_at: Duration) -> u64 {
    let resets = seen.viewed.iter().filter_map(|viewed| viewed.resets.last());
    resets.map(|at| at.saturating_sub(back_at).as_millis() as u64).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_found_by_their_share() {
        let delays = Delays { count: 100, by_ms: [(3, 50), (50, 49), (700, 1)].into() };
        assert_eq!([500, 510, 990, 1_000].map(|per_mille| delays.at(per_mille)), [3, 50, 50, 700]);
    }
}
