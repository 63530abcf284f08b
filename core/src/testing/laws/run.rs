use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;

use super::{Bounds, Fault, Progress, Record, Subject};
use crate::testing::{Layer, read_back};
use crate::{Cx, Input, Machine, Output, PeerId, Rng, Time, Verify, Wire, drive};

/// Sent messages that are kept to be played back.
const KEPT: usize = 32;
/// More wakes than this in one wait is a machine that spins.
const MOST_WAKES: usize = 200_000;

pub(super) type Message<S> = <<S as Subject>::Machine as Layer>::Message;
pub(super) type Command<S> = <<S as Subject>::Machine as Layer>::Command;
type Outputs<S> = Vec<<<S as Subject>::Machine as Machine>::Output>;

/// One machine and the host that the laws play for it.
pub(super) struct Run<'a, S: Subject> {
    bounds: &'a Bounds,
    progress: &'a Progress,
    is_doubled: bool,
    pub(super) subject: S,
    pub(super) machine: S::Machine,
    machine_rng: Rng,
    verify: Box<dyn Verify>,
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) peers: Vec<PeerId>,
    pub(super) connected: BTreeSet<PeerId>,
    pub(super) wanted: BTreeSet<PeerId>,
    closing: Vec<PeerId>,
    pub(super) sent: VecDeque<Bytes>,
    sent_bytes: u64,
    outputs: String,
    record: Record,
}

