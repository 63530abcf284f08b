//! Strangers at the door. Spec TR-8, TR-9.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use quinn::Incoming;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::Config;
use crate::connection::{CloseCode, lock};
use crate::handshakes::count;
use crate::shared::Shared;
use crate::tls::{PEER_ALPN, SERVICE_ALPN, alpn_of, peer_of};
use crate::{conversation, service};

/// A handshake that takes longer is an attack or a path that would serve no stream.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(6);

/// Counts handshakes under way, in all and by address.
#[derive(Default)]
struct Gate {
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One handshake's place; dropping it frees the place.
struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
}

/// What is done with a stranger's first packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Welcome {
    Enter,
    /// Show first that you receive at your address.
    Retry,
    /// Silence; an honest peer sends it again.
    Ignore,
}

fn welcome(config: &Config, all: usize, here: usize, is_validated: bool) -> Welcome {
    if all >= config.max_handshakes || here >= config.max_handshakes_per_address {
        Welcome::Ignore
    } else if all >= config.retry_above && !is_validated {
        Welcome::Retry
    } else {
        Welcome::Enter
    }
}

impl Gate {
    fn counts(&self, address: IpAddr) -> (usize, usize) {
        let by_address = lock(&self.by_address);
        (by_address.values().sum(), by_address.get(&address).copied().unwrap_or(0))
    }

    fn enter(self: &Arc<Self>, address: IpAddr) -> Place {
        *lock(&self.by_address).entry(address).or_default() += 1;
        Place { gate: self.clone(), address }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = lock(&self.gate.by_address);
        let count = by_address.get_mut(&self.address).expect("entered before");
        *count -= 1;
        if *count == 0 {
            by_address.remove(&self.address);
        }
    }
}

/// Lets strangers in until the endpoint goes away.
pub(crate) async fn accept_all(
    shared: Weak<Shared>,
    quic: quinn::Endpoint,
    mut shutdown: watch::Receiver<bool>,
) {
    let gate = Arc::new(Gate::default());
    loop {
        let incoming = tokio::select! {
            incoming = quic.accept() => incoming,
            _ = shutdown.wait_for(|is_down| *is_down) => None,
        };
        let (Some(incoming), Some(shared)) = (incoming, shared.upgrade()) else { return };
        let address = incoming.remote_address().ip().to_canonical();
        let (all, here) = gate.counts(address);
        match welcome(&shared.config, all, here, incoming.remote_address_validated()) {
            Welcome::Enter => {
                let place = gate.enter(address);
                tokio::spawn(shake_hands(shared, incoming, place));
            }
            // It fails only for an address that is validated already.
            Welcome::Retry => {
                count(&shared.handshakes.retried);
                drop(incoming.retry());
            }
            Welcome::Ignore => {
                count(&shared.handshakes.ignored);
                incoming.ignore();
            }
        }
    }
}

async fn shake_hands(shared: Arc<Shared>, incoming: Incoming, place: Place) {
    let Ok(connecting) = incoming.accept() else { return };
    let Ok(Ok(quic)) = timeout(HANDSHAKE_TIMEOUT, connecting).await else {
        return count(&shared.handshakes.failed);
    };
    count(&shared.handshakes.succeeded);
    drop(place);
    let (Some(peer), Some(alpn)) = (peer_of(&quic), alpn_of(&quic)) else {
        return quic.close(CloseCode::Violation.into(), b"");
    };
    match alpn.as_slice() {
        SERVICE_ALPN => service::host(shared, quic, peer).await,
        PEER_ALPN if peer != shared.me => conversation::receive(shared, quic, peer).await,
        _ => quic.close(CloseCode::Violation.into(), b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_first_has_to_show_its_address_and_then_to_wait() {
        let config =
            Config { max_handshakes: 7, retry_above: 3, max_handshakes_per_address: 5, ..Config::default() };
        assert_eq!(welcome(&config, 2, 0, false), Welcome::Enter);
        assert_eq!(welcome(&config, 3, 0, false), Welcome::Retry);
        assert_eq!(welcome(&config, 3, 0, true), Welcome::Enter);
        assert_eq!(welcome(&config, 5, 5, true), Welcome::Ignore);
        assert_eq!(welcome(&config, 7, 0, true), Welcome::Ignore);
    }

    #[test]
    fn a_place_is_free_again_once_left() {
        let (gate, address) = (Arc::new(Gate::default()), "10.0.0.3".parse().unwrap());
        let place = gate.enter(address);
        assert_eq!(gate.counts(address), (1, 1));
        drop(place);
        assert_eq!(gate.counts(address), (0, 0));
    }
}
