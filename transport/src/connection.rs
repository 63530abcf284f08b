use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;

use bytes::{Buf, Bytes};
use quinn::VarInt;
use stratus_core::PeerId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::bulk::BulkQueue;
use crate::frame::{Hello, Outgoing};
use crate::group::{GroupState, LinkEvent};
use crate::intake::{Arrival, Meter, Place, Share};
use crate::live::Live;
use crate::proof::EXPORTER_LABEL;
use crate::shared::Shared;

/// Why a connection was closed, as the other side is told. Spec TR-18.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseCode {
    /// Nothing more to say.
    Done = 0,
    /// No group was proven in time.
    NoGroup = 1,
    /// Both sides dialled; the other connection stays. Never counts as a failure.
    Superseded = 2,
    /// The peer has opened a later connection.
    Replaced = 3,
    /// A frame that no honest peer sends.
    Violation = 4,
    /// The endpoint is going away.
    Shutdown = 5,
    /// No room for another connection.
    Busy = 6,
}

impl From<CloseCode> for VarInt {
    fn from(code: CloseCode) -> Self {
        Self::from_u32(code as u32)
    }
}

/// Most datagrams that are handed over together.
const TRAIN: usize = 64;
/// Datagrams kept for a group whose proof is under way: the answer and the first datagrams race. Spec TR-16.
const EARLY_DATAGRAMS: usize = 32;

/// One QUIC connection to one peer, shared by its task and its links.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) peer: PeerId,
    pub(crate) quic: quinn::Connection,
    /// Unique to this connection; what proofs are bound to.
    pub(crate) exporter: [u8; 32],
    pub(crate) control: mpsc::Sender<Outgoing>,
    pub(crate) control_frame_bytes: usize,
    pub(crate) live: Live,
    pub(crate) share: Share,
    /// Frames of control in ports.
    pub(crate) control_places: Arc<Semaphore>,
    /// Objects on their way out.
    pub(crate) bulk: BulkQueue,
    most_waiting: usize,
    /// What was seen when it was last asked whether it floods.
    pub(crate) meter: Mutex<Meter>,
    hello: OnceLock<Hello>,
    inbox: Mutex<Inbox>,
    wishes: Mutex<BTreeMap<u32, Wish>>,
    pub(crate) wake: Notify,
    /// True once its hello is answered, or never will be.
    pub(crate) settled: watch::Sender<bool>,
    /// True once every `Down` of this connection has been told.
    pub(crate) over: watch::Sender<bool>,
    /// Its place among the connections that are allowed at once; links may outlive it.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

/// What the owner of a group wants of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// Prove the group.
    Claim,
    /// End it.
    Leave,
    /// End it, then prove it anew.
    Renew,
}

/// Where a connection's datagrams go.
#[derive(Default)]
struct Inbox {
    attached: Vec<Attached>,
    claims: usize,
    early: VecDeque<Bytes>,
    unknown: u64,
}

/// One proven group on a connection.
#[derive(Clone)]
pub(crate) struct Attached {
    pub(crate) group: Arc<GroupState>,
    pub(crate) is_up: Arc<AtomicBool>,
}

impl Connection {
    /// `None` if there are as many as allowed, or TLS did not give what it must.
    pub(crate) fn new(
        shared: &Shared,
        quic: quinn::Connection,
        peer: PeerId,
    ) -> Option<(Arc<Self>, mpsc::Receiver<Outgoing>)> {
        let permit = shared.permits.clone().try_acquire_owned().ok()?;
        let mut exporter = [0; 32];
        quic.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").ok()?;
        let (control, frames) = mpsc::channel(shared.config.control_queue_frames);
        let connection = Self {
            id: shared.next_id(),
            peer,
            exporter,
            control,
            control_frame_bytes: shared.config.control_frame_bytes,
            live: Live::new(quic.clone(), shared.budget.clone(), shared.config.live_queue_bytes),
            quic,
            share: Share::default(),
            control_places: Arc::new(Semaphore::new(shared.config.inbound_control)),
            bulk: BulkQueue::new(&shared.config, shared.budget.clone()),
            most_waiting: shared.config.inbound_share,
            meter: Mutex::default(),
            hello: OnceLock::new(),
            inbox: Mutex::default(),
            wishes: Mutex::default(),
            wake: Notify::new(),
            settled: watch::Sender::new(false),
            over: watch::Sender::new(false),
            permit: Mutex::new(Some(permit)),
        };
        Some((Arc::new(connection), frames))
    }

