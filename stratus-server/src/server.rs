use std::net::SocketAddr;
use std::time::Duration;

use stratus_core::{Identity, PeerId, Rng};
use stratus_overlay::rendezvous::{Registry, Stats};
use stratus_transport::{BindError, Buffers, Config, Endpoint, EndpointCounters, HandshakeCounters};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ServerConfig;
use crate::desk::{Desk, Figures};

/// Why a server did not start. Nothing is left open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A limit makes no sense.
    #[error("limits: {0}")]
    Limits(&'static str),
    /// The system gives no random bytes for keys.
    #[error("no randomness from the system: {0}")]
    Entropy(String),
}

/// A running rendezvous server.
///
/// Dropping it stops it as well, but nobody waits until its clients have been told.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    peer_id: PeerId,
    stats: watch::Receiver<Stats>,
    asks: mpsc::Sender<oneshot::Sender<Figures>>,
    stop: oneshot::Sender<()>,
    desk: JoinHandle<()>,
    endpoint: Endpoint,
    stop_timeout: Duration,
}

impl Server {
    /// Opens the socket and begins to serve. Must be called within a tokio runtime.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        config.limits.validate().map_err(StartError::Limits)?;
        let identity = match &config.identity {
            Some(identity) => identity.clone(),
            None => Identity::from_seed(entropy()?),
        };
        let peer_id = identity.peer();
        let endpoint = Endpoint::bind(transport_config(&config), &identity)?;
        let local_addr = endpoint.local_addr();
        let (stats_sender, stats) = watch::channel(Stats::default());
        let (stop, stopped) = oneshot::channel();
        // A few probes and scrapes; more than these wait.
        let (asks, asked) = mpsc::channel(16);
        let desk = Desk::new(
            endpoint.clone(),
            Registry::new(config.limits),
            Rng::from_entropy(entropy()?),
            stats_sender,
            asked,
            config.report_every,
        );
        let desk = tokio::spawn(desk.run(stopped));
        tracing::info!(listen = %local_addr, peer = %peer_id, "serving");
        Ok(Self { local_addr, peer_id, stats, asks, stop, desk, endpoint, stop_timeout: config.stop_timeout })
    }

    /// Where it listens; the port is the real one if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The hash of the key it shows to its clients.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// What it holds and what it has done.
    pub fn stats(&self) -> Stats {
        *self.stats.borrow()
    }

    /// Answers for the server's health from elsewhere, for as long as it runs.
    pub fn watch(&self) -> Watch {
        Watch { asks: self.asks.clone(), endpoint: self.endpoint.clone() }
    }

    /// Waits until the server ends by itself, which it does only if its socket does.
    pub async fn ended(&mut self) {
        // Pending for as long as the desk holds the other end.
        while self.stats.changed().await.is_ok() {}
    }

    /// Takes nobody new, says goodbye to everybody, waits until that has arrived or the time for stopping is
    /// over, and closes the socket: its port is free afterwards.
    pub async fn shutdown(self) {
        let Self { stop, desk, endpoint, stop_timeout, local_addr, .. } = self;
        // The desk may have ended already; then there is nobody to tell.
        let _ = stop.send(());
        let abort = desk.abort_handle();
        let stopping = async {
            let _ = desk.await;
            endpoint.close().await;
            let released = endpoint.released();
            drop(endpoint);
            released.await;
        };
        match timeout(stop_timeout, stopping).await {
            Ok(()) => tracing::info!(listen = %local_addr, "stopped"),
            Err(_) => tracing::warn!(listen = %local_addr, "stopped without waiting for the last clients"),
        }
        abort.abort();
    }
}

/// Looks at a running server. It keeps the socket open, so drop it before [`Server::shutdown`].
#[derive(Clone, Debug)]
pub struct Watch {
    asks: mpsc::Sender<oneshot::Sender<Figures>>,
    endpoint: Endpoint,
}

impl Watch {
    /// What the server holds and has done, from its own loop; `None` if that has ended.
    pub async fn figures(&self) -> Option<Figures> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(reply).await.ok()?;
        answer.await.ok()
    }

    /// What went over the socket.
    pub fn counters(&self) -> EndpointCounters {
        self.endpoint.counters()
    }

    /// How handshakes went.
    pub fn handshakes(&self) -> HandshakeCounters {
        self.endpoint.handshakes()
    }

    /// The kernel's buffers.
    pub fn buffers(&self) -> Buffers {
        self.endpoint.buffers()
    }

    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.endpoint.local_addr()
    }
}

fn entropy() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::Entropy(error.to_string()))?;
    Ok(bytes)
}

/// Connections that the transport takes beyond the registry's limit, so that the registry can say why not.
const SPARE_CONNECTIONS: usize = 64;

fn transport_config(config: &ServerConfig) -> Config {
    Config {
        max_service_connections: config.limits.connections + SPARE_CONNECTIONS,
        // A goodbye has its time, and closing the socket has as much.
        drain_timeout: config.stop_timeout / 2,
        ..Config::listen_on(config.listen)
    }
}
