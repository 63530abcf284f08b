//! Seeking one peer at several addresses. Spec TR-46 to TR-48.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use stratus_core::PeerId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::Config;
use crate::error::DialError;
use crate::shared::Shared;
use crate::tls::PEER_ALPN;

/// Candidates of one peer in the order of trying, each once.
struct Candidates {
    waiting: VecDeque<SocketAddr>,
    seen: Vec<SocketAddr>,
    most: usize,
}

impl Candidates {
    fn new(most: usize) -> Self {
        Self { waiting: VecDeque::new(), seen: Vec::new(), most }
    }

    fn add(&mut self, addresses: Vec<SocketAddr>) {
        for address in addresses {
            if is_dialable(address) && !self.seen.contains(&address) && self.seen.len() < self.most {
                self.seen.push(address);
                self.waiting.push_back(address);
            }
        }
    }
}

/// Whether an address can belong to a peer at all: records are written by strangers. Spec TR-48.
pub(crate) fn is_dialable(address: SocketAddr) -> bool {
    let is_host = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast()),
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast()),
    };
    is_host && address.port() != 0
}

/// Tries the addresses one after another, a short pause apart, several at a time, until one answers as `peer`.
/// More addresses may come while it runs. Returns the most telling failure otherwise.
pub(crate) async fn race(
    shared: Arc<Shared>,
    peer: PeerId,
    addresses: Vec<SocketAddr>,
    mut more: mpsc::Receiver<Vec<SocketAddr>>,
) -> Result<quinn::Connection, DialError> {
    let Config { attempts_at_once, attempt_interval, dial_timeout, max_candidates, .. } = shared.config;
    let mut candidates = Candidates::new(max_candidates);
    candidates.add(addresses);
    let mut attempts = JoinSet::new();
    let mut worst = DialError::NoAddress;
    let end = Instant::now() + dial_timeout;
    let mut next_at = Instant::now();
    loop {
        if attempts.is_empty() && candidates.waiting.is_empty() {
            return Err(worst);
        }
        let may_start = !candidates.waiting.is_empty() && attempts.len() < attempts_at_once;
        tokio::select! {
            Some(result) = attempts.join_next(), if !attempts.is_empty() => {
                match result.unwrap_or(Err(DialError::Cancelled)) {
                    Ok(connection) => return Ok(connection),
                    Err(error) => worst = worst.max(error),
                }
                next_at = Instant::now();
            }
            () = sleep_until(next_at), if may_start => {
                let address = candidates.waiting.pop_front().expect("may_start says so");
                attempts.spawn(attempt(shared.clone(), peer, address));
                next_at = Instant::now() + attempt_interval;
            }
            Some(addresses) = more.recv() => candidates.add(addresses),
            () = sleep_until(end) => return Err(worst.max(DialError::TimedOut)),
        }
    }
}

async fn attempt(
    shared: Arc<Shared>,
    peer: PeerId,
    address: SocketAddr,
) -> Result<quinn::Connection, DialError> {
    let connecting = shared.connect(address, PEER_ALPN, Some(peer))?;
    let began = Instant::now();
    let result = timeout(shared.config.attempt_timeout, connecting).await;
    shared.handshakes.ended(matches!(result, Ok(Ok(_))).then(|| began.elapsed()));
    match result {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(DialError::of_connection(&error)),
        Err(_) => Err(DialError::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_peer_can_have_are_not_dialled() {
        for address in
            ["0.0.0.0:50", "255.255.255.255:50", "224.0.0.1:50", "[::]:50", "[ff02::1]:50", "10.0.0.3:0"]
        {
            assert!(!is_dialable(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1:50", "203.0.113.7:1935", "[2001:db8::7]:50"] {
            assert!(is_dialable(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn candidates_are_tried_once_and_only_so_many() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut candidates = Candidates::new(3);
        candidates.add(vec![address(7), address(7), address(50)]);
        candidates.add(vec![address(700), address(701)]);
        assert_eq!(candidates.waiting, [address(7), address(50), address(700)]);
    }
}
