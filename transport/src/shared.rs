use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use quinn::{ClientConfig, TransportConfig};
use stratus_core::PeerId;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::budget::Budget;
use crate::config::Config;
use crate::connection::{CloseCode, Connection, lock};
use crate::conversation;
use crate::dial;
use crate::endpoint::Buffers;
use crate::error::DialError;
use crate::frame::Hello;
use crate::group::{GroupState, LinkEvent};
use crate::handshakes::Handshakes;
use crate::intake::Expelled;
use crate::peers::{Dialing, Peers, Verdict, Want, judge};
use crate::service::Service;
use crate::tls::Tls;

/// How often connections are looked at for floods.
const WATCH_PERIOD: Duration = Duration::from_secs(1);

/// What all tasks of one endpoint share.
pub(crate) struct Shared {
    pub(crate) me: PeerId,
    pub(crate) config: Config,
    pub(crate) quic: quinn::Endpoint,
    pub(crate) tls: Tls,
    pub(crate) transport: Arc<TransportConfig>,
    pub(crate) budget: Option<Arc<Budget>>,
    pub(crate) permits: Arc<Semaphore>,
    /// Places for those who came and have proven nothing yet.
    pub(crate) stranger_permits: Arc<Semaphore>,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) service: Service,
    /// Random per bind: tells one life of a peer from the next.
    pub(crate) instance: u64,
    pub(crate) peers: Mutex<Peers>,
    pub(crate) groups: Mutex<BTreeMap<u32, Arc<GroupState>>>,
    pub(crate) next_id: AtomicU64,
    pub(crate) ended: Ended,
    pub(crate) handshakes: Handshakes,
    pub(crate) buffers: Buffers,
    pub(crate) expelled: Mutex<Expelled>,
}

/// What connections that are gone had counted.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) sent_datagrams: AtomicU64,
    pub(crate) received_datagrams: AtomicU64,
    pub(crate) unknown_datagrams: AtomicU64,
    pub(crate) lost_packets: AtomicU64,
    /// Bytes of messages to rendezvous services and from them.
    pub(crate) asked_bytes: AtomicU64,
    pub(crate) told_bytes: AtomicU64,
}

/// What becomes of a connection whose hello has come.
pub(crate) enum Considered {
    /// It is the pair's current connection.
    Accepted { replaced: Option<Arc<Connection>>, answer: Hello },
    /// Ask again when this one is settled.
    Held { until: Arc<Connection> },
    /// Another one is better.
    Superseded,
}

impl Shared {
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until the endpoint goes away.
    pub(crate) async fn going_down(&self) {
        // It fails when the sender is gone, which is the same.
        let _ = self.shutdown.subscribe().wait_for(|is_down| *is_down).await;
    }

    pub(crate) fn groups(&self) -> Vec<Arc<GroupState>> {
        lock(&self.groups).values().cloned().collect()
    }

    pub(crate) fn group(&self, tag: u32) -> Option<Arc<GroupState>> {
        lock(&self.groups).get(&tag).cloned()
    }

    /// Starts a handshake.
    pub(crate) fn connect(
        &self,
        address: SocketAddr,
        alpn: &[u8],
        expected: Option<PeerId>,
    ) -> Result<quinn::Connecting, DialError> {
        let mut config = ClientConfig::new(self.tls.client(alpn, expected));
        config.transport_config(self.transport.clone());
        // The name is never sent; the key is what counts.
        self.quic.connect_with(config, address, "peer.invalid").map_err(|error| DialError::of_connect(&error))
    }

    /// Seeks a link for `group`, over the connection that there is. Spec TR-40.
    pub(crate) fn dial(self: &Arc<Self>, group: &Arc<GroupState>, peer: PeerId, addresses: Vec<SocketAddr>) {
        if peer == self.me {
            return group.put(LinkEvent::DialFailed { peer, reason: DialError::Oneself });
        }
        let mut peers = lock(&self.peers);
        let dial_count = peers.dial_count();
        let slot = peers.slot(peer);
        if slot.current.as_ref().is_some_and(|current| current.is_up(group.tag())) {
            return;
        }
        slot.wanted.insert(group.tag(), Want { addresses: addresses.clone(), is_retried: false });
        if let Some(connection) = slot.current.as_ref().or(slot.greeting.as_ref()) {
            connection.wish_claim(group.tag());
        } else if let Some(dialing) = &slot.dialing {
            // A dial that is told of addresses faster than it reads can miss some.
            let _ = dialing.more.try_send(addresses);
        } else if dial_count < self.config.max_dials {
            slot.dialing = Some(self.start_dial(peer, addresses));
        } else {
            slot.wanted.remove(&group.tag());
            peers.tidy(&peer);
            group.put(LinkEvent::DialFailed { peer, reason: DialError::TooMany });
        }
    }

