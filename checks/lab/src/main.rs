//! `stratus-lab`: runs scenarios, and is the members that take part in them.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Parser, Subcommand};
use stratus_lab::{Outcome, SCENARIOS, Scenario, Settings, Trouble, find, member, run, sweep};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A check of the command line failed.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// A scenario missed a bar.
const MISSED: u8 = 5;

/// How much more of the processor the lab gets than others: ten times as much, if there is a crowd.
const PRIORITY: i32 = -10;
/// What its members leave to the forwarder: three times their own share.
const MODESTY: i32 = 5;

/// Somebody wants the lab to stop; what it built is taken away first.
static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Real members in network namespaces, on bad paths. Needs root
#[derive(Debug, Parser)]
#[command(name = "stratus-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says what scenarios there are
    List,
    /// Runs scenarios, all if none is named
    Run(Run),
    /// Takes away what labs that were killed have left
    Sweep,
    /// Takes part in a scenario; its orders come by stdin
    #[command(hide = true)]
    Member,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Scenarios by name
    names: Vec<String>,
    /// One JSON object for each scenario
    #[arg(long)]
    json: bool,
    /// How many viewers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(2..=200))]
    viewers: u16,
    /// Payload of the stream, kbit/s
    #[arg(long, value_name = "KBIT", default_value_t = 4_000, value_parser = clap::value_parser!(u64).range(50..=100_000))]
    rate: u64,
    /// Length of the stream, seconds
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=3_600))]
    seconds: u64,
    /// Bars on shares and times are so many times wider; what must hold anywhere is not touched
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    room: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Command::List => list(),
        Command::Run(options) => run_all(options),
        Command::Sweep => sweep().map(|_| ExitCode::SUCCESS),
        Command::Member => be_member(),
    };
    done.unwrap_or_else(|trouble| {
        tell(&trouble.to_string());
        ExitCode::from(FAILED)
    })
}

fn list() -> Result<ExitCode, Trouble> {
    for scenario in SCENARIOS {
        say(&format!("{:<10} {}", scenario.name, scenario.about))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_all(options: &Run) -> Result<ExitCode, Trouble> {
    let Some(scenarios) = chosen(&options.names) else {
        tell("no such scenario; hint: stratus-lab list");
        return Ok(ExitCode::from(USAGE));
    };
    stop_on_signals()?;
    // A busy machine would look like a bad network. Where it is not allowed, it does.
    let _ = rustix::process::nice(PRIORITY);
    let program = std::env::current_exe().map_err(Trouble::of("cannot find this program"))?;
    let settings = Settings {
        program: &program,
        viewers: options.viewers.into(),
        rate: options.rate * 125,
        length: Duration::from_secs(options.seconds),
        room: options.room,
        is_interrupted: &IS_INTERRUPTED,
    };
    if !options.json {
        say(Outcome::heading())?;
    }
    let mut missed = 0;
    for scenario in scenarios {
        let outcome = run(scenario, &settings)?;
        missed += outcome.failures.len();
        if options.json {
            say(&serde_json::to_string(&outcome).map_err(Trouble::of("cannot write json"))?)?;
        } else {
            say(&outcome.to_string())?;
        }
        for failure in &outcome.failures {
            tell(&format!("{}: {failure}", scenario.name));
        }
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(MISSED) })
}

fn chosen(names: &[String]) -> Option<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Some(SCENARIOS.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

fn be_member() -> Result<ExitCode, Trouble> {
    // Who carries the packets of all must not wait for any.
    let _ = rustix::process::nice(MODESTY);
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::try_from_env("STRATUS_LOG").unwrap_or_else(|_| EnvFilter::new("error")))
        .init();
    // One worker, as the stratus command has.
    let built = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = built.map_err(Trouble::of("cannot start threads"))?;
    let result = runtime.block_on(member::run());
    runtime.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}

fn stop_on_signals() -> Result<(), Trouble> {
    let failed = "cannot listen for signals";
    let built = Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(Trouble::of(failed))?;
    let mut signals = {
        let _within = runtime.enter();
        [
            signal(SignalKind::interrupt()).map_err(Trouble::of(failed))?,
            signal(SignalKind::terminate()).map_err(Trouble::of(failed))?,
        ]
    };
    std::thread::spawn(move || {
        let [interrupt, terminate] = &mut signals;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        IS_INTERRUPTED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

fn say(line: &str) -> Result<(), Trouble> {
    writeln!(std::io::stdout(), "{line}").map_err(Trouble::of("cannot write"))
}

fn tell(line: &str) {
    // There is nobody else to tell.
    let _ = writeln!(std::io::stderr(), "stratus-lab: {line}");
}
