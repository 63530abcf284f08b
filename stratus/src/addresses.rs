//! Where this machine may be met, before anybody outside has said so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Addresses of documentation, to which nothing is ever sent: asking for the way to them tells our own address.
const FAR_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
const FAR_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9);

/// The candidates of a socket that listens on `listening`.
///
/// A socket bound to one address has that one. Bound to all, it has the address of the interface through which
/// each family leaves the machine; without any, loopback, so that a machine with no network still works.
pub(crate) fn local(listening: SocketAddr) -> Vec<SocketAddr> {
    if !listening.ip().is_unspecified() {
        return vec![listening];
    }
    let mut found = Vec::new();
    if listening.is_ipv6() {
        found.extend(outgoing(Ipv6Addr::UNSPECIFIED.into(), FAR_V6));
    }
    found.extend(outgoing(Ipv4Addr::UNSPECIFIED.into(), FAR_V4));
    if found.is_empty() {
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found.into_iter().map(|ip| SocketAddr::new(ip, listening.port())).collect()
}

/// The address from which packets to `far` would leave. Sends nothing.
fn outgoing(any: IpAddr, far: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(far).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_address_is_the_only_candidate() {
        let loopback: SocketAddr = "127.0.0.1:1935".parse().unwrap();
        assert_eq!(local(loopback), [loopback]);
    }

    #[test]
    fn a_socket_on_all_addresses_has_usable_candidates() {
        for any in ["0.0.0.0:1935", "[::]:1935"] {
            let found = local(any.parse().unwrap());
            assert!(!found.is_empty(), "{any}");
            assert!(
                found.iter().all(|found| !found.ip().is_unspecified() && found.port() == 1_935),
                "{found:?}"
            );
        }
    }
}
