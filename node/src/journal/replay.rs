use std::fmt;

use bytes::Bytes;
use stratus_core::{
    CachingVerify, Cx, DecodeError, Identity, Machine, PeerId, Reader, Rng, Time, Wire, drive,
};

use super::outputs::Own;
use super::step::{Step, decode_input};
use super::{Header, MAGIC, MAX_PART, VERSION};
use crate::{Node, Output, Setup};

/// Why a file cannot be replayed, or not further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplayError {
    /// It is no journal, or one of another version.
    NotAJournal,
    /// The part that begins at this byte cannot be read.
    Damaged {
        /// Where.
        position: usize,
        /// Why.
        why: DecodeError,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAJournal => f.write_str("not a journal of this version"),
            Self::Damaged { position, why } => write!(f, "{why}: position {position}"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// A step that did not do what was written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// Its number, from 0.
    pub step: u64,
    /// When it was.
    pub at: Time,
    /// What went in, in words.
    pub input: String,
    /// What came out now, in words.
    pub outputs: Vec<String>,
}

/// Runs a recorded node again.
pub struct Replay {
    node: Node,
    rng: Rng,
    verify: CachingVerify,
    own: Own,
    now: Time,
    steps: u64,
    reader: Reader,
    length: usize,
    outputs: Vec<Output>,
}

impl Replay {
    /// Makes the node that the journal began with.
    pub fn new(journal: Bytes) -> Result<Self, ReplayError> {
        let length = journal.len();
        let mut reader = Reader::new(journal);
        let is_ours = reader.array().is_ok_and(|magic| magic == *MAGIC) && reader.u8() == Ok(VERSION);
        if !is_ours {
            return Err(ReplayError::NotAJournal);
        }
        let position = length - reader.remaining();
        let damaged = |why| ReplayError::Damaged { position, why };
        let header = part(&mut reader).map_err(damaged)?.ok_or(damaged(DecodeError::Truncated))?;
        let header = Header::from_bytes(header).map_err(damaged)?;
        let setup = Setup {
            identity: Identity::mute(header.identity),
            group: header.group,
            ring: header.ring,
            publish_authority: header.publish_authority,
            services: header.services,
            posting_authority: header.posting_authority,
        };
        Ok(Self {
            node: Node::new(header.config, setup),
            rng: Rng::from_entropy(header.entropy),
            verify: CachingVerify::default(),
            own: Own::new(PeerId::of(&header.identity)),
            now: Time::ZERO,
            steps: 0,
            reader,
            length,
            outputs: Vec::new(),
        })
    }

    /// Runs the next step; `None` after the last whole one, and the divergence if it did something else than then.
    pub fn step(&mut self) -> Result<Option<Result<(), Divergence>>, ReplayError> {
        let position = self.length - self.reader.remaining();
        let damaged = |why| ReplayError::Damaged { position, why };
        let Some(bytes) = part(&mut self.reader).map_err(damaged)? else { return Ok(None) };
        let step = Step::from_bytes(bytes).map_err(damaged)?;
        let input = step.input.map(decode_input).transpose().map_err(damaged)?;
        self.now += step.after;
        let words = input.as_ref().map_or_else(|| String::from("woken"), |input| format!("{input:?}"));
        if let Some(input) = &input {
            self.own.note_input(input);
        }
        self.outputs.clear();
        let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &self.verify };
        match input {
            Some(input) => drive(&mut self.node, &mut cx, input, &mut self.outputs),
            None => self.node.wake(&mut cx, &mut self.outputs),
        }
        let record = self.node.overlay().own_record().to_bytes();
        let is_same = self.own.hash(&self.outputs, &record) == step.outputs;
        let number = self.steps;
        self.steps += 1;
        Ok(Some(if is_same { Ok(()) } else { Err(self.divergence(number, words)) }))
    }

    /// Steps run so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The moment of the last step.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The node as it is, to be looked at.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Bytes behind the last whole step: the file was cut short.
    pub fn rest(&self) -> usize {
        self.reader.remaining()
    }

    fn divergence(&self, step: u64, input: String) -> Divergence {
        let outputs = self.outputs.iter().map(|output| format!("{output:?}")).collect();
        Divergence { step, at: self.now, input, outputs }
    }
}

/// The next length and what it measures; `None` where less than that is left.
fn part(reader: &mut Reader) -> Result<Option<Bytes>, DecodeError> {
    let mut ahead = reader.clone();
    let Ok(length) = ahead.u32() else { return Ok(None) };
    let length = length as usize;
    if length > MAX_PART {
        return Err(DecodeError::TooLong);
    }
    let Ok(bytes) = ahead.raw(length) else { return Ok(None) };
    *reader = ahead;
    Ok(Some(bytes))
}
