use std::time::Duration;

use stratus_core::Wire;

use crate::{Config, Manifest};

/// Before anything is measured: the run interval of a 2 Mbit/s stream.
const DEFAULT_RUN_INTERVAL: Duration = Duration::from_millis(15);
/// A sample spans at least this much of the publisher's time.
const SAMPLE: Duration = Duration::from_millis(400);

/// How fast a stream goes, measured by the publisher's own stamps.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    anchor: Option<Anchor>,
    run_interval: Option<Duration>,
    /// Payload bytes a second.
    payload: u64,
    /// Wire bytes a second of one copy.
    wire: u64,
    payload_seen: u64,
    wire_seen: u64,
}

/// Payload and wire bytes seen when a sample began, at which run and stamp.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    run: u64,
    at: Duration,
    payload: u64,
    wire: u64,
}

/// What a datagram of ours weighs besides its content: our header (9), tag, QUIC, UDP, IP and its share of
/// acknowledgements.
const PACKET: u64 = 87;

impl Rate {
    pub(super) fn new(expected: u64) -> Self {
        let is_slow = expected < Config::SLOW_RATE;
        let wire = expected * if is_slow { 170 } else { 113 } / 100;
        Self { anchor: None, run_interval: None, payload: expected, wire, payload_seen: 0, wire_seen: 0 }
    }

    /// A run became known with about this many payload bytes.
    pub(super) fn note(&mut self, manifest: &Manifest, bytes: usize) {
        if manifest.is_beat() {
            // A rest is no measure of how fast the stream goes.
            self.anchor = None;
            return;
        }
        let separate = manifest.separate_count() as u64;
        self.payload_seen += bytes as u64;
        let without_payload = (manifest.wire_len() - manifest.inline_len()) as u64;
        self.wire_seen += bytes as u64 + without_payload + (separate + 1) * PACKET;
        let (run, at) = (manifest.run, manifest.published_at);
        let now = Anchor { run, at, payload: self.payload_seen, wire: self.wire_seen };
        let Some(before) = self.anchor else {
            self.anchor = Some(now);
            return;
        };
        if run <= before.run || at < before.at + SAMPLE {
            return;
        }
        let span = at - before.at;
        let interval = span / u32::try_from(run - before.run).unwrap_or(u32::MAX);
        let rate = |seen: u64| (u128::from(seen) * 1_000_000 / span.as_micros()) as u64;
        let settle = |old: u64, new: u64| if old == 0 { new } else { u64::midpoint(old, new) };
        self.run_interval = Some(self.run_interval.map_or(interval, |old| (old + interval) / 2));
        self.payload = settle(self.payload, rate(now.payload - before.payload));
        self.wire = settle(self.wire, rate(now.wire - before.wire));
        self.anchor = Some(now);
    }

    /// Typical time between runs.
    pub(super) fn run_interval(&self) -> Duration {
        self.run_interval.unwrap_or(DEFAULT_RUN_INTERVAL).max(Duration::from_micros(100))
    }

    /// How many runs are cut in `time`, rounded up.
    pub(super) fn runs_in(&self, time: Duration) -> u64 {
        (time.as_micros().div_ceil(self.run_interval().as_micros())) as u64
    }

    /// Payload bytes a second; 0 while unknown.
    pub(super) fn payload(&self) -> u64 {
        self.payload
    }

    /// Wire bytes a second of one copy, headers and manifests included; 0 while unknown.
    pub(super) fn wire(&self) -> u64 {
        self.wire
    }
}
