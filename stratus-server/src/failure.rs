use std::fmt;
use std::io;

use stratus_server::StartError;
use stratus_transport::BindError;

/// An error as people get it: what, then what was tried, then what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    what: String,
    tried: String,
    hint: &'static str,
}

/// What kind of failure; its number is the exit code.
#[derive(Clone, Copy, Debug)]
enum Code {
    /// Failed while running.
    Failed = 1,
    /// Wrong use: arguments.
    Usage = 2,
}

impl Failure {
    /// Why the server did not start.
    pub(crate) fn of_start(error: &StartError) -> Self {
        match error {
            StartError::Bind(error) => Self::of_bind(error),
            StartError::Limits(rule) => Self {
                code: Code::Usage,
                what: format!("these limits make no sense: {rule}"),
                tried: "nothing, the limits were checked first".to_owned(),
                hint: "see \"stratus-server --help\" for the defaults",
            },
            StartError::Entropy(reason) => Self {
                code: Code::Failed,
                what: "cannot make a key".to_owned(),
                tried: format!("random bytes from the system: {reason}"),
                hint: "a sandbox may forbid the getrandom call",
            },
        }
    }

    /// The system refused something that it never refuses in health.
    pub(crate) fn of_system(what: &str, error: &io::Error) -> Self {
        Self {
            code: Code::Failed,
            what: what.to_owned(),
            tried: error.to_string(),
            hint: "look at the process's limits (ulimit -a)",
        }
    }

    /// The socket died under a running server.
    pub(crate) fn of_ended() -> Self {
        Self {
            code: Code::Failed,
            what: "the server ended by itself".to_owned(),
            tried: "serving, until its socket or its task was gone".to_owned(),
            hint: "start it again; its clients register again by themselves",
        }
    }

    fn of_bind(error: &BindError) -> Self {
        let (what, tried, hint) = match error {
            BindError::PortInUse { address } => (
                format!("cannot bind udp port: {address}"),
                "the port is in use by another program",
                "choose another with --listen",
            ),
            BindError::NotPermitted { address } => (
                format!("cannot bind udp port: {address}"),
                "the system does not permit it to this user",
                "choose one from 1024 up with --listen",
            ),
            BindError::NoSuchAddress { address } => (
                format!("cannot bind udp port: {address}"),
                "no interface of this machine has that address",
                "choose one that it has, or 0.0.0.0, with --listen",
            ),
            error => (error.to_string(), "opening the socket", "choose another with --listen"),
        };
        Self { code: Code::Failed, what, tried: tried.to_owned(), hint }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        self.code as u8
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, tried, hint, .. } = self;
        write!(f, "error: {what}\n  tried: {tried}\n  hint: {hint}")
    }
}
