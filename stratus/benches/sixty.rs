//! Sixty members on real sockets and in the simulator: the same delays and the same copies (goal F6 of the simulator).
//!
//! The same keys, travel times and stream. What is compared are milliseconds, so it needs a release build and two quiet
//! cores for a minute, and is no test: `cargo bench -p stratus --bench sixty`. Ends with 1 if they differ too much.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use stratus::{
    Capabilities, Conditions, Connection, Group, GroupSpecifier, Identity, Kind, Piece, PieceFlags, Play,
    Played, Publish,
};
use stratus_core::{Rng, Time};
use stratus_multicast as multicast;
use stratus_node::{Command, Config, Event, Node, Services, Setup};
use stratus_overlay as overlay;
use stratus_sim::{Latency, Watch, World};
use tokio::time::Instant;

const STREAM: &str = "cam";
const MEMBERS: usize = 60;
/// 1,128 bytes every 9 ms are 1 Mbit/s.
const PERIOD: Duration = Duration::from_millis(9);
const MESSAGES: u64 = 2_200;
/// So many of the first are not compared: trees are still growing.
const WARM_UP: u64 = 660;
const JOIN_PERIOD: Duration = Duration::from_millis(100);
const SETTLE: Duration = Duration::from_secs(8);
const LEAD_IN: Duration = Duration::from_secs(1);
const DRAIN: Duration = Duration::from_secs(4);

/// What is compared.
#[derive(Clone, Copy, Debug)]
struct Figures {
    p50: Duration,
    p99: Duration,
    /// Payload bytes received for one played.
    copies: f64,
    /// Messages played by all.
    played: usize,
}

/// From writing to playing, for every viewer and message that counts; and payload bytes received by each.
#[derive(Default)]
struct Score {
    delays: Vec<Duration>,
    played: usize,
    received_bytes: u64,
}

impl Score {
    fn add(&mut self, message: u64, delay: Duration) {
        self.played += 1;
        if message >= WARM_UP {
            self.delays.push(delay);
        }
    }

    fn figures(mut self) -> Figures {
        self.delays.sort_unstable();
        let at = |per_cent: usize| self.delays[self.delays.len() * per_cent / 100];
        let copies = self.received_bytes as f64 / (self.played * SIZE) as f64;
        Figures { p50: at(50), p99: at(99), copies, played: self.played }
    }
}

const SIZE: usize = 1_128;

/// How long everything takes that is sent to each member.
fn ways() -> Vec<Duration> {
    let mut rng = Rng::from_seed(60);
    (0..MEMBERS).map(|_| rng.between(Duration::from_millis(10), Duration::from_millis(50))).collect()
}

fn piece(number: u64) -> Piece {
    let is_key = number.is_multiple_of(100);
    let flags = PieceFlags { is_start: true, is_end: true, is_key, kind: Kind::Data };
    Piece { payload: Bytes::from(vec![number as u8; SIZE]), flags, flush: false }
}

struct Seat {
    connection: Connection,
    group: Group,
}

async fn enter(number: usize, first: Option<&Seat>) -> Seat {
    let mut spec = group();
    if let Some(first) = first {
        let address = first.connection.local_addr();
        spec = spec.add_bootstrap_peer(first.connection.peer(), &[address]).unwrap();
    }
    let conditions = Conditions { delay: ways()[number], seed: 7 + number as u64, ..Conditions::default() };
    let builder = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into());
    let connection = builder.identity(identity(number)).conditions(conditions).start().await.unwrap();
    let group = connection.join(&spec.build()).await.unwrap();
    Seat { connection, group }
}

async fn on_sockets() -> Figures {
    let mut seats: Vec<Seat> = Vec::new();
    let (score, written) = (Arc::new(Mutex::new(Score::default())), Arc::new(Mutex::new(Vec::new())));
    for number in 0..MEMBERS {
        let seat = enter(number, seats.first()).await;
        if number > 0 {
            let mut playback = seat.group.play(STREAM, Play::default()).await.unwrap();
            let (score, written) = (score.clone(), written.clone());
            tokio::spawn(async move {
                while let Some(played) = playback.next().await {
                    let Played::Message(message) = played else { continue };
                    let at: Instant = written.lock().unwrap()[message.index as usize];
                    score.lock().unwrap().add(message.index, at.elapsed());
                }
            });
        }
        seats.push(seat);
        tokio::time::sleep(JOIN_PERIOD).await;
    }
    tokio::time::sleep(SETTLE).await;
    let mut publication = seats[0].group.publish(STREAM, Publish::default()).await.unwrap();
    let begin = Instant::now() + LEAD_IN;
    for number in 0..MESSAGES {
        tokio::time::sleep_until(begin + PERIOD * number as u32).await;
        written.lock().unwrap().push(Instant::now());
        publication.write(piece(number)).await.unwrap();
    }
    tokio::time::sleep(DRAIN).await;
    for seat in &seats[1..] {
        let info = seat.group.info().await.unwrap();
        let received: u64 = info.streams.iter().map(|(_, stream)| stream.counters.received_bytes()).sum();
        score.lock().unwrap().received_bytes += received;
    }
    std::mem::take(&mut *score.lock().unwrap()).figures()
}

