//! The processes of one run. All are ended on drop.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::member::{Orders, Said};
use crate::network::Host;
use crate::trouble::Trouble;

/// How often a wait looks whether somebody wants the lab to stop.
const GLANCE: Duration = Duration::from_millis(200);

/// Members at work, numbered in the order in which they were started.
pub(crate) struct Crew<'a> {
    program: &'a Path,
    is_interrupted: &'a AtomicBool,
    workers: Vec<Worker>,
    sender: Sender<(usize, Heard)>,
    receiver: Receiver<(usize, Heard)>,
}

struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    is_dismissed: bool,
}

/// What came from a member.
pub(crate) enum Heard {
    Said(Said),
    /// Its output ended; nothing more will come.
    Gone,
}

impl<'a> Crew<'a> {
    /// Nobody yet. `program` is this program.
    pub(crate) fn new(program: &'a Path, is_interrupted: &'a AtomicBool) -> Self {
        let (sender, receiver) = channel();
        Self { program, is_interrupted, workers: Vec::new(), sender, receiver }
    }

    /// Starts a member on a host, and returns its number.
    pub(crate) fn start(&mut self, host: &Host, orders: &Orders) -> Result<usize, Trouble> {
        let mut command = Command::new(self.program);
        command.arg("member").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let started = host.inside(|| command.spawn())?;
        let mut child = started.map_err(Trouble::of("cannot start a member"))?;
        let stdout = child.stdout.take().expect("it was piped");
        let stdin = child.stdin.take();
        let (number, sender) = (self.workers.len(), self.sender.clone());
        self.workers.push(Worker { child, stdin, is_dismissed: false });
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for said in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                // Nobody listens any more when the run is over.
                let _ = sender.send((number, Heard::Said(said)));
            }
            let _ = sender.send((number, Heard::Gone));
        });
        let line = serde_json::to_string(orders).map_err(Trouble::of("cannot write orders"))?;
        self.tell(number, &line)?;
        Ok(number)
    }

    /// Writes a line to a member.
    pub(crate) fn tell(&mut self, number: usize, line: &str) -> Result<(), Trouble> {
        let stdin = self.workers[number].stdin.as_mut().expect("only dropping takes it");
        let written = stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
        written.map_err(Trouble::of("a member does not listen"))
    }

    /// Ends a member without a word, as `kill -9` does.
    pub(crate) fn kill(&mut self, number: usize) -> Result<(), Trouble> {
        let worker = &mut self.workers[number];
        worker.is_dismissed = true;
        worker.child.kill().map_err(Trouble::of("cannot kill a member"))?;
        worker.child.wait().map(drop).map_err(Trouble::of("cannot await a member's end"))
    }

    /// Hands what members say to `listen` until it returns something.
    pub(crate) fn listen<T>(
        &mut self,
        until: Instant,
        what: &str,
        mut listen: impl FnMut(usize, Said) -> Option<T>,
    ) -> Result<T, Trouble> {
        loop {
            if self.is_interrupted.load(Ordering::Relaxed) {
                return Err(Trouble::new("interrupted"));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Trouble::new(format!("waited in vain until {what}")));
            }
            match self.receiver.recv_timeout(left.min(GLANCE)) {
                Ok((number, Heard::Said(said))) => {
                    if let Some(result) = listen(number, said) {
                        return Ok(result);
                    }
                }
                Ok((number, Heard::Gone)) if self.workers[number].is_dismissed => {}
                Ok((number, Heard::Gone)) => {
                    return Err(Trouble::new(format!("member {number} ended before {what}")));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the crew holds a sender itself"),
            }
        }
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // One that has ended already needs neither.
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
    }
}
