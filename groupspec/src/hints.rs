use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use stratus_core::{DecodeError, PeerId, Reader, Wire, Writer};

use crate::MOST_PEER_ADDRESSES;
use crate::error::Reason;

/// A member through which the group can be entered, and where it was last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BootstrapPeer {
    /// Who.
    pub peer: PeerId,
    /// Where, at most [`MOST_PEER_ADDRESSES`]; none: a server must know.
    pub addresses: Vec<SocketAddr>,
}

/// An address on which the group's streams and members can be found by IP multicast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpMulticastAddress {
    /// The multicast address and port.
    pub group: SocketAddr,
    /// The only sender to listen to (source-specific multicast), of the same family.
    pub source: Option<IpAddr>,
}

impl BootstrapPeer {
    pub(crate) fn check(&self) -> Result<(), Reason> {
        if self.addresses.len() > MOST_PEER_ADDRESSES {
            return Err(Reason::TooMany);
        }
        if self.addresses.iter().all(is_dialable) { Ok(()) } else { Err(Reason::Address) }
    }

    /// The id, then each address to the end of the field.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.peer.encode(&mut writer);
        self.addresses.iter().for_each(|address| address.encode(&mut writer));
        writer.finish().to_vec()
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Reason> {
        let mut reader = Reader::new(value.to_vec().into());
        let peer = PeerId::decode(&mut reader).map_err(|_| Reason::Length)?;
        let mut addresses = Vec::new();
        while reader.remaining() > 0 && addresses.len() <= MOST_PEER_ADDRESSES {
            addresses.push(SocketAddr::decode(&mut reader).map_err(|error| match error {
                DecodeError::Truncated => Reason::Length,
                _ => Reason::Address,
            })?);
        }
        let found = Self { peer, addresses };
        found.check().map(|()| found)
    }
}

impl IpMulticastAddress {
    pub(crate) fn check(&self) -> Result<(), Reason> {
        let is_group = self.group.ip().is_multicast() && self.group.port() != 0;
        let is_source = self.source.is_none_or(|source| {
            source.is_ipv4() == self.group.is_ipv4() && !source.is_multicast() && !source.is_unspecified()
        });
        if is_group && is_source && is_canonical(&self.group) { Ok(()) } else { Err(Reason::Address) }
    }

    /// RTMFP's form: the address, two bytes of port, the source address if any.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = ip_bytes(self.group.ip());
        bytes.extend(self.group.port().to_be_bytes());
        bytes.extend(self.source.map(ip_bytes).unwrap_or_default());
        bytes
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, Reason> {
        let width = match value.len() {
            6 | 10 => 4,
            18 | 34 => 16,
            _ => return Err(Reason::Length),
        };
        let (address, rest) = value.split_at(width);
        let (port, source) = rest.split_at(2);
        let group = SocketAddr::new(ip(address), u16::from_be_bytes([port[0], port[1]]));
        let found = Self { group, source: (!source.is_empty()).then(|| ip(source)) };
        found.check().map(|()| found)
    }
}

fn ip_bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Four or sixteen bytes as an address.
fn ip(bytes: &[u8]) -> IpAddr {
    match <[u8; 4]>::try_from(bytes) {
        Ok(bytes) => Ipv4Addr::from(bytes).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).expect("four or sixteen bytes")).into(),
    }
}

fn is_dialable(address: &SocketAddr) -> bool {
    let ip = address.ip();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && is_canonical(address)
}

/// Whether nothing would be lost by encoding: no IPv4 in IPv6 form, no scope, no flow.
fn is_canonical(address: &SocketAddr) -> bool {
    match address {
        SocketAddr::V4(_) => true,
        SocketAddr::V6(v6) => v6.ip().to_ipv4_mapped().is_none() && v6.scope_id() == 0 && v6.flowinfo() == 0,
    }
}

/// Whether `text` is `host:port`: a DNS name or IPv4 address, or an IPv6 address in brackets. Source: spec GS-7.
pub(crate) fn is_server(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().is_ok(),
        None => is_host_name(host),
    };
    is_port && is_host
}

fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}
