use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, sleep_until, timeout};

use crate::bench::load::{Load, Stamp};
use crate::bench::machine;
use crate::stop::{Code, Failure};

/// How long everybody may take to get the first message.
const PATIENCE: Duration = Duration::from_secs(60);

/// What publisher, viewers and observer of one phase share.
pub(crate) struct Stage {
    load: Load,
    began: Instant,
    published: AtomicU64,
    /// One permit for each viewer that has got a message.
    started: Semaphore,
    is_over: watch::Sender<bool>,
}

/// How long to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Schedule {
    /// From the moment when everybody has got something to the window.
    pub(crate) warm_up: Duration,
    /// The window.
    pub(crate) measured: Duration,
}

/// What happened to the window.
#[derive(Clone, Debug)]
pub(crate) struct Span<S> {
    /// From the beginning to the moment when every viewer had got a message.
    pub(crate) join: Duration,
    /// The window's beginning, since the phase began.
    pub(crate) from: Duration,
    /// Its end.
    pub(crate) until: Duration,
    /// The first message published in it.
    pub(crate) first: u64,
    /// The first message published after it.
    pub(crate) end: u64,
    /// Processor time of the process in it.
    pub(crate) cpu: Duration,
    /// Counters just before it.
    pub(crate) before: S,
    /// Counters just after it.
    pub(crate) after: S,
}

impl Stage {
    /// The phase begins here.
    pub(crate) fn new(load: Load) -> Arc<Self> {
        Arc::new(Self {
            load,
            began: Instant::now(),
            published: AtomicU64::new(0),
            started: Semaphore::new(0),
            is_over: watch::Sender::new(false),
        })
    }

    /// Waits for `viewers` to start, then for the warm-up, then looks at the window.
    pub(crate) async fn observe<S>(
        &self,
        viewers: usize,
        schedule: Schedule,
        counters: impl AsyncFn() -> S,
    ) -> Result<Span<S>, Failure> {
        let all = u32::try_from(viewers).expect("at most 500");
        if timeout(PATIENCE, self.started.acquire_many(all)).await.is_err() {
            let got = self.started.available_permits();
            return Err(Failure::new(Code::Unreachable, "not every viewer got a message")
                .tried(format!("{got} of {viewers} within {} s", PATIENCE.as_secs())));
        }
        let join = self.began.elapsed();
        sleep(schedule.warm_up).await;
        let before = counters().await;
        let (first, from, used) = (self.published(), self.began.elapsed(), machine::cpu_time());
        sleep(schedule.measured).await;
        let (cpu, until, end) = (machine::cpu_time() - used, self.began.elapsed(), self.published());
        Ok(Span { join, from, until, first, end, cpu, before, after: counters().await })
    }

    /// Tells the publisher to stop.
    pub(crate) fn end(&self) {
        self.is_over.send_replace(true);
    }

    fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }
}

/// Gives the publisher its payloads when they are due.
pub(crate) struct Source {
    stage: Arc<Stage>,
    is_over: watch::Receiver<bool>,
    began: Instant,
    next: u64,
}

impl Source {
    /// The first payload is due at once.
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        Self { is_over: stage.is_over.subscribe(), stage, began: Instant::now(), next: 0 }
    }

    /// Waits for the next payload; `None` when the phase is over. Late ones follow without a pause, so the
    /// rate holds.
    pub(crate) async fn next(&mut self) -> Option<(Stamp, Bytes)> {
        let due = self.began + self.stage.load.due(self.next);
        tokio::select! {
            biased;
            _ = self.is_over.wait_for(|is_over| *is_over) => return None,
            () = sleep_until(due.into()) => {}
        }
        let stamp = Stamp { index: self.next, entered_at: self.stage.began.elapsed() };
        self.next += 1;
        self.stage.published.store(self.next, Ordering::Relaxed);
        Some((stamp, self.stage.load.payload(stamp)))
    }
}

/// One message at one viewer, in microseconds since the phase began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Arrival {
    /// Which message.
    pub(crate) index: u64,
    /// When it entered the publisher.
    pub(crate) entered_us: u32,
    /// When it left the viewer.
    pub(crate) left_us: u32,
}

/// What came to one viewer.
pub(crate) struct Log {
    stage: Arc<Stage>,
    arrivals: Vec<Arrival>,
}

impl Log {
    /// Nothing came yet.
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        Self { stage, arrivals: Vec::new() }
    }

    /// Writes down a message; what is not one of ours is none.
    pub(crate) fn note(&mut self, payload: &[u8]) {
        let Some(stamp) = self.stage.load.stamp(payload) else { return };
        if self.arrivals.is_empty() {
            self.stage.started.add_permits(1);
        }
        let entered_us = micros(stamp.entered_at);
        self.arrivals.push(Arrival {
            index: stamp.index,
            entered_us,
            left_us: micros(self.stage.began.elapsed()),
        });
    }

    /// All that came, in order.
    pub(crate) fn finish(self) -> Vec<Arrival> {
        self.arrivals
    }
}

/// A phase lasts some minutes, which 32 bits hold.
pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
