use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use stratus_core::{PeerId, Priority, Wire, Writer};

use crate::bulk::BulkQueue;
use crate::connection::Connection;
use crate::error::SendError;
use crate::frame::Outgoing;
use crate::queue::Drops;

/// A message ready for any link of one group: the group's tag, then the message. Cloning shares the bytes, so
/// a message for many neighbors is encoded once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet(pub(crate) Bytes);

impl Packet {
    pub(crate) fn new(tag: u32, message: &[u8]) -> Self {
        let mut writer = Writer::with_capacity(4 + message.len());
        writer.u32(tag);
        writer.raw(message);
        Self(writer.finish())
    }

    pub(crate) fn encode(tag: u32, message: &impl Wire) -> Self {
        let mut writer = Writer::with_capacity(1_200);
        writer.u32(tag);
        message.encode(&mut writer);
        Self(writer.finish())
    }

    /// Bytes on the wire: tag and message.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 4
    }
}

/// The way to one proven neighbor in one group. Cloning shares it.
#[derive(Clone)]
pub struct Link {
    connection: Arc<Connection>,
    tag: u32,
    is_up: Arc<AtomicBool>,
}

/// What went over a link's connection, all its groups together, and what did not.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LinkCounters {
    /// UDP payload bytes sent.
    pub sent_bytes: u64,
    /// UDP payload bytes received.
    pub received_bytes: u64,
    /// UDP datagrams sent.
    pub sent_datagrams: u64,
    /// UDP datagrams received.
    pub received_datagrams: u64,
    /// System calls that sent them.
    pub send_calls: u64,
    /// Packets that the QUIC library holds for lost.
    pub lost_packets: u64,
    /// Bytes that may be in flight.
    pub window_bytes: u64,
    /// Bytes waiting in our queue.
    pub queued_bytes: u64,
    /// Datagrams never sent.
    pub drops: Drops,
}

impl Link {
    pub(crate) fn new(connection: Arc<Connection>, tag: u32, is_up: Arc<AtomicBool>) -> Self {
        Self { connection, tag, is_up }
    }

    /// The neighbor.
    pub fn peer(&self) -> PeerId {
        self.connection.peer
    }

    /// Queues a message for the ordered, reliable stream. Never waits. Spec TR-25.
    pub fn send_control(&self, packet: &Packet) -> Result<(), SendError> {
        self.check(packet);
        if !self.is_up.load(Ordering::Relaxed) {
            return Err(SendError::Closed);
        }
        if packet.len() > self.connection.control_frame_bytes {
            return Err(SendError::TooLong);
        }
        self.connection.control.try_send(Outgoing::Frame(packet.0.clone())).map_err(|error| match error {
            tokio::sync::mpsc::error::TrySendError::Full(_) => SendError::Full,
            tokio::sync::mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    /// Sends a datagram that is worth nothing after `expires`: at once if the path and the budget have room,
    /// else from a queue, the urgent first. Never waits. What is dropped is counted.
    ///
    /// Calls without an await between them leave as one train.
    pub fn send_live(&self, packet: &Packet, expires: Instant, priority: Priority) {
        self.check(packet);
        if self.is_up.load(Ordering::Relaxed) {
            self.connection.live.send(packet.0.clone(), expires, priority);
        }
    }

    /// Queues a message for the stream that yields to everything else, without copying its payload. Never waits.
    /// Spec TR-60.
    pub fn send_bulk(&self, head: &Packet, payload: Bytes) -> Result<(), SendError> {
        self.check(head);
        if !self.is_up.load(Ordering::Relaxed) {
            return Err(SendError::Closed);
        }
        BulkQueue::send(&self.connection, head.0.clone(), payload)
    }

    /// Leaves the group on this connection; `Down` follows.
    pub fn close(&self) {
        self.connection.wish_leave(self.tag);
    }

    /// The QUIC library's smoothed round trip.
    pub fn rtt(&self) -> Duration {
        self.connection.quic.rtt()
    }

    /// Where the neighbor's packets come from.
    pub fn remote_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// Where our packets come from, as the neighbor says.
    pub fn observed_address(&self) -> Option<SocketAddr> {
        self.connection.hello().map(|hello| hello.observed)
    }

    /// What went over the connection.
    pub fn counters(&self) -> LinkCounters {
        let stats = self.connection.quic.stats();
        LinkCounters {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            sent_datagrams: stats.udp_tx.datagrams,
            received_datagrams: stats.udp_rx.datagrams,
            send_calls: stats.udp_tx.ios,
            lost_packets: stats.path.lost_packets,
            window_bytes: stats.path.cwnd,
            queued_bytes: self.connection.live.queued_bytes() as u64,
            drops: self.connection.live.drops(),
        }
    }

    fn check(&self, packet: &Packet) {
        assert!(
            packet.0.starts_with(&self.tag.to_be_bytes()),
            "a packet of one group was given to a link of another"
        );
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({:?}, {})", self.connection.peer, self.connection.remote_address())
    }
}