    fn start_dial(self: &Arc<Self>, peer: PeerId, addresses: Vec<SocketAddr>) -> Dialing {
        let (more, receiver) = mpsc::channel(4);
        let shared = self.clone();
        let task = tokio::spawn(async move {
            match dial::race(shared.clone(), peer, addresses, receiver).await {
                Ok(quic) => conversation::greet(shared, quic, peer).await,
                Err(error) => shared.dial_ended(peer, error),
            }
        });
        Dialing { task: task.abort_handle(), more }
    }

    /// No address answered.
    pub(crate) fn dial_ended(self: &Arc<Self>, peer: PeerId, error: DialError) {
        tracing::debug!(?peer, %error, "dial failed");
        if let Some(slot) = lock(&self.peers).get(&peer) {
            slot.dialing = None;
        }
        self.connection_ended(peer, false, error);
    }

    /// Makes `connection` the one whose hello is under way; `None` if there is a current one by now.
    ///
    /// The stamp is drawn under the same lock as the choice is made, so stamps tell the order of choices.
    pub(crate) fn begin_greeting(&self, connection: &Arc<Connection>) -> Option<Hello> {
        let mut peers = lock(&self.peers);
        let slot = peers.slot(connection.peer);
        slot.dialing = None;
        if slot.current.is_some() {
            return None;
        }
        for tag in slot.wanted.keys() {
            connection.wish_claim(*tag);
        }
        slot.greeting = Some(connection.clone());
        Some(self.hello(&mut peers, connection))
    }

    /// Decides about a connection whose hello has come. Spec TR-42.
    pub(crate) fn consider(&self, connection: &Arc<Connection>) -> Considered {
        let mut peers = lock(&self.peers);
        let slot = peers.slot(connection.peer);
        slot.held.retain(|id| *id != connection.id);
        let was_greeting = slot.greeting.take_if(|greeting| greeting.id == connection.id).is_some();
        let current = slot.current.as_ref().and_then(|current| current.hello());
        let hello = connection.hello().expect("set before a connection is considered");
        let is_decider = self.me < connection.peer;
        let considered = match judge(is_decider, current, slot.greeting.is_some(), hello) {
            Verdict::Accept => {
                let replaced = slot.install(connection);
                Considered::Accepted { replaced, answer: self.hello(&mut peers, connection) }
            }
            Verdict::Hold => {
                slot.held.push(connection.id);
                Considered::Held { until: slot.greeting.clone().expect("held only for a greeting") }
            }
            Verdict::Supersede => Considered::Superseded,
        };
        if was_greeting {
            connection.settled.send_replace(true);
        }
        considered
    }

    fn hello(&self, peers: &mut Peers, connection: &Connection) -> Hello {
        Hello { instance: self.instance, stamp: peers.next_stamp(), observed: connection.remote_address() }
    }

    /// A group is proven: nothing is wanted for it any more.
    pub(crate) fn attached(&self, group: &GroupState, peer: PeerId) {
        if let Some(slot) = lock(&self.peers).get(&peer) {
            slot.wanted.remove(&group.tag());
        }
    }

    /// The peer said no, or answered badly.
    pub(crate) fn claim_failed(&self, group: &GroupState, peer: PeerId) {
        let was_wanted = lock(&self.peers).get(&peer).and_then(|slot| slot.wanted.remove(&group.tag()));
        if was_wanted.is_some() {
            group.put(LinkEvent::DialFailed { peer, reason: DialError::NotMember });
        }
    }

    pub(crate) fn disconnect(&self, group: &GroupState, peer: PeerId) {
        let mut peers = lock(&self.peers);
        if peers.get(&peer).is_some_and(|slot| slot.unwant(group.tag())) {
            group.put(LinkEvent::DialFailed { peer, reason: DialError::Cancelled });
        }
        peers.tidy(&peer);
    }

    /// Nothing more is wanted of `peer` in this group, and nothing more is read of it. Spec TR-56.
    pub(crate) fn expel(&self, group: &GroupState, peer: PeerId, duration: Duration) {
        let most = self.config.max_expelled;
        lock(&self.expelled).add(group.tag(), peer, duration, Instant::now(), most);
        let mut peers = lock(&self.peers);
        if let Some(slot) = peers.get(&peer) {
            slot.unwant(group.tag());
            if let Some(current) = slot.current.as_ref().filter(|current| current.serves_only(group.tag())) {
                current.close(CloseCode::Violation);
            }
        }
        peers.tidy(&peer);
    }

