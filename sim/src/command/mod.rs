use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};

mod board;
mod compare;
mod flags;
mod plan;
mod play;
mod replay;
mod report;
mod spread;
mod swarm;
mod sweep;

/// The command line.
#[derive(Parser)]
#[command(name = "stratus-sim", version, about = "Plays groups of many members in simulated time")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Plays one scenario; prints one line of JSON on stdout.
    Run(Box<play::RunArguments>),
    /// Plays a scenario with several values and seeds, on all cores; prints one line of JSON for each run.
    Sweep(Box<sweep::SweepArguments>),
    /// Prints the command lines of many runs, for programs that spread them over machines.
    Plan(Box<plan::PlanArguments>),
    /// Says what got better and worse from one set of runs to another; ends with 5 if anything got worse.
    Compare(compare::CompareArguments),
    /// Draws runs that were played with --series: delay, hops, convergence, members, delay over time, as SVG.
    Report(report::ReportArguments),
    /// Plays scenario files and makes a table: what each promises, what came of it, whether it held.
    Scoreboard(board::BoardArguments),
    /// Plays one set of objects from one member to all others; prints one line of JSON on stdout.
    Swarm(swarm::SwarmArguments),
    /// Runs a recorded node again, step by step, and says where it first does something else than then.
    Replay {
        /// What `run --journal` or `--journal` of the stratus command wrote.
        file: PathBuf,
    },
}

/// A check failed: a promise was broken.
const BROKEN_PROMISE: u8 = 5;

impl Arguments {
    /// Does what is asked.
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Action::Run(arguments) => exit(play::run(&arguments)),
            Action::Sweep(arguments) => exit(sweep::sweep(&arguments)),
            Action::Plan(arguments) => exit(plan::plan(&arguments)),
            Action::Compare(arguments) => exit(compare::compare(&arguments)),
            Action::Report(arguments) => exit(report::report(&arguments)),
            Action::Scoreboard(arguments) => exit(board::board(&arguments)),
            Action::Swarm(arguments) => exit(swarm::swarm(&arguments)),
            Action::Replay { file } => replay::replay(&file),
        }
    }
}

/// Why a command did not do what it should.
#[derive(Debug)]
enum Failure {
    /// Wrong use: flags, files.
    Use(String),
    /// It could not be done.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Use(what) => f.write_str(what),
            Self::Output(error) => write!(f, "cannot write the report: {error}"),
        }
    }
}

/// Whether all promises held, as an exit code.
fn exit(result: Result<bool, Failure>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN_PROMISE),
        // Whoever reads has enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(if matches!(failure, Failure::Use(_)) { 2 } else { 1 })
        }
    }
}

/// The one look at a clock: it times the simulator, never what is simulated.
#[expect(clippy::disallowed_methods, reason = "measures the program itself")]
fn clock() -> Instant {
    Instant::now()
}
