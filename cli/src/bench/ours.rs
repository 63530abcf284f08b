use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use stratus::{
    Builder, Connection, Group, Kind, Outgoing, Piece, PieceFlags, Play, Playback, Played, PostingConfig,
    Publication, Publish, StreamMessage, WriteError,
};
use stratus_groupspec::{Capabilities, GroupSpecifier, Groupspec};
use stratus_server::{Server, ServerConfig};
use stratus_sharing::{Exchange, MemoryStore, Store};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::load::{FRAGMENT_SIZE, Load};
use super::share::content;
use super::stage::{Arrival, Log, Schedule, Source, Span, Stage};
use super::tally::Tally;
use crate::group::random_bytes;
use crate::stop::{Code, Failure};

const STREAM: &str = "bench";
/// Most fragments in a run.
const RUN_LENGTH: usize = 32;
/// How long after the end of the stream a viewer may still get what it misses: window, margin and some.
const PATIENCE: Duration = Duration::from_secs(12);
/// IPv4 and UDP headers of one datagram.
pub(super) const HEADER_BYTES: u64 = 28;

/// What a group did with one stream.
pub(crate) struct Outcome {
    /// What the viewers got.
    pub(crate) tally: Tally,
    /// From starting the members to the moment when every viewer had got a message.
    pub(crate) join: Duration,
    /// What all members together received and sent during the window.
    pub(crate) traffic: Traffic,
    /// Fragments in a run, on average.
    pub(crate) run_length: f64,
}

/// Bytes, summed over all members.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Traffic {
    /// Payload received, duplicates included.
    pub(crate) payload: u64,
    /// Manifests received.
    pub(crate) manifests: u64,
    /// Maps, masks, requests, answers, announcements and the overlay's messages received.
    pub(crate) control: u64,
    /// All that was sent between members, down to the IPv4 header.
    pub(crate) wire: u64,
    /// Objects received.
    pub(crate) objects: u64,
}

/// What members have besides the stream.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Beside {
    /// Most bytes a second that each may send.
    pub(crate) uplink: Option<u64>,
    /// Bytes of a set that the publisher shares with all.
    pub(crate) share_bytes: Option<u64>,
}

/// Streams `load` from one member to `viewers` others.
pub(crate) async fn run(
    load: Load,
    viewers: usize,
    schedule: Schedule,
    beside: Beside,
) -> Result<Outcome, Failure> {
    let server =
        Server::start(ServerConfig::listen_on(loopback())).await.map_err(failed("start the server"))?;
    let spec = specification()?;
    let stage = Stage::new(load);
    let mut builder = Connection::builder().listen(loopback()).server(server.local_addr().to_string());
    if let Some(uplink) = beside.uplink {
        builder = builder.max_upload(uplink);
    }
    let publisher = Member::enter_as(&spec, builder.clone()).await?;
    let publication = publisher.group.publish(STREAM, Publish::default()).await.map_err(failed("publish"))?;
    let (mut members, mut watching) = (vec![publisher], JoinSet::new());
    for _ in 0..viewers {
        let member = Member::enter_as(&spec, builder.clone()).await?;
        let playback = member.group.play(STREAM, Play::default()).await.map_err(failed("play"))?;
        watching.spawn(view(playback, Log::new(stage.clone())));
        members.push(member);
    }
    let sharing = match beside.share_bytes {
        Some(bytes) => share(&members, bytes).await?,
        None => JoinSet::new(),
    };
    let publishing = tokio::spawn(publish(publication, Source::new(stage.clone())));
    let span = stage.observe(viewers, schedule, async || Traffic::of(&members).await).await?;
    stage.end();
    publishing.await.map_err(failed("wait for the publisher"))??;
    let views = timeout(PATIENCE, watching.join_all()).await.map_err(failed("wait for the viewers"))?;
    drop(sharing);
    disband(members, server).await;
    Ok(Outcome::of(&span, views))
}

/// The first member gives a set to the others, until the tasks are dropped.
async fn share(members: &[Member], bytes: u64) -> Result<JoinSet<()>, Failure> {
    let (set, content) = content(bytes)?;
    let mut sharing = JoinSet::new();
    for (number, member) in members.iter().enumerate() {
        let exchange = if number == 0 {
            Exchange::seed(set.clone(), Box::new(MemoryStore::full(content.clone())), true)
        } else {
            Exchange::fetch(set.id(), |_| Ok(Box::new(MemoryStore::new()) as Box<dyn Store>))
        };
        let mut objects = member.group.objects().await.map_err(failed("open the objects"))?;
        sharing.spawn(async move { drop(exchange.run(&mut objects).await) });
    }
    Ok(sharing)
}

/// Publishes until the stage is over; then waits until all have all.
async fn publish(mut publication: Publication, mut source: Source) -> Result<(), Failure> {
    while let Some((_, payload)) = source.next().await {
        write(&mut publication, payload).await.map_err(failed("write to the stream"))?;
    }
    publication.end().await.map_err(failed("end the stream"))?;
    Ok(())
}

