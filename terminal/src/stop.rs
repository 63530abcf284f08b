//! Why a command ends before its end, and the exit code that says so.

use std::fmt;
use std::io;

use stratus_transport::BindError;

/// Why a command did not run to its end.
#[derive(Debug)]
pub enum Stop {
    /// Whoever read our output has gone: a quiet end, not an error.
    ClosedPipe,
    /// A signal came before the work was done.
    Signal(Signal),
    /// Something went wrong.
    Failed(Failure),
}

/// The signals that end a command politely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`.
    Terminate,
}

/// What kind of failure; its number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Failed while running.
    Failed = 1,
    /// Wrong use: arguments, configuration.
    Usage = 2,
    /// Could not reach the group or server in time.
    Unreachable = 3,
    /// Refused: groupspec, authorisation or permission.
    Refused = 4,
    /// A check failed.
    Check = 5,
}

/// An error as people get it: what, then what was tried, then what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// The kind.
    pub code: Code,
    what: String,
    tried: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure that says only what; lower-case, one line, no full stop.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), tried: None, hint: None }
    }

    /// What was tried, or why it failed.
    pub fn tried(mut self, tried: impl Into<String>) -> Self {
        self.tried = Some(tried.into());
        self
    }

    /// What the reader may do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The parts, for programs.
    pub fn fields(&self) -> serde_json::Value {
        let Self { code, what, tried, hint } = self;
        serde_json::json!({ "exit_code": *code as u8, "what": what, "tried": tried, "hint": hint })
    }

    /// A write to `target` that did not work; a reader who has gone is no failure.
    pub fn of_write(target: &str, error: &io::Error) -> Stop {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Stop::ClosedPipe;
        }
        let failure = Self::new(Code::Failed, format!("cannot write to {target}"));
        Stop::Failed(failure.tried(lower_first(&error.to_string())).hint(match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room there, or choose another place"
            }
            _ => "check that the place exists and may be written",
        }))
    }
}

impl From<&BindError> for Failure {
    /// A port that could not be opened.
    fn from(error: &BindError) -> Self {
        let (address, why, hint) = match error {
            BindError::PortInUse { address } => {
                (address, "the port is in use by another program", "choose another with --listen")
            }
            BindError::NotPermitted { address } => (
                address,
                "the system does not permit it to this user",
                "choose one from 1024 up with --listen",
            ),
            BindError::NoSuchAddress { address } => (
                address,
                "no interface of this machine has that address",
                "choose one that it has, or 0.0.0.0, with --listen",
            ),
            other => {
                return Self::new(Code::Failed, "cannot open a udp socket").tried(other.to_string());
            }
        };
        Self::new(Code::Failed, format!("cannot bind udp port: {address}")).tried(why).hint(hint)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(tried) = &self.tried {
            write!(f, "\n  tried: {tried}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Stop {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Signal(signal) => signal.exit_code(),
            Self::Failed(failure) => failure.code as u8,
        }
    }
}

impl Signal {
    /// 128 and the signal's number, as shells count.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// The system's messages begin with a capital; ours do not.
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
