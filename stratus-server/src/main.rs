//! The `stratus-server` command: a rendezvous server in the foreground until SIGTERM or SIGINT.

mod args;
mod console;
mod failure;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;
use stratus_server::Server;
use tokio::runtime::Builder;

use crate::args::Args;
use crate::failure::Failure;
use crate::signals::Signals;

fn main() -> ExitCode {
    let args = Args::parse();
    args.start_log();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::say(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::of_system("cannot start threads", &error))?;
    runtime.block_on(serve(args))
}

async fn serve(args: &Args) -> Result<(), Failure> {
    let mut signals =
        Signals::listen().map_err(|error| Failure::of_system("cannot catch signals", &error))?;
    let mut server = Server::start(args.server_config()).await.map_err(|error| Failure::of_start(&error))?;
    if !args.is_quiet() {
        console::say(format_args!("listening on udp: {}", server.local_addr()));
    }
    let ended_by_itself = tokio::select! {
        () = signals.next() => false,
        () = server.ended() => true,
    };
    // A second signal does not wait for goodbyes.
    tokio::select! {
        () = server.shutdown() => {}
        () = signals.next() => {}
    }
    if ended_by_itself { Err(Failure::of_ended()) } else { Ok(()) }
}
