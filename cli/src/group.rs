//! `stratus group`: makes and explains groupspecs.

mod new;
pub(crate) mod qr;
mod show;

pub(crate) use new::with_ways;

use std::time::SystemTime;

use serde_json::Value;

use crate::args::GroupCommand;
use crate::console::Console;
use crate::spec;
use crate::stop::{Code, Failure, Stop};

/// Runs `stratus group …`.
pub(crate) fn run(command: &GroupCommand, console: Console) -> Result<(), Stop> {
    match command {
        GroupCommand::New(options) => new::run(options, console),
        GroupCommand::Show { spec, json } => show::run(&spec::load(spec)?, *json, console),
        GroupCommand::Qr { spec } => qr::run(&spec::load(spec)?, console),
    }
}

/// So many bytes that nobody can guess.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(Code::Failed, "the system gave no random numbers").tried(error.to_string())
    })?;
    Ok(bytes)
}

/// One line of JSON: what kind of thing it is, when it was, and the rest.
pub(crate) fn stamped(kind: &str, mut fields: Value) -> Value {
    fields["type"] = kind.into();
    fields["time"] = humantime::format_rfc3339_millis(SystemTime::now()).to_string().into();
    fields
}
