//! A real group with a stream on loopback, and whoever attacks it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stratus::{
    Capabilities, Connection, Group, GroupSpecifier, Groupspec, Play, Played, Publication, Publish,
};
use stratus_core::PeerId;
use stratus_hostile::{Attacker, Judge, Load, Report, Witness, blamed};
use tokio::task::JoinHandle;

pub(crate) const LOAD: Load = Load::TWO_MBIT;
/// Processor share of one core that an honest member may need while it is flooded, everything included.
const MOST_CPU: f64 = 0.30;
/// A slow machine or a debug build may take longer than that, and is judged by what it took before.
const MOST_TIMES: f64 = 12.0;

/// One scene at a time: they measure.
pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) struct Viewer {
    connection: Connection,
    group: Group,
    playing: JoinHandle<Judge>,
    blamed: JoinHandle<Vec<PeerId>>,
}

/// A publisher, viewers in this process, and one in a process of its own.
pub(crate) struct Scene {
    pub(crate) spec: Groupspec,
    publisher: Connection,
    group: Group,
    pub(crate) publication: Publication,
    viewers: Vec<Viewer>,
    pub(crate) witness: Witness,
}

/// What a scene came to.
pub(crate) struct Outcome {
    written: u64,
    judges: Vec<Judge>,
    pub(crate) blamed: BTreeSet<PeerId>,
}

pub(crate) fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub(crate) async fn view(spec: &Groupspec) -> Viewer {
    let connection = Connection::builder().listen(loopback()).start().await.unwrap();
    let group = connection.join(spec).await.unwrap();
    let blamed = blamed(&group);
    let mut playback = group.play("cam", Play::default()).await.unwrap();
    let playing = tokio::spawn(async move {
        let mut judge = Judge::default();
        while let Some(played) = playback.next().await {
            if let Played::Message(message) = played {
                judge.take(&LOAD, &message.payload());
            }
        }
        judge
    });
    Viewer { connection, group, playing, blamed }
}

impl Scene {
    /// Attackers that should be there before the viewers are made by `early`, with the groupspec and the publisher.
    pub(crate) async fn new(tag: u8, viewers: usize) -> Self {
        let publisher = Connection::builder().listen(loopback()).start().await.unwrap();
        let spec = GroupSpecifier::new("show")
            .unwrap()
            .make_unique([tag; 32])
            .capabilities(Capabilities::services())
            .add_bootstrap_peer(publisher.peer(), &[publisher.local_addr()])
            .unwrap()
            .build();
        let group = publisher.join(&spec).await.unwrap();
        let publication = group.publish("cam", Publish::default()).await.unwrap();
        let witness = Witness::start(env!("CARGO_BIN_EXE_stratus-hostile"), &spec);
        let mut scene = Self { spec, publisher, group, publication, viewers: Vec::new(), witness };
        for _ in 0..viewers {
            scene.viewers.push(view(&scene.spec).await);
        }
        scene
    }

    pub(crate) fn everybody(&self) -> Vec<(PeerId, SocketAddr)> {
        let viewers =
            self.viewers.iter().map(|viewer| (viewer.connection.peer(), viewer.connection.local_addr()));
        let publisher = (self.publisher.peer(), self.publisher.local_addr());
        viewers.chain([publisher, (self.witness.peer, self.witness.address)]).collect()
    }

    pub(crate) fn witness_alone(&self) -> Vec<(PeerId, SocketAddr)> {
        vec![(self.witness.peer, self.witness.address)]
    }

    /// Ends the stream, and says what everybody got.
    pub(crate) async fn end(self, written: u64) -> Outcome {
        let Self { publisher, group, publication, viewers, witness, .. } = self;
        publication.end().await.unwrap();
        let mut outcome = Outcome { written, judges: Vec::new(), blamed: BTreeSet::new() };
        for viewer in viewers {
            outcome.judges.push(viewer.playing.await.unwrap());
            viewer.group.leave().await;
            drop(viewer.group);
            viewer.connection.close().await;
            outcome.blamed.extend(viewer.blamed.await.unwrap());
        }
        let (judge, blamed) = tokio::task::spawn_blocking(move || witness.verdict()).await.unwrap();
        outcome.judges.push(judge);
        outcome.blamed.extend(blamed);
        drop(group);
        publisher.close().await;
        outcome
    }
}

impl Outcome {
    /// No bad byte reached an application; nobody misses anything from its first message to the last one.
    pub(crate) fn assert_unharmed(&self) {
        for judge in &self.judges {
            assert_eq!((judge.bad, judge.missing), (0, 0), "{judge:?}");
            assert_eq!(judge.last(), Some(self.written - 1), "{judge:?}");
            assert!(judge.good > self.written / 2, "{judge:?}");
        }
    }
}

pub(crate) fn say(line: &str) {
    // Figures for whoever reads the log.
    let _ = writeln!(std::io::stdout(), "hostile: {line}");
}

/// Runs `attackers` against a scene whose stream lasts as long as they do.
pub(crate) async fn attacked(
    mut scene: Scene,
    attackers: Vec<(Attacker, Vec<(PeerId, SocketAddr)>)>,
    quiet: Duration,
    noisy: Duration,
) -> (Outcome, Vec<Report>) {
    let running: Vec<_> = attackers
        .into_iter()
        .map(|(attacker, targets)| tokio::spawn(attacker.run(targets, quiet, noisy)))
        .collect();
    let written = LOAD.write(&mut scene.publication, quiet + noisy + Duration::from_secs(1)).await;
    let mut reports = Vec::new();
    for attacker in running {
        reports.push(attacker.await.unwrap());
    }
    (scene.end(written).await, reports)
}

/// The processor share of a witness before and during an attack, and by how much its memory grew in between.
pub(crate) fn measure(witness: &Witness, quiet: Duration, noisy: Duration) -> JoinHandle<(f64, f64, f64)> {
    let reader = witness.reader();
    tokio::spawn(async move {
        // The first half of the quiet is for joining.
        tokio::time::sleep(quiet / 2).await;
        let (first, began) = (reader.cpu(), Instant::now());
        tokio::time::sleep(quiet / 2).await;
        let (second, turned, memory) = (reader.cpu(), Instant::now(), reader.memory());
        tokio::time::sleep(noisy).await;
        let share = |cpu: Duration, time: Duration| cpu.as_secs_f64() / time.as_secs_f64();
        let before = share(second - first, turned - began);
        let during = share(reader.cpu() - second, turned.elapsed());
        (before, during, reader.memory() as f64 - memory as f64)
    })
}

/// Whether an attack cost no more than it may, given what the same member took before it.
pub(crate) fn is_bearable(before: f64, during: f64) -> bool {
    during <= MOST_CPU || cfg!(debug_assertions) && during <= MOST_TIMES * before.max(0.02)
}

/// A bar in time. Debug builds are slow, and so are the machines that run them: they get four times as much.
pub(crate) fn bar(duration: Duration) -> Duration {
    if cfg!(debug_assertions) { 4 * duration } else { duration }
}
