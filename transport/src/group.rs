use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{PeerId, Wire};
use stratus_groupspec::GroupKeys;
use tokio::sync::mpsc;

use crate::endpoint::CloseOnDrop;
use crate::error::DialError;
use crate::intake::Arrival;
use crate::link::{Link, Packet};
use crate::shared::Shared;

/// What happens on the links of one group, in order for each peer.
#[derive(Debug)]
pub enum LinkEvent {
    /// Both ends have proven to be members.
    Up {
        /// The neighbor.
        peer: PeerId,
        /// The way to it.
        link: Link,
    },
    /// The link is gone, whoever ended it. Nothing of this peer follows before another `Up`.
    Down {
        /// Who was the neighbor.
        peer: PeerId,
    },
    /// A message on the ordered, reliable stream.
    Control {
        /// From whom.
        peer: PeerId,
        /// The message, without tag and length.
        bytes: Bytes,
    },
    /// A message that came in bulk: reliable, in order among its like.
    Bulk {
        /// From whom.
        peer: PeerId,
        /// The message, without tag and length.
        bytes: Bytes,
    },
    /// A datagram.
    Datagram {
        /// From whom.
        peer: PeerId,
        /// The message, without tag.
        bytes: Bytes,
    },
    /// The peer sent so much more than anyone could want that its connection was closed (spec TR-55): it should
    /// be kept out. `Down` follows.
    Flooded {
        /// Who.
        peer: PeerId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Who was wanted.
        peer: PeerId,
        /// Why.
        reason: DialError,
    },
}

/// A joined group, as connections see it.
#[derive(Debug)]
pub(crate) struct GroupState {
    pub(crate) keys: GroupKeys,
    pub(crate) events: mpsc::Sender<Arrival>,
    pub(crate) dropped: AtomicU64,
}

impl GroupState {
    pub(crate) fn tag(&self) -> u32 {
        self.keys.tag
    }

    /// Puts an event that must not be lost, from where nothing can wait.
    pub(crate) fn put(&self, event: LinkEvent) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event.into()) {
            let events = self.events.clone();
            tokio::spawn(async move { events.send(event).await });
        }
    }
}

/// An endpoint's end of one group. Dropping it leaves the group.
#[derive(Debug)]
pub struct GroupPort {
    pub(crate) shared: Arc<Shared>,
    pub(crate) group: Arc<GroupState>,
    pub(crate) events: mpsc::Receiver<Arrival>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) _open: Arc<CloseOnDrop>,
}

impl GroupPort {
    /// Waits for events and appends up to `limit` of them; 0 only when the endpoint is closed. Safe to cancel.
    pub async fn recv_many(&mut self, events: &mut Vec<LinkEvent>, limit: usize) -> usize {
        let count = self.events.recv_many(&mut self.arrivals, limit).await;
        events.extend(self.arrivals.drain(..).map(|arrival| arrival.event));
        count
    }

    /// Seeks a link to `peer`: over a connection that exists, or by trying `addresses`. Ends with `Up`, or with
    /// `DialFailed`; addresses told again while it runs are tried as well.
    pub fn dial(&self, peer: PeerId, addresses: Vec<SocketAddr>) {
        self.shared.dial(&self.group, peer, addresses);
    }

    /// Leaves the group with `peer`; `Down` follows if the link was up, `DialFailed` if it was being sought.
    /// Control messages queued before still arrive.
    pub fn disconnect(&self, peer: PeerId) {
        self.shared.disconnect(&self.group, peer);
    }

    /// Leaves the group with `peer` at once and for `duration`: what it sends is not read any more, its proofs are
    /// refused, and a connection that serves no other group is closed. Spec TR-56.
    pub fn expel(&self, peer: PeerId, duration: Duration) {
        self.shared.expel(&self.group, peer, duration);
    }

    /// A message for the links of this group, encoded once for all of them.
    pub fn packet(&self, message: &impl Wire) -> Packet {
        Packet::encode(self.group.tag(), message)
    }

    /// The same from bytes.
    pub fn packet_from(&self, message: &[u8]) -> Packet {
        Packet::new(self.group.tag(), message)
    }

    /// Datagrams dropped because this port was not read.
    pub fn dropped(&self) -> u64 {
        self.group.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for GroupPort {
    fn drop(&mut self) {
        self.shared.leave(&self.group);
    }
}
