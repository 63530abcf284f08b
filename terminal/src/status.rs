//! The line at the bottom of a terminal that says how things stand.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Drawn at most so often a second; it tells of seconds.
const DRAWS_PER_SECOND: u8 = 4;
/// How often its first character turns, so that one sees that we live.
const TURN: Duration = Duration::from_millis(250);

/// A terminal has one last line.
static LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows this line, or in place of the one before; nothing where stderr is no terminal.
pub(crate) fn show(text: &str) {
    let mut line = line();
    let bar = line.get_or_insert_with(|| {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("a template of ours");
        bar.set_style(style);
        bar.enable_steady_tick(TURN);
        bar
    });
    bar.set_message(text.to_owned());
}

/// Takes the line away.
pub(crate) fn clear() {
    if let Some(bar) = line().take() {
        bar.finish_and_clear();
    }
}

/// Does something on stderr while the line is out of the way.
pub(crate) fn hidden<T>(act: impl FnOnce() -> T) -> T {
    let bar = line().clone();
    match bar {
        Some(bar) => bar.suspend(act),
        None => act(),
    }
}

fn line() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    // A line of text is as good after a panic as before.
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stderr, for others who write whole lines there.
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hidden(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
