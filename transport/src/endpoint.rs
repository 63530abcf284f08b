use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};
use stratus_core::{Identity, PeerId};
use stratus_groupspec::GroupKeys;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;

use crate::accept;
use crate::budget::Budget;
use crate::config::Config;
use crate::connection::{CloseCode, lock};
use crate::error::{BindError, DialError, JoinError};
use crate::group::{GroupPort, GroupState};
use crate::handshakes::{HandshakeCounters, Handshakes};
use crate::meter::{MeteredSocket, sustained};
use crate::peers::Peers;
use crate::service::{Consultation, Service, ServiceEvent};
use crate::settings;
use crate::shared::{self, Ended, Shared};
use crate::tls::Tls;

/// What a link may assume that it can send when no budget is set: 100 Mbit/s.
const UNLIMITED: u64 = 12_500_000;

/// One UDP socket that dials and accepts peers, and speaks to rendezvous services or is one. Cloning shares it.
///
/// When the last clone and the last port are gone, it closes; [`Endpoint::close`] also waits for that.
#[derive(Clone, Debug)]
pub struct Endpoint {
    shared: Arc<Shared>,
    open: Arc<CloseOnDrop>,
}

/// Bytes of all connections of an endpoint, past and present, and what was thrown away.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EndpointCounters {
    /// UDP payload bytes sent on peer connections.
    pub sent_bytes: u64,
    /// UDP payload bytes received on peer connections.
    pub received_bytes: u64,
    /// UDP datagrams sent on peer connections; each costs 28 bytes of IPv4 and UDP headers more.
    pub sent_datagrams: u64,
    /// UDP datagrams received on peer connections.
    pub received_datagrams: u64,
    /// Peer connections that are open.
    pub connections: usize,
    /// Datagrams of groups that were not proven on their connection.
    pub unknown_datagrams: u64,
    /// Peers that are being dialled.
    pub dialing: usize,
    /// Packets on peer connections that the QUIC library holds for lost.
    pub lost_packets: u64,
    /// Bytes of messages sent to rendezvous services.
    pub asked_bytes: u64,
    /// Bytes of messages received from rendezvous services.
    pub told_bytes: u64,
    /// Clients of the rendezvous service.
    pub service_clients: usize,
}

/// The kernel's buffers of the one UDP socket, in bytes as the system counts them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Buffers {
    /// What was asked for, each direction.
    pub asked: u64,
    /// What may wait to be received.
    pub receive: u64,
    /// What may wait to be sent.
    pub send: u64,
}

/// What an endpoint is made of once its socket is open.
struct Bound {
    config: Config,
    me: PeerId,
    tls: Tls,
    transport: Arc<quinn::TransportConfig>,
    quic: quinn::Endpoint,
    socket: Weak<dyn AsyncUdpSocket>,
    buffers: Buffers,
}

/// Ends the tasks of an endpoint that nobody holds any more.
#[derive(Debug)]
pub(crate) struct CloseOnDrop {
    shutdown: watch::Sender<bool>,
    budget: Option<AbortHandle>,
    socket: Weak<dyn AsyncUdpSocket>,
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
        if let Some(task) = &self.budget {
            task.abort();
        }
    }
}

impl Endpoint {
    /// Opens the socket. Must be called inside a tokio runtime.
    pub fn bind(config: Config, identity: &Identity) -> Result<Self, BindError> {
        Self::bind_wrapped(config, identity, |socket| socket)
    }

    /// Opens the socket, with a path of the given quality in front of what it receives.
    #[cfg(any(test, feature = "testing"))]
    pub fn bind_over(
        config: Config,
        identity: &Identity,
        conditions: crate::testing::Conditions,
    ) -> Result<Self, BindError> {
        Self::bind_wrapped(config, identity, |socket| {
            Arc::new(crate::testing::LossySocket::new(socket, conditions))
        })
    }

