//! What the members' applications saw.

use std::collections::BTreeMap;
use std::fmt;

use stratus::{RingArc, StreamMessage};

use crate::script::{Cast, FIRST_PART, MEMBERS, PUBLISHER, STREAM, State, VICTIM, Written, messages};

/// What all members saw, and what there was to see.
#[derive(Clone)]
pub(crate) struct Chronicle {
    records: Vec<Record>,
    messages: std::sync::Arc<Vec<Written>>,
}

/// What one member saw. Each list is in order; what is in different lists comes to an application by different
/// ways, and in no order.
#[derive(Clone, Default)]
pub(crate) struct Record {
    /// Whom it had a link with, and how often the link came or went.
    links: BTreeMap<usize, u32>,
    /// What it was told of streams and of anything unusual.
    told: Vec<String>,
    played: Vec<Heard>,
    coverage: Option<RingArc>,
    /// Whether its publication is over and everyone has everything.
    has_drained: bool,
}

/// What a player was given.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Heard {
    Start,
    /// Messages of the script with every byte right, from the first to the last, none missing.
    Messages {
        first: u32,
        last: u32,
    },
    /// Never expected: a gap, a delay of the application, a message that is not the script's.
    Other(String),
    End,
}

impl Chronicle {
    pub(crate) fn new() -> Self {
        Self { records: vec![Record::default(); MEMBERS], messages: messages().into() }
    }

    /// A message of the script.
    pub(crate) fn message(&self, number: u32) -> &Written {
        &self.messages[number as usize]
    }

    pub(crate) fn linked(&mut self, member: usize, peer: usize, is_up: bool) {
        let changes = self.records[member].links.entry(peer).or_default();
        *changes += 1;
        if changes.is_multiple_of(2) == is_up {
            let told = format!("a link with {peer} that changed to what it was");
            self.records[member].told.push(told);
        }
    }

    pub(crate) fn told(&mut self, member: usize, what: String) {
        self.records[member].told.push(what);
    }

    pub(crate) fn published(&mut self, member: usize, name: &str) {
        self.told(member, format!("+{name}"));
    }

    pub(crate) fn unpublished(&mut self, member: usize, name: &str) {
        self.told(member, format!("-{name}"));
    }

    pub(crate) fn covers(&mut self, member: usize, arc: RingArc) {
        self.records[member].coverage = Some(arc);
    }

    pub(crate) fn drained(&mut self, member: usize) {
        self.records[member].has_drained = true;
    }

    pub(crate) fn started(&mut self, member: usize) {
        self.records[member].played.push(Heard::Start);
    }

    pub(crate) fn ended(&mut self, member: usize) {
        self.records[member].played.push(Heard::End);
    }

    pub(crate) fn surprised(&mut self, member: usize, what: String) {
        self.records[member].played.push(Heard::Other(what));
    }

    pub(crate) fn heard(&mut self, member: usize, message: &StreamMessage) {
        let is_it = |written: &Written| {
            written.index == message.index
                && written.kind == message.kind
                && written.is_key == message.is_key
                && written.payload == message.payload()
        };
        let number = self.messages.iter().position(is_it).map(|number| number as u32);
        let played = &mut self.records[member].played;
        match (number, played.last_mut()) {
            (Some(number), Some(Heard::Messages { last, .. })) if *last + 1 == number => *last = number,
            (Some(number), _) => played.push(Heard::Messages { first: number, last: number }),
            (None, _) => {
                let (index, length) = (message.index, message.len());
                played.push(Heard::Other(format!("a stray message at {index} of {length} bytes")));
            }
        }
    }

    pub(crate) fn is_in(&self, state: State, cast: &Cast) -> bool {
        let players = || cast.players().iter().map(|member| &self.records[*member]);
        match state {
            State::Meshed => cast.living().iter().all(|member| {
                let others = cast.living().iter().filter(|other| *other != member);
                self.records[*member].up().eq(others.copied())
            }),
            State::Announced => {
                let known = format!("+{STREAM}");
                cast.living().iter().all(|member| self.records[*member].told.contains(&known))
            }
            State::Started => players().all(|record| record.played.contains(&Heard::Start)),
            State::Played(number) => players().all(|record| record.last_played() >= Some(number)),
            State::Ended => {
                let have_ended = players().all(|record| record.played.last() == Some(&Heard::End));
                let gone = format!("-{STREAM}");
                let mut others = cast.living().iter().filter(|member| **member != PUBLISHER);
                have_ended
                    && others.all(|member| self.records[*member].told.contains(&gone))
                    && self.records[PUBLISHER].has_drained
            }
        }
    }

    /// What each member that lives to the end answers for.
    pub(crate) fn coverages(&self) -> Vec<Option<RingArc>> {
        let living = self.records.iter().enumerate().filter(|(member, _)| *member != VICTIM);
        living.map(|(_, record)| record.coverage).collect()
    }
}

impl Record {
    /// Whom it has a link with.
    fn up(&self) -> impl Iterator<Item = usize> {
        self.links.iter().filter(|(_, changes)| *changes % 2 == 1).map(|(peer, _)| *peer)
    }

    fn last_played(&self) -> Option<u32> {
        self.played.iter().rev().find_map(|heard| match heard {
            Heard::Messages { last, .. } => Some(*last),
            _ => None,
        })
    }
}

impl fmt::Display for Chronicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (member, record) in self.records.iter().enumerate() {
            // How far it came before it was killed is a matter of milliseconds, but not in the first part.
            let record = if member == VICTIM { record.clipped() } else { record.clone() };
            writeln!(f, "{member} {record}")?;
        }
        Ok(())
    }
}

impl Record {
    fn clipped(&self) -> Self {
        let mut clipped = self.clone();
        for heard in &mut clipped.played {
            if let Heard::Messages { first: 0, last } = heard {
                *last = (*last).min(FIRST_PART - 1);
            }
        }
        clipped
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("linked")?;
        for (peer, changes) in &self.links {
            write!(f, " {peer}{}", ["", "-", "-+", "-+-"].get(*changes as usize - 1).unwrap_or(&"-+…"))?;
        }
        write!(f, ", told {}", self.told.join(" "))?;
        if self.has_drained {
            f.write_str(", everyone has everything")?;
        }
        if !self.played.is_empty() {
            f.write_str(", played")?;
        }
        self.played.iter().try_for_each(|heard| write!(f, " {heard}"))
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Messages { first, last } => write!(f, "{first}..={last}"),
            Self::Other(what) => write!(f, "[{what}]"),
            Self::End => f.write_str("end"),
        }
    }
}
