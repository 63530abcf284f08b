use serde_json::{Value, json};

use super::rounds::{Plan, Results};
use super::tally::{Tally, ratio};

/// The group's cost to another's, measured in turn.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Ratio {
    pairs: Vec<f64>,
}

impl Ratio {
    /// One more pair.
    pub(crate) fn add(&mut self, ours: f64, theirs: f64) {
        self.pairs.push(ratio(ours, theirs));
    }

    /// The middle one; the lower one of two; `None` of none.
    fn median(&self) -> Option<f64> {
        let mut sorted = self.pairs.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }

    /// From the least to the most, as a share of the median.
    fn spread(&self) -> Option<f64> {
        let least = self.pairs.iter().copied().min_by(f64::total_cmp)?;
        let most = self.pairs.iter().copied().max_by(f64::total_cmp)?;
        Some(ratio(most - least, self.median()?))
    }
}

/// What people ask of a live stream.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Figures {
    rows: Vec<Row>,
    details: Value,
}

/// One figure that has a bar.
#[derive(Clone, PartialEq, Debug)]
struct Row {
    name: &'static str,
    value: Option<f64>,
    bar: Option<Bar>,
}

/// What a figure is to keep.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bar {
    Exactly(f64),
    AtMost(f64),
}

impl Bar {
    fn is_kept(self, value: f64) -> bool {
        match self {
            Self::Exactly(bar) => value == bar,
            Self::AtMost(bar) => value <= bar,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Exactly(bar) => format!("{bar}"),
            Self::AtMost(bar) => format!("at most {bar}"),
        }
    }
}

impl Figures {
    /// Works them out.
    pub(crate) fn of(plan: &Plan, results: &Results, load_average: [Option<f64>; 2]) -> Self {
        let ours = &results.ours;
        let (needed, traffic) = (plan.bytes(ours.wanted), results.traffic);
        // A star sends a message of many fragments in two system calls, so there is less to be as good as.
        let (signed_bar, unsigned_bar) =
            if plan.load.is_one_fragment() { (Some(1.2), 1.6) } else { (None, 2.0) };
        let share = |bytes: u64| Some(ratio(bytes as f64, needed));
        let rows = vec![
            // Not rounded: 0.99999 is not all.
            row("delivery", Some(ours.delivery()), Some(Bar::Exactly(1.0))),
            row("p50_ms", Some(ours.delay_ms(50)), None),
            row("p99_ms", Some(ours.delay_ms(99)), Some(Bar::AtMost(40.0))),
            row("max_ms", Some(ours.delay_ms(100)), None),
            row("join_s", Some(results.join.as_secs_f64()), Some(Bar::AtMost(2.0))),
            row("copies", share(traffic.payload), Some(Bar::AtMost(1.01))),
            row("control_ratio", share(traffic.control), Some(Bar::AtMost(0.02))),
            row("auth_ratio", share(traffic.manifests), Some(Bar::AtMost(0.05))),
            row("wire_per_payload", share(traffic.wire), None),
            row("cpu_s_per_gb", Some(ours.cpu_s_per_gb(plan.load.size)), None),
            row("star_ratio", results.star.ratio.median(), signed_bar.map(Bar::AtMost)),
            row("unsigned_star_ratio", results.unsigned_star.ratio.median(), Some(Bar::AtMost(unsigned_bar))),
            row("rss_peak_mib", results.peak_resident_bytes.map(mebibytes), Some(Bar::AtMost(300.0))),
        ];
        Self { rows, details: details(plan, results, load_average) }
    }

    /// One JSON object.
    pub(crate) fn json(&self) -> Value {
        let mut object = self.details.clone();
        for row in &self.rows {
            let value = if row.name == "delivery" { row.value } else { row.value.map(rounded) };
            object[row.name] = json!(value);
        }
        object
    }

    /// A table for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |row: &Row| {
            let value =
                row.value.map_or_else(|| "not measured".to_owned(), |value| rounded(value).to_string());
            let bar = row.bar.map_or_else(String::new, |bar| bar.text());
            let mark = if row.is_missed() { "  missed" } else { "" };
            format!("{:<21}{value:>13}  {bar}{mark}", row.name).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    /// What does not keep its bar; what was not measured keeps none.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        self.rows.iter().filter(|row| row.is_missed()).map(|row| row.name).collect()
    }
}

impl Row {
    fn is_missed(&self) -> bool {
        self.bar.is_some_and(|bar| !self.value.is_some_and(|value| bar.is_kept(value)))
    }
}

fn row(name: &'static str, value: Option<f64>, bar: Option<Bar>) -> Row {
    Row { name, value, bar }
}

