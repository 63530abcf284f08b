use std::io::{self, Write};
use std::path::PathBuf;

use rayon::prelude::*;
use stratus_sim::{Options, Scenario};

use super::Failure;
use super::play::{Played, read};
use super::spread::Spread;

#[derive(clap::Args)]
pub(super) struct SweepArguments {
    /// The scenario to begin from, and what must hold.
    file: Option<PathBuf>,
    #[command(flatten)]
    spread: Spread,
    /// Runs at a time; each takes one core and its own memory.
    #[arg(long, default_value_t = cores(), value_name = "COUNT")]
    jobs: usize,
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// So many runs at a time.
pub(super) fn pool(jobs: usize) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).build();
    pool.map_err(|error| Failure::Output(io::Error::other(error)))
}

/// Plays all runs, some at a time, and prints each one's line when it is done; answers whether all promises held.
pub(super) fn sweep(arguments: &SweepArguments) -> Result<bool, Failure> {
    let file = arguments.file.as_ref().map(read).transpose()?;
    let base = file.as_ref().map_or_else(Scenario::default, |file| file.scenario.clone());
    let musts = file.as_ref().map_or(&[][..], |file| &file.must);
    let runs = arguments.spread.runs(&base)?;
    let have_held: Result<Vec<bool>, Failure> = pool(arguments.jobs)?.install(|| {
        let play = |run: &super::spread::Planned| {
            let played = Played::of(&run.scenario, musts, Options::default());
            if !played.has_held {
                played.complain(arguments.file.as_ref(), &base)?;
            }
            // One write, so that lines of different runs do not mix.
            io::stdout().lock().write_all(format!("{}\n", played.line()?).as_bytes())?;
            Ok(played.has_held)
        };
        runs.par_iter().map(play).collect()
    });
    Ok(have_held?.into_iter().all(|has_held| has_held))
}
