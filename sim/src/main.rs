//! `stratus-sim`: plays a scenario of many members in simulated time and prints one line of JSON.
//!
//! ```text
//! stratus-sim run --members 1000 --rate 2.5Mbit/s --uplink 2 --latency uniform:10ms..50ms --secs 20 --seed 1
//! ```
//!
//! The line carries the scenario and its seed; the same flags give the same line, `timing` excepted.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use stratus_sim::{
    Kill, LatencyLaw, Multiple, Options, Outcome, Report, SCHEMA, Scenario, Shape, Share, Timing,
    parse_duration, parse_rate, run,
};

mod replay;

/// A check failed: a promise was broken.
const BROKEN_PROMISE: u8 = 5;

#[derive(Parser)]
#[command(name = "stratus-sim", version, about = "Plays groups of many members in simulated time")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Plays one scenario; prints one line of JSON on stdout.
    Run(Box<RunArguments>),
    /// Runs a recorded node again, step by step, and says where it first does something else than then.
    Replay {
        /// What `run --journal` or `--journal` of the stratus command wrote.
        file: PathBuf,
    },
}

#[derive(clap::Args)]
struct RunArguments {
    /// Members, the publishers included.
    #[arg(long, default_value_t = 100)]
    members: u32,
    /// Members that play; the rest is in the group and plays nothing. Default: all that do not publish.
    #[arg(long)]
    viewers: Option<u32>,
    /// Members that publish.
    #[arg(long, default_value_t = 1)]
    publishers: u32,
    /// Streams of each publisher; every viewer plays all streams.
    #[arg(long, default_value_t = 1)]
    streams: u32,
    /// Publishers play the streams of the other publishers.
    #[arg(long)]
    all_listen: bool,
    /// Payload rate of a stream.
    #[arg(long, default_value = "2.5Mbit/s", value_parser = parse_rate)]
    rate: u64,
    /// Payload bytes of a full fragment.
    #[arg(long, default_value_t = 1_128)]
    size: usize,
    /// How the stream is cut into messages.
    #[arg(long, value_enum, default_value_t = ShapeName::Constant)]
    shape: ShapeName,
    /// Viewers' uplinks as a multiple of the wire rate of what they play (payload × 1.13, sound × 1.7), or none
    /// for no limit.
    #[arg(long, default_value = "2")]
    uplink: Multiple,
    /// A publisher's uplink as a multiple of what it publishes.
    #[arg(long, default_value = "4")]
    source_uplink: Multiple,
    /// SHARE@MULTIPLE: that share of the viewers has this uplink instead, such as 0.2@10.
    #[arg(long)]
    strong: Option<Share>,
    /// The same, for the other end.
    #[arg(long)]
    weak: Option<Share>,
    /// Share of the viewers that only receive.
    #[arg(long, default_value_t = 0.0)]
    download_only: f64,
    /// uniform:LOW..HIGH one way, each pair on its own, or coordinate: places on a globe.
    #[arg(long, default_value = "uniform:10ms..50ms")]
    latency: LatencyLaw,
    /// Share of packets lost, 0 to 0.5.
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Datagrams take up to this much longer, so that they overtake one another.
    #[arg(long, default_value = "0s", value_parser = parse_duration)]
    jitter: Duration,
    /// Length of the stream.
    #[arg(long, default_value = "20s", value_parser = parse_duration)]
    secs: Duration,
    /// Members join at random moments within this time.
    #[arg(long, default_value = "3s", value_parser = parse_duration)]
    join_over: Duration,
    /// Time between the last join and the stream.
    #[arg(long, default_value = "5s", value_parser = parse_duration)]
    settle: Duration,
    /// Time between the publication and the stream's first message.
    #[arg(long, default_value = "300ms", value_parser = parse_duration)]
    lead_in: Duration,
    /// Messages written this early in the stream do not count for delay.
    #[arg(long, default_value = "0s", value_parser = parse_duration)]
    warm_up: Duration,
    /// SHARE@TIME: that share of the subscribers vanishes that long after the stream began, such as 0.33@10s.
    #[arg(long)]
    kill: Option<Kill>,
    /// Share of the viewers that are replaced in a minute, half of them without a word.
    #[arg(long, default_value_t = 0.0)]
    churn: f64,
    /// From which every draw comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the first so many events to stderr: time, member, kind, two sizes.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    trace_events: u64,
    /// Writes one member's inputs to this file, for `replay`.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Whose: publishers come first, then viewers, from 0.
    #[arg(long, default_value_t = 1, value_name = "MEMBER")]
    journal_of: u32,
    /// Says on stderr where delay arises.
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapeName {
    Constant,
    Frames,
    Audio,
}

impl RunArguments {
    fn scenario(&self) -> Scenario {
        Scenario {
            members: self.members,
            viewers: self.viewers,
            publishers: self.publishers,
            streams: self.streams,
            all_listen: self.all_listen,
            rate_bits: self.rate,
            size: self.size,
            shape: match self.shape {
                ShapeName::Constant => Shape::Constant,
                ShapeName::Frames => Shape::Frames,
                ShapeName::Audio => Shape::Audio,
            },
            uplink: self.uplink.0,
            source_uplink: self.source_uplink.0,
            strong: self.strong,
            weak: self.weak,
            download_only: self.download_only,
            latency: self.latency,
            loss: self.loss,
            jitter: self.jitter,
            join_over: self.join_over,
            settle: self.settle,
            lead_in: self.lead_in,
            secs: self.secs,
            warm_up: self.warm_up,
            kill: self.kill,
            churn: self.churn,
            seed: self.seed,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::parse().command {
        Action::Run(arguments) => *arguments,
        Action::Replay { file } => return replay::replay(&file),
    };
    let scenario = arguments.scenario();
    if let Err(what) = scenario.validate() {
        return wrong_use(&what);
    }
    match play(&scenario, &arguments) {
        Ok(code) => code,
        // Whoever reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: cannot write the report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wrong_use(what: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {what}");
    ExitCode::from(2)
}

fn play(scenario: &Scenario, arguments: &RunArguments) -> io::Result<ExitCode> {
    let journal_of = arguments.journal.as_ref().map(|_| arguments.journal_of);
    let options =
        Options { trace_lines: arguments.trace_events, with_anatomy: arguments.verbose, journal_of };
    let begin = clock();
    let outcome = run(scenario, options);
    let wall = begin.elapsed();
    let notes = outcome.trace_lines.iter().chain(&outcome.anatomy).chain(&outcome.faults);
    for line in notes {
        writeln!(io::stderr(), "{line}")?;
    }
    if let Some(path) = &arguments.journal {
        std::fs::write(path, &outcome.journal)?;
    }
    let code = if outcome.results.faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(BROKEN_PROMISE) };
    let report = report(scenario, outcome, wall);
    writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(code)
}

fn report(scenario: &Scenario, outcome: Outcome, wall: Duration) -> Report {
    let results = outcome.results;
    let wall_s = wall.as_secs_f64();
    let played = results.delivered_ratio * (results.messages * u64::from(results.survivors)) as f64;
    let timing = Timing {
        wall_s: (wall_s * 1e3).round() / 1e3,
        events_per_s: (results.events as f64 / wall_s).round(),
        deliveries_per_s: (played / wall_s).round(),
    };
    Report { schema: SCHEMA, scenario: scenario.clone(), results, timing }
}

/// The one look at a clock: it times the simulator, never what is simulated.
#[expect(clippy::disallowed_methods, reason = "measures the program itself")]
fn clock() -> Instant {
    Instant::now()
}
