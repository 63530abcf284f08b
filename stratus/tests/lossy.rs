//! A live stream among eight real members, each behind a path that loses one packet in twenty.

use std::fmt;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use stratus::{
    Capabilities, Conditions, Connection, Group, GroupSpecifier, Groupspec, Kind, Piece, PieceFlags, Play,
    Playback, Played, Publication, Publish,
};
use stratus_server::{Server, ServerConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const VIEWERS: usize = 7;
/// One full fragment each.
const MESSAGE_BYTES: usize = 1_128;
/// 2.5 Mbit/s.
const BYTES_PER_SECOND: u64 = 312_500;
const STREAM_SECONDS: u64 = 10;
const MESSAGES: usize = (STREAM_SECONDS * BYTES_PER_SECOND) as usize / MESSAGE_BYTES;
/// A newcomer may start at every one of these: one a second.
const KEY_EVERY: usize = BYTES_PER_SECOND as usize / MESSAGE_BYTES;
/// How long a message is worth having: the default window.
const WINDOW: Duration = Duration::from_secs(8);
/// Longer than anything but the stream itself takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// When each message was written, as soon as it was.
type Written = Arc<Vec<OnceLock<Instant>>>;

/// One message as one viewer got it.
struct Arrival {
    number: usize,
    delay: Duration,
    is_intact: bool,
}

/// What a viewer got: all messages in their order, and whatever else it was told.
#[derive(Default)]
struct Got {
    arrivals: Vec<Arrival>,
    others: Vec<Played>,
}

/// The figures that are printed.
struct Figures {
    delays: Vec<Duration>,
    copies: f64,
    duplicates: f64,
    pulled: f64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_members_miss_nothing_at_five_percent_loss() {
    let server = Server::start(ServerConfig::listen_on(loopback())).await.unwrap();
    let members = members(&server).await;
    let publication = members[0].1.publish("cam", Publish::default()).await.unwrap();
    let written: Written = Arc::new((0..MESSAGES).map(|_| OnceLock::new()).collect());
    let viewers = viewers(&members[1..], &written).await;
    let ending = write_all(publication, &written).await;
    let mut playbacks = Vec::new();
    let mut got = Vec::new();
    for viewer in viewers {
        let (playback, viewed) = timeout(WINDOW + PATIENCE, viewer).await.expect("the end in time").unwrap();
        playbacks.push(playback);
        got.push(viewed);
    }
    let figures = figures(&members[1..], &got).await;
    writeln!(std::io::stderr(), "{figures}").unwrap_or_default();
    for (viewer, got) in got.iter().enumerate() {
        check(viewer, got);
    }
    assert!(figures.copies <= 1.03, "{} copies of each payload byte came", figures.copies);
    assert!(ending.await.unwrap(), "the publisher left before all had everything");
    drop(playbacks);
    for (connection, _) in &members {
        connection.close().await;
    }
    server.shutdown().await;
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn spec() -> Groupspec {
    GroupSpecifier::new("lossy").unwrap().make_unique([50; 32]).capabilities(Capabilities::services()).build()
}

/// The publisher and the viewers, each on a bad path of its own, linked with all others.
async fn members(server: &Server) -> Vec<(Connection, Group)> {
    let mut members = Vec::new();
    for seed in 0..=VIEWERS as u64 {
        let path = Conditions {
            loss_per_mille: 50,
            delay: Duration::from_millis(30),
            jitter: Duration::ZERO,
            seed: 700 + seed,
            ..Conditions::default()
        };
        let builder =
            Connection::builder().listen(loopback()).server(server.local_addr().to_string()).conditions(path);
        let connection = builder.start().await.unwrap();
        let group = connection.join(&spec()).await.unwrap();
        members.push((connection, group));
    }
    let all_linked = async {
        while members.iter().any(|(_, group)| group.neighbor_count() < VIEWERS) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all_linked).await.expect("eight members are a full mesh in time");
    members
}

/// Tasks that play to the end; all have found the stream.
async fn viewers(members: &[(Connection, Group)], written: &Written) -> Vec<JoinHandle<(Playback, Got)>> {
    let (mut viewers, mut starts) = (Vec::new(), Vec::new());
    for (_, group) in members {
        let playback = group.play("cam", Play::default()).await.unwrap();
        let (started, start) = oneshot::channel();
        viewers.push(tokio::spawn(view(playback, started, written.clone())));
        starts.push(start);
    }
    for start in starts {
        timeout(PATIENCE, start).await.expect("the stream is found in time").unwrap();
    }
    viewers
}

/// Plays to the end. The subscription goes on until the playback that comes back is dropped.
async fn view(mut playback: Playback, started: oneshot::Sender<()>, written: Written) -> (Playback, Got) {
    let first = playback.next().await;
    assert!(matches!(first, Some(Played::Start { is_reset: false, .. })), "{first:?}");
    started.send(()).unwrap();
    let mut got = Got::default();
    while let Some(played) = playback.next().await {
        match played {
            Played::Message(message) => {
                let number = usize::try_from(message.index).unwrap();
                let delay = written[number].get().expect("nothing comes before it was written").elapsed();
                let is_intact = message.payload() == payload(number)
                    && message.is_key == is_key(number)
                    && message.kind == Kind::Video;
                got.arrivals.push(Arrival { number, delay, is_intact });
            }
            other => got.others.push(other),
        }
    }
    (playback, got)
}

/// Writes the stream at its rate; the task ends when all have it.
async fn write_all(mut publication: Publication, written: &Written) -> JoinHandle<bool> {
    let began = tokio::time::Instant::now();
    for number in 0..MESSAGES {
        let micros = number as u64 * MESSAGE_BYTES as u64 * 1_000_000 / BYTES_PER_SECOND;
        tokio::time::sleep_until(began + Duration::from_micros(micros)).await;
        let flags = PieceFlags { is_start: true, is_end: true, is_key: is_key(number), kind: Kind::Video };
        written[number].set(Instant::now()).unwrap();
        publication.write(Piece { payload: payload(number), flags, flush: false }).await.unwrap();
    }
    tokio::spawn(async move { publication.end().await.unwrap() })
}

fn is_key(number: usize) -> bool {
    number.is_multiple_of(KEY_EVERY)
}

/// Tells every message and every place in it apart.
fn payload(number: usize) -> Bytes {
    let mut payload = BytesMut::with_capacity(MESSAGE_BYTES);
    for place in 0..MESSAGE_BYTES / 8 {
        payload.put_u32(number as u32);
        payload.put_u32((number * 31 + place) as u32);
    }
    payload.freeze()
}

/// All messages from the first to the last, each once and intact, and nothing else: no gap above all.
fn check(viewer: usize, got: &Got) {
    let numbers: Vec<usize> = got.arrivals.iter().map(|arrival| arrival.number).collect();
    let first_wrong = (0..MESSAGES).find(|number| numbers.get(*number) != Some(number));
    assert_eq!(
        (numbers.len(), first_wrong, &got.others),
        (MESSAGES, None, &Vec::new()),
        "viewer {viewer}: messages, the first that is not where it should be, what else was told"
    );
    assert!(got.arrivals.iter().all(|arrival| arrival.is_intact), "viewer {viewer}: altered");
    let slowest = got.arrivals.iter().map(|arrival| arrival.delay).max();
    assert!(slowest < Some(WINDOW), "viewer {viewer}: a message took {slowest:?}");
}

async fn figures(viewers: &[(Connection, Group)], got: &[Got]) -> Figures {
    let (mut received, mut duplicates, mut pulled) = (0, 0, 0);
    for (_, group) in viewers {
        let info = group.info().await.unwrap();
        let counters = info.stream("cam").expect("the stream is known").counters;
        received += counters.received_bytes();
        duplicates += counters.duplicates.bytes;
        pulled += counters.requested_from_peers.bytes;
    }
    let needed = (viewers.len() * MESSAGES * MESSAGE_BYTES) as f64;
    let mut delays: Vec<Duration> =
        got.iter().flat_map(|got| &got.arrivals).map(|arrival| arrival.delay).collect();
    delays.sort_unstable();
    Figures {
        delays,
        copies: received as f64 / needed,
        duplicates: duplicates as f64 / needed,
        pulled: pulled as f64 / needed,
    }
}

impl Figures {
    fn delay_ms(&self, per_mille: usize) -> f64 {
        let place = self.delays.len() * per_mille / 1_000;
        let delay = self.delays.get(place.min(self.delays.len().saturating_sub(1)));
        delay.map_or(f64::NAN, |delay| delay.as_secs_f64() * 1_000.0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VIEWERS} viewers, {MESSAGES} messages: p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms, copies {:.4} \
             (twice {:.4}, pulled {:.4})",
            self.delay_ms(500),
            self.delay_ms(990),
            self.delay_ms(1_000),
            self.copies,
            self.duplicates,
            self.pulled,
        )
    }
}
