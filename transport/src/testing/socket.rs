use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use stratus_core::Rng;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Conditions;
use crate::connection::lock;

/// Datagrams on their way at once; beyond it the path drops, as a router does.
const MOST_WAITING: usize = 20_000;

/// A socket whose incoming datagrams are lost and delayed as told.
///
/// With segmentation offload the kernel hands several datagrams over as one; each has a fate of its own.
pub(crate) struct LossySocket {
    inner: Arc<dyn AsyncUdpSocket>,
    path: Mutex<Path>,
}

struct Path {
    conditions: Conditions,
    rng: Rng,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Whom something was sent to.
    called: BTreeSet<SocketAddr>,
    arrived: u64,
    alarm: Pin<Box<Sleep>>,
}

/// One datagram under way, ordered by when it is due, then by when it came.
struct Waiting {
    due: Instant,
    number: u64,
    meta: RecvMeta,
    bytes: Vec<u8>,
}

impl LossySocket {
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>, conditions: Conditions) -> Self {
        let path = Path {
            conditions,
            rng: Rng::from_seed(conditions.seed),
            waiting: BinaryHeap::new(),
            called: BTreeSet::new(),
            arrived: 0,
            alarm: Box::pin(sleep_until(Instant::now())),
        };
        Self { inner, path: Mutex::new(path) }
    }
}

impl Path {
    /// Decides about each datagram in what the kernel handed over.
    fn take_in(&mut self, bytes: &[u8], meta: &RecvMeta, now: Instant) {
        if self.conditions.is_walled && !self.called.contains(&meta.addr) {
            return;
        }
        for datagram in bytes[..meta.len].chunks(meta.stride.max(1)) {
            let is_lost = self.rng.chance(u64::from(self.conditions.loss_per_mille), 1_000);
            let extra = self.rng.between(Duration::ZERO, self.conditions.jitter);
            if is_lost || self.waiting.len() >= MOST_WAITING {
                continue;
            }
            self.arrived += 1;
            self.waiting.push(Reverse(Waiting {
                due: now + self.conditions.delay + extra,
                number: self.arrived,
                meta: RecvMeta { len: datagram.len(), stride: datagram.len(), ..*meta },
                bytes: datagram.to_vec(),
            }));
        }
    }

    /// Hands over what is due, one datagram per buffer; says how many.
    fn give_out(&mut self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta], now: Instant) -> usize {
        let mut count = 0;
        while count < bufs.len().min(meta.len())
            && self.waiting.peek().is_some_and(|Reverse(first)| first.due <= now)
        {
            let Reverse(first) = self.waiting.pop().expect("just peeked");
            bufs[count][..first.bytes.len()].copy_from_slice(&first.bytes);
            meta[count] = first.meta;
            count += 1;
        }
        count
    }
}

impl AsyncUdpSocket for LossySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut path = lock(&self.path);
        if path.conditions.is_walled {
            path.called.insert(transmit.destination);
        }
        drop(path);
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut path = lock(&self.path);
        loop {
            while let Poll::Ready(count) = self.inner.poll_recv(cx, bufs, meta) {
                let now = Instant::now();
                for (bytes, meta) in bufs.iter().zip(meta.iter()).take(count?) {
                    path.take_in(bytes, meta, now);
                }
            }
            let count = path.give_out(bufs, meta, Instant::now());
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            let Some(due) = path.waiting.peek().map(|Reverse(first)| first.due) else {
                return Poll::Pending;
            };
            path.alarm.as_mut().reset(due);
            ready!(path.alarm.as_mut().poll(cx));
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl fmt::Debug for LossySocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LossySocket({:?})", lock(&self.path).conditions)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}
