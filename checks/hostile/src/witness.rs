//! An honest member in a process of its own, so that what it costs can be read from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use stratus::{Event, Group, Groupspec, Play, Played};
use stratus_core::PeerId;
use tokio::task::JoinHandle;

use crate::load::{Judge, Load, member};

/// Clock ticks a second in /proc: 100 on every Linux that we know.
const TICKS: f64 = 100.0;

/// The other process, seen from here.
pub struct Witness {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Who it is.
    pub peer: PeerId,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Witness {
    /// Starts `program` as a witness of "cam". The groupspec goes in by its standard input, as a secret should.
    pub fn start(program: &str, spec: &Groupspec) -> Self {
        let command =
            Command::new(program).arg("witness").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = command.expect("the witness starts");
        let mut input = child.stdin.take().expect("piped");
        writeln!(input, "{}", spec.to_string_without_authorizations()).expect("it reads");
        drop(input);
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("it says who it is");
        let mut words = line.split_whitespace();
        let peer = words.next().and_then(PeerId::from_hex).expect("a peer id");
        let address = words.next().and_then(|address| address.parse().ok()).expect("an address");
        Self { child, lines, peer, address }
    }

    /// Something to read its costs with.
    pub fn reader(&self) -> Costs {
        Costs { process: self.child.id() }
    }

    /// Waits for the end of the stream; gives what it got, and whom it blamed.
    pub fn verdict(mut self) -> (Judge, Vec<PeerId>) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it says what it got");
        let mut words = line.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        let judge = Judge::of(number(), number(), number(), number());
        let blamed = words.filter_map(PeerId::from_hex).collect();
        self.child.wait().expect("it ends");
        (judge, blamed)
    }
}

/// What a process costs, as the system tells.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    process: u32,
}

impl Costs {
    /// Processor time that it has used, all threads together.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).expect("it runs");
        let after_name = stat.rsplit(')').next().expect("a name in brackets");
        let ticks =
            |at: usize| after_name.split_whitespace().nth(at).and_then(|word| word.parse::<f64>().ok());
        Duration::from_secs_f64((ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS)
    }

    /// Memory that it holds, bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process)).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line for memory");
        line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // Gone already, if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whom this member blames until the group is left, each time anew.
pub fn blamed(group: &Group) -> JoinHandle<Vec<PeerId>> {
    let mut events = group.events();
    tokio::spawn(async move {
        let mut blamed = Vec::new();
        while let Some(event) = events.recv().await {
            if let Event::Misbehaved { peer, .. } = event {
                blamed.push(peer);
            }
        }
        blamed
    })
}

/// The witness itself: reads a groupspec from standard input, plays "cam" to its end, and says what it got.
pub async fn witness(load: Load) -> std::io::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_line(&mut text)?;
    let spec: Groupspec = Groupspec::parse(text.trim()).map_err(std::io::Error::other)?;
    let (connection, group) = member(&spec).await;
    let mut out = std::io::stdout();
    writeln!(out, "{} {}", connection.peer(), connection.local_addr())?;
    out.flush()?;
    let blamed = blamed(&group);
    let mut playback = group.play("cam", Play::default()).await.map_err(std::io::Error::other)?;
    let (mut judge, began) = (Judge::default(), Instant::now());
    while let Some(played) = playback.next().await {
        if let Played::Message(message) = played {
            judge.take(&load, &message.payload());
        }
        assert!(began.elapsed() < Duration::from_secs(300), "the stream never ended");
    }
    drop(playback);
    group.leave().await;
    drop(group);
    connection.close().await;
    let blamed = blamed.await.unwrap_or_default();
    let last = judge.last().unwrap_or(0);
    write!(out, "{} {} {} {last}", judge.good, judge.bad, judge.missing)?;
    blamed.iter().try_for_each(|peer| write!(out, " {peer}"))?;
    writeln!(out)
}
