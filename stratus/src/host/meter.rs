use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use stratus_multicast::{MulticastInfo, StreamId};
use stratus_overlay::routing;
use stratus_posting::PostingInfo;
use stratus_replication as replication;
use tokio::time::Instant;

use crate::info::Rates;

/// Rates are averages over about this long.
const SPAN: Duration = Duration::from_secs(4);
/// Counters are looked at this often.
const EVERY: Duration = Duration::from_millis(500);

/// What has counters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// A stream.
    Stream(StreamId),
    /// All posts.
    Posting,
    /// All parcels, look-ups and values.
    Routing,
    /// All objects.
    Objects,
}

/// What the counters of each stream, and of the services, were in the last few seconds: rates are differences.
#[derive(Default)]
pub(super) struct Meter {
    samples: VecDeque<(Instant, BTreeMap<Counted, Totals>)>,
}

/// Bytes so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    data_sent: u64,
    control_sent: u64,
    data_received: u64,
    control_received: u64,
}

impl From<&MulticastInfo> for Totals {
    fn from(info: &MulticastInfo) -> Self {
        Self {
            data_sent: info.sent_bytes(),
            control_sent: info.control_sent_bytes + info.manifests_sent_bytes,
            data_received: info.received_bytes(),
            control_received: info.control_received_bytes + info.manifests_received_bytes,
        }
    }
}

impl From<&PostingInfo> for Totals {
    fn from(info: &PostingInfo) -> Self {
        Self {
            data_sent: info.sent.bytes,
            control_sent: info.control_sent_bytes,
            data_received: info.received.bytes,
            control_received: info.control_received_bytes,
        }
    }
}

impl From<&routing::Stats> for Totals {
    fn from(stats: &routing::Stats) -> Self {
        Self {
            data_sent: stats.sent_bytes,
            control_sent: stats.control_sent_bytes,
            data_received: stats.arrived_bytes,
            control_received: stats.control_received_bytes,
        }
    }
}

impl From<&replication::Stats> for Totals {
    fn from(stats: &replication::Stats) -> Self {
        let data_received = stats.received_bytes + stats.duplicate_bytes;
        Self { data_sent: stats.sent_bytes, data_received, ..Self::default() }
    }
}

impl Meter {
    /// Whether counters should be noted again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.samples.back().is_none_or(|(at, _)| now - *at >= EVERY)
    }

    /// Notes all counters.
    pub(super) fn note(&mut self, now: Instant, counters: impl Iterator<Item = (Counted, Totals)>) {
        // The newest is kept however old: nothing was counted since, or it would not be the newest.
        while self.samples.len() > 1 && now - self.samples[0].0 > SPAN {
            self.samples.pop_front();
        }
        self.samples.push_back((now, counters.collect()));
    }

    /// The rates of what has these counters now.
    pub(super) fn rates(&self, now: Instant, counted: Counted, after: Totals) -> Rates {
        let is_recent = |(at, _): &&(Instant, _)| now - *at <= SPAN + EVERY && now > *at;
        let Some((at, before)) = self.samples.iter().find(is_recent).or(self.samples.back()) else {
            return Rates::default();
        };
        let span = now.saturating_duration_since(*at).max(EVERY);
        let before = before.get(&counted).copied().unwrap_or_default();
        let rate = |before: u64, after: u64| {
            (u128::from(after.saturating_sub(before)) * 1_000 / span.as_millis()) as u64
        };
        Rates {
            send_data: rate(before.data_sent, after.data_sent),
            send_control: rate(before.control_sent, after.control_sent),
            receive_data: rate(before.data_received, after.data_received),
            receive_control: rate(before.control_received, after.control_received),
        }
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::PublicKey;
    use stratus_multicast::Path;

    use super::*;

    const STREAM: Counted = Counted::Stream(StreamId(PublicKey([3; 32])));

    fn received(bytes: u64) -> Totals {
        let pushed_from_peers = Path { bytes, fragments: 1 };
        (&MulticastInfo { pushed_from_peers, ..MulticastInfo::default() }).into()
    }

    #[test]
    fn rates_are_averages_over_a_few_seconds_and_fall_to_nothing() {
        let mut meter = Meter::default();
        let begin = Instant::now();
        let at = |tenths: u32| begin + Duration::from_millis(100) * tenths;
        assert_eq!(meter.rates(begin, STREAM, received(0)), Rates::default());
        for tenths in (0..=60).step_by(5) {
            assert!(meter.is_due(at(tenths)));
            meter.note(at(tenths), [(STREAM, received(u64::from(tenths) * 700))].into_iter());
        }
        assert!(!meter.is_due(at(62)));
        let rates = meter.rates(at(63), STREAM, received(63 * 700));
        assert_eq!(rates, Rates { receive_data: 7_000, ..Rates::default() });
        let quiet = meter.rates(at(600), STREAM, received(60 * 700));
        assert_eq!(quiet, Rates::default());
    }
}
