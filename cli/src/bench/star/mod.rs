//! What the group is compared with: one publisher that sends each message to each viewer over its own QUIC
//! connection, as a datagram, as soon as it has it. The library's defaults everywhere but in TLS, which uses raw
//! public keys as ours does. No relaying, no repair, no trains.

mod manifest;
mod tls;

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use quinn::{Connection, Endpoint, VarInt};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bench::load::Load;
use crate::bench::stage::{Arrival, Log, Schedule, Source, Stage};
use crate::bench::tally::Tally;
use crate::stop::{Code, Failure, lower_first};
use manifest::{Checker, Signer};
use tls::Tls;

/// How long after the last message the connections stay, for what is still on its way.
const LINGER: Duration = Duration::from_millis(500);

/// First byte of a datagram with a message.
const FRAGMENT: u8 = 0;
/// First byte of a datagram with a manifest.
const MANIFEST: u8 = 1;

/// Whether the star vouches for what it sends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Signing {
    /// It does not.
    None,
    /// A signed manifest follows each so many messages, on average; viewers hash and check all.
    Runs(f64),
}

/// Streams `load` to `viewers` viewers.
pub(crate) async fn run(
    load: Load,
    viewers: usize,
    schedule: Schedule,
    signing: Signing,
) -> Result<Tally, Failure> {
    let stage = Stage::new(load);
    let tls = Tls::new();
    let signer = match signing {
        Signing::None => None,
        Signing::Runs(length) => Some(Signer::new(length)),
    };
    let center = Endpoint::server(tls.server(), (Ipv4Addr::LOCALHOST, 0).into()).map_err(failed)?;
    let address = center.local_addr().map_err(failed)?;
    let mut watching = JoinSet::new();
    for _ in 0..viewers {
        let checker = signer.as_ref().map(Signer::checker);
        watching.spawn(view(address, tls.client(), Log::new(stage.clone()), checker));
    }
    let publisher = Publisher { connections: accept(&center, viewers).await?, signer };
    let publishing = tokio::spawn(publisher.publish(Source::new(stage.clone())));
    let span = stage.observe(viewers, schedule, async || ()).await?;
    stage.end();
    publishing.await.map_err(failed)?;
    let logs: Result<_, Failure> = watching.join_all().await.into_iter().collect();
    Ok(Tally::of(&span, logs?))
}

/// The connections of all viewers.
async fn accept(center: &Endpoint, viewers: usize) -> Result<Vec<Connection>, Failure> {
    let mut connections = Vec::new();
    while connections.len() < viewers {
        let incoming = center.accept().await.ok_or_else(|| failed("the endpoint closed"))?;
        connections.push(incoming.await.map_err(failed)?);
    }
    Ok(connections)
}

struct Publisher {
    connections: Vec<Connection>,
    signer: Option<Signer>,
}

impl Publisher {
    async fn publish(mut self, mut source: Source) {
        while let Some((stamp, payload)) = source.next().await {
            self.send(&tagged(FRAGMENT, &payload));
            let signer = self.signer.as_mut();
            if let Some(manifest) = signer.and_then(|signer| signer.add(&payload, stamp.entered_at)) {
                self.send(&tagged(MANIFEST, &manifest));
            }
        }
        if let Some(manifest) = self.signer.as_mut().and_then(Signer::finish) {
            self.send(&tagged(MANIFEST, &manifest));
        }
        sleep(LINGER).await;
        for connection in &self.connections {
            connection.close(VarInt::from_u32(0), b"");
        }
    }

    fn send(&self, datagram: &Bytes) {
        for connection in &self.connections {
            // Whoever has gone misses what follows, which its log will show.
            let _ = connection.send_datagram(datagram.clone());
        }
    }
}

fn tagged(tag: u8, body: &[u8]) -> Bytes {
    let mut datagram = BytesMut::with_capacity(1 + body.len());
    datagram.put_u8(tag);
    datagram.put_slice(body);
    datagram.freeze()
}

/// One viewer, on a socket of its own, until the publisher closes.
async fn view(
    center: SocketAddr,
    config: quinn::ClientConfig,
    mut log: Log,
    mut checker: Option<Checker>,
) -> Result<Vec<Arrival>, Failure> {
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).map_err(failed)?;
    let connecting = endpoint.connect_with(config, center, "star").map_err(failed)?;
    let connection = connecting.await.map_err(failed)?;
    while let Ok(datagram) = connection.read_datagram().await {
        match (&mut checker, datagram.first()) {
            (None, Some(_)) => log.note(&datagram[1..]),
            (Some(checker), Some(&FRAGMENT)) => checker.hold(datagram.slice(1..)),
            (Some(checker), Some(&MANIFEST)) => {
                checker.release(&datagram.slice(1..)).iter().for_each(|payload| log.note(payload));
            }
            _ => {}
        }
    }
    Ok(log.finish())
}

fn failed(why: impl Display) -> Failure {
    Failure::new(Code::Failed, "cannot set up the star").tried(lower_first(&why.to_string()))
}

#[cfg(test)]
mod tests;
