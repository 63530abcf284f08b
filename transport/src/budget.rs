use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stratus_core::Priority;
use tokio::sync::{Notify, oneshot};

/// What a datagram costs on the wire besides its payload: IP, UDP, QUIC header, authentication tag, and its
/// share of acknowledgements. Spec TR-24.
pub(crate) const OVERHEAD_BYTES: usize = 68;
/// How much may leave at once after a pause: short, or a queue forms in the modem instead of here.
const BURST: Duration = Duration::from_millis(10);
/// The burst is never below a few packets, or timers would set the rate.
const LEAST_BURST_BYTES: i64 = 6_000;

/// The upload budget of one endpoint: a token bucket in wire bytes that all its links share. Spec TR-23.
///
/// Whoever finds it empty waits in line: the urgent before the pushed before the repairs before bulk, and among equals one
/// datagram per link in turn.
#[derive(Debug)]
pub(crate) struct Budget {
    rate: u64,
    bucket: Mutex<Bucket>,
    work: Notify,
}

/// Who is served before whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rank {
    /// A datagram.
    Live(Priority),
    /// Part of an object: after everything else. Spec TR-60.
    Bulk,
}

impl From<Priority> for Rank {
    fn from(priority: Priority) -> Self {
        Self::Live(priority)
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: i64,
    filled_at: Instant,
    line: BTreeMap<(Rank, u64), Waiter>,
    next_turn: u64,
}

#[derive(Debug)]
struct Waiter {
    bytes: usize,
    granted: oneshot::Sender<()>,
}

impl Budget {
    /// A full bucket that fills at `rate` bytes per second.
    pub(crate) fn new(rate: u64, now: Instant) -> Self {
        let line = BTreeMap::new();
        let bucket = Bucket { tokens: burst(rate), filled_at: now, line, next_turn: 0 };
        Self { rate, bucket: Mutex::new(bucket), work: Notify::new() }
    }

    /// Takes `bytes` if nobody waits and there are as many.
    pub(crate) fn try_take(&self, bytes: usize, now: Instant) -> bool {
        let mut bucket = self.lock();
        bucket.fill(self.rate, now);
        let is_free = bucket.line.is_empty() && bucket.tokens >= bytes as i64;
        if is_free {
            bucket.tokens -= bytes as i64;
        }
        is_free
    }

    /// Takes `bytes` at once, into debt if need be: control goes out whatever the budget, and is paid for.
    pub(crate) fn debit(&self, bytes: i64) {
        self.lock().tokens -= bytes;
    }

    /// Waits in line for `bytes`. Dropping the future leaves the line.
    pub(crate) async fn take(&self, rank: impl Into<Rank>, bytes: usize) {
        let (granted, turn) = oneshot::channel();
        {
            let mut bucket = self.lock();
            let number = bucket.next_turn;
            bucket.next_turn += 1;
            bucket.line.insert((rank.into(), number), Waiter { bytes, granted });
        }
        self.work.notify_one();
        // The sender is dropped only together with the endpoint; then nobody cares.
        let _ = turn.await;
    }

    /// Serves the line for ever.
    pub(crate) async fn serve(&self) {
        loop {
            let wait = self.lock().grant(self.rate, Instant::now());
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => self.work.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn fill(&mut self, rate: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_micros();
        let earned = u64::try_from(passed * u128::from(rate) / 1_000_000).unwrap_or(u64::MAX);
        // The moment moves only when something was earned, or rounding would eat slow budgets.
        if earned > 0 {
            self.tokens = self.tokens.saturating_add_unsigned(earned).min(burst(rate));
            self.filled_at = now;
        }
    }

    /// Serves whom the tokens reach; says how long until they reach the next.
    fn grant(&mut self, rate: u64, now: Instant) -> Option<Duration> {
        self.fill(rate, now);
        while let Some(entry) = self.line.first_entry() {
            let bytes = entry.get().bytes as i64;
            if entry.get().granted.is_closed() {
                entry.remove();
                continue;
            }
            if bytes > self.tokens {
                let missing = u64::try_from(bytes - self.tokens).unwrap_or(0);
                return Some(Duration::from_micros(missing * 1_000_000 / rate + 1));
            }
            if entry.remove().granted.send(()).is_ok() {
                self.tokens -= bytes;
            }
        }
        None
    }
}

fn burst(rate: u64) -> i64 {
    let bytes = u128::from(rate) * BURST.as_micros() / 1_000_000;
    i64::try_from(bytes).unwrap_or(i64::MAX).max(LEAST_BURST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bucket: &mut Bucket, waiters: &[(Priority, usize)]) -> Vec<oneshot::Receiver<()>> {
        let enter = |&(priority, bytes): &(Priority, usize)| {
            let (granted, receiver) = oneshot::channel();
            bucket.line.insert((priority.into(), bucket.next_turn), Waiter { bytes, granted });
            bucket.next_turn += 1;
            receiver
        };
        waiters.iter().map(enter).collect()
    }

    fn served(receivers: &mut [oneshot::Receiver<()>]) -> Vec<bool> {
        receivers.iter_mut().map(|receiver| receiver.try_recv().is_ok()).collect()
    }

    #[test]
    fn the_urgent_are_served_first_then_in_turn() {
        let now = Instant::now();
        let budget = Budget::new(100_000, now);
        let mut bucket = budget.lock();
        bucket.tokens = 2_500;
        let mut receivers = line(
            &mut bucket,
            &[
                (Priority::Repair, 1_000),
                (Priority::Push, 1_000),
                (Priority::Push, 1_000),
                (Priority::Urgent, 1_000),
            ],
        );
        let wait = bucket.grant(100_000, now);
        assert_eq!(served(&mut receivers), [false, true, false, true]);
        assert_eq!(wait, Some(Duration::from_micros(5_001)), "500 bytes are missing");
    }

    #[test]
    fn who_left_the_line_costs_nothing() {
        let now = Instant::now();
        let budget = Budget::new(100_000, now);
        let mut bucket = budget.lock();
        bucket.tokens = 1_000;
        let mut receivers = line(&mut bucket, &[(Priority::Push, 1_000), (Priority::Push, 1_000)]);
        receivers.remove(0);
        assert_eq!(bucket.grant(100_000, now), None);
        assert_eq!(served(&mut receivers), [true]);
    }

    #[test]
    fn a_second_gives_the_rate_and_a_pause_only_a_burst() {
        let start = Instant::now();
        let budget = Budget::new(1_000_000, start);
        let mut taken = 0;
        for milli in 0..1_000 {
            while budget.try_take(1_228, start + Duration::from_millis(milli)) {
                taken += 1_228;
            }
        }
        assert!((990_000..=1_010_000).contains(&taken), "{taken} bytes");
        let mut at_once = 0;
        while budget.try_take(1_228, start + Duration::from_secs(100)) {
            at_once += 1_228;
        }
        assert!(at_once <= 10_000, "{at_once} bytes after a pause");
    }

    #[test]
    fn control_is_paid_for_later() {
        let start = Instant::now();
        let budget = Budget::new(1_000_000, start);
        budget.debit(110_000);
        assert!(!budget.try_take(1_228, start + Duration::from_millis(99)));
        assert!(budget.try_take(1_228, start + Duration::from_millis(103)));
    }
}
