//! How much may be in flight on one path. Spec TR-30 to TR-33.
//!
//! Live video has a budget, not an appetite: what leaves is decided above, by the upload budget and by expiry.
//! So random loss must not shrink the window, and only signs of a real queue may.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

/// Smallest window while nothing is wrong: a run of 32 fragments and some control.
const FLOOR_BYTES: u64 = 64 << 10;
/// Smallest window while the path says that it is full.
const LEAST_BYTES: u64 = 16 << 10;
/// Added to the round trip: acknowledgements are late by up to 25 ms, timers by some more.
const SLACK: Duration = Duration::from_millis(50);
/// A round trip so much above the quietest one is a standing queue; a busy processor stays below.
const STANDING: Duration = Duration::from_millis(100);
/// Losses above 150 in 1,000 may be congestion, below they are the air.
const LOSS_PER_MILLE: u64 = 150;
/// Losses above 400 in 1,000 are congestion even where no queue shows.
const HEAVY_PER_MILLE: u64 = 400;
/// An epoch with fewer bytes than this says nothing about loss.
const TELLING_BYTES: u64 = 16 << 10;
/// How long a quietest round trip is believed; routes change.
const MEMORY: Duration = Duration::from_secs(10);
/// Full scale of the back-off factor.
const FULL: u64 = 1024;

/// Bytes per second that one link may assume it can use.
pub(crate) type Rate = Arc<AtomicU64>;

/// Makes a controller per connection; all follow the same budget.
#[derive(Debug)]
pub(crate) struct LiveFactory(pub(crate) Rate);

impl ControllerFactory for LiveFactory {
    fn build(self: Arc<Self>, now: Instant, _current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Live::new(self.0.clone(), now))
    }
}

/// The window is budget × (round trip + slack), times a factor that only trouble makes small.
#[derive(Clone, Debug)]
struct Live {
    rate: Rate,
    /// Out of [`FULL`].
    scale: u64,
    window: u64,
    smoothed_rtt: Duration,
    quiet: QuietRtt,
    epoch: Epoch,
}

/// What happened since the last look.
#[derive(Clone, Debug)]
struct Epoch {
    since: Instant,
    acked: u64,
    lost: u64,
    is_marked: bool,
    is_persistent: bool,
}

/// The lowest smoothed round trip of the last 10 to 20 seconds.
#[derive(Clone, Debug)]
struct QuietRtt {
    since: Instant,
    current: Duration,
    previous: Duration,
}

impl QuietRtt {
    fn new(now: Instant) -> Self {
        Self { since: now, current: Duration::MAX, previous: Duration::MAX }
    }

    fn note(&mut self, now: Instant, rtt: Duration) {
        if now.saturating_duration_since(self.since) > MEMORY {
            *self = Self { since: now, current: Duration::MAX, previous: self.current };
        }
        self.current = self.current.min(rtt);
    }

    fn get(&self) -> Duration {
        self.current.min(self.previous)
    }
}

impl Epoch {
    fn new(since: Instant) -> Self {
        Self { since, acked: 0, lost: 0, is_marked: false, is_persistent: false }
    }

    fn loses_more_than(&self, per_mille: u64) -> bool {
        let all = self.acked + self.lost;
        all >= TELLING_BYTES && self.lost * 1_000 > all * per_mille
    }
}

impl Live {
    fn new(rate: Rate, now: Instant) -> Self {
        let mut live = Self {
            rate,
            scale: FULL,
            window: FLOOR_BYTES,
            smoothed_rtt: Duration::from_millis(100),
            quiet: QuietRtt::new(now),
            epoch: Epoch::new(now),
        };
        live.resize();
        live
    }

    /// Looks at the epoch once it has lasted a round trip, and moves the factor at most one step. Spec TR-31, TR-32.
    fn judge(&mut self, now: Instant) {
        let length = self.smoothed_rtt.max(Duration::from_millis(50));
        if now.saturating_duration_since(self.epoch.since) < length {
            return;
        }
        let epoch = std::mem::replace(&mut self.epoch, Epoch::new(now));
        let is_standing = self.smoothed_rtt > self.quiet.get().saturating_add(STANDING);
        // A fifth may be lost on a bad radio link. A window for less than the stream would only add a queue of ours.
        let is_lossy = epoch.loses_more_than(LOSS_PER_MILLE) && self.window > FLOOR_BYTES;
        self.scale = if epoch.is_persistent {
            self.scale / 2
        } else if epoch.is_marked || is_standing || is_lossy || epoch.loses_more_than(HEAVY_PER_MILLE) {
            self.scale * 7 / 8
        } else {
            self.scale + FULL / 16
        }
        .clamp(1, FULL);
        self.resize();
    }

