use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use stratus::{Capabilities, Connection, Group, GroupSpecifier, MOST_OBJECT_BYTES};
use stratus_groupspec::Groupspec;
use stratus_server::{Server, ServerConfig};
use stratus_sharing::{Exchange, MemoryStore, Progress, Set, SetBuilder, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Outcome, Plan};
use crate::bench::machine;
use crate::group::random_bytes;
use crate::stop::{Code, Failure};

/// Longest that a round may take.
const PATIENCE: Duration = Duration::from_secs(900);
/// Longest that members may take to find each other.
const MEETING: Duration = Duration::from_secs(30);
/// IPv4 and UDP headers of one datagram.
const HEADER_BYTES: u64 = 28;

/// One member and how far it is.
struct Member {
    connection: Connection,
    group: Group,
    progress: watch::Receiver<Progress>,
}

/// Shares one set from the first member with all others, all in memory.
pub(super) async fn run(plan: Plan) -> Result<Outcome, Failure> {
    let server =
        Server::start(ServerConfig::listen_on(loopback())).await.map_err(failed("start the server"))?;
    let (set, objects) = content(plan.bytes)?;
    let spec = specification(&set)?;
    let mut members = Vec::new();
    let mut running = JoinSet::new();
    let mut waiting = Vec::new();
    for number in 0..plan.nodes {
        let exchange = if number == 0 {
            Exchange::seed(set.clone(), Box::new(MemoryStore::full(objects.clone())), true)
        } else {
            Exchange::fetch(set.id(), |_| Ok(Box::new(MemoryStore::new()) as Box<dyn Store>))
        };
        let member = Member::enter(&spec, server.local_addr(), plan, exchange.progress()).await?;
        waiting.push((member.group.clone(), exchange));
        members.push(member);
    }
    for member in &members {
        member.group.joined(MEETING).await.map_err(failed("enter the group"))?;
    }
    let before = traffic(&members);
    let (began, used) = (Instant::now(), machine::cpu_time());
    for (group, exchange) in waiting {
        let mut objects = group.objects().await.map_err(failed("open the objects"))?;
        running.spawn(async move { exchange.run(&mut objects).await });
    }
    let all = timeout(PATIENCE, async {
        for member in &mut members[1..] {
            let _ = member.progress.wait_for(|progress| progress.is_complete).await;
        }
    });
    let _ = all.await;
    let mut outcome = Outcome {
        wall: began.elapsed(),
        cpu: machine::cpu_time() - used,
        wire_bytes: traffic(&members) - before,
        complete: members[1..].iter().filter(|member| member.progress.borrow().is_complete).count(),
        ..Outcome::default()
    };
    for (number, member) in members.iter().enumerate() {
        let info = member.group.info().await.map_err(failed("ask a member"))?;
        let Some(stats) = info.objects else { continue };
        outcome.duplicate_bytes += stats.duplicate_bytes;
        if number == 0 {
            outcome.source_bytes = stats.sent_bytes;
        }
    }
    running.abort_all();
    for member in members {
        member.connection.close().await;
    }
    server.shutdown().await;
    Ok(outcome)
}

/// Bytes on the wire that members sent each other so far.
fn traffic(members: &[Member]) -> u64 {
    let of = |member: &Member| {
        let wire = member.connection.info().counters;
        wire.sent_bytes + HEADER_BYTES * wire.sent_datagrams
    };
    members.iter().map(of).sum()
}

/// Objects of which no two are the same.
pub(in crate::bench) fn content(bytes: u64) -> Result<(Set, Vec<Bytes>), Failure> {
    let count = bytes.div_ceil(MOST_OBJECT_BYTES as u64);
    let object = |number: u64| {
        let mut object =
            vec![0; (bytes - number * MOST_OBJECT_BYTES as u64).min(MOST_OBJECT_BYTES as u64) as usize];
        object.chunks_mut(8).zip(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)..).for_each(|(word, value)| {
            let length = word.len();
            word.copy_from_slice(&value.to_be_bytes()[..length]);
        });
        Bytes::from(object)
    };
    let objects: Vec<Bytes> = (0..count).map(object).collect();
    let hashes = objects.iter().map(|object| stratus_sharing::hash(object)).collect();
    let mut builder = SetBuilder::new("bench", "");
    builder.add("bench.bin", bytes, hashes);
    Ok((builder.finish().map_err(failed("make the set"))?, objects))
}

fn specification(set: &Set) -> Result<Groupspec, Failure> {
    let capabilities = Capabilities { object_replication: true, ..Capabilities::default() };
    let specifier = GroupSpecifier::new(&set.id().to_string()).map_err(failed("make a group"))?;
    Ok(specifier.capabilities(capabilities).make_unique(random_bytes()?).build())
}

impl Member {
    async fn enter(
        spec: &Groupspec,
        server: SocketAddr,
        plan: Plan,
        progress: watch::Receiver<Progress>,
    ) -> Result<Self, Failure> {
        let mut builder = Connection::builder().listen(loopback()).server(server.to_string());
        if !plan.has_small_packets {
            builder = builder.large_packets();
        }
        if let Some(uplink) = plan.uplink {
            builder = builder.max_upload(uplink);
        }
        let connection = builder.start().await.map_err(failed("start a member"))?;
        let group = connection.join(spec).await.map_err(failed("join the group"))?;
        Ok(Self { connection, group, progress })
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::new(Code::Failed, format!("cannot {what}")).tried(error.to_string())
}
