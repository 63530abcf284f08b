//! The one place that writes to stdout and stderr: data to the first, all else to the second.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use crate::stop::{Failure, Stop};

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// What a user would notice.
    Normal,
    /// What happens underneath as well.
    Verbose,
}

/// Standard output and standard error of this program.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    verbosity: Verbosity,
}

impl Console {
    /// A console that says as much as `verbosity` allows.
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity }
    }

    /// A line of data, on stdout, flushed.
    pub fn data(self, line: impl fmt::Display) -> Result<(), Stop> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::of_write("standard output", &error))
    }

    /// A change that a user would notice.
    pub fn note(self, line: impl fmt::Display) {
        if self.verbosity >= Verbosity::Normal {
            self.error(line);
        }
    }

    /// What happens underneath.
    pub fn detail(self, line: impl fmt::Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.error(line);
        }
    }

    /// Something that is said even when asked to be quiet.
    pub fn error(self, line: impl fmt::Display) {
        // Nobody is left to be told when stderr is closed.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Whether stdout is a screen, where binary data would do harm.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stdin is a keyboard, from which no stream will come.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}
