use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stratus_sim::{
    Must, Options, Outcome, Report, SCHEMA, Scenario, ScenarioFile, Timing, Verdict, run as play,
};

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
    /// Writes the line of JSON to this file instead of stdout, as a whole or not at all; if the file is there, nothing is played.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Adds to the line what `report` draws.
    #[arg(long)]
    series: bool,
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
    if let Some(out) = arguments.out.as_ref().filter(|out| out.exists()) {
        writeln!(io::stderr(), "it was played before: {}", out.display())?;
        return Ok(true);
    }
    let file = arguments.file.as_ref().map(read).transpose()?;
    let base = file.as_ref().map_or_else(Scenario::default, |file| file.scenario.clone());
    let scenario = arguments.scenario.apply(&base);
    scenario.validate().map_err(|invalid| Failure::Use(invalid.to_string()))?;
    let options = Options {
        trace_lines: arguments.trace_events,
        with_anatomy: arguments.verbose,
        with_series: arguments.series,
        journal_of: arguments.journal.as_ref().map(|_| arguments.journal_of),
    };
    let played = Played::of(&scenario, file.as_ref().map_or(&[], |file| &file.must), options);
    let Outcome { trace_lines, anatomy, faults, journal, .. } = &played.outcome;
    for line in trace_lines.iter().chain(anatomy).chain(faults) {
        writeln!(io::stderr(), "{line}")?;
    }
    if let Some(path) = &arguments.journal {
        std::fs::write(path, journal)?;
    }
    if !played.has_held {
        played.complain(arguments.file.as_ref(), &base)?;
    }
    let line = format!("{}\n", played.line()?);
    match &arguments.out {
        Some(out) => write_whole(out, &line)?,
        None => io::stdout().write_all(line.as_bytes())?,
    }
    Ok(played.has_held)
}

/// Writes a file that is there as a whole or not at all, whenever this program is killed.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
    std::fs::write(&unfinished, text)?;
    std::fs::rename(unfinished, path)
}

/// A scenario that was played, and whether what must hold held.
pub(super) struct Played {
    scenario: Scenario,
    pub(super) outcome: Outcome,
    must: Vec<Verdict>,
    timing: Timing,
    pub(super) has_held: bool,
}

impl Played {
    /// Plays it.
    pub(super) fn of(scenario: &Scenario, must: &[Must], options: Options) -> Self {
        let (outcome, timing) = timed(scenario, options);
        let must: Vec<Verdict> = must.iter().map(|must| must.judge(&outcome.results)).collect();
        let has_held = outcome.results.faults == 0 && must.iter().all(|verdict| verdict.holds);
        Self { scenario: scenario.clone(), outcome, must, timing, has_held }
    }

    /// Its line of JSON.
    pub(super) fn line(&self) -> io::Result<String> {
        let Self { scenario, outcome, must, timing, .. } = self;
        let report = Report {
            schema: SCHEMA,
            scenario_hash: scenario.hash(),
            seed: scenario.seed,
            scenario: scenario.clone(),
            results: outcome.results.clone(),
            must: must.clone(),
            series: outcome.series.clone(),
            timing: *timing,
        };
        serde_json::to_string(&report).map_err(io::Error::from)
    }

    /// Says which promises did not hold, and the command that plays it again.
    pub(super) fn complain(&self, file: Option<&PathBuf>, base: &Scenario) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        for Verdict { what, bound, found, .. } in self.must.iter().filter(|verdict| !verdict.holds) {
            let found = found.map_or_else(|| "never".to_owned(), |found| found.to_string());
            writeln!(stderr, "{what} must be {bound}, and is {found}")?;
        }
        let path = file.map(|path| format!(" {}", path.display())).unwrap_or_default();
        writeln!(stderr, "to play it again: stratus-sim run{path}{}", self.scenario.flags(base))
    }
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
