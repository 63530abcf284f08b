use std::time::Duration;

use crate::Manifest;

/// Before anything is measured: the run interval of a 2 Mbit/s stream.
const DEFAULT_RUN_INTERVAL: Duration = Duration::from_millis(15);
/// A sample spans at least this much of the publisher's time.
const SAMPLE: Duration = Duration::from_millis(400);

/// How fast a stream goes, measured by the publisher's own stamps.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    anchor: Option<(u64, Duration, u64)>,
    run_interval: Option<Duration>,
    /// Payload bytes a second.
    bytes: u64,
    bytes_seen: u64,
}

impl Rate {
    pub(super) fn new(expected: u64) -> Self {
        Self { anchor: None, run_interval: None, bytes: expected, bytes_seen: 0 }
    }

    /// A run became known with about this many payload bytes.
    pub(super) fn note(&mut self, manifest: &Manifest, bytes: usize) {
        if manifest.is_beat() {
            // A rest is no measure of how fast the stream goes.
            self.anchor = None;
            return;
        }
        self.bytes_seen += bytes as u64;
        let (run, at) = (manifest.run, manifest.published_at);
        let Some((first_run, first_at, bytes_before)) = self.anchor else {
            self.anchor = Some((run, at, self.bytes_seen));
            return;
        };
        if run <= first_run || at < first_at + SAMPLE {
            return;
        }
        let span = at - first_at;
        let interval = span / u32::try_from(run - first_run).unwrap_or(u32::MAX);
        let rate = (u128::from(self.bytes_seen - bytes_before) * 1_000_000 / span.as_micros()) as u64;
        self.run_interval = Some(self.run_interval.map_or(interval, |old| (old + interval) / 2));
        self.bytes = if self.bytes == 0 { rate } else { u64::midpoint(self.bytes, rate) };
        self.anchor = Some((run, at, self.bytes_seen));
    }

    /// Typical time between runs.
    pub(super) fn run_interval(&self) -> Duration {
        self.run_interval.unwrap_or(DEFAULT_RUN_INTERVAL).max(Duration::from_micros(100))
    }

    /// How many runs are cut in `time`, rounded up.
    pub(super) fn runs_in(&self, time: Duration) -> u64 {
        (time.as_micros().div_ceil(self.run_interval().as_micros())) as u64
    }

    /// Wire bytes a second of one copy; 0 while unknown. Headers, QUIC and manifests add about 13 %.
    pub(super) fn wire(&self) -> u64 {
        self.bytes * 113 / 100
    }
}
