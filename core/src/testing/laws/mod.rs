//! The six laws of ARCHITECTURE.md as one generic test, which every layer runs on itself.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{Layer, peer};
use crate::{DirectVerify, PeerId, Rng, Time, Verify};

mod run;
mod steps;
#[cfg(test)]
mod tests;

use run::Run;

/// What a layer tells the laws about itself: how it is made, what it may hear, what it may hold.
///
/// One value lives for one run, so it may keep state of its own, such as the stream that its messages belong to. Links, waits,
/// repeated and mutated messages and garbage come from the law's own generator.
pub trait Subject {
    /// The layer.
    type Machine: Layer;

    /// A machine as its owner would make it.
    fn machine(&mut self, rng: &mut Rng) -> Self::Machine;

    /// A message that the linked peer `from` might send now: the more it fits the machine's state, the deeper the test.
    fn message(
        &mut self,
        machine: &Self::Machine,
        from: PeerId,
        now: Time,
        rng: &mut Rng,
    ) -> <Self::Machine as Layer>::Message;

    /// Something the owner might want now.
    fn command(
        &mut self,
        machine: &Self::Machine,
        now: Time,
        rng: &mut Rng,
    ) -> Option<<Self::Machine as Layer>::Command>;

    /// Every collection the machine holds: its name, its length, its limit.
    fn collections(&self, machine: &Self::Machine) -> Vec<(&'static str, usize, usize)>;

    /// Whether the machine still knows of `peer` outside what it may remember of the absent, such as the heard list.
    fn mentions(&self, machine: &Self::Machine, peer: &PeerId) -> bool;

    /// The peers that come and go. Twelve test peers unless told.
    fn peers(&self) -> Vec<PeerId> {
        (1..=12).map(peer).collect()
    }

    /// How the owner says that a dial failed. It says nothing unless told.
    fn connect_failed(&self, _peer: PeerId) -> Option<<Self::Machine as Layer>::Command> {
        None
    }

    /// Checks signatures. The real arithmetic unless told.
    fn verify(&self) -> Box<dyn Verify> {
        Box::new(DirectVerify)
    }
}

/// How much is tried, and what the layer promises to stay under.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// The first seed; set it to a reported one, and `seeds` to 1, to see a failure again. 0.
    pub first_seed: u64,
    /// How many seeds are tried. 30.
    pub seeds: u64,
    /// Steps for each seed. 300.
    pub steps: usize,
    /// Law 4: most outputs of one turn.
    pub outputs_per_turn: usize,
    /// Law 6: most bytes sent in a second when nothing comes in.
    pub idle_bytes_per_second: u64,
    /// Law 6: how long the layer has to become quiet. 60 s.
    pub settle: Duration,
    /// Law 6: over how long the bytes are counted. 60 s.
    pub idle: Duration,
}

impl Bounds {
    /// The usual amount of trying, with the layer's own two promises.
    pub fn new(outputs_per_turn: usize, idle_bytes_per_second: u64) -> Self {
        Self {
            first_seed: 0,
            seeds: 30,
            steps: 300,
            outputs_per_turn,
            idle_bytes_per_second,
            settle: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

/// A law that was broken, and how to see it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// 1 to 6.
    pub law: u8,
    /// The seed of the run.
    pub seed: u64,
    /// The step in the run.
    pub step: usize,
    /// What the step was.
    pub label: String,
    /// What went wrong.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { law, seed, step, label, what } = self;
        write!(f, "law {law} broken with seed {seed} at step {step} ({label}): {what}")
    }
}

/// Tries every seed; panics with the law, the seed and the step that broke.
pub fn check<S: Subject>(bounds: &Bounds, subject: impl Fn() -> S) {
    if let Some(broken) = find(bounds, subject) {
        panic!("{broken}");
    }
}

/// Tries every seed; gives the first law that broke.
pub fn find<S: Subject>(bounds: &Bounds, subject: impl Fn() -> S) -> Option<Broken> {
    let seeds = bounds.first_seed..bounds.first_seed + bounds.seeds;
    seeds.into_iter().find_map(|seed| check_seed(bounds, seed, &subject).err())
}

/// Three runs of one seed: as it is, again, and with every `Disconnected` given twice.
fn check_seed<S: Subject>(bounds: &Bounds, seed: u64, subject: &impl Fn() -> S) -> Result<(), Broken> {
    let first = record(bounds, seed, subject(), false)?;
    compare(1, "a second run went another way", seed, &first, &record(bounds, seed, subject(), false)?)?;
    let doubled = record(bounds, seed, subject(), true)?;
    compare(5, "hearing `Disconnected` twice changed what follows", seed, &first, &doubled)
}

/// What happened in each step: its label and the outputs.
type Record = Vec<(String, String)>;

/// Where a run is, readable after it panicked.
#[derive(Default)]
struct Progress {
    step: Cell<usize>,
    label: RefCell<String>,
}

/// Which law, and what went wrong; the run adds where.
type Fault = (u8, String);

fn record<S: Subject>(bounds: &Bounds, seed: u64, subject: S, is_doubled: bool) -> Result<Record, Broken> {
    let progress = Progress::default();
    let run = AssertUnwindSafe(|| Run::new(bounds, seed, subject, is_doubled, &progress).all());
    let outcome =
        catch_unwind(run).unwrap_or_else(|panic| Err((3, format!("panic: {}", panic_text(&*panic)))));
    outcome.map_err(|(law, what)| {
        let (step, label) = (progress.step.get(), progress.label.borrow().clone());
        Broken { law, seed, step, label, what }
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a text".to_owned())
}

fn compare(law: u8, what: &str, seed: u64, first: &Record, second: &Record) -> Result<(), Broken> {
    let step = first.iter().zip(second).position(|(a, b)| a != b);
    let Some(step) = step else {
        assert_eq!(first.len(), second.len(), "runs of one seed have as many steps");
        return Ok(());
    };
    let ((label, a), (other_label, b)) = (&first[step], &second[step]);
    let what = if label == other_label {
        format!("{what}:\n  {a}\n  {b}")
    } else {
        format!("{what}: the next step was {other_label}")
    };
    Err(Broken { law, seed, step, label: label.clone(), what })
}