    pub(crate) fn close(&self, code: CloseCode) {
        self.quic.close(code.into(), b"");
    }

    /// Tells everyone that this connection is over.
    pub(crate) fn bury(&self) {
        self.settled.send_replace(true);
        self.over.send_replace(true);
        lock(&self.permit).take();
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        let address = self.quic.remote_address();
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    /// What the other side said first, once it did.
    pub(crate) fn hello(&self) -> Option<Hello> {
        self.hello.get().copied()
    }

    pub(crate) fn set_hello(&self, hello: Hello) {
        let _ = self.hello.set(hello);
    }

    pub(crate) fn wish_claim(&self, tag: u32) {
        let mut wishes = lock(&self.wishes);
        let wish = match wishes.get(&tag) {
            Some(Wish::Leave | Wish::Renew) => Wish::Renew,
            _ => Wish::Claim,
        };
        wishes.insert(tag, wish);
        self.wake.notify_one();
    }

    /// From here on nothing more is sent for the group; what is queued still goes.
    pub(crate) fn wish_leave(&self, tag: u32) {
        if let Some(attached) = self.attached(tag) {
            attached.is_up.store(false, Ordering::Relaxed);
        }
        lock(&self.wishes).insert(tag, Wish::Leave);
        self.wake.notify_one();
    }

    pub(crate) fn take_wishes(&self) -> BTreeMap<u32, Wish> {
        std::mem::take(&mut *lock(&self.wishes))
    }

    pub(crate) fn attached(&self, tag: u32) -> Option<Attached> {
        self.inbox().attached.iter().find(|attached| attached.group.tag() == tag).cloned()
    }

    /// Whether the group is proven here and stays so.
    pub(crate) fn is_up(&self, tag: u32) -> bool {
        self.attached(tag).is_some_and(|attached| attached.is_up.load(Ordering::Relaxed))
    }

    /// Whether no other group is proven here.
    pub(crate) fn serves_only(&self, tag: u32) -> bool {
        self.inbox().attached.iter().all(|attached| attached.group.tag() == tag)
    }

    pub(crate) fn attached_tags(&self) -> Vec<u32> {
        self.inbox().attached.iter().map(|attached| attached.group.tag()).collect()
    }

    /// From here on datagrams of the group are delivered; those that came early first.
    pub(crate) fn attach(&self, attached: Attached) {
        let mut inbox = self.inbox();
        let tag = attached.group.tag();
        inbox.attached.push(attached);
        for datagram in std::mem::take(&mut inbox.early) {
            if datagram.starts_with(&tag.to_be_bytes()) {
                inbox.deliver_one(self, datagram);
            } else {
                inbox.early.push_back(datagram);
            }
        }
    }

    /// After this nothing of the group is delivered.
    pub(crate) fn detach(&self, tag: u32) -> Option<Attached> {
        let mut inbox = self.inbox();
        let position = inbox.attached.iter().position(|attached| attached.group.tag() == tag)?;
        let attached = inbox.attached.swap_remove(position);
        attached.is_up.store(false, Ordering::Relaxed);
        Some(attached)
    }

    /// How many of our claims await their answer; while any does, early datagrams are kept.
    pub(crate) fn set_claims(&self, count: usize) {
        let mut inbox = self.inbox();
        inbox.claims = count;
        if count == 0 {
            inbox.unknown += inbox.early.len() as u64;
            inbox.early.clear();
        }
    }

    /// Datagrams of groups that were not proven here.
    pub(crate) fn unknown_datagrams(&self) -> u64 {
        self.inbox().unknown
    }

    /// Hands each datagram to its group until the connection is lost.
    pub(crate) async fn read_datagrams(&self) {
        let mut train = Vec::new();
        while let Ok(datagram) = self.quic.read_datagram().await {
            train.push(datagram);
            while train.len() < TRAIN
                && let Some(datagram) = self.next_ready().await
            {
                train.push(datagram);
            }
            self.inbox().deliver(self, &mut train);
        }
    }

    /// Hands over a frame of bulk, in its turn before a `Down`. Waits while the owner's port is full. Spec TR-61.
    pub(crate) async fn deliver_bulk(&self, tag: u32, bytes: Bytes, place: Place) {
        let Some(attached) = self.attached(tag) else { return };
        let Ok(slot) = attached.group.events.reserve().await else { return };
        let inbox = self.inbox();
        // The group may have been left while this waited; nothing may follow its `Down`.
        if inbox.attached.iter().any(|still| Arc::ptr_eq(&still.is_up, &attached.is_up)) {
            let event = LinkEvent::Bulk { peer: self.peer, bytes };
            slot.send(Arrival { event, _place: Some(place) });
        }
    }

    /// The next datagram, if it is here already.
    async fn next_ready(&self) -> Option<Bytes> {
        let mut next = std::pin::pin!(self.quic.read_datagram());
        std::future::poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Ready(datagram) => Poll::Ready(datagram.ok()),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }
}

impl Inbox {
    /// Under the lock, so that nothing can follow a `Down`. Never waits: a full port loses datagrams. Spec TR-26.
    ///
    /// A train that arrived together goes in together, or its reader would be woken for each part of it.
    fn deliver(&mut self, connection: &Connection, train: &mut Vec<Bytes>) {
        let first = train.first().and_then(tag_of);
        let attached = self.attached.iter().find(|attached| Some(attached.group.tag()) == first);
        if let Some(attached) = attached
            && train.iter().all(|datagram| tag_of(datagram) == first)
            && let Some(places) = connection.share.take_many(train.len(), connection.most_waiting)
            && let Ok(slots) = attached.group.events.try_reserve_many(train.len())
        {
            connection.share.delivered.fetch_add(train.len() as u64, Ordering::Relaxed);
            for ((slot, place), datagram) in slots.zip(places).zip(train.drain(..)) {
                slot.send(arrival(connection.peer, datagram, place));
            }
            return;
        }
        train.drain(..).for_each(|datagram| self.deliver_one(connection, datagram));
    }

    fn deliver_one(&mut self, connection: &Connection, datagram: Bytes) {
        let tag = tag_of(&datagram);
        let attached = self.attached.iter().find(|attached| Some(attached.group.tag()) == tag);
        if let Some(attached) = attached {
            connection.share.delivered.fetch_add(1, Ordering::Relaxed);
            let place = connection.share.take(connection.most_waiting);
            let arrival = place.map(|place| arrival(connection.peer, datagram, place));
            let sent = arrival.map(|arrival| attached.group.events.try_send(arrival));
            if matches!(sent, None | Some(Err(TrySendError::Full(_)))) {
                attached.group.dropped.fetch_add(1, Ordering::Relaxed);
            }
        } else if self.claims > 0 && self.early.len() < EARLY_DATAGRAMS {
            self.early.push_back(datagram);
        } else {
            self.unknown += 1;
        }
    }
}

fn tag_of(datagram: &Bytes) -> Option<u32> {
    datagram.first_chunk::<4>().map(|tag| u32::from_be_bytes(*tag))
}

fn arrival(peer: PeerId, mut datagram: Bytes, place: Place) -> Arrival {
    datagram.advance(4);
    Arrival { event: LinkEvent::Datagram { peer, bytes: datagram }, _place: Some(place) }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