    pub(crate) fn is_expelled(&self, group: &GroupState, peer: PeerId) -> bool {
        lock(&self.expelled).has(group.tag(), peer, Instant::now())
    }

    /// Whether there are groups here and `peer` is kept out of each.
    pub(crate) fn is_expelled_everywhere(&self, peer: PeerId) -> bool {
        let groups = self.groups();
        !groups.is_empty() && groups.iter().all(|group| self.is_expelled(group, peer))
    }

    /// Closes connections that flood, and tells the owners of their groups. Spec TR-55.
    fn end_floods(&self) {
        let connections: Vec<Arc<Connection>> = lock(&self.peers).connections().cloned().collect();
        for connection in connections {
            let delivered = connection.share.delivered.load(Ordering::Relaxed);
            let bulk = connection.share.bulk.load(Ordering::Relaxed);
            let datagrams = (delivered, bulk, connection.unknown_datagrams());
            let most = self.config.max_inbound_datagrams;
            if lock(&connection.meter).is_flooded(&connection.quic.stats(), datagrams, most) {
                let tags = connection.attached_tags();
                for group in tags.into_iter().filter_map(|tag| self.group(tag)) {
                    group.put(LinkEvent::Flooded { peer: connection.peer });
                }
                connection.close(CloseCode::Violation);
            }
        }
    }

    /// The owner of the group is gone.
    pub(crate) fn leave(&self, group: &GroupState) {
        lock(&self.groups).remove(&group.tag());
        lock(&self.peers).for_each(|slot| {
            slot.unwant(group.tag());
        });
    }

    /// Takes `connection` out of use if nobody wants its peer; true if so.
    pub(crate) fn release_if_unwanted(&self, connection: &Connection) -> bool {
        let mut peers = lock(&self.peers);
        let Some(slot) = peers.get(&connection.peer) else { return true };
        let is_unwanted = slot.wanted.is_empty();
        if is_unwanted {
            slot.release(connection);
        }
        is_unwanted
    }

    pub(crate) fn release(&self, connection: &Connection) {
        if let Some(slot) = lock(&self.peers).get(&connection.peer) {
            slot.release(connection);
        }
    }

    /// Groups that still want the peer get another dial, once, if the connection was good; else they are told.
    /// Spec TR-47.
    pub(crate) fn connection_ended(self: &Arc<Self>, peer: PeerId, may_retry: bool, reason: DialError) {
        let mut peers = lock(&self.peers);
        let is_down = *self.shutdown.borrow();
        let Some(slot) = peers.get(&peer).filter(|slot| !slot.is_busy()) else { return };
        let mut addresses = Vec::new();
        for (tag, mut want) in std::mem::take(&mut slot.wanted) {
            if may_retry && !want.is_retried && !want.addresses.is_empty() && !is_down {
                addresses.extend(&want.addresses);
                want.is_retried = true;
                slot.wanted.insert(tag, want);
            } else if let Some(group) = self.group(tag) {
                group.put(LinkEvent::DialFailed { peer, reason });
            }
        }
        if !addresses.is_empty() {
            slot.dialing = Some(self.start_dial(peer, addresses));
        }
        peers.tidy(&peer);
    }

    /// Keeps the figures of a connection that ends.
    pub(crate) fn count_ended(&self, connection: &Connection) {
        let stats = connection.quic.stats();
        self.ended.sent_bytes.fetch_add(stats.udp_tx.bytes, Ordering::Relaxed);
        self.ended.received_bytes.fetch_add(stats.udp_rx.bytes, Ordering::Relaxed);
        self.ended.sent_datagrams.fetch_add(stats.udp_tx.datagrams, Ordering::Relaxed);
        self.ended.received_datagrams.fetch_add(stats.udp_rx.datagrams, Ordering::Relaxed);
        self.ended.lost_packets.fetch_add(stats.path.lost_packets, Ordering::Relaxed);
        self.ended.unknown_datagrams.fetch_add(connection.unknown_datagrams(), Ordering::Relaxed);
    }
}

/// Looks each second for connections that flood, until the endpoint goes away.
pub(crate) async fn watch(shared: Weak<Shared>, mut shutdown: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|is_down| *is_down) => return,
            () = tokio::time::sleep(WATCH_PERIOD) => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        shared.end_floods();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({:?})", self.me)
    }
}
