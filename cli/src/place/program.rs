//! A program whose output is our input, or whose input is our output.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::password;
use crate::stop::{Code, Failure, lower_first};

/// How long a program that was asked to end may take.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// What a shell says when there is no such command, and when it cannot be run.
const NOT_FOUND: i32 = 127;
const NOT_RUNNABLE: i32 = 126;

/// A running program and what it started, in a process group of their own: Ctrl-C reaches us alone, and we end
/// them when it is time. Dropping it kills them.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    name: String,
}

impl Program {
    /// Starts a command whose output is to be read.
    pub(crate) fn reader(command: &str) -> Result<(Self, PipeReader), Failure> {
        let (reader, writer) = pipe()?;
        Ok((Self::start(command, Stdio::null(), writer.into())?, reader))
    }

    /// Starts a command that reads what we write; what it prints goes to our stderr, since stdout is for data.
    pub(crate) fn writer(command: &str) -> Result<(Self, PipeWriter), Failure> {
        let (reader, writer) = pipe()?;
        let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(|error| of_start(&error))?;
        Ok((Self::start(command, reader.into(), stderr.into())?, writer))
    }

    fn start(command: &str, stdin: Stdio, stdout: Stdio) -> Result<Self, Failure> {
        let name = command.split_whitespace().next().unwrap_or("").to_owned();
        let mut shell = Command::new("/bin/sh");
        // Passwords are ours alone.
        for variable in password::VARIABLES {
            shell.env_remove(variable);
        }
        shell.args(["-c", command]).stdin(stdin).stdout(stdout).process_group(0).kill_on_drop(true);
        let child = shell.spawn().map_err(|error| of_start(&error))?;
        Ok(Self { child, name })
    }

    /// Waits for its end; safe to cancel. A failure if that was not a success.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        match self.child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(of_end(&self.name, status)),
            Err(error) => Err(of_start(&error)),
        }
    }

    /// Asks it to end, and kills what does not.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        // Dropping kills whatever is left.
        let _ = timeout(END_TIMEOUT, self.child.wait()).await;
    }

    /// Signals the whole group, while its first process is ours to name.
    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = id {
            // Those who are gone need no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn pipe() -> Result<(PipeReader, PipeWriter), Failure> {
    io::pipe().map_err(|error| of_start(&error))
}

fn of_start(error: &io::Error) -> Failure {
    Failure::new(Code::Failed, "cannot start a program").tried(lower_first(&error.to_string()))
}

fn of_end(name: &str, status: ExitStatus) -> Failure {
    let failure = Failure::new(Code::Failed, format!("the program has failed: {name}"));
    match (status.code(), status.signal()) {
        (Some(NOT_FOUND), _) => failure.tried("there is no such command").hint(
            "check its spelling and the PATH; a command with spaces needs quotes: \"exec:ffmpeg -i …\"",
        ),
        (Some(NOT_RUNNABLE), _) => {
            failure.tried("it is there and cannot be run").hint("make it executable: chmod +x")
        }
        (Some(code), _) => failure.tried(format!("exit status {code}")).hint("see what it said above"),
        (None, signal) => failure.tried(format!("ended by signal {}", signal.unwrap_or_default())),
    }
}
