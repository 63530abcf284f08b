use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Deadline, DirectVerify, Histogram, Machine, Rng, Time, Wire};
use stratus_overlay::rendezvous::{ClientMessage, Event, Input, Output, Refusal, Registry, Stats};
use stratus_transport::{Endpoint, ServiceEvent};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// The one task that owns the registry: waits for one thing, drives, applies.
pub(crate) struct Desk {
    endpoint: Endpoint,
    events: mpsc::Receiver<ServiceEvent>,
    registry: Registry,
    rng: Rng,
    began: Instant,
    /// Connections that the registry has done with and the transport has not.
    closing: BTreeSet<u64>,
    stats: watch::Sender<Stats>,
    /// Whoever asks whether the desk still turns.
    asks: mpsc::Receiver<oneshot::Sender<Figures>>,
    /// How long introductions took.
    introductions: Histogram,
    report_every: Duration,
    reported: Stats,
}

/// What a desk holds and has done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    /// The registry's.
    pub registry: Stats,
    /// From a request for an introduction to both sides being told.
    pub introductions: Histogram,
}

/// One machine answers in the same turn; behind a queue it may take longer.
const INTRODUCTION_TIMES: [Duration; 6] = [
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(1_000),
];

/// Why the desk wakes.
enum Turn {
    Stop,
    Service(ServiceEvent),
    Due,
    Report,
    Ask(oneshot::Sender<Figures>),
}

impl Desk {
    pub(crate) fn new(
        endpoint: Endpoint,
        registry: Registry,
        rng: Rng,
        stats: watch::Sender<Stats>,
        asks: mpsc::Receiver<oneshot::Sender<Figures>>,
        report_every: Duration,
    ) -> Self {
        let (began, reported) = (Instant::now(), Stats::default());
        let events = endpoint.serve();
        Self {
            endpoint,
            events,
            registry,
            rng,
            began,
            closing: BTreeSet::new(),
            stats,
            asks,
            introductions: Histogram::new(&INTRODUCTION_TIMES),
            report_every,
            reported,
        }
    }

    /// Serves until told to stop, until the handle is dropped, or until the endpoint ends.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut report_at = self.began + self.report_every;
        loop {
            let due = self.registry.deadline();
            let turn = tokio::select! {
                biased;
                _ = &mut stop => Turn::Stop,
                () = until(self.began, due) => Turn::Due,
                () = sleep_until(report_at) => Turn::Report,
                Some(ask) = self.asks.recv() => Turn::Ask(ask),
                event = self.events.recv() => event.map_or(Turn::Stop, Turn::Service),
            };
            match turn {
                Turn::Stop => break,
                Turn::Service(event) => self.take(event),
                Turn::Due => self.wake(),
                // Whoever asked may be gone.
                Turn::Ask(reply) => drop(reply.send(self.figures())),
                Turn::Report => {
                    report_at += self.report_every;
                    self.report();
                }
            }
        }
        self.report();
        self.say_goodbye().await;
    }

    /// Tells every client, and waits until all have gone; who comes meanwhile is turned away.
    async fn say_goodbye(&mut self) {
        self.drive(Input::Stop);
        while !self.closing.is_empty() {
            let Some(event) = self.events.recv().await else { return };
            self.take(event);
        }
    }

    fn take(&mut self, event: ServiceEvent) {
        let before = self.registry.stats().introduced_count;
        let arrived_at = match event {
            ServiceEvent::Frame { at, .. } => Some(at),
            ServiceEvent::Closed { id } => {
                self.closing.remove(&id);
                None
            }
            ServiceEvent::Opened { .. } => None,
        };
        self.drive(input_of(event));
        if let Some(at) = arrived_at.filter(|_| self.registry.stats().introduced_count > before) {
            self.introductions.observe(at.elapsed());
        }
    }

    fn figures(&self) -> Figures {
        Figures { registry: self.registry.stats(), introductions: self.introductions.clone() }
    }

    fn drive(&mut self, input: Input) {
        let mut out = Vec::new();
        let mut cx = Cx { now: now(self.began), rng: &mut self.rng, verify: &DirectVerify };
        self.registry.handle(&mut cx, input, &mut out);
        self.apply(out);
    }

    fn wake(&mut self) {
        let mut out = Vec::new();
        let mut cx = Cx { now: now(self.began), rng: &mut self.rng, verify: &DirectVerify };
        self.registry.wake(&mut cx, &mut out);
        self.apply(out);
    }

    fn apply(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { connection, message } => {
                    self.endpoint.service_send(connection, message.to_bytes());
                }
                Output::Close { connection } => {
                    self.closing.insert(connection);
                    self.endpoint.service_close(connection);
                }
                Output::Event(event) => log(event),
            }
        }
        self.stats.send_replace(self.registry.stats());
    }

    /// Says what it holds, if that has changed, and whether somebody was refused for want of room.
    fn report(&mut self) {
        let (now, before) = (self.registry.stats(), self.reported);
        if now == before {
            return;
        }
        self.reported = now;
        tracing::info!(
            connections = now.connection_count,
            groups = now.group_count,
            members = now.member_count,
            introduced = now.introduced_count,
            refused = now.refused_total(),
            "holding"
        );
        let throttled = now.network_throttled_count - before.network_throttled_count;
        if throttled > 0 {
            tracing::warn!(count = throttled, limit = "network_rate", "refused for asking too much");
        }
        for refusal in [Refusal::ServerFull, Refusal::GroupFull, Refusal::NetworkFull] {
            let count = now.refused_count(refusal) - before.refused_count(refusal);
            if count > 0 {
                tracing::warn!(count, limit = refusal.name(), "refused for want of room");
            }
        }
    }
}

/// Microseconds since the desk began.
fn now(began: Instant) -> Time {
    Time::from_micros(began.elapsed().as_micros() as u64)
}

/// Sleeps until `due`, for ever if nothing is.
async fn until(began: Instant, due: Option<Deadline>) {
    match due {
        Some(due) => sleep_until(began + Duration::from_micros(due.at.as_micros())).await,
        None => pending().await,
    }
}

fn input_of(event: ServiceEvent) -> Input {
    match event {
        ServiceEvent::Opened { id, peer, address, exporter } => {
            Input::Opened { connection: id, peer, observed: address, exporter }
        }
        ServiceEvent::Frame { id, bytes, .. } => read(id, bytes),
        ServiceEvent::Closed { id } => Input::Closed { connection: id },
    }
}

fn read(connection: u64, bytes: Bytes) -> Input {
    match ClientMessage::from_bytes(bytes) {
        Ok(message) => Input::Received { connection, message },
        Err(error) => {
            tracing::debug!(connection, %error, "not a message");
            Input::Garbled { connection }
        }
    }
}

fn log(event: Event) {
    match event {
        Event::Registered { group, peer } => tracing::debug!(?group, ?peer, "registered"),
        Event::Unregistered { group, peer } => tracing::debug!(?group, ?peer, "unregistered"),
        Event::Introduced { group, asker, target } => {
            tracing::debug!(?group, ?asker, ?target, "introduced");
        }
        Event::Refused { peer, refusal } => tracing::debug!(?peer, reason = refusal.name(), "refused"),
    }
}
