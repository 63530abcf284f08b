use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use stratus_sim::{Bound, Options, ScenarioFile, Verdict, floor};

use super::Failure;
use super::play::{read, timed};
use super::sweep::{cores, pool};

#[derive(clap::Args)]
pub(super) struct BoardArguments {
    /// Scenario files, or folders of them.
    #[arg(default_value = "sim/scenarios")]
    paths: Vec<PathBuf>,
    /// Plays the quick ones alone.
    #[arg(long)]
    quick: bool,
    /// Plays those of up to so many members.
    #[arg(long, default_value_t = 1_000_000, value_name = "MEMBERS")]
    up_to: u32,
    /// Files at a time; each takes one core and its own memory.
    #[arg(long, default_value_t = cores(), value_name = "COUNT")]
    jobs: usize,
    /// Writes the board to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const HEAD: &str = "# Scoreboard

Made by `stratus-sim scoreboard`; do not edit. Each row is a promise of a scenario file and what came of it with the file's seed.
*Floor* is what nothing can do better, where that is known (`sim/src/floor.rs`). `stretch` rows are wishes. What was missed is said
to be missed.

";

/// Plays scenarios and makes a table of what they promise; answers whether all promises held.
pub(super) fn board(arguments: &BoardArguments) -> Result<bool, Failure> {
    let mut text = HEAD.to_owned();
    text.push_str(
        "| goal | what | figure | must be | is | floor | | command |\n|---|---|---|---|---|---|---|---|\n",
    );
    let (mut has_held, mut notes) = (true, String::new());
    let mut chosen = Vec::new();
    for path in files(&arguments.paths)? {
        let file = read(&path)?;
        if (file.is_quick || !arguments.quick) && file.scenario.members <= arguments.up_to {
            chosen.push((path, file));
        }
    }
    let play = |(path, file): &(PathBuf, ScenarioFile)| {
        let _ = writeln!(io::stderr(), "{}: {}", path.display(), file.about);
        rows(path, file)
    };
    let played: Vec<(String, bool)> =
        pool(arguments.jobs)?.install(|| chosen.par_iter().with_max_len(1).map(play).collect());
    for ((path, file), (rows, have_held)) in chosen.iter().zip(played) {
        text.push_str(&rows);
        has_held &= have_held;
        if let Some(note) = &file.note {
            let _ = writeln!(notes, "- {}: {note}", path.display());
        }
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n## Why, and what was tried\n\n{notes}");
    }
    match &arguments.out {
        Some(out) => std::fs::write(out, text)?,
        None => io::stdout().write_all(text.as_bytes())?,
    }
    Ok(has_held)
}

/// The files, those of a folder in the order of their names.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |path: &Path, error: io::Error| {
        Failure::Use(format!("cannot read scenarios: {}: {error}", path.display()))
    };
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = path.read_dir().map_err(|error| wrong(path, error))?;
        let mut within: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        within.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        within.sort();
        files.extend(within);
    }
    Ok(files)
}

/// Plays a file; a row for each promise and each wish, and whether the promises held.
fn rows(path: &Path, file: &ScenarioFile) -> (String, bool) {
    let mut text = String::new();
    let (outcome, _) = timed(&file.scenario, Options::default());
    let judge = |musts: &[stratus_sim::Must]| -> Vec<Verdict> {
        musts.iter().map(|must| must.judge(&outcome.results)).collect()
    };
    let (must, stretch) = (judge(&file.must), judge(&file.stretch));
    let faults = outcome.results.faults;
    let oracles = Verdict {
        what: "faults".into(),
        bound: Bound::Exactly(0.0),
        found: Some(faults as f64),
        holds: faults == 0,
    };
    let command = format!("`stratus-sim run {}`", path.display());
    for (verdict, words) in must
        .iter()
        .chain([&oracles])
        .map(|verdict| (verdict, ["pass", "**miss**"]))
        .chain(stretch.iter().map(|verdict| (verdict, ["stretch met", "stretch missed"])))
    {
        let Verdict { what, bound, found, holds } = verdict;
        let found = found.map_or_else(|| "never".to_owned(), |found| found.to_string());
        let floor = floor(&file.scenario, what).map(|floor| floor.to_string()).unwrap_or_default();
        let word = words[usize::from(!holds)];
        let (goal, about) = (&file.goal, &file.about);
        let _ = writeln!(
            text,
            "| {goal} | {about} | `{what}` | {bound} | {found} | {floor} | {word} | {command} |"
        );
    }
    (text, must.iter().all(|verdict| verdict.holds) && faults == 0)
}
