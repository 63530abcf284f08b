//! The `stratus-server` command: a rendezvous server in the foreground until SIGTERM or SIGINT.

mod args;
mod healthcheck;
mod report;
mod settings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use stratus_admin::Admin;
use stratus_config::Loaded;
use stratus_server::{Server, StartError};
use stratus_terminal::console::Console;
use stratus_terminal::log;
use stratus_terminal::signals::Signals;
use stratus_terminal::stop::{Code, Failure, Stop};
use tokio::runtime::Builder;

use crate::args::{Action, Args, DEFAULT_ADMIN};
use crate::settings::{PACKAGED, PROGRAM, Settings};

fn main() -> ExitCode {
    let args = Args::parse();
    let console = Console::new(args.verbosity());
    match run(&args, console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Failed(failure)) => {
            console.error(&failure);
            ExitCode::from(failure.code as u8)
        }
        Err(stop) => ExitCode::from(stop.exit_code()),
    }
}

fn run(args: &Args, console: Console) -> Result<(), Stop> {
    let mut loaded: Loaded<Settings> =
        PROGRAM.load(args.config.as_deref(), std::env::vars_os().filter_map(text))?;
    loaded.settings = args.over(loaded.settings);
    log::start(loaded.settings.log_filter(), loaded.settings.log_format());
    match args.action {
        None => Ok(serve_until_told(&loaded.settings, console)?),
        Some(Action::CheckConfig) => check(&loaded, console),
        Some(Action::Healthcheck) => {
            let admin = loaded.settings.admin.config(DEFAULT_ADMIN);
            Ok(healthcheck::run(admin.map(|admin| admin.listen), console)?)
        }
    }
}

/// A variable that is text; others can be no settings.
fn text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// Says what holds, after making sure that a server would start with it.
fn check(loaded: &Loaded<Settings>, console: Console) -> Result<(), Stop> {
    loaded.settings.server_config().limits.validate().map_err(|rule| of_start(&StartError::Limits(rule)))?;
    let admin = loaded.settings.admin.config(DEFAULT_ADMIN);
    if let Some(config) = admin {
        config.check().map_err(|error| Failure::from(&error))?;
    }
    match &loaded.file {
        Some(path) => console.note(format_args!("settings from {}", path.display())),
        None => console.note("settings: no file, the defaults and the environment"),
    }
    loaded.lines(PACKAGED).into_iter().try_for_each(|line| console.data(line))
}

fn serve_until_told(settings: &Settings, console: Console) -> Result<(), Failure> {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = built.map_err(|error| {
        Failure::new(Code::Failed, "cannot start threads")
            .tried(error.to_string())
            .hint("look at the process's limits (ulimit -a)")
    })?;
    runtime.block_on(serve(settings, console))
}

async fn serve(settings: &Settings, console: Console) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut server = Server::start(settings.server_config()).await.map_err(|error| of_start(&error))?;
    console.note(format_args!("listening on udp: {}", server.local_addr()));
    let admin = open_admin(settings, &server, console).await?;
    let ended_by_itself = tokio::select! {
        _ = signals.next() => false,
        () = server.ended() => true,
    };
    drop(admin);
    // A second signal does not wait for goodbyes.
    tokio::select! {
        () = server.shutdown() => {}
        _ = signals.next() => {}
    }
    if ended_by_itself { Err(of_ended()) } else { Ok(()) }
}

/// The operator's listener, if one is wanted. A usual place that is taken, as by another server on this machine, is no
/// reason not to serve; one that was asked for is.
async fn open_admin(
    settings: &Settings,
    server: &Server,
    console: Console,
) -> Result<Option<Admin>, Failure> {
    let Some(config) = settings.admin.config(DEFAULT_ADMIN) else { return Ok(None) };
    match Admin::start(config, report::asks(server.watch())).await {
        Ok(admin) => {
            console.note(format_args!("admin listener on http: {}", admin.local_addr()));
            Ok(Some(admin))
        }
        Err(error) if settings.admin.listen.is_some() => Err(Failure::from(&error)),
        Err(error) => {
            console.note(format_args!("no admin listener: {error}"));
            Ok(None)
        }
    }
}

/// Why the server did not start.
fn of_start(error: &StartError) -> Failure {
    match error {
        StartError::Bind(error) => Failure::from(error),
        StartError::Limits(rule) => Failure::new(Code::Usage, format!("these limits make no sense: {rule}"))
            .tried("nothing, the limits were checked first")
            .hint("see \"stratus-server check-config\" for what holds"),
        StartError::Entropy(reason) => Failure::new(Code::Failed, "cannot make a key")
            .tried(format!("random bytes from the system: {reason}"))
            .hint("a sandbox may forbid the getrandom call"),
    }
}

/// The socket died under a running server.
fn of_ended() -> Failure {
    Failure::new(Code::Failed, "the server ended by itself")
        .tried("serving, until its socket or its task was gone")
        .hint("start it again; its clients register again by themselves")
}
