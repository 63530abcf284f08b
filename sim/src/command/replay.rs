//! `stratus-sim replay`: runs a recorded node again.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use stratus_node::journal::{Divergence, Replay, ReplayError};

use super::BROKEN_PROMISE;

/// Outputs of a step that are shown.
const MOST_SHOWN: usize = 20;
/// Longest line about one of them.
const MOST_LETTERS: usize = 400;

/// Replays `file`: one line of JSON on stdout; 5 if a step did something else than then.
pub(crate) fn replay(file: &Path) -> ExitCode {
    let journal = match std::fs::read(file) {
        Ok(journal) => journal,
        Err(error) => return failed(&format!("cannot read the journal: {}: {error}", file.display())),
    };
    let mut replay = match Replay::new(journal.into()) {
        Ok(replay) => replay,
        Err(error) => return failed(&format!("cannot replay {}: {error}", file.display())),
    };
    let found = to_the_end(&mut replay);
    let line = json!({
        "steps": replay.steps(),
        "seconds": replay.now().as_micros() as f64 / 1e6,
        "rest_bytes": replay.rest(),
        "first_divergence": found.as_ref().ok().and_then(Option::as_ref).map(|found| found.step),
    });
    if writeln!(io::stdout(), "{line}").is_err() {
        return ExitCode::SUCCESS;
    }
    match found {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(divergence)) => {
            let _ = show(&divergence);
            ExitCode::from(BROKEN_PROMISE)
        }
        Err(error) => failed(&format!("cannot replay {}: {error}", file.display())),
    }
}

fn to_the_end(replay: &mut Replay) -> Result<Option<Divergence>, ReplayError> {
    while let Some(step) = replay.step()? {
        if let Err(divergence) = step {
            return Ok(Some(divergence));
        }
    }
    Ok(None)
}

fn show(found: &Divergence) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    let short = |text: &str| text.chars().take(MOST_LETTERS).collect::<String>();
    writeln!(stderr, "step {} at {} does something else: {}", found.step, found.at, short(&found.input))?;
    for output in found.outputs.iter().take(MOST_SHOWN) {
        writeln!(stderr, "  now: {}", short(output))?;
    }
    Ok(())
}

fn failed(what: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {what}");
    ExitCode::FAILURE
}
