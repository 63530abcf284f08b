//! The operator's listener: is it alive, is it ready, what does it count.
//!
//! Nouns: [`Admin`] (the listener), [`Report`] (what the program says of itself), [`metrics`] (every name that is
//! exported, in one file). A program hands over one function that makes a [`Report`]; all pages are made of it.
//!
//! | page | says |
//! |---|---|
//! | `/livez` | 200 if the report came in time |
//! | `/readyz`, `/readyz?verbose` | 200 if all checks hold; each check on a line |
//! | `/metrics` | the counters, as Prometheus reads them |
//! | `/status` | the report as JSON, for `stratus status` |
//!
//! It refuses addresses that are not loopback unless it is told to take them, requests of more than 16 KiB, a third
//! scrape at a time, and to name a peer, an address or a group's id.

mod listener;
pub mod metrics;
mod report;
pub mod transport;

pub use listener::{Admin, AdminConfig, AdminError, AdminListen};
pub use report::{Ask, Check, Report};
