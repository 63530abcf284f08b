use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Endpoint, VarInt};
use tokio::task::JoinSet;

use super::Plan;
use crate::bench::machine;
use crate::bench::star::tls::Tls;
use crate::stop::{Code, Failure, lower_first};

/// Written at a time; the same as an object.
const PIECE: usize = 64 << 10;

/// The processor time in which one center sends everything to everybody, on a stream each.
pub(super) async fn run(plan: Plan) -> Result<Duration, Failure> {
    let tls = Tls::new();
    let center = Endpoint::server(tls.server(), (Ipv4Addr::LOCALHOST, 0).into()).map_err(failed)?;
    let address = center.local_addr().map_err(failed)?;
    let mut receiving = JoinSet::new();
    for _ in 1..plan.nodes {
        let client = tls.client();
        receiving.spawn(receive(address, client));
    }
    let mut connections = Vec::new();
    while connections.len() + 1 < plan.nodes {
        let incoming = center.accept().await.ok_or_else(|| failed("the endpoint closed"))?;
        connections.push(incoming.await.map_err(failed)?);
    }
    let used = machine::cpu_time();
    let piece = Bytes::from(vec![0x5a; PIECE]);
    let mut sending = JoinSet::new();
    for connection in connections {
        let piece = piece.clone();
        sending.spawn(async move {
            let mut stream = connection.open_uni().await.map_err(failed)?;
            for _ in 0..plan.bytes / PIECE as u64 {
                stream.write_chunk(piece.clone()).await.map_err(failed)?;
            }
            stream.finish().map_err(failed)?;
            let _ = stream.stopped().await;
            Ok::<_, Failure>(connection)
        });
    }
    let mut got = 0;
    while let Some(received) = receiving.join_next().await {
        got += received.map_err(failed)??;
    }
    let cpu = machine::cpu_time() - used;
    while let Some(sent) = sending.join_next().await {
        sent.map_err(failed)??.close(VarInt::from_u32(0), b"");
    }
    let wanted = plan.bytes / PIECE as u64 * PIECE as u64 * (plan.nodes as u64 - 1);
    if got == wanted { Ok(cpu) } else { Err(failed("bytes are missing")) }
}

async fn receive(center: SocketAddr, config: quinn::ClientConfig) -> Result<u64, Failure> {
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).map_err(failed)?;
    let connecting = endpoint.connect_with(config, center, "star").map_err(failed)?;
    let connection = connecting.await.map_err(failed)?;
    let mut stream = connection.accept_uni().await.map_err(failed)?;
    let mut got = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await.map_err(failed)? {
        got += chunk.bytes.len() as u64;
    }
    Ok(got)
}

fn failed(why: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Failed, "cannot set up the star").tried(lower_first(&why.to_string()))
}
