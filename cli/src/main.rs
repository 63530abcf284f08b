//! The `stratus` command: groups, publishing, playing, and a demonstration of all three.

mod args;
mod bench;
mod chat;
mod check_config;
mod consent;
mod demo;
mod dht;
mod events;
mod feed;
mod fetch;
mod group;
mod identity;
mod manual;
mod password;
mod place;
mod play;
mod progress;
mod publish;
mod report;
mod route;
mod session;
mod settings;
mod share;
mod sink;
mod source;
mod spec;
mod status;
mod talk;
mod transfer;
mod ts;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use stratus_config::LogSection;
use stratus_terminal::{console, log, record, signals, stop};
use tokio::runtime::{Builder, Runtime};

use args::{Arguments, Color, Command};
use console::{Console, Verbosity};
use stop::{Code, Failure, Stop};

fn main() -> ExitCode {
    let mut arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let console = arguments.console();
    let settled = settle(&mut arguments.command).map_err(Stop::Failed);
    let code = match settled.and_then(|log| run(&arguments, log, console)) {
        Ok(()) => 0,
        Err(stop) => {
            if let Stop::Failed(failure) = &stop {
                console.failure(failure);
            }
            stop.exit_code()
        }
    };
    console.close();
    ExitCode::from(code)
}

fn parse() -> Result<Arguments, clap::Error> {
    let color = Color::of_words(std::env::args());
    color.choose();
    Arguments::from_arg_matches(&Arguments::command().try_get_matches()?)
}

/// Fills in what the file with settings and the environment say, where no flag does; gives what they say of logs.
fn settle(command: &mut Command) -> Result<LogSection, Failure> {
    match command {
        Command::Publish(publish) => settings::settle_publish(publish),
        Command::Play(play) => settings::settle_play(play),
        Command::Post(post) => settings::settle_member(&mut post.spec, &mut post.reach),
        Command::Listen(listen) => settings::settle_member(&mut listen.spec, &mut listen.reach),
        Command::Chat(chat) => settings::settle_member(&mut chat.spec, &mut chat.reach),
        Command::Fetch(fetch) => settings::settle_member(&mut fetch.spec, &mut fetch.reach),
        Command::Route(route) => settings::settle_member(&mut route.spec, &mut route.reach),
        Command::Dht { action } => {
            let (spec, reach) = action.reach();
            settings::settle_member(spec, reach)
        }
        _ => Ok(LogSection::default()),
    }
}

fn run(arguments: &Arguments, settings: LogSection, console: Console) -> Result<(), Stop> {
    log::start(arguments.log_filter(settings), arguments.log_format(settings));
    match &arguments.command {
        Command::Group { action } => group::run(action, console),
        Command::Publish(options) => complete(publish::run(options, console)),
        Command::Play(options) => complete(play::run(options, console)),
        Command::Post(options) => complete(talk::post(options, console)),
        Command::Listen(options) => complete(talk::listen(options, console)),
        Command::Chat(options) => complete(chat::run(options, console)),
        Command::Route(options) => complete(route::run(options, console)),
        Command::Dht { action } => complete(dht::run(action, console)),
        Command::Share(options) => complete(share::run(options, console)),
        Command::Fetch(options) => complete(fetch::run(options, console)),
        Command::Demo(options) => complete(demo::run(options, console)),
        Command::Bench { what } => bench::run(what, console),
        Command::Status(options) => complete(status::run(options, console)),
        Command::CheckConfig { config } => check_config::run(config.as_deref(), console),
        Command::Completions { shell } => manual::completions(*shell, console),
        Command::Man { folder } => Ok(manual::pages(folder, console)?),
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
    if error.use_stderr() {
        console.error(error.render().ansi().to_string().trim_end());
        return ExitCode::from(Code::Usage as u8);
    }
    match console.data(error.render().to_string().trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(stop.exit_code()),
    }
}
