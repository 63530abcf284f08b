//! What the layers below have to say, on stderr.

use std::io;

use tracing_subscriber::EnvFilter;

/// Begins to log what `filter` lets through; called once in a process.
pub fn start(filter: &str) {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(filter))
        .init();
}
