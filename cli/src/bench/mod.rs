//! `stratus bench`: many members in one process over loopback sockets, beside a plain star.
//!
//! What the figures mean, over all rounds together unless it says otherwise:
//! - `delivery`: messages published in the windows that reached a viewer, of all that should have.
//! - `p50_ms`, `p99_ms`, `max_ms`: from the message entering the publisher to its leaving a viewer.
//! - `join_s`: from starting the first member, the server running already, to every viewer having got its first
//!   message; the slowest round's.
//! - `copies`: payload bytes received by all members, of those needed: published, times viewers.
//! - `control_ratio`: maps, requests, answers, announcements and all of the overlay's messages received, of the
//!   same; `auth_ratio`: manifests.
//! - `wire_per_payload`: what members sent each other as UDP, 28 bytes of headers for each datagram, of the same.
//! - `cpu_s_per_gb`: processor seconds of the process during the windows, for each 10^9 payload bytes that
//!   reached a viewer in them.
//! - `star_ratio`, `unsigned_star_ratio`: that, divided by the star's of the same round; the median of the
//!   rounds, with all `_pairs` and their `_spread` (most less least, by the median) beside it. Messages of several
//!   fragments the star carries in datagrams of the same size and on a stream each, one after the other, and the
//!   cheaper of both counts; `_carriers` says what each of them cost and delivered.
//! - `shared_bytes_per_s`: bytes of objects that all members together got in the windows, with `--share`; what they cost is in
//!   `cpu_s_per_gb` and `wire_per_payload` then.
//! - `rss_peak_mib`: the most memory that the process has held by the end of the first round's group, before
//!   any star.

mod args;
mod figures;
mod load;
mod machine;
mod ours;
mod post;
mod rounds;
mod share;
mod stage;
mod star;
mod tally;

use std::time::Duration;

pub(crate) use self::args::BenchCommand;
use self::args::Live;
use self::figures::Figures;
use self::rounds::Plan;
use crate::console::Console;
use crate::group::stamped;
use crate::signals::Signals;
use crate::stop::{Code, Failure, Stop};

/// What a phase leaves behind may take so long to end.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Runs `stratus bench …`.
pub(crate) fn run(command: &BenchCommand, console: Console) -> Result<(), Stop> {
    match command {
        BenchCommand::Live(options) => live(options, console),
        BenchCommand::Share(options) => share::run(options, console),
        BenchCommand::Post(options) => post::run(options, console),
    }
}

fn live(options: &Live, console: Console) -> Result<(), Stop> {
    let plan = Plan::from(options);
    let load_before = machine::load_average();
    if let Some(load) = load_before {
        console.note(format_args!("load average {load}: whatever else runs here is in the figures"));
    }
    let results = plan.run(console)?;
    let figures = Figures::of(&plan, &results, [load_before, machine::load_average()]);
    if options.json {
        console.data(stamped("bench live", figures.json()))?;
    } else {
        figures.lines().into_iter().try_for_each(|line| console.data(line))?;
    }
    let missed = figures.missed();
    if options.check && !missed.is_empty() {
        let what = format!("missed: {}", missed.join(", "));
        return Err(Failure::new(Code::Check, what)
            .hint("a machine that is busy with other things measures them")
            .into());
    }
    Ok(())
}

/// Runs one part of a measurement on threads of its own.
fn phase<T>(part: impl Future<Output = Result<T, Failure>>) -> Result<T, Stop> {
    let runtime = crate::runtime()?;
    let outcome = runtime.block_on(async {
        let signals = Signals::listen()?;
        tokio::select! {
            outcome = part => Ok(outcome?),
            signal = signals.first() => Err(Stop::Signal(signal)),
        }
    });
    runtime.shutdown_timeout(LEFTOVERS);
    outcome
}

#[cfg(test)]
mod tests;
