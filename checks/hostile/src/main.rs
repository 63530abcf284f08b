//! `stratus-hostile witness`: an honest member whose costs the tests read from outside.

use std::process::ExitCode;

use stratus_hostile::{Load, witness};

#[tokio::main(worker_threads = 1)]
async fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("witness") {
        return ExitCode::from(2);
    }
    match witness(Load::TWO_MBIT).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
