//! The `stratus` command: groups, publishing, playing, and a demonstration of all three.

mod args;
mod bench;
mod demo;
mod feed;
mod group;
mod password;
mod place;
mod play;
mod publish;
mod session;
mod sink;
mod source;
mod spec;
mod ts;

use std::process::ExitCode;

use clap::Parser as _;
use stratus_terminal::{console, log, signals, stop};
use tokio::runtime::{Builder, Runtime};

use args::{Arguments, Command};
use console::{Console, Verbosity};
use stop::{Code, Failure, Stop};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let console = Console::new(arguments.verbosity());
    match run(&arguments, console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            if let Stop::Failed(failure) = &stop {
                console.error(failure);
            }
            ExitCode::from(stop.exit_code())
        }
    }
}

fn run(arguments: &Arguments, console: Console) -> Result<(), Stop> {
    log::start(arguments.log_filter());
    match &arguments.command {
        Command::Group { action } => group::run(action, console),
        Command::Publish(options) => complete(publish::run(options, console)),
        Command::Play(options) => complete(play::run(options, console)),
        Command::Demo(options) => complete(demo::run(options, console)),
        Command::Bench { what } => bench::run(what, console),
    }
}

/// Runs a command. What is still running then (a name being looked up) is not waited for.
fn complete(command: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
    let runtime = runtime()?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

fn runtime() -> Result<Runtime, Failure> {
    // One thread: a stream needs a small part of a core, and waking a second one for each run costs a tenth more.
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::new(Code::Failed, "cannot start threads").tried(error.to_string()))
}

/// Help and version are data; anything else is wrong use.
fn refuse(error: &clap::Error) -> ExitCode {
    let console = Console::new(Verbosity::Normal);
    let text = error.render().to_string();
    if error.use_stderr() {
        console.error(text.trim_end());
        return ExitCode::from(Code::Usage as u8);
    }
    match console.data(text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(stop.exit_code()),
    }
}
