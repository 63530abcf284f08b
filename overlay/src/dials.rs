use std::net::SocketAddr;

use stratus_core::{PeerId, Time};

use crate::places::Place;

/// What a dial is for: decides whether it is worth an introduction, and what its failure means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// The best list or another layer wants the link.
    Wanted,
    /// The owner wants it.
    Added,
    /// To see whether a remembered member is back.
    Memory,
    /// Another member was introduced to us and dials at the same time.
    Courtesy,
}

/// How far a dial is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The host is dialling.
    Dialing,
    /// A neighbor was asked to introduce us.
    Asking(PeerId),
}

/// A link that is being made.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) peer: PeerId,
    pub(crate) place: Place,
    pub(crate) purpose: Purpose,
    pub(crate) stage: Stage,
    /// When the present stage began.
    pub(crate) since: Time,
    /// Whether the wait for an answer was long enough to ask for an introduction.
    pub(crate) is_slow: bool,
    /// What introducers said of where the peer may be met.
    pub(crate) candidates: Vec<SocketAddr>,
    /// Who was asked to introduce us.
    pub(crate) asked: Vec<PeerId>,
}

/// The links being made, oldest first; at most `limit`.
#[derive(Clone, Debug)]
pub(crate) struct Dials {
    list: Vec<Dial>,
    limit: usize,
}

impl Dials {
    pub(crate) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= self.limit
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Dial> {
        self.list.iter()
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Option<&Dial> {
        self.list.iter().find(|dial| dial.peer == *peer)
    }

    pub(crate) fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Dial> {
        self.list.iter_mut().find(|dial| dial.peer == *peer)
    }

    /// Whether the member at `place` is being dialled for less than `slow`, or rests with an introducer.
    pub(crate) fn holds(&self, place: Place) -> bool {
        self.list.iter().any(|dial| dial.place == place)
    }

    pub(crate) fn push(&mut self, dial: Dial) {
        assert!(!self.is_full(), "spec OV-11: more dials than allowed");
        self.list.push(dial);
    }

    pub(crate) fn take(&mut self, peer: &PeerId) -> Option<Dial> {
        let position = self.list.iter().position(|dial| dial.peer == *peer)?;
        Some(self.list.remove(position))
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }
}
