//! A member that comes in as it should and then sends any frames of QUIC, which the library alone would never send.

mod crypto;
mod frames;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use quinn::ClientConfig;
use stratus_core::{Identity, PeerId, Wire};
use stratus_groupspec::GroupKeys;
use tokio::time::timeout;

use crate::config::Config;
use crate::frame::{FrameReader, Hello, Own};
use crate::proof::{Claim, EXPORTER_LABEL};
use crate::settings;
use crate::tls::{PEER_ALPN, Tls, peer_of};
use crypto::{MARK, Rude};

pub use frames::RawFrames;

/// Most bytes of frames in one packet: the largest datagram less mark and head.
const PACKET_BYTES: usize = settings::MAX_DATAGRAM - MARK.len() - 3;
/// Fewer are padded, so that a datagram's length takes two bytes.
const LEAST_BYTES: usize = 64;

/// A proven member without any of the machinery that honest ones have.
pub struct RudeMember {
    quic: quinn::Connection,
    send: quinn::SendStream,
    reader: FrameReader,
    _endpoint: quinn::Endpoint,
    me: PeerId,
    tag: u32,
}

impl RudeMember {
    /// Dials, says hello and proves the group; `None` if the other side turned it away.
    pub async fn enter(identity: &Identity, keys: &GroupKeys, to: SocketAddr) -> Option<Self> {
        let endpoint = quinn::Endpoint::client(SocketAddr::new(to.ip(), 0)).ok()?;
        let tls = Tls::new(identity).client(PEER_ALPN, None);
        let mut client = ClientConfig::new(Arc::new(Rude(tls)));
        // Twice the 100 Mbit/s that floods are made of.
        let rate = Arc::new(AtomicU64::new(25_000_000));
        client.transport_config(Arc::new(settings::transport(&Config::default(), &rate)));
        let quic = endpoint.connect_with(client, to, "peer.invalid").ok()?.await.ok()?;
        let (send, recv) = quic.open_bi().await.ok()?;
        let reader = FrameReader::new(recv, 64 << 10);
        let me = identity.peer();
        let mut member = Self { quic, send, reader, _endpoint: endpoint, me, tag: keys.tag };
        let instance = u64::from_be_bytes(*me.as_bytes().first_chunk()?);
        member.say(&Own::Hello(Hello { instance, stamp: 1, observed: to })).await?;
        let Own::Hello(_) = member.hear().await? else { return None };
        member.prove(keys).await?;
        Some(member)
    }

    async fn prove(&mut self, keys: &GroupKeys) -> Option<()> {
        let mut exporter = [0; 32];
        self.quic.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").ok()?;
        let claim = Claim { exporter: &exporter, id: 1, claimant: self.me, other: peer_of(&self.quic)? };
        let (blinded, proof) = (claim.blinded(&keys.membership), claim.proof(&keys.membership));
        self.say(&Own::Claim { id: 1, blinded, proof }).await?;
        loop {
            match self.hear().await? {
                Own::Yes { id: 1, .. } => return Some(()),
                Own::No { .. } => return None,
                // The other side may want the same.
                _ => {}
            }
        }
    }

    async fn say(&mut self, own: &Own) -> Option<()> {
        let frame = own.to_frame();
        self.send.write_all(&(frame.len() as u32).to_be_bytes()).await.ok()?;
        self.send.write_all(&frame).await.ok()
    }

    async fn hear(&mut self) -> Option<Own> {
        let frame = timeout(Duration::from_secs(8), self.reader.next()).await.ok()?.ok()??;
        Own::from_bytes(frame.slice(4..)).ok()
    }

    /// Who it is.
    pub fn peer(&self) -> PeerId {
        self.me
    }

    /// Sends these frames in one packet, when its turn comes; false once the connection is over.
    pub async fn send_frames(&self, frames: &RawFrames) -> bool {
        let mut datagram = [&MARK[..], frames.as_bytes()].concat();
        datagram.resize(datagram.len().max(LEAST_BYTES), 0);
        self.quic.send_datagram_wait(datagram.into()).await.is_ok()
    }

    /// Sends a datagram of the group.
    pub async fn send_datagram(&self, message: &[u8]) -> bool {
        let datagram: Bytes = [&self.tag.to_be_bytes()[..], message].concat().into();
        self.quic.send_datagram_wait(datagram).await.is_ok()
    }

    /// Why the other side ended it, if it did.
    pub fn ended(&self) -> Option<String> {
        self.quic.close_reason().map(|reason| reason.to_string())
    }

    /// Waits for the other side to end it.
    pub async fn end(&self) -> String {
        self.quic.closed().await.to_string()
    }
}