impl<'a, S: Subject> Run<'a, S> {
    pub(super) fn new(
        bounds: &'a Bounds,
        seed: u64,
        mut subject: S,
        is_doubled: bool,
        progress: &'a Progress,
    ) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut machine_rng = rng.fork("machine");
        Self {
            machine: subject.machine(&mut machine_rng),
            verify: subject.verify(),
            peers: subject.peers(),
            bounds,
            progress,
            is_doubled,
            subject,
            machine_rng,
            rng,
            now: Time::ZERO,
            connected: BTreeSet::new(),
            wanted: BTreeSet::new(),
            closing: Vec::new(),
            sent: VecDeque::new(),
            sent_bytes: 0,
            outputs: String::new(),
            record: Vec::new(),
        }
    }

    /// Random steps, then quiet.
    pub(super) fn all(mut self) -> Result<Record, Fault> {
        for _ in 0..self.bounds.steps {
            self.step()?;
            self.finish_step();
        }
        self.label("quiet".to_owned());
        self.quiet()?;
        self.finish_step();
        Ok(self.record)
    }

    fn finish_step(&mut self) {
        let label = self.progress.label.borrow().clone();
        self.record.push((label, std::mem::take(&mut self.outputs)));
        self.progress.step.set(self.progress.step.get() + 1);
    }

    pub(super) fn label(&self, label: String) {
        self.progress.label.replace(label);
    }

    /// Law 6: with nothing coming in, it becomes quiet.
    fn quiet(&mut self) -> Result<(), Fault> {
        self.idle_for(self.bounds.settle)?;
        self.sent_bytes = 0;
        self.idle_for(self.bounds.idle)?;
        let limit = self.bounds.idle_bytes_per_second * self.bounds.idle.as_secs();
        if self.sent_bytes > limit {
            return Err((6, format!("{} bytes in {:?} of silence", self.sent_bytes, self.bounds.idle)));
        }
        Ok(())
    }

    /// Silence, in which the host only answers what it is asked: closed links are closed, dials fail after a second at most.
    fn idle_for(&mut self, duration: Duration) -> Result<(), Fault> {
        let end = self.now + duration;
        while self.now < end {
            self.wait(Duration::from_secs(1).min(end.since(self.now)))?;
            self.close_asked()?;
            for peer in std::mem::take(&mut self.wanted) {
                if let Some(command) = self.subject.connect_failed(peer) {
                    self.turn(Input::Command(command))?;
                }
            }
        }
        Ok(())
    }

    /// Lets time pass, waking the machine whenever it is due.
    pub(super) fn wait(&mut self, duration: Duration) -> Result<(), Fault> {
        let end = self.now + duration;
        for _ in 0..MOST_WAKES {
            match self.machine.deadline().filter(|deadline| deadline.at <= end) {
                Some(deadline) => self.now = self.now.max(deadline.at),
                None => {
                    self.now = end;
                    return Ok(());
                }
            }
            self.wake()?;
        }
        Err((2, format!("{MOST_WAKES} wakes in {duration:?}")))
    }

    /// Tells the machine that links it asked to close are closed.
    pub(super) fn close_asked(&mut self) -> Result<(), Fault> {
        for peer in std::mem::take(&mut self.closing) {
            if self.connected.contains(&peer) {
                self.disconnected(peer)?;
            }
        }
        Ok(())
    }

    /// One input, then whatever is due.
    pub(super) fn turn(&mut self, input: Input<Message<S>, Command<S>>) -> Result<(), Fault> {
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.machine_rng, verify: &*self.verify };
        drive(&mut self.machine, &mut cx, input, &mut out);
        self.judge_deadline()?;
        self.judge(out)
    }

    /// A wake, due or not; law 2: one that is not due does nothing.
    pub(super) fn wake(&mut self) -> Result<(), Fault> {
        let before = self.machine.deadline();
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.machine_rng, verify: &*self.verify };
        self.machine.wake(&mut cx, &mut out);
        self.judge_deadline()?;
        let was_due = before.is_some_and(|deadline| deadline.at <= self.now);
        let did_nothing = out.is_empty() && self.machine.deadline() == before;
        if !was_due && !did_nothing {
            return Err((
                2,
                format!("woken with nothing due, it gave {} outputs or moved a timer", out.len()),
            ));
        }
        self.judge(out)
    }

    /// Law 5: nothing stays of the peer, and hearing it again is nothing.
    pub(super) fn disconnected(&mut self, peer: PeerId) -> Result<(), Fault> {
        self.connected.remove(&peer);
        self.turn(Input::Disconnected(peer))?;
        if self.subject.mentions(&self.machine, &peer) {
            return Err((5, format!("{peer:?} is gone and still mentioned")));
        }
        if self.is_doubled {
            let before = self.outputs.len();
            self.turn(Input::Disconnected(peer))?;
            if self.outputs.len() > before {
                return Err((5, format!("output when told twice: {}", &self.outputs[before..])));
            }
        }
        Ok(())
    }

    fn judge_deadline(&self) -> Result<(), Fault> {
        match self.machine.deadline().filter(|deadline| deadline.at <= self.now) {
            Some(deadline) => Err((2, format!("still due at {}: {deadline:?}", self.now))),
            None => Ok(()),
        }
    }

    fn judge(&mut self, out: Outputs<S>) -> Result<(), Fault> {
        if out.len() > self.bounds.outputs_per_turn {
            return Err((4, format!("{} outputs in one turn", out.len())));
        }
        for (name, len, limit) in self.subject.collections(&self.machine) {
            if len > limit {
                return Err((4, format!("{name} holds {len}, over its limit of {limit}")));
            }
        }
        out.into_iter().try_for_each(|output| self.take(output))
    }

    /// Writes one output down, and does what a host would.
    fn take(&mut self, output: Output<Message<S>, <S::Machine as Layer>::Event>) -> Result<(), Fault> {
        match output {
            Output::Connect(peer) => {
                self.wanted.insert(peer);
                self.note(&format!("connect {peer:?}"));
            }
            Output::Disconnect(peer) => {
                self.must_be_connected(&peer, "disconnect")?;
                self.closing.push(peer);
                self.note(&format!("disconnect {peer:?}"));
            }
            Output::Send { to, message, how } => {
                self.must_be_connected(&to, "send")?;
                let bytes = message.to_bytes();
                read_back::<Message<S>>(&bytes).map_err(|what| (3, what))?;
                self.note(&format!("send {to:?} {how:?} {} {}", bytes.len(), blake3::hash(&bytes)));
                self.sent_bytes += bytes.len() as u64;
                self.keep(bytes);
            }
            Output::Event(event) => self.note(&format!("event {event:?}")),
        }
        Ok(())
    }

    fn must_be_connected(&self, peer: &PeerId, what: &str) -> Result<(), Fault> {
        if self.connected.contains(peer) {
            Ok(())
        } else {
            Err((3, format!("{what} names a stranger, {peer:?}")))
        }
    }

    fn note(&mut self, line: &str) {
        writeln!(self.outputs, "{} {line}", self.now).expect("a String takes all");
    }

    fn keep(&mut self, bytes: Bytes) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(bytes);
    }
}
