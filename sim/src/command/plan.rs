use std::io::{self, Write};
use std::path::PathBuf;

use stratus_sim::Scenario;

use super::Failure;
use super::board::files;
use super::play::read;
use super::spread::{Spread, place};

#[derive(clap::Args)]
pub(super) struct PlanArguments {
    /// Scenario files, or folders of them; without any, what the flags say.
    paths: Vec<PathBuf>,
    #[command(flatten)]
    spread: Spread,
    /// Folder in which each run leaves its line; on all machines the same name.
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    into: PathBuf,
}

/// Prints a command line for each run. Played in any order, on any machines and more than once, they leave the same files.
pub(super) fn plan(arguments: &PlanArguments) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    let files = files(&arguments.paths)?;
    let bases = if files.is_empty() { vec![None] } else { files.into_iter().map(Some).collect() };
    for path in bases {
        let base = path.as_ref().map(read).transpose()?.map_or_else(Scenario::default, |file| file.scenario);
        for run in arguments.spread.runs(&base)? {
            let file = path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default();
            let out = place(&arguments.into, path.as_ref(), &run);
            let flags = run.scenario.flags(&base);
            writeln!(stdout, "stratus-sim run{file}{flags} --out {}", out.display())?;
        }
    }
    Ok(true)
}
