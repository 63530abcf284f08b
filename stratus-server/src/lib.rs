//! The rendezvous server: brings the members of groups together, then is not needed.
//!
//! Nouns: [`Server`] (a running one), [`Watch`], [`Figures`], [`ServerConfig`], [`StartError`]. All that it decides, it decides in the
//! pure [`Registry`](stratus_overlay::rendezvous::Registry); here are its socket, its clock and its one task.
//!
//! It refuses to keep anything on disk, to see a group's secret, and to carry a group's media.

mod config;
mod desk;
mod server;

pub use config::ServerConfig;
pub use desk::Figures;
pub use server::{Server, StartError, Watch};
pub use stratus_overlay::rendezvous::{Config as Limits, Rate, Refusal, Stats};
