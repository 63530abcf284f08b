//! What a demonstration came to.

use std::time::Duration;

use serde_json::{Value, json};

/// What was counted, over all members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Members, the publisher included.
    pub(crate) members: u64,
    /// Members that were to receive the stream.
    pub(crate) viewers: u64,
    /// Neighbors of all members together, when the stream ended.
    pub(crate) neighbors: u64,
    /// What was published.
    pub(crate) messages: u64,
    /// Its payload bytes.
    pub(crate) bytes: u64,
    /// Messages that reached viewers.
    pub(crate) delivered: u64,
    /// Viewers who wrote exactly the bytes of the source.
    pub(crate) identical_viewers: u64,
    /// Payload bytes that viewers received, duplicates included.
    pub(crate) received_bytes: u64,
    /// Payload bytes that the publisher sent.
    pub(crate) publisher_sent_bytes: u64,
    /// Bytes of maps, masks, pulls and membership that members received.
    pub(crate) control_bytes: u64,
    /// Bytes of manifests that members received.
    pub(crate) manifest_bytes: u64,
    /// From a message's first byte entering the publisher to the message leaving a viewer.
    pub(crate) delays: Vec<Duration>,
}

/// The figures that people ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    members: u64,
    neighbors_mean: f64,
    delivered_ratio: f64,
    bytes_identical: bool,
    copies: f64,
    control_ratio: f64,
    auth_ratio: f64,
    p50_ms: f64,
    p99_ms: f64,
    peer_share: f64,
    publisher_copies: f64,
}

impl Summary {
    /// Works the figures out.
    pub(crate) fn of(mut counts: Counts) -> Self {
        counts.delays.sort_unstable();
        let needed_bytes = counts.bytes * counts.viewers;
        Self {
            members: counts.members,
            neighbors_mean: ratio(counts.neighbors, counts.members),
            delivered_ratio: ratio(counts.delivered, counts.messages * counts.viewers),
            bytes_identical: counts.viewers > 0 && counts.identical_viewers == counts.viewers,
            copies: ratio(counts.received_bytes, needed_bytes),
            control_ratio: ratio(counts.control_bytes, needed_bytes),
            auth_ratio: ratio(counts.manifest_bytes, needed_bytes),
            p50_ms: percentile_ms(&counts.delays, 50),
            p99_ms: percentile_ms(&counts.delays, 99),
            peer_share: 1.0 - ratio(counts.publisher_sent_bytes, counts.received_bytes),
            publisher_copies: ratio(counts.publisher_sent_bytes, counts.bytes),
        }
    }

    /// Whether every viewer got everything, unchanged.
    pub(crate) fn is_complete(&self) -> bool {
        self.delivered_ratio == 1.0 && self.bytes_identical
    }

    /// One JSON object.
    pub(crate) fn json(&self) -> Value {
        json!({
            "members": self.members,
            "neighbors_mean": rounded(self.neighbors_mean),
            // Not rounded: 0.99999 is not all.
            "delivered_ratio": self.delivered_ratio,
            "bytes_identical": self.bytes_identical,
            "copies": rounded(self.copies),
            "control_ratio": rounded(self.control_ratio),
            "auth_ratio": rounded(self.auth_ratio),
            "p50_ms": rounded(self.p50_ms),
            "p99_ms": rounded(self.p99_ms),
            "peer_share": rounded(self.peer_share),
            "publisher_copies": rounded(self.publisher_copies),
        })
    }

    /// The figures for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let row = |label: &str, text: String| format!("{label:<22}{text}");
        let identical = if self.bytes_identical { "yes" } else { "no" };
        vec![
            row("members", format!("{} ({:.1} neighbors each)", self.members, self.neighbors_mean)),
            row("delivered", format!("{:.3} %", self.delivered_ratio * 100.0)),
            row("bytes identical", identical.to_owned()),
            row("delay", format!("{:.1} ms median, {:.1} ms p99", self.p50_ms, self.p99_ms)),
            row("copies received", format!("{:.3} of each byte", self.copies)),
            row("copies sent by source", format!("{:.2}", self.publisher_copies)),
            row("carried by viewers", percent(self.peer_share)),
            row(
                "control, signatures",
                format!("{}, {}", percent(self.control_ratio), percent(self.auth_ratio)),
            ),
        ]
    }
}

/// 0 when there is nothing to divide by.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// The smallest value that so many percent do not exceed; 0 of nothing.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |delay| delay.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        Counts {
            members: 5,
            viewers: 4,
            neighbors: 15,
            messages: 10,
            bytes: 1_000,
            delivered: 40,
            identical_viewers: 4,
            received_bytes: 4_200,
            publisher_sent_bytes: 2_100,
            control_bytes: 80,
            manifest_bytes: 200,
            delays: (1..=100).rev().map(Duration::from_millis).collect(),
        }
    }

    #[test]
    fn every_figure_has_its_own_meaning() {
        let summary = Summary::of(counts());
        assert_eq!(
            summary.json(),
            json!({
                "members": 5, "neighbors_mean": 3.0, "delivered_ratio": 1.0, "bytes_identical": true,
                "copies": 1.05, "control_ratio": 0.02, "auth_ratio": 0.05, "p50_ms": 50.0, "p99_ms": 99.0,
                "peer_share": 0.5, "publisher_copies": 2.1,
            })
        );
        assert!(summary.is_complete());
    }

    #[test]
    fn one_missing_message_or_one_changed_byte_is_not_complete() {
        let lacking = Summary::of(Counts { delivered: 39, ..counts() });
        let changed = Summary::of(Counts { identical_viewers: 3, ..counts() });
        assert!(!lacking.is_complete() && !changed.is_complete());
        assert_eq!(lacking.json()["delivered_ratio"], 0.975);
    }

    #[test]
    fn nothing_at_all_is_not_complete_either() {
        assert!(!Summary::of(Counts::default()).is_complete());
    }
}