/// Keeps the score of the simulated members.
#[derive(Default)]
struct Scorer {
    written: Vec<Time>,
    score: Score,
}

impl Watch<Node> for Scorer {
    fn event(&mut self, now: Time, _: u32, event: Event) -> (u64, u64) {
        if let Event::Multicast(multicast::Event::Message { message, .. }) = event {
            self.score.add(message.index, now.since(self.written[message.index as usize]));
        }
        (0, 0)
    }
}

fn simulated_member(world: &mut World<Node, Scorer>, number: usize) {
    let (spec, identity) = (group().build(), identity(number));
    let (keys, peer) = (spec.keys(), identity.peer());
    let setup = Setup {
        identity,
        group: keys.group_id,
        ring: keys.ring,
        publish_authority: spec.publish_authority(),
        services: Services::default(),
        posting_authority: None,
    };
    let member = world.join(peer, Node::new(Config::default(), setup), None);
    let address = ([10, 0, 0, number as u8], 1_935).into();
    world.command(member, Command::Overlay(overlay::Command::SetAddresses(vec![address])));
    if number > 0 {
        let subscribe = multicast::Command::Subscribe { name: STREAM.into() };
        world.command(member, Command::Multicast(subscribe));
        world.dial(member, self::identity(0).peer());
    }
}

fn pass(world: &mut World<Node, Scorer>, time: Duration) {
    let until = world.now() + time;
    world.run_until(until);
}

fn simulated() -> Figures {
    let config = stratus_sim::Config::new(Latency::AtReceiver(ways()));
    let mut world = World::new(config, 7, 0, Scorer::default());
    for number in 0..MEMBERS {
        simulated_member(&mut world, number);
        pass(&mut world, JOIN_PERIOD);
    }
    pass(&mut world, SETTLE);
    let key = Identity::from_seed([7; 32]);
    let stream = multicast::StreamId(key.public());
    let publish = multicast::Publish {
        key,
        name: STREAM.into(),
        began: 1,
        authorization: group().build().publish_authorization(),
        parameters: (&multicast::Config::default()).into(),
        wishes: multicast::Overrides::default(),
    };
    world.command(0, Command::Multicast(multicast::Command::Publish(Box::new(publish))));
    pass(&mut world, LEAD_IN);
    for number in 0..MESSAGES {
        let now = world.now();
        world.watch.written.push(now);
        let write = multicast::Command::Write { stream, piece: piece(number) };
        world.command(0, Command::Multicast(write));
        pass(&mut world, PERIOD);
    }
    pass(&mut world, DRAIN);
    let received = |member| {
        let known = world.machine(member).multicast().stream(&stream).expect("a viewer knows it");
        known.counters.received_bytes()
    };
    let received_bytes = (1..MEMBERS as u32).map(received).sum();
    Score { received_bytes, ..std::mem::take(&mut world.watch.score) }.figures()
}

fn group() -> GroupSpecifier {
    let spec = GroupSpecifier::new("sixty").unwrap().make_unique([3; 32]);
    spec.capabilities(Capabilities::services()).publish_key_seed([50; 32])
}

fn identity(member: usize) -> Identity {
    Identity::from_seed([member as u8 + 100; 32])
}

fn main() -> ExitCode {
    let simulated = simulated();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let real = runtime.block_on(on_sockets());
    let off = |real: f64, simulated: f64| (real / simulated - 1.0).abs();
    let off_by =
        |pick: fn(&Figures) -> Duration| off(pick(&real).as_secs_f64(), pick(&simulated).as_secs_f64());
    let (p50, p99) = (off_by(|figures| figures.p50), off_by(|figures| figures.p99));
    let copies = off(real.copies, simulated.copies);
    let are_alike = p50 <= 0.1 && p99 <= 0.1 && copies <= 0.005 && real.played == simulated.played;
    let mut out = std::io::stdout();
    writeln!(out, "simulated {simulated:?}\nreal      {real:?}").unwrap();
    writeln!(out, "apart: p50 {p50:.3}, p99 {p99:.3} (0.1 at most), copies {copies:.5} (0.005 at most)")
        .unwrap();
    if are_alike { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
