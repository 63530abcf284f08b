//! The carrier of the rendezvous protocol, both ends, on the same socket as the peers. Spec TR-50 to TR-53.
//!
//! ```text
//! length 4 | message           one bidirectional stream, opened by the client
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use stratus_core::PeerId;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::{CloseCode, lock};
use crate::error::{DialError, SendError};
use crate::frame::{FrameReader, Outgoing, write_frames};
use crate::shared::Shared;
use crate::tls::{SERVICE_ALPN, peer_of};

/// Label under which the TLS exporter is drawn, which registrations are signed over. Spec TR-51.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-stratus-rv/1 registration";
/// Largest frame from the service: a welcome with some thirty records.
const ANSWER_BYTES: usize = 64 << 10;
/// Answers waiting for one client; one that is so far behind is dropped.
const ANSWERS: usize = 64;
/// Events waiting for the service; beyond it clients wait.
const EVENTS: usize = 1_024;

/// What happens to the clients of a rendezvous service, in order for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServiceEvent {
    /// A client came.
    Opened {
        /// Names the connection from here on; never used again.
        id: u64,
        /// Whose key the client has.
        peer: PeerId,
        /// Where its packets come from.
        address: SocketAddr,
        /// Unique to this connection; what a registration is signed over.
        exporter: [u8; 32],
    },
    /// A client said something.
    Frame {
        /// Which connection.
        id: u64,
        /// What it said.
        bytes: Bytes,
        /// When its turn came.
        at: Instant,
    },
    /// A client is gone.
    Closed {
        /// Which connection.
        id: u64,
    },
}

/// The serving end.
pub(crate) struct Service {
    events: Mutex<Option<mpsc::Sender<ServiceEvent>>>,
    clients: Mutex<BTreeMap<u64, Client>>,
    permits: Arc<Semaphore>,
}

struct Client {
    answers: mpsc::Sender<Outgoing>,
    quic: quinn::Connection,
    dismissed: Arc<Notify>,
}

impl Service {
    pub(crate) fn new(most_clients: usize) -> Self {
        let permits = Arc::new(Semaphore::new(most_clients));
        Self { events: Mutex::default(), clients: Mutex::default(), permits }
    }

    pub(crate) fn open(&self) -> mpsc::Receiver<ServiceEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        *lock(&self.events) = Some(events);
        receiver
    }

    pub(crate) fn send(&self, id: u64, bytes: Bytes) {
        let clients = lock(&self.clients);
        let Some(client) = clients.get(&id) else { return };
        if client.answers.try_send(Outgoing::Frame(bytes)).is_err() {
            client.quic.close(CloseCode::Busy.into(), b"");
        }
    }

    pub(crate) fn close(&self, id: u64) {
        if let Some(client) = lock(&self.clients).get(&id) {
            client.dismissed.notify_one();
        }
    }

    /// Waits until the last client has gone.
    pub(crate) async fn emptied(&self, most_clients: usize) {
        let _ = self.permits.acquire_many(most_clients as u32).await;
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.clients).len()
    }
}

/// Time that a client has to read the last answer before its connection is closed.
const LAST_WORD: Duration = Duration::from_millis(150);

/// Runs one client's connection.
pub(crate) async fn host(shared: Arc<Shared>, quic: quinn::Connection, peer: PeerId) {
    let events = lock(&shared.service.events).clone();
    let permit = shared.service.permits.clone().try_acquire_owned();
    let (Some(events), Ok(_permit)) = (events, permit) else {
        return quic.close(CloseCode::Busy.into(), b"");
    };
    let Ok(Ok((send, recv))) = timeout(shared.config.proof_timeout, quic.accept_bi()).await else {
        return quic.close(CloseCode::NoGroup.into(), b"");
    };
    let Some(exporter) = exporter_of(&quic) else { return };
    let (answers, frames) = mpsc::channel(ANSWERS);
    let id = shared.next_id();
    let remote = quic.remote_address();
    let address = SocketAddr::new(remote.ip().to_canonical(), remote.port());
    let dismissed = Arc::new(Notify::new());
    let client = Client { answers: answers.clone(), quic: quic.clone(), dismissed: dismissed.clone() };
    lock(&shared.service.clients).insert(id, client);
    let mut writer =
        tokio::spawn(write_frames(send, frames, shared.budget.clone(), shared.config.drain_timeout));
    if events.send(ServiceEvent::Opened { id, peer, address, exporter }).await.is_ok() {
        let reader = FrameReader::new(recv, shared.config.service_frame_bytes);
        tokio::select! {
            () = listen(&shared, &events, id, reader) => {}
            () = dismissed.notified() => {}
            // The service is done with this client, which would otherwise hold its place as long as it likes.
            _ = &mut writer => {}
        }
    }
    lock(&shared.service.clients).remove(&id);
    let _ = events.send(ServiceEvent::Closed { id }).await;
    if !writer.is_finished() && answers.try_send(Outgoing::Finish).is_ok() {
        let _ = timeout(2 * shared.config.drain_timeout, writer).await;
    }
    // What has arrived may not be read yet, and closing would take it away: the client may close first.
    let _ = timeout(LAST_WORD, quic.closed()).await;
    quic.close(CloseCode::Done.into(), b"");
}

