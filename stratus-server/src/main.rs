//! The `stratus-server` command: a rendezvous server in the foreground until SIGTERM or SIGINT.

mod args;
mod report;

use std::process::ExitCode;

use clap::Parser as _;
use stratus_admin::Admin;
use stratus_server::{Server, StartError};
use stratus_terminal::console::Console;
use stratus_terminal::log;
use stratus_terminal::signals::Signals;
use stratus_terminal::stop::{Code, Failure};
use tokio::runtime::Builder;

use crate::args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    log::start(args.log_filter(), log::Format::Text);
    let console = Console::new(args.verbosity());
    match run(&args, console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console.error(&failure);
            ExitCode::from(failure.code as u8)
        }
    }
}

fn run(args: &Args, console: Console) -> Result<(), Failure> {
    let built = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = built.map_err(|error| {
        Failure::new(Code::Failed, "cannot start threads")
            .tried(error.to_string())
            .hint("look at the process's limits (ulimit -a)")
    })?;
    runtime.block_on(serve(args, console))
}

async fn serve(args: &Args, console: Console) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut server = Server::start(args.server_config()).await.map_err(|error| of_start(&error))?;
    console.note(format_args!("listening on udp: {}", server.local_addr()));
    let admin = open_admin(args, &server, console).await?;
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
async fn open_admin(args: &Args, server: &Server, console: Console) -> Result<Option<Admin>, Failure> {
    let Some(config) = args.admin_config() else { return Ok(None) };
    match Admin::start(config, report::asks(server.watch())).await {
        Ok(admin) => {
            console.note(format_args!("admin listener on http: {}", admin.local_addr()));
            Ok(Some(admin))
        }
        Err(error) if args.has_chosen_admin() => Err(Failure::from(&error)),
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
            .hint("see \"stratus-server --help\" for the defaults"),
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
