use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use stratus_core::Identity;

use crate::Limits;

/// Where a server listens and what it puts up with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where the UDP socket listens. Port 0 lets the system choose. Default: port 1935 of every IPv4 address.
    pub listen: SocketAddr,
    /// The server's key. Clients name a server by its address and accept any key, so `None` (default), which
    /// makes a fresh one at each start, loses nothing.
    pub identity: Option<Identity>,
    /// What it hands out and what it refuses.
    pub limits: Limits,
    /// How long stopping may take: goodbyes that have not arrived by then never do. Default 1.5 s.
    pub stop_timeout: Duration,
    /// How often it says in its log what it holds, if that has changed. Default 60 s.
    pub report_every: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, 1_935).into(),
            identity: None,
            limits: Limits::default(),
            stop_timeout: Duration::from_millis(1_500),
            report_every: Duration::from_secs(60),
        }
    }
}

impl ServerConfig {
    /// The defaults, listening on `listen`.
    pub fn listen_on(listen: SocketAddr) -> Self {
        Self { listen, ..Self::default() }
    }
}
