//! What the layers below have to say, on stderr.

use tracing_subscriber::EnvFilter;

use crate::status::Stderr;

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// An object on each line.
    Json,
}

/// Begins to log what `filter` lets through; called once in a process.
pub fn start(filter: &str, format: Format) {
    let log = tracing_subscriber::fmt()
        .with_writer(|| Stderr)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter));
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
}
