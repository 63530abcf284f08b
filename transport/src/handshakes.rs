use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stratus_core::Histogram;

use crate::connection::lock;

/// From a handshake within a building to one that just made it.
const BOUNDS: [Duration; 8] = [
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_500),
];

/// Handshakes of an endpoint since it began, both directions, with peers and with rendezvous services.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandshakeCounters {
    /// Finished.
    pub succeeded: u64,
    /// Begun and not finished: no answer, another key, another version.
    pub failed: u64,
    /// Strangers told to show their address first.
    pub retried: u64,
    /// First packets of strangers dropped in silence, because too many handshakes were under way.
    pub ignored: u64,
    /// How long those took that we began and finished.
    pub times: Histogram,
}

/// Counts them.
pub(crate) struct Handshakes {
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) ignored: AtomicU64,
    times: Mutex<Histogram>,
}

impl Default for Handshakes {
    fn default() -> Self {
        let zero = AtomicU64::default;
        let times = Mutex::new(Histogram::new(&BOUNDS));
        Self { succeeded: zero(), failed: zero(), retried: zero(), ignored: zero(), times }
    }
}

impl Handshakes {
    /// One of ours ended; a finished one took so long.
    pub(crate) fn ended(&self, took: Option<Duration>) {
        match took {
            Some(took) => {
                count(&self.succeeded);
                lock(&self.times).observe(took);
            }
            None => count(&self.failed),
        }
    }

    pub(crate) fn counters(&self) -> HandshakeCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HandshakeCounters {
            succeeded: read(&self.succeeded),
            failed: read(&self.failed),
            retried: read(&self.retried),
            ignored: read(&self.ignored),
            times: lock(&self.times).clone(),
        }
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