    fn resize(&mut self) {
        // A standing queue must not earn a larger window by its own delay.
        let rtt = self.smoothed_rtt.min(self.quiet.get().saturating_add(STANDING)) + SLACK;
        let rate = self.rate.load(Ordering::Relaxed);
        let base = (u128::from(rate) * rtt.as_micros() / 1_000_000).min(u128::from(u32::MAX)) as u64;
        self.window = (base.max(FLOOR_BYTES) * self.scale / FULL).max(LEAST_BYTES);
    }
}

impl Controller for Live {
    fn on_ack(&mut self, now: Instant, _sent: Instant, bytes: u64, _app_limited: bool, rtt: &RttEstimator) {
        self.epoch.acked += bytes;
        self.smoothed_rtt = rtt.get();
        self.quiet.note(now, self.smoothed_rtt);
    }

    fn on_end_acks(&mut self, now: Instant, _in_flight: u64, _app_limited: bool, _largest: Option<u64>) {
        self.judge(now);
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, is_persistent: bool, lost_bytes: u64) {
        self.epoch.lost += lost_bytes;
        // The library reports an ECN mark as a loss of nothing.
        self.epoch.is_marked |= lost_bytes == 0;
        self.epoch.is_persistent |= is_persistent;
        self.judge(now);
    }

    fn on_mtu_update(&mut self, _new_mtu: u16) {}

    fn window(&self) -> u64 {
        self.window
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        FLOOR_BYTES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE_PER_SECOND: u64 = 1_000_000;

    /// Runs `epochs` epochs of 100 ms in which `lost` of 100 kB are lost at a round trip of `rtt`.
    fn run(live: &mut Live, start: Instant, epochs: u32, lost: u64, rtt: Duration) -> Instant {
        let mut now = start;
        for _ in 0..epochs {
            now += Duration::from_millis(100) + rtt;
            live.epoch.acked += 100_000 - lost;
            live.epoch.lost += lost;
            live.smoothed_rtt = rtt;
            live.quiet.note(now, rtt);
            live.judge(now);
        }
        now
    }

    fn live(now: Instant) -> Live {
        Live::new(Arc::new(AtomicU64::new(MEGABYTE_PER_SECOND)), now)
    }

    #[test]
    fn the_window_follows_budget_and_round_trip_and_has_a_floor() {
        let now = Instant::now();
        let mut live = live(now);
        let now = run(&mut live, now, 3, 0, Duration::from_millis(150));
        assert_eq!(live.window(), 200_000);
        live.rate.store(10_000, Ordering::Relaxed);
        run(&mut live, now, 3, 0, Duration::from_millis(150));
        assert_eq!(live.window(), FLOOR_BYTES);
    }

    #[test]
    fn one_packet_in_ten_lost_at_random_changes_nothing() {
        let now = Instant::now();
        let mut live = live(now);
        run(&mut live, now, 50, 10_000, Duration::from_millis(60));
        assert_eq!(live.window(), 110_000);
    }

    #[test]
    fn heavy_loss_backs_off_to_the_least_and_recovers() {
        let now = Instant::now();
        let mut live = live(now);
        let now = run(&mut live, now, 50, 50_000, Duration::from_millis(60));
        assert_eq!(live.window(), LEAST_BYTES);
        run(&mut live, now, 20, 0, Duration::from_millis(60));
        assert_eq!(live.window(), 110_000);
    }

    #[test]
    fn three_in_ten_lost_without_a_queue_leave_room_for_a_stream() {
        let start = Instant::now();
        let mut live = live(start);
        let mut now = start;
        let mut windows = Vec::new();
        for _ in 0..50 {
            now = run(&mut live, now, 1, 30_000, Duration::from_millis(60));
            windows.push(live.window());
        }
        let least = windows.iter().min().copied();
        assert!(
            least.is_some_and(|least| (FLOOR_BYTES * 7 / 8..FLOOR_BYTES * 9 / 8).contains(&least)),
            "{windows:?}"
        );
        run(&mut live, now, 20, 30_000, Duration::from_millis(250));
        assert_eq!(live.window(), LEAST_BYTES, "with a queue it shrinks on");
    }

    #[test]
    fn a_standing_queue_backs_off_and_a_mark_by_one_step() {
        let start = Instant::now();
        let mut standing = live(start);
        let now = run(&mut standing, start, 5, 0, Duration::from_millis(20));
        run(&mut standing, now, 5, 0, Duration::from_millis(250));
        assert!(standing.scale < FULL * 6 / 10, "scale is {}", standing.scale);
        let mut marked = live(start);
        let now = run(&mut marked, start, 5, 0, Duration::from_millis(20));
        marked.on_congestion_event(now + Duration::from_secs(1), now, false, 0);
        assert_eq!(marked.scale, FULL * 7 / 8);
    }

    #[test]
    fn a_longer_route_is_believed_in_the_end() {
        let start = Instant::now();
        let mut live = live(start);
        let now = run(&mut live, start, 5, 0, Duration::from_millis(20));
        run(&mut live, now, 120, 0, Duration::from_millis(250));
        assert_eq!(live.scale, FULL);
    }
}