    pub(crate) fn bind_wrapped(
        config: Config,
        identity: &Identity,
        wrap: impl FnOnce(Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket>,
    ) -> Result<Self, BindError> {
        config.validate().map_err(BindError::Config)?;
        let address = config.listen;
        let failed = |error| BindError::from_io(address, error);
        let (socket, buffers) = open_socket(&config).map_err(failed)?;
        let mut socket = wrap(TokioRuntime.wrap_udp_socket(socket).map_err(failed)?);
        if let Some(limit) = config.max_upload {
            socket = Arc::new(MeteredSocket::new(socket, limit));
        }
        let tls = Tls::new(identity);
        let rate = Arc::new(AtomicU64::new(config.max_upload.unwrap_or(UNLIMITED)));
        let transport = Arc::new(settings::transport(&config, &rate));
        let server = settings::server(&tls, false, transport.clone());
        let watched = Arc::downgrade(&socket);
        let quic = quinn::Endpoint::new_with_abstract_socket(
            settings::endpoint(&config),
            Some(server),
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(failed)?;
        Ok(Self::start(Bound { config, me: identity.peer(), tls, transport, quic, socket: watched, buffers }))
    }

    fn start(bound: Bound) -> Self {
        let Bound { config, me, tls, transport, quic, socket, buffers } = bound;
        let mut instance = [0; 8];
        getrandom::fill(&mut instance).expect("the system has random numbers");
        let budget = config.max_upload.map(|limit| Arc::new(Budget::new(sustained(limit), Instant::now())));
        let serving = budget.clone().map(|budget| tokio::spawn(async move { budget.serve().await }));
        let shutdown = watch::Sender::new(false);
        let shared = Arc::new(Shared {
            me,
            permits: Arc::new(Semaphore::new(config.max_connections)),
            stranger_permits: Arc::new(Semaphore::new(config.max_strangers)),
            service: Service::new(config.max_service_connections),
            config,
            quic: quic.clone(),
            tls,
            transport,
            budget,
            shutdown: shutdown.clone(),
            instance: u64::from_be_bytes(instance),
            peers: Mutex::new(Peers::default()),
            groups: Mutex::new(BTreeMap::new()),
            next_id: AtomicU64::new(0),
            ended: Ended::default(),
            handshakes: Handshakes::default(),
            buffers,
            expelled: Mutex::default(),
        });
        tokio::spawn(shared::watch(Arc::downgrade(&shared), shutdown.subscribe()));
        tokio::spawn(accept::accept_all(Arc::downgrade(&shared), quic, shutdown.subscribe()));
        let open = CloseOnDrop { shutdown, budget: serving.map(|task| task.abort_handle()), socket };
        Self { shared, open: Arc::new(open) }
    }

    /// Where the socket listens; an unspecified address if it was bound to one.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.quic.local_addr().unwrap_or(self.shared.config.listen)
    }

    /// Who this endpoint is.
    pub fn peer(&self) -> PeerId {
        self.shared.me
    }

    /// Enters a group: from here on its members can find each other on this endpoint's connections.
    pub fn join(&self, keys: GroupKeys) -> Result<GroupPort, JoinError> {
        if *self.shared.shutdown.borrow() {
            return Err(JoinError::Closed);
        }
        let mut groups = lock(&self.shared.groups);
        if groups.contains_key(&keys.tag) || keys.tag == 0 {
            return Err(JoinError::AlreadyJoined);
        }
        if groups.len() >= self.shared.config.max_groups {
            return Err(JoinError::TooManyGroups);
        }
        let (sender, events) = mpsc::channel(self.shared.config.inbound_events);
        let group = Arc::new(GroupState { keys, events: sender, dropped: AtomicU64::new(0) });
        groups.insert(group.tag(), group.clone());
        let (shared, open, arrivals) = (self.shared.clone(), self.open.clone(), Vec::new());
        Ok(GroupPort { shared, group, events, arrivals, _open: open })
    }

    /// Becomes a rendezvous service as well; its clients' events come out here. A second call replaces the first.
    pub fn serve(&self) -> mpsc::Receiver<ServiceEvent> {
        let events = self.shared.service.open();
        let server = settings::server(&self.shared.tls, true, self.shared.transport.clone());
        self.shared.quic.set_server_config(Some(server));
        events
    }

    /// Queues a message to a client of the service. A client that is dozens of messages behind is dropped.
    pub fn service_send(&self, id: u64, bytes: Bytes) {
        self.shared.service.send(id, bytes);
    }

    /// Closes a client's connection once what was sent has arrived.
    pub fn service_close(&self, id: u64) {
        self.shared.service.close(id);
    }

    /// Connects to a rendezvous service, over the same socket as the peers.
    pub async fn consult(&self, server: SocketAddr) -> Result<Consultation, DialError> {
        Consultation::open(&self.shared, server).await
    }

    /// What went over all peer connections.
    pub fn counters(&self) -> EndpointCounters {
        let ended = &self.shared.ended;
        let mut counters = EndpointCounters {
            sent_bytes: ended.sent_bytes.load(Ordering::Relaxed),
            received_bytes: ended.received_bytes.load(Ordering::Relaxed),
            sent_datagrams: ended.sent_datagrams.load(Ordering::Relaxed),
            received_datagrams: ended.received_datagrams.load(Ordering::Relaxed),
            connections: 0,
            unknown_datagrams: ended.unknown_datagrams.load(Ordering::Relaxed),
            dialing: 0,
            lost_packets: ended.lost_packets.load(Ordering::Relaxed),
            asked_bytes: ended.asked_bytes.load(Ordering::Relaxed),
            told_bytes: ended.told_bytes.load(Ordering::Relaxed),
            service_clients: self.shared.service.count(),
        };
        let peers = lock(&self.shared.peers);
        counters.dialing = peers.dial_count();
        for connection in peers.connections() {
            let stats = connection.quic.stats();
            counters.sent_bytes += stats.udp_tx.bytes;
            counters.received_bytes += stats.udp_rx.bytes;
            counters.sent_datagrams += stats.udp_tx.datagrams;
            counters.received_datagrams += stats.udp_rx.datagrams;
            counters.lost_packets += stats.path.lost_packets;
            counters.connections += 1;
            counters.unknown_datagrams += connection.unknown_datagrams();
        }
        counters
    }

    /// How handshakes went.
    pub fn handshakes(&self) -> HandshakeCounters {
        self.shared.handshakes.counters()
    }

    /// The kernel's buffers.
    pub fn buffers(&self) -> Buffers {
        self.shared.buffers
    }

    /// Waits until the socket is closed and its port free: soon after [`Self::close`], once every clone and every
    /// port is dropped. It holds none itself, so drop yours before waiting.
    pub fn released(&self) -> impl Future<Output = ()> + Send + use<> {
        let socket = self.open.socket.clone();
        async move {
            // The library's own tasks let go of it one after the other, within a few turns.
            while socket.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Leaves all groups, lets what is queued arrive, tells every peer, and waits for it, about 3 s at most.
    pub async fn close(&self) {
        self.shared.shutdown.send_replace(true);
        lock(&self.shared.peers).for_each(|slot| {
            slot.wanted.clear();
            slot.stop_dialing();
        });
        let patience = 2 * self.shared.config.drain_timeout;
        let all = self.shared.config.max_connections as u32;
        let clients = self.shared.config.max_service_connections;
        let gone = async {
            let _ = self.shared.permits.acquire_many(all).await;
            self.shared.service.emptied(clients).await;
        };
        let _ = tokio::time::timeout(patience, gone).await;
        self.shared.quic.close(CloseCode::Shutdown.into(), b"");
        let _ = tokio::time::timeout(Duration::from_secs(1), self.shared.quic.wait_idle()).await;
    }
}

/// The socket, with the buffers that the system grants.
fn open_socket(config: &Config) -> std::io::Result<(UdpSocket, Buffers)> {
    let socket = Socket::new(Domain::for_address(config.listen), Type::DGRAM, Some(Protocol::UDP))?;
    if config.listen.is_ipv6() {
        // Without it an IPv6 endpoint cannot dial IPv4 peers; some systems refuse.
        let _ = socket.set_only_v6(false);
    }
    let _ = socket.set_recv_buffer_size(config.socket_buffer_bytes);
    let _ = socket.set_send_buffer_size(config.socket_buffer_bytes);
    let granted = |size: std::io::Result<usize>| size.map_or(0, |size| size as u64);
    let buffers = Buffers {
        asked: config.socket_buffer_bytes as u64,
        receive: granted(socket.recv_buffer_size()),
        send: granted(socket.send_buffer_size()),
    };
    warn_of_small_buffers(buffers.receive);
    socket.set_nonblocking(true)?;
    socket.bind(&config.listen.into())?;
    Ok((socket.into(), buffers))
}

/// A burst of a few milliseconds must fit, or the kernel drops what the peers have paid for.
fn warn_of_small_buffers(granted: u64) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    if granted < 1 << 20 {
        ONCE.call_once(|| {
            tracing::warn!(granted, "the system grants small udp buffers; raise net.core.rmem_max to 4 MiB");
        });
    }
}