/// Passes a client's frames on until it ends, breaks the rules, or the endpoint goes away.
async fn listen(shared: &Shared, events: &mpsc::Sender<ServiceEvent>, id: u64, mut reader: FrameReader) {
    let mut pace = Pace::new(shared.config.service_frames_per_second);
    loop {
        let frame = tokio::select! {
            frame = reader.next() => frame,
            () = shared.going_down() => return,
        };
        let Ok(Some(bytes)) = frame else { return };
        sleep_until(pace.next(Instant::now())).await;
        if events.send(ServiceEvent::Frame { id, bytes, at: Instant::now() }).await.is_err() {
            return;
        }
    }
}

/// Lets a burst of two seconds' worth through, then one per interval. Spec TR-52.
struct Pace {
    interval: Duration,
    burst: Duration,
    /// When the bucket would be full again.
    full_at: Option<Instant>,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second, burst: Duration::from_secs(2), full_at: None }
    }

    /// When the frame that has come at `now` may pass.
    fn next(&mut self, now: Instant) -> Instant {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.interval;
        self.full_at = Some(full_at);
        full_at.checked_sub(self.burst).map_or(now, |at| at.max(now))
    }
}

fn exporter_of(quic: &quinn::Connection) -> Option<[u8; 32]> {
    let mut exporter = [0; 32];
    quic.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").ok()?;
    Some(exporter)
}

/// The asking end: one connection to one rendezvous service. Dropping it closes the connection.
pub struct Consultation {
    quic: quinn::Connection,
    server: PeerId,
    exporter: [u8; 32],
    questions: mpsc::Sender<Outgoing>,
    reader: FrameReader,
    writer: JoinHandle<()>,
    drain: Duration,
    shared: Weak<Shared>,
}

impl Consultation {
    pub(crate) async fn open(shared: &Arc<Shared>, server: SocketAddr) -> Result<Self, DialError> {
        let connecting = shared.connect(server, SERVICE_ALPN, None)?;
        let began = Instant::now();
        let result = timeout(shared.config.dial_timeout, connecting).await;
        shared.handshakes.ended(matches!(result, Ok(Ok(_))).then(|| began.elapsed()));
        let quic = match result {
            Ok(Ok(quic)) => quic,
            Ok(Err(error)) => return Err(DialError::of_connection(&error)),
            Err(_) => return Err(DialError::TimedOut),
        };
        let (send, recv) = quic.open_bi().await.map_err(|error| DialError::of_connection(&error))?;
        let (questions, frames) = mpsc::channel(ANSWERS);
        let drain = shared.config.drain_timeout;
        Ok(Self {
            server: peer_of(&quic).ok_or(DialError::Closed)?,
            exporter: exporter_of(&quic).ok_or(DialError::Closed)?,
            questions,
            reader: FrameReader::new(recv, ANSWER_BYTES),
            writer: tokio::spawn(write_frames(send, frames, shared.budget.clone(), drain)),
            drain,
            shared: Arc::downgrade(shared),
            quic,
        })
    }

    /// Unique to this connection, the same on both ends; what a registration is signed over.
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// Whose key the service has.
    pub fn server(&self) -> PeerId {
        self.server
    }

    /// Queues a message. Never waits.
    pub fn send(&self, bytes: Bytes) -> Result<(), SendError> {
        if let Some(shared) = self.shared.upgrade() {
            shared.ended.asked_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        self.questions.try_send(Outgoing::Frame(bytes)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    /// The service's next message; `None` when the connection is gone. Safe to cancel.
    pub async fn recv(&mut self) -> Option<Bytes> {
        let bytes = self.reader.next().await.ok().flatten()?;
        if let Some(shared) = self.shared.upgrade() {
            shared.ended.told_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Some(bytes)
    }

    /// Closes after what was sent has arrived, or a second.
    pub async fn finish(mut self) {
        if self.questions.send(Outgoing::Finish).await.is_ok() {
            let _ = timeout(self.drain, &mut self.writer).await;
        }
    }
}

impl Drop for Consultation {
    fn drop(&mut self) {
        self.writer.abort();
        self.quic.close(CloseCode::Done.into(), b"");
    }
}

impl std::fmt::Debug for Consultation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Consultation({})", self.quic.remote_address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_a_burst_and_then_a_pace() {
        let now = Instant::now();
        let mut pace = Pace::new(50);
        let passes: Vec<_> = (0..102).map(|_| pace.next(now) - now).collect();
        assert_eq!(passes[99], Duration::ZERO);
        assert_eq!(passes[100], Duration::from_millis(20));
        assert_eq!(passes[101], Duration::from_millis(40));
    }
}
