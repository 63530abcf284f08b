//! How the commands speak to people and to other programs.
//!
//! Nouns: [`Console`](console::Console) (data to stdout, all else to stderr), [`Failure`](stop::Failure) (an error
//! in three parts, with its exit code), [`Record`](record::Record) (the same as events,
//! for programs), [`Stop`](stop::Stop), [`Signals`](signals::Signals). The `stratus` command
//! and `stratus-server` share it, so that both say the same thing in the same way.
//!
//! It refuses to know what a command does.

pub mod console;
pub mod log;
pub mod record;
pub mod signals;
mod status;
pub mod stop;
