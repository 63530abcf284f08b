//! `stratus bench post`: how posts go through many members in one process, and what one that comes late needs.
//!
//! - `complete`: posts shown to a member, of all that should have been; `duplicates_shown` must be 0.
//! - `p50_ms`, `p99_ms`, `max_ms`: from posting to being shown.
//! - `wire_per_payload`: what members sent each other as UDP, 28 bytes of headers for each datagram, for a byte of a body
//!   shown; `data_ratio`: messages with posts alone.
//! - `duplicates_ratio`: posts received that were held, of all received.
//! - `cpu_ms_per_post`: processor time of the whole process for one post to all, `cpu_us_per_delivery` for one member.
//! - `late_*`: with `--history`, one more member joins when so many posts are held: until it has all, and what it received
//!   (`late_ratio`: of what the history weighs, signatures included; `late_wire_ratio`: with all of QUIC and UDP).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stratus::{Event, Events, PostingConfig, PostingInfo};
use stratus_groupspec::Groupspec;
use stratus_server::{Server, ServerConfig};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::args::Post;
use super::ours::{HEADER_BYTES, Member, disband, failed, loopback, specification};
use super::{machine, phase};
use crate::console::Console;
use crate::group::stamped;
use crate::stop::{Code, Failure, Stop};

/// How long members may take to find each other, and posts to be everywhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// From the first link of everybody to the first post.
const SETTLE: Duration = Duration::from_secs(2);
/// Posts of a history that are made before all members are waited for.
const BATCH: usize = 250;

/// Runs `stratus bench post …`.
pub(super) fn run(options: &Post, console: Console) -> Result<(), Stop> {
    let figures = phase(measure(options))?;
    if options.json {
        return console.data(stamped("bench post", figures));
    }
    let fields = figures.as_object().expect("an object was made");
    fields.iter().try_for_each(|(name, value)| console.data(format_args!("{name}: {value}")))
}

/// What the members counted, added up.
#[derive(Clone, Copy, Default)]
struct Totals {
    wire: u64,
    data: u64,
    received: u64,
    duplicates: u64,
}

/// What one member was shown.
#[derive(Default)]
struct Shown {
    delays: Vec<Duration>,
    duplicates: u64,
}

pub(super) async fn measure(options: &Post) -> Result<Value, Failure> {
    let server =
        Server::start(ServerConfig::listen_on(loopback())).await.map_err(failed("start the server"))?;
    let spec = specification()?;
    let mut members = Vec::new();
    for _ in 0..options.nodes {
        members.push(Member::enter(&spec, server.local_addr(), config()).await?);
    }
    for member in &members {
        member.group.joined(PATIENCE).await.map_err(failed("find the other members"))?;
    }
    sleep(SETTLE).await;
    let began = Instant::now();
    let shown: Arc<Mutex<Shown>> = Arc::default();
    let mut listening = JoinSet::new();
    for member in &members {
        listening.spawn(listen(member.group.events(), began, shown.clone()));
    }
    let (cpu, before) = (machine::cpu_time(), Totals::of(&members).await);
    let posted = post_all(options, &members, began).await?;
    all_hold(&members, posted).await?;
    let (cpu, after) = (machine::cpu_time() - cpu, Totals::of(&members).await);
    listening.abort_all();
    let rss = machine::peak_resident_bytes();
    let late = match options.history {
        Some(history) => late(&members, &spec, &server, posted, history as usize).await?,
        None => json!({}),
    };
    let shown = std::mem::take(&mut *locked(&shown));
    let figures = figures(options, posted, shown, Cost { cpu, totals: after.since(before), rss });
    disband(members, server).await;
    Ok(merged(figures, late))
}

/// Rates are for people; here it is measured what there is room for.
fn config() -> PostingConfig {
    let most = 1 << 20;
    PostingConfig {
        max_posts_per_interval: most,
        max_long_posts_per_interval: most,
        ..PostingConfig::default()
    }
}

/// Members post in turn, evenly; each body begins with its number and the moment.
async fn post_all(options: &Post, members: &[Member], began: Instant) -> Result<usize, Failure> {
    let count = usize::from(options.rate) * usize::from(options.secs);
    let mut ticks = interval(Duration::from_secs(1) / u32::from(options.rate));
    for number in 0..count {
        ticks.tick().await;
        let mut body = (number as u64).to_be_bytes().to_vec();
        body.extend((began.elapsed().as_micros() as u64).to_be_bytes());
        body.resize(usize::from(options.size), b'.');
        members[number % members.len()].group.post(body).await.map_err(failed("post"))?;
    }
    Ok(count)
}

/// Notes what a member is shown, until it is told to stop.
async fn listen(mut events: Events, began: Instant, shown: Arc<Mutex<Shown>>) {
    let mut seen = BTreeSet::new();
    while let Some(event) = events.recv().await {
        let Event::Post(post) = event else { continue };
        let Some(stamp) = post.body().get(8..16).and_then(|stamp| stamp.try_into().ok()) else { continue };
        let posted_at = Duration::from_micros(u64::from_be_bytes(stamp));
        let mut shown = locked(&shown);
        shown.delays.push(began.elapsed().saturating_sub(posted_at));
        shown.duplicates += u64::from(!seen.insert(post.id()));
    }
}

