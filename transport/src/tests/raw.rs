//! A peer that follows only the rules its test wants it to.

use std::sync::Arc;

use quinn::ClientConfig;
use stratus_core::Wire;

use super::*;
use crate::connection::CloseCode;
use crate::frame::{FrameReader, Hello, Own};
use crate::proof::{Claim, EXPORTER_LABEL};
use crate::settings;
use crate::tls::{PEER_ALPN, Tls};

/// One QUIC connection with an open control stream, and nothing said on it.
pub(super) struct Raw {
    pub(super) quic: quinn::Connection,
    pub(super) send: quinn::SendStream,
    pub(super) reader: FrameReader,
    exporter: [u8; 32],
    me: PeerId,
    other: PeerId,
    _endpoint: quinn::Endpoint,
}

/// Connects with the key of `seed` and any ALPN.
pub(super) async fn connect(
    seed: u8,
    to: &Endpoint,
    alpn: &[u8],
    expected: Option<PeerId>,
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    let endpoint = quinn::Endpoint::client(loopback()).unwrap();
    let tls = Tls::new(&identity(seed));
    let mut client = ClientConfig::new(tls.client(alpn, expected));
    client.transport_config(Arc::new(settings::transport(&config(), &Arc::default())));
    let quic = endpoint.connect_with(client, to.local_addr(), "peer.invalid").unwrap().await?;
    Ok((endpoint, quic))
}

/// Listens with the key of `seed`, completes handshakes and says nothing.
pub(super) fn silent_listener(seed: u8) -> SocketAddr {
    let tls = Tls::new(&identity(seed));
    let transport = Arc::new(settings::transport(&config(), &Arc::default()));
    let endpoint = quinn::Endpoint::server(settings::server(&tls, false, transport), loopback()).unwrap();
    let address = endpoint.local_addr().unwrap();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Some(incoming) = endpoint.accept().await {
            silent.push(incoming.await);
        }
    });
    address
}

impl Raw {
    /// Connects as a peer would; says nothing yet.
    pub(super) async fn new(seed: u8, to: &Endpoint) -> Self {
        let (endpoint, quic) = connect(seed, to, PEER_ALPN, None).await.unwrap();
        let (send, recv) = quic.open_bi().await.unwrap();
        let mut exporter = [0; 32];
        quic.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").unwrap();
        let (me, other) = (identity(seed).peer(), to.peer());
        Self {
            quic,
            send,
            reader: FrameReader::new(recv, 64 << 10),
            exporter,
            me,
            other,
            _endpoint: endpoint,
        }
    }

    /// Connects and exchanges hellos.
    pub(super) async fn greeted(seed: u8, to: &Endpoint) -> Self {
        let mut raw = Self::new(seed, to).await;
        let hello = Hello { instance: u64::from(seed), stamp: 1, observed: to.local_addr() };
        raw.say(&Own::Hello(hello)).await;
        assert!(matches!(raw.hear().await, Some(Own::Hello(_))));
        raw
    }

    /// Connects, exchanges hellos and proves a group.
    pub(super) async fn proven(seed: u8, group: u8, to: &Endpoint) -> Self {
        let mut raw = Self::greeted(seed, to).await;
        let claim = raw.claim(group, 3);
        raw.say(&claim).await;
        loop {
            match raw.hear().await {
                // The other side may want the same.
                Some(Own::Claim { .. }) => {}
                Some(Own::Yes { id: 3, .. }) => return raw,
                other => panic!("{other:?} in answer to a claim"),
            }
        }
    }

    /// A good claim for this connection.
    pub(super) fn claim(&self, group: u8, id: u32) -> Own {
        let claim = Claim { exporter: &self.exporter, id, claimant: self.me, other: self.other };
        let membership = keys(group).membership;
        Own::Claim { id, blinded: claim.blinded(&membership), proof: claim.proof(&membership) }
    }

    pub(super) async fn say(&mut self, own: &Own) {
        self.say_frame(&own.to_frame()).await;
    }

    pub(super) async fn say_frame(&mut self, frame: &[u8]) {
        self.send.write_all(&(frame.len() as u32).to_be_bytes()).await.unwrap();
        self.send.write_all(frame).await.unwrap();
    }

    /// The other side's next own frame.
    pub(super) async fn hear(&mut self) -> Option<Own> {
        let frame = timeout(PATIENCE, self.reader.next()).await.expect("a frame in time").ok()??;
        Own::from_bytes(frame.slice(4..)).ok()
    }

    /// The code with which the other side closes.
    pub(super) async fn closed(&self) -> u64 {
        match timeout(PATIENCE, self.quic.closed()).await.expect("closed in time") {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("not closed by the application: {other}"),
        }
    }

    pub(super) async fn is_closed_with(&self, code: CloseCode) -> bool {
        self.closed().await == code as u64
    }
}
