//! What the group is compared with: one publisher that sends each message to each viewer over its own QUIC
//! connection as soon as it has it, in the cheapest of the ways that a reasonable author would think of
//! ([`Carrier`]). The library's defaults everywhere but in TLS, which uses raw public keys as ours does. No
//! relaying, no repair.

mod assembly;
mod datagrams;
mod manifest;
mod streams;
pub(super) mod tls;

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quinn::{Connection, Endpoint, VarInt};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bench::load::Load;
use crate::bench::stage::{Arrival, Log, Schedule, Source, Stage};
use crate::bench::tally::Tally;
use crate::stop::{Code, Failure, lower_first};
use manifest::Signer;
use tls::Tls;

/// How long after the last message the connections stay, for what is still on its way.
const LINGER: Duration = Duration::from_millis(500);

/// Half of the library's buffer for datagrams: the message before may still be in it.
const LARGEST_IN_DATAGRAMS: usize = 512 << 10;

/// Whether the star vouches for what it sends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Signing {
    /// It does not.
    None,
    /// Viewers hash and check everything. In datagrams a signed manifest follows each so many fragments, on
    /// average; on streams each message has a signature.
    Runs(f64),
}

/// How messages travel from the publisher to a viewer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Carrier {
    /// In datagrams of the group's fragment size, put together by the viewer.
    Datagrams,
    /// Each on a stream of its own, in packets as large as the library finds the path to be.
    Streams,
}

impl Carrier {
    /// What is worth trying: a message that fits a datagram costs more on a stream of its own, and of one that does
    /// not fit into the library's buffer for datagrams the beginning would be dropped.
    pub(crate) fn for_load(load: Load) -> &'static [Self] {
        match load.size {
            _ if load.is_one_fragment() => &[Self::Datagrams],
            ..=LARGEST_IN_DATAGRAMS => &[Self::Datagrams, Self::Streams],
            _ => &[Self::Streams],
        }
    }

    /// As it is reported.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Datagrams => "datagrams",
            Self::Streams => "streams",
        }
    }
}

/// Streams `load` to `viewers` viewers.
pub(crate) async fn run(
    load: Load,
    viewers: usize,
    schedule: Schedule,
    signing: Signing,
    carrier: Carrier,
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
        let (client, log) = (tls.client(), Log::new(stage.clone()));
        watching.spawn(async move {
            let (_endpoint, connection) = connect(address, client).await?;
            Ok(match carrier {
                Carrier::Datagrams => datagrams::view(&connection, log, checker).await,
                Carrier::Streams => streams::view(&connection, log, checker, load).await,
            })
        });
    }
    let connections = accept(&center, viewers).await?;
    let publishing = tokio::spawn(publish(connections, signer, carrier, Source::new(stage.clone())));
    let span = stage.observe(viewers, schedule, async || ()).await?;
    stage.end();
    publishing.await.map_err(failed)?;
    let logs: Result<Vec<Vec<Arrival>>, Failure> = watching.join_all().await.into_iter().collect();
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

/// Publishes until the stage is over, and closes a little later.
async fn publish(connections: Vec<Connection>, signer: Option<Signer>, carrier: Carrier, source: Source) {
    match carrier {
        Carrier::Datagrams => datagrams::publish(&connections, signer, source).await,
        Carrier::Streams => streams::publish(&connections, signer, source).await,
    }
    sleep(LINGER).await;
    for connection in &connections {
        connection.close(VarInt::from_u32(0), b"");
    }
}

/// One viewer's connection, on a socket of its own.
async fn connect(center: SocketAddr, config: quinn::ClientConfig) -> Result<(Endpoint, Connection), Failure> {
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).map_err(failed)?;
    let connecting = endpoint.connect_with(config, center, "star").map_err(failed)?;
    let connection = connecting.await.map_err(failed)?;
    Ok((endpoint, connection))
}

fn failed(why: impl Display) -> Failure {
    Failure::new(Code::Failed, "cannot set up the star").tried(lower_first(&why.to_string()))
}

#[cfg(test)]
mod tests;
