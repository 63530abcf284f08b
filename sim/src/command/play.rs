use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use stratus_sim::{Options, Outcome, Report, SCHEMA, Scenario, ScenarioFile, Timing, Verdict, run as play};

use super::flags::ScenarioFlags;
use super::{Failure, clock};

#[derive(clap::Args)]
pub(super) struct RunArguments {
    /// A scenario, and what must hold; flags change what it says.
    file: Option<PathBuf>,
    #[command(flatten)]
    scenario: ScenarioFlags,
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

/// Reads a scenario file; says which line is wrong.
pub(super) fn read(path: &PathBuf) -> Result<ScenarioFile, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Use(format!("cannot read the scenario: {}: {error}", path.display())))?;
    ScenarioFile::parse(&text).map_err(|error| Failure::Use(format!("{}: {error}", path.display())))
}

/// Plays one scenario; answers whether all promises held.
pub(super) fn run(arguments: &RunArguments) -> Result<bool, Failure> {
    let file = arguments.file.as_ref().map(read).transpose()?;
    let base = file.as_ref().map_or_else(Scenario::default, |file| file.scenario.clone());
    let scenario = arguments.scenario.apply(&base);
    scenario.validate().map_err(|invalid| Failure::Use(invalid.to_string()))?;
    let options = Options {
        trace_lines: arguments.trace_events,
        with_anatomy: arguments.verbose,
        journal_of: arguments.journal.as_ref().map(|_| arguments.journal_of),
    };
    let (outcome, timing) = timed(&scenario, options);
    let notes = outcome.trace_lines.iter().chain(&outcome.anatomy).chain(&outcome.faults);
    for line in notes {
        writeln!(io::stderr(), "{line}")?;
    }
    if let Some(path) = &arguments.journal {
        std::fs::write(path, &outcome.journal)?;
    }
    let results = outcome.results;
    let must: Vec<Verdict> =
        file.iter().flat_map(|file| &file.must).map(|must| must.judge(&results)).collect();
    let has_held = results.faults == 0 && must.iter().all(|verdict| verdict.holds);
    if !has_held {
        let path = arguments.file.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default();
        tell_of_failure(&must, &format!("stratus-sim run{path}{}", scenario.flags(&base)))?;
    }
    let (scenario_hash, seed) = (scenario.hash(), scenario.seed);
    let report = Report { schema: SCHEMA, scenario_hash, seed, scenario, results, must, timing };
    writeln!(io::stdout(), "{}", serde_json::to_string(&report).map_err(io::Error::from)?)?;
    Ok(has_held)
}

fn tell_of_failure(must: &[Verdict], command: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for Verdict { what, bound, found, .. } in must.iter().filter(|verdict| !verdict.holds) {
        let found = found.map_or_else(|| "never".to_owned(), |found| found.to_string());
        writeln!(stderr, "{what} must be {bound}, and is {found}")?;
    }
    writeln!(stderr, "to play it again: {command}")
}

/// Plays a scenario, and says how long that took here.
pub(super) fn timed(scenario: &Scenario, options: Options) -> (Outcome, Timing) {
    let begin = clock();
    let outcome = play(scenario, options);
    let timing = timing(&outcome, begin.elapsed());
    (outcome, timing)
}

fn timing(outcome: &Outcome, wall: Duration) -> Timing {
    let (results, wall_s) = (&outcome.results, wall.as_secs_f64());
    let played = results.delivered_ratio * (results.messages * u64::from(results.survivors)) as f64;
    Timing {
        wall_s: (wall_s * 1e3).round() / 1e3,
        events_per_s: (results.events as f64 / wall_s).round(),
        deliveries_per_s: (played / wall_s).round(),
        peak_bytes_per_member: peak_bytes().map(|bytes| bytes / u64::from(results.members.max(1))),
    }
}

/// The most memory that this process had so far, where Linux tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}
