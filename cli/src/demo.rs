//! `stratus demo`: server, publisher and viewers in this process, with the committed test picture.

mod summary;
mod viewer;

use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use stratus::{Group, GroupInfo, MulticastInfo};
use stratus_groupspec::{Capabilities, GroupSpecifier, Groupspec};
use stratus_server::{Server, ServerConfig};
use tokio::task::JoinSet;

use self::summary::{Counts, Summary};
use self::viewer::{Arrivals, Member, Viewed, Viewer};
use crate::args::Demo;
use crate::console::Console;
use crate::feed::{Feeder, Totals};
use crate::group::random_bytes;
use crate::publish::announced;
use crate::signals::Signals;
use crate::source::{self, Format};
use crate::stop::{Code, Failure, Stop};

/// Half a minute of a test pattern; see `assets/make-testclip.sh`.
pub(crate) const CLIP: &[u8] = include_bytes!("../assets/testclip.ts");
/// What the stream is called.
const STREAM: &str = "test picture";
/// How long members may take to find each other; on one machine they need less than a second.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs `stratus demo …`.
pub(crate) async fn run(options: &Demo, console: Console) -> Result<(), Stop> {
    let signals = Signals::listen()?;
    let summary = tokio::select! {
        summary = show(options, console) => summary?,
        signal = signals.first() => return Err(Stop::Signal(signal)),
    };
    if options.json {
        console.data(summary.json())?;
    } else {
        summary.lines().into_iter().try_for_each(|line| console.data(line))?;
    }
    if summary.is_complete() {
        return Ok(());
    }
    Err(Failure::new(Code::Check, "not every viewer got every byte")
        .hint("run it again with -v; a machine that is too busy drops packets")
        .into())
}

async fn show(options: &Demo, console: Console) -> Result<Summary, Failure> {
    let server = Server::start(ServerConfig::listen_on(local())).await.map_err(failed("start the server"))?;
    console.note(format_args!("server on udp {}", server.local_addr()));
    let spec = specification()?;
    let (publisher, viewers, arrivals) =
        assemble(options.viewers, &spec, server.local_addr(), console).await?;
    let mut playing = JoinSet::new();
    for viewer in viewers {
        playing.spawn(viewer.run());
    }
    let totals = publish(&publisher.group, options.duration, arrivals, console).await?;
    let info = publisher.group.info().await.map_err(failed("ask the publisher"))?;
    let mut counts = counts_of_publisher(totals, &info);
    while let Some(viewed) = playing.join_next().await {
        add(&mut counts, viewed.map_err(failed("wait for a viewer"))??, totals);
    }
    publisher.close().await;
    server.shutdown().await;
    Ok(Summary::of(counts))
}

/// Brings everybody into the group, and waits until each has somebody.
async fn assemble(
    viewer_count: u16,
    spec: &Groupspec,
    server: SocketAddr,
    console: Console,
) -> Result<(Member, Vec<Viewer>, Arrivals), Failure> {
    let began = Instant::now();
    let arrivals = Arrivals::default();
    let publisher = Member::enter(spec, server).await?;
    let mut viewers = Vec::new();
    for _ in 0..viewer_count {
        viewers.push(Viewer::start(Member::enter(spec, server).await?, STREAM, arrivals.clone()).await?);
    }
    for member in viewers.iter().map(Viewer::member).chain([&publisher]) {
        member.group.joined(JOIN_TIMEOUT).await.map_err(failed("bring the members together"))?;
    }
    let spent = began.elapsed().as_secs_f64();
    console.note(format_args!("{viewer_count} viewers and a publisher joined in {spent:.1} s"));
    Ok((publisher, viewers, arrivals))
}

/// Publishes the clip by its own clock.
async fn publish(
    group: &Group,
    limit: Duration,
    arrivals: Arrivals,
    console: Console,
) -> Result<Totals, Failure> {
    let publishing = group.publish(STREAM, stratus::Publish::default());
    let mut publication = publishing.await.map_err(failed("publish the test picture"))?;
    announced(group).await;
    let batches = source::read(Box::new(Cursor::new(CLIP)), Format::PacedTransport { limit });
    let observer = move |index, at| arrivals.note(index, at);
    let mut feeder = Feeder::new(batches, Some(Box::new(observer)), console);
    console.note(format_args!("publishing the test picture for {} s at most", limit.as_secs().min(30)));
    feeder.run(&mut publication).await?;
    publication.end().await.map_err(failed("end the stream"))?;
    Ok(feeder.totals())
}

fn counts_of_publisher(totals: Totals, info: &GroupInfo) -> Counts {
    let counters = stream_counters(info);
    Counts {
        members: 1,
        neighbors: info.neighbor_count() as u64,
        messages: totals.messages,
        bytes: totals.bytes,
        publisher_sent_bytes: counters.sent_bytes(),
        control_bytes: counters.control_received_bytes + info.overlay_received_bytes,
        ..Counts::default()
    }
}

fn add(counts: &mut Counts, viewed: Viewed, totals: Totals) {
    let counters = stream_counters(&viewed.info);
    counts.members += 1;
    counts.viewers += 1;
    counts.neighbors += viewed.info.neighbor_count() as u64;
    counts.delivered += viewed.messages;
    counts.identical_viewers += u64::from(viewed.is_prefix && viewed.bytes == totals.bytes);
    counts.received_bytes += counters.received_bytes();
    counts.control_bytes += counters.control_received_bytes + viewed.info.overlay_received_bytes;
    counts.manifest_bytes += counters.manifests_received_bytes;
    counts.delays.extend(viewed.delays);
}

fn stream_counters(info: &GroupInfo) -> MulticastInfo {
    info.stream(STREAM).map(|stream| stream.counters).unwrap_or_default()
}

/// A group like no other, in which only the publisher may publish.
fn specification() -> Result<Groupspec, Failure> {
    let specifier = GroupSpecifier::new("demo").map_err(failed("make a groupspec"))?;
    let specifier = specifier.make_unique(random_bytes()?).publish_key_seed(random_bytes()?);
    Ok(specifier.capabilities(Capabilities::services()).build())
}

fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn failed<E: ToString>(what: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::new(Code::Failed, format!("cannot {what}")).tried(error.to_string())
}