/// What it was measured with, and what the ratios are made of.
fn details(plan: &Plan, results: &Results, load_average: [Option<f64>; 2]) -> Value {
    let mut details = json!({
        "nodes": plan.nodes,
        "size": plan.load.size,
        "rate_bits": plan.load.rate,
        "secs": plan.ours.measured.as_secs_f64(),
        "rounds": plan.rounds,
        "messages": results.ours.wanted / (plan.nodes as u64 - 1),
        "run_length": rounded(results.run_length),
        "load_average": load_average,
        "uplink_bytes_per_s": plan.beside.uplink,
        "share_mib": plan.beside.share_bytes.map(|bytes| bytes >> 20),
        "shared_bytes_per_s": plan.beside.share_bytes.map(|_| {
            rounded(results.traffic.objects as f64 / (plan.ours.measured.as_secs_f64() * f64::from(plan.rounds)))
        }),
    });
    for (name, rival) in [("star", &results.star), ("unsigned_star", &results.unsigned_star)] {
        let pairs = rival.ratio.pairs.iter().copied().map(rounded).collect::<Vec<_>>();
        let cost = |tally: &Tally| rounded(tally.cpu_s_per_gb(plan.load.size));
        let ways = rival.tallies.iter().map(|(carrier, tally)| {
            let way = json!({ "cpu_s_per_gb": cost(tally), "delivery": tally.delivery(), "p99_ms": tally.delay_ms(99) });
            (carrier.name().to_owned(), way)
        });
        details[format!("{name}_ratio_pairs")] = pairs.into();
        details[format!("{name}_ratio_spread")] = json!(rival.ratio.spread().map(rounded));
        details[format!("{name}_cpu_s_per_gb")] = json!(rival.cheapest().map(|(_, tally)| cost(tally)));
        details[format!("{name}_carrier")] = json!(rival.cheapest().map(|(carrier, _)| carrier.name()));
        details[format!("{name}_carriers")] = Value::Object(ways.collect());
    }
    details
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::load::Load;
    use crate::bench::ours::{Beside, Traffic};
    use crate::bench::rounds::Rival;
    use crate::bench::stage::Schedule;
    use crate::bench::star::Carrier;

    fn plan() -> Plan {
        let schedule = Schedule { warm_up: Duration::ZERO, measured: Duration::from_secs(20) };
        let load = Load { size: 1_000, rate: 2_000_000 };
        Plan { nodes: 3, load, ours: schedule, star: Some(schedule), rounds: 3, beside: Beside::default() }
    }

    fn results() -> Results {
        let cpu = Duration::from_millis(30);
        let delays_us = vec![1_000, 9_000, 41_500];
        let ours = Tally { wanted: 1_000, delivered: 1_000, delays_us, arrived: 1_000, cpu };
        let star = |pairs: [f64; 3], cpu: u64| {
            let tally = Tally {
                wanted: 500,
                delivered: 500,
                arrived: 500,
                cpu: Duration::from_millis(cpu),
                ..Tally::default()
            };
            let dearer = Tally { cpu: tally.cpu * 2, delivered: 400, ..tally.clone() };
            let tallies = [(Carrier::Datagrams, dearer), (Carrier::Streams, tally)].into();
            Rival { tallies, ratio: Ratio { pairs: pairs.into() } }
        };
        Results {
            ours,
            traffic: Traffic {
                payload: 1_005_000,
                manifests: 37_000,
                control: 15_000,
                wire: 1_150_000,
                objects: 0,
            },
            join: Duration::from_millis(700),
            star: star([1.25, 0.9, 1.0], 14),
            unsigned_star: star([1.7, 1.5, 1.8], 9),
            peak_resident_bytes: Some(150 << 20),
            ..Results::default()
        }
    }

    #[test]
    fn every_figure_has_its_own_meaning() {
        let json = Figures::of(&plan(), &results(), [Some(0.5), None]).json();
        let expected = json!({
            "delivery": 1.0, "p50_ms": 9.0, "p99_ms": 41.5, "max_ms": 41.5, "join_s": 0.7, "copies": 1.005,
            "control_ratio": 0.015, "auth_ratio": 0.037, "wire_per_payload": 1.15, "cpu_s_per_gb": 30.0,
            "star_ratio": 1.0, "star_ratio_pairs": [1.25, 0.9, 1.0], "star_ratio_spread": 0.35,
            "unsigned_star_ratio": 1.7, "unsigned_star_ratio_pairs": [1.7, 1.5, 1.8],
            "unsigned_star_ratio_spread": 0.1765, "unsigned_star_cpu_s_per_gb": 18.0,
            "star_carrier": "streams", "star_cpu_s_per_gb": 28.0, "rss_peak_mib": 150.0, "load_average": [0.5, null],
        });
        assert_eq!(
            json["star_carriers"]["datagrams"],
            json!({ "cpu_s_per_gb": 56.0, "delivery": 0.8, "p99_ms": 0.0 })
        );
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(json[name], *value, "{name}");
        }
    }

    #[test]
    fn what_misses_its_bar_is_named() {
        let figures = Figures::of(&plan(), &results(), [None, None]);
        assert_eq!(figures.missed(), ["p99_ms", "unsigned_star_ratio"]);
        assert_eq!(figures.lines()[2], "p99_ms                        41.5  at most 40  missed");
        assert_eq!(figures.lines()[1], "p50_ms                           9");
    }

    #[test]
    fn one_message_in_a_thousand_is_not_all_of_them_and_what_was_not_measured_keeps_no_bar() {
        let mut results = Results { star: Rival::default(), ..results() };
        results.ours.delivered -= 1;
        let missed = Figures::of(&plan(), &results, [None, None]).missed();
        assert_eq!(missed, ["delivery", "p99_ms", "star_ratio", "unsigned_star_ratio"]);
    }

    #[test]
    fn messages_of_many_fragments_have_a_bar_of_their_own() {
        let large = Plan { load: Load { size: 16_384, rate: 2_000_000 }, ..plan() };
        assert_eq!(Figures::of(&large, &results(), [None, None]).missed(), ["p99_ms"]);
    }
}