/// A message of one fragment may wait for company in its run; a larger one is sent as a whole.
async fn write(publication: &mut Publication, payload: Bytes) -> Result<(), WriteError> {
    if payload.len() > FRAGMENT_SIZE {
        return publication.send(Outgoing { payload, kind: Kind::Data, is_key: true }).await;
    }
    let flags = PieceFlags { is_start: true, is_end: true, is_key: true, ..PieceFlags::default() };
    publication.write(Piece { payload, flags, flush: false }).await
}

/// What one viewer saw.
struct View {
    arrivals: Vec<Arrival>,
    fragments: u64,
    runs: u64,
}

/// Plays until the stream ends.
async fn view(mut playback: Playback, mut log: Log) -> View {
    let (mut fragments, mut runs, mut cut_at) = (0, 0, None);
    while let Some(played) = playback.next().await {
        let Played::Message(message) = played else { continue };
        log.note(&message.payload());
        fragments += message.pieces.len() as u64;
        // All messages of a run were cut at the same moment; one of several fragments is alone in its runs.
        if cut_at.replace(message.published_at) != Some(message.published_at) {
            runs += runs_of(&message);
        }
    }
    playback.finish().await;
    View { arrivals: log.finish(), fragments, runs }
}

fn runs_of(message: &StreamMessage) -> u64 {
    message.pieces.len().div_ceil(RUN_LENGTH) as u64
}

/// A connection with a socket of its own, in the group.
pub(super) struct Member {
    pub(super) connection: Connection,
    pub(super) group: Group,
}

impl Member {
    pub(super) async fn enter(
        spec: &Groupspec,
        server: SocketAddr,
        posting: PostingConfig,
    ) -> Result<Self, Failure> {
        let builder = Connection::builder().listen(loopback()).server(server.to_string());
        Self::enter_as(spec, builder.posting(posting)).await
    }

    async fn enter_as(spec: &Groupspec, builder: Builder) -> Result<Self, Failure> {
        let connection = builder.start().await.map_err(failed("open a socket"))?;
        let group = connection.join(spec).await.map_err(failed("join the group"))?;
        Ok(Self { connection, group })
    }
}

/// Everybody says goodbye.
pub(super) async fn disband(members: Vec<Member>, server: Server) {
    let leaving: JoinSet<()> =
        members.into_iter().map(|member| async move { member.connection.close().await }).collect();
    leaving.join_all().await;
    server.shutdown().await;
}

impl Traffic {
    async fn of(members: &[Member]) -> Self {
        let mut traffic = Self::default();
        for member in members {
            // Nobody leaves before the window is over.
            let Ok(info) = member.group.info().await else { continue };
            let stream = info.stream(STREAM).map(|stream| stream.counters).unwrap_or_default();
            traffic.payload += stream.received_bytes();
            traffic.manifests += stream.manifests_received_bytes;
            traffic.control += stream.control_received_bytes + info.overlay_received_bytes;
            traffic.objects += info.objects.map_or(0, |objects| objects.received_bytes);
            traffic.wire += info.wire.sent_bytes + HEADER_BYTES * info.wire.sent_datagrams;
        }
        traffic
    }

    fn since(self, before: Self) -> Self {
        Self {
            payload: self.payload - before.payload,
            manifests: self.manifests - before.manifests,
            control: self.control - before.control,
            wire: self.wire - before.wire,
            objects: self.objects - before.objects,
        }
    }

    /// Adds what another group did.
    pub(crate) fn add(&mut self, other: Self) {
        self.payload += other.payload;
        self.manifests += other.manifests;
        self.control += other.control;
        self.wire += other.wire;
        self.objects += other.objects;
    }
}

impl Outcome {
    fn of(span: &Span<Traffic>, views: Vec<View>) -> Self {
        let fragments: u64 = views.iter().map(|view| view.fragments).sum();
        let runs: u64 = views.iter().map(|view| view.runs).sum();
        let logs = views.into_iter().map(|view| view.arrivals).collect();
        Self {
            tally: Tally::of(span, logs),
            join: span.join,
            traffic: span.after.since(span.before),
            run_length: fragments as f64 / runs.max(1) as f64,
        }
    }
}

/// A group like no other, in which only who has this may publish.
pub(super) fn specification() -> Result<Groupspec, Failure> {
    let specifier = GroupSpecifier::new("bench").map_err(failed("make a groupspec"))?;
    let specifier = specifier.capabilities(Capabilities::services());
    Ok(specifier.make_unique(random_bytes()?).publish_key_seed(random_bytes()?).build())
}

pub(super) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(super) fn failed<E: ToString>(what: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::new(Code::Failed, format!("cannot {what}")).tried(error.to_string())
}
