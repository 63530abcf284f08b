//! `stratus-sim`: plays scenarios of many members in simulated time and prints one line of JSON for each.
//!
//! ```text
//! stratus-sim run --members 1000 --rate 2.5Mbit/s --uplink 2 --latency uniform:10ms..50ms --secs 20 --seed 1
//! stratus-sim run sim/scenarios/kill-half.toml
//! ```
//!
//! The line carries the scenario and its seed; the same flags give the same line, `timing` excepted.

use std::process::ExitCode;

use clap::Parser;

mod command;

fn main() -> ExitCode {
    command::Arguments::parse().run()
}
