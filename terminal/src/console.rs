//! The one place that writes to stdout and stderr: data to the first, all else to the second.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

use crate::record::{Record, Value};
use crate::status;
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
    record: Option<&'static Record>,
}

impl Console {
    /// A console that says as much as `verbosity` allows.
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity, record: None }
    }

    /// The same, with every event written as an object on a line of its own. What people read stays on stderr, unless
    /// the events go there.
    #[must_use]
    pub fn with_record(self, record: &'static Record) -> Self {
        Self { record: Some(record), ..self }
    }

    /// A line of data, on stdout, flushed.
    pub fn data(self, line: impl fmt::Display) -> Result<(), Stop> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{line}")
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::of_write("standard output", &error))
    }

    /// Something for programs that watch us; nothing unless they asked for it.
    pub fn event(self, kind: &'static str, fields: Value) {
        if let Some(record) = self.record {
            record.write(kind, fields);
        }
    }

    /// Whether programs watch us.
    pub fn has_events(self) -> bool {
        self.record.is_some()
    }

    /// A change that a user would notice.
    pub fn note(self, line: impl fmt::Display) {
        if self.verbosity >= Verbosity::Normal {
            self.say("note", &line);
        }
    }

    /// What happens underneath.
    pub fn detail(self, line: impl fmt::Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.say("detail", &line);
        }
    }

    /// Something that is said even when asked to be quiet.
    pub fn error(self, line: impl fmt::Display) {
        self.say("note", &line);
    }

    /// Why we end.
    pub fn failure(self, failure: &Failure) {
        self.event("error", failure.fields());
        if self.shows_text() {
            status::hidden(|| {
                // Nobody is left to be told when stderr is closed.
                let _ = writeln!(anstream::stderr().lock(), "{}", colored(&failure.to_string()));
            });
        }
    }

    /// How things stand: the last line of a terminal, written anew each time.
    pub fn status(self, line: &str) {
        if self.verbosity >= Verbosity::Normal && self.shows_text() {
            status::show(line);
        }
    }

    /// What the last line told of is over.
    pub fn end_status(self) {
        status::clear();
    }

    /// Whether there is a terminal that shows how things stand.
    pub fn has_status(self) -> bool {
        self.verbosity >= Verbosity::Normal && self.shows_text() && stderr_is_terminal()
    }

    /// Nothing more will be said: takes the last line away, and waits for what is written elsewhere.
    pub fn close(self) {
        self.end_status();
        if let Some(record) = self.record {
            record.close();
        }
    }

    fn say(self, kind: &'static str, line: &dyn fmt::Display) {
        if self.record.is_some() {
            self.event(kind, serde_json::json!({ "text": line.to_string() }));
        }
        if self.shows_text() {
            status::hidden(|| {
                // Nobody is left to be told when stderr is closed.
                let _ = writeln!(anstream::stderr().lock(), "{line}");
            });
        }
    }

    /// Stderr carries text or events, never both.
    fn shows_text(self) -> bool {
        self.record.is_none_or(|record| !record.is_on_stderr())
    }
}

/// The words that say what a line is, in colours that a stream without colours leaves out.
fn colored(text: &str) -> String {
    let error = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let hint = Style::new().bold();
    let paint = |line: &str| match line {
        _ if line.starts_with("error:") => line.replacen("error:", &format!("{error}error:{error:#}"), 1),
        _ if line.starts_with("  hint:") => line.replacen("hint:", &format!("{hint}hint:{hint:#}"), 1),
        line => line.to_owned(),
    };
    text.lines().map(paint).collect::<Vec<_>>().join("\n")
}

/// Whether stdout is a screen, where binary data would do harm.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stdin is a keyboard, from which no stream will come.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether stderr is a screen.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}