fn locked(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until every member holds so many posts.
async fn all_hold(members: &[Member], count: usize) -> Result<(), Failure> {
    let waiting = async {
        for member in members {
            while posting(member).await.held < count as u64 {
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    timeout(PATIENCE, waiting).await.map_err(|_| {
        Failure::new(Code::Failed, "some posts did not reach some members").tried("waited for a minute")
    })
}

async fn posting(member: &Member) -> PostingInfo {
    // Nobody leaves before the end.
    member.group.info().await.map(|info| info.posting).unwrap_or_default()
}

/// Fills the history up, and lets one more member join.
async fn late(
    members: &[Member],
    spec: &Groupspec,
    server: &Server,
    posted: usize,
    history: usize,
) -> Result<Value, Failure> {
    for number in posted..history {
        let body = format!("{number}: a line as people write them in a chat");
        members[number % members.len()].group.post(body).await.map_err(failed("post"))?;
        if number % BATCH == 0 {
            all_hold(members, number + 1).await?;
        }
    }
    all_hold(members, history).await?;
    // What the members still tell each other of the last posts is not the newcomer's.
    sleep(SETTLE).await;
    let began = Instant::now();
    let newcomer = Member::enter(spec, server.local_addr(), config()).await?;
    all_hold(std::slice::from_ref(&newcomer), history).await?;
    let took = began.elapsed();
    let info = newcomer.group.info().await.map_err(failed("ask the newcomer"))?;
    let received = info.posting.received.bytes + info.posting.control_received_bytes;
    let wire = info.wire.received_bytes + HEADER_BYTES * info.wire.received_datagrams;
    let weight = info.posting.held_bytes;
    let figures = json!({
        "late_s": took.as_secs_f64(),
        "late_joined_after_s": info.joined_after.map(|after| after.as_secs_f64()),
        "history_posts": info.posting.held,
        "history_bytes": weight,
        "late_received_bytes": received,
        "late_ratio": ratio(received, weight),
        "late_wire_ratio": ratio(wire, weight),
        "late_duplicates": info.posting.duplicates,
    });
    newcomer.connection.close().await;
    Ok(figures)
}

impl Totals {
    async fn of(members: &[Member]) -> Self {
        let mut totals = Self::default();
        for member in members {
            let Ok(info) = member.group.info().await else { continue };
            totals.wire += info.wire.sent_bytes + HEADER_BYTES * info.wire.sent_datagrams;
            totals.data += info.posting.received.bytes;
            totals.received += info.posting.received.posts;
            totals.duplicates += info.posting.duplicates;
        }
        totals
    }

    fn since(self, before: Self) -> Self {
        Self {
            wire: self.wire - before.wire,
            data: self.data - before.data,
            received: self.received - before.received,
            duplicates: self.duplicates - before.duplicates,
        }
    }
}

/// What it took.
struct Cost {
    cpu: Duration,
    totals: Totals,
    rss: Option<u64>,
}

fn figures(options: &Post, posted: usize, mut shown: Shown, cost: Cost) -> Value {
    let Cost { cpu, totals, rss } = cost;
    shown.delays.sort_unstable();
    let wanted = posted * (usize::from(options.nodes) - 1);
    let count = shown.delays.len();
    let quantile = |percent: usize| {
        let at = (count * percent / 100).min(count.saturating_sub(1));
        shown.delays.get(at).map(|delay| delay.as_secs_f64() * 1e3)
    };
    let payload = (wanted * usize::from(options.size)) as u64;
    json!({
        "nodes": options.nodes,
        "rate": options.rate,
        "size": options.size,
        "secs": options.secs,
        "posts": posted,
        "complete": ratio((count as u64).saturating_sub(shown.duplicates), wanted as u64),
        "duplicates_shown": shown.duplicates,
        "p50_ms": quantile(50),
        "p99_ms": quantile(99),
        "max_ms": quantile(100),
        "wire_per_payload": ratio(totals.wire, payload),
        "data_ratio": ratio(totals.data, payload),
        "duplicates_ratio": ratio(totals.duplicates, totals.received),
        "cpu_ms_per_post": cpu.as_secs_f64() * 1e3 / posted.max(1) as f64,
        "cpu_us_per_delivery": cpu.as_secs_f64() * 1e6 / wanted.max(1) as f64,
        "rss_peak_mib": rss.map(|bytes| bytes >> 20),
        "load_average": machine::load_average(),
    })
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e6).round() / 1e6 }
}

fn merged(mut figures: Value, more: Value) -> Value {
    if let (Some(figures), Value::Object(more)) = (figures.as_object_mut(), more) {
        figures.extend(more);
    }
    figures
}
