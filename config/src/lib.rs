//! Settings of the commands: a file, the environment over it, flags over both.
//!
//! Nouns: [`Program`] (whose settings, and where they are searched for), [`Loaded`] (what was found, and where each value
//! came from), [`LogSection`] (what all of them have), [`units`] (values as people write them: `"8s"`, `"20 Mbit/s"`). A program describes its settings as a
//! `serde` type that refuses unknown fields.
//!
//! ```text
//! defaults < file < STRATUS_SECTION__KEY < flags
//! ```
//!
//! It refuses keys that it does not know, and says in which line they stand. Secrets are no settings: a setting names
//! the file that holds one.

mod environment;
mod file;
mod logging;
mod program;
pub mod units;

pub use logging::{Form, Level, LogSection};
pub use program::{Loaded, Program, uncommented};

#[cfg(test)]
mod tests;
