use std::net::SocketAddr;

use stratus_core::PeerId;

use crate::error::{BuildError, Reason};
use crate::hints::{BootstrapPeer, IpMulticastAddress, is_server};
use crate::text::hex;
use crate::tlv::{field, types};
use crate::{MOST_PEER_ADDRESSES, MOST_TEXT_BYTES};

/// What to append to an existing groupspec so that it names a member to begin with. Source: spec GS-7.
pub fn append_bootstrap_peer(peer: PeerId, addresses: &[SocketAddr]) -> Result<String, BuildError> {
    bootstrap_peer(&BootstrapPeer { peer, addresses: addresses.to_vec() }).map(|bytes| hex(&bytes))
}

/// What to append to an existing groupspec so that it names a server, written as `host:port`.
pub fn append_server(server: &str) -> Result<String, BuildError> {
    server_hint(server).map(|bytes| hex(&bytes))
}

/// What to append to an existing groupspec so that the group is found by IP multicast.
pub fn append_ip_multicast_address(address: IpMulticastAddress) -> Result<String, BuildError> {
    ip_multicast_address(&address).map(|bytes| hex(&bytes))
}

/// What to append to an existing groupspec so that its holder may publish. Secret.
pub fn append_publish_authorization(seed: [u8; 32]) -> String {
    hex(&field(types::PUBLISH_AUTHORIZATION, &seed))
}

/// What to append to an existing groupspec so that its holder may post. Secret.
pub fn append_posting_authorization(seed: [u8; 32]) -> String {
    hex(&field(types::POSTING_AUTHORIZATION, &seed))
}

pub(crate) fn bootstrap_peer(peer: &BootstrapPeer) -> Result<Vec<u8>, BuildError> {
    peer.check().map_err(|reason| match reason {
        Reason::TooMany => BuildError::TooMany(MOST_PEER_ADDRESSES),
        _ => BuildError::Address,
    })?;
    Ok(field(types::BOOTSTRAP_PEER, &peer.encode()))
}

pub(crate) fn server_hint(server: &str) -> Result<Vec<u8>, BuildError> {
    if is_server(server) { Ok(field(types::SERVER, server.as_bytes())) } else { Err(BuildError::Server) }
}

pub(crate) fn ip_multicast_address(address: &IpMulticastAddress) -> Result<Vec<u8>, BuildError> {
    address.check().map_err(|_| BuildError::Address)?;
    Ok(field(types::IP_MULTICAST_ADDRESS, &address.encode()))
}

/// Refuses what would make the text of so many bytes too long.
pub(crate) fn check_length(byte_count: usize) -> Result<(), BuildError> {
    if crate::text::position(byte_count) > MOST_TEXT_BYTES { Err(BuildError::TooLong) } else { Ok(()) }
}
