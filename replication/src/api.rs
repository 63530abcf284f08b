use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::PeerId;

use crate::config::Strategy;
use crate::message::Message;

/// A request of a neighbor, by the number that the machine gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What the owner may ask. Numbers that do not exist are left out of ranges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// `addHaveObjects`: these can be asked of us.
    AddHave(Range<u64>),
    /// `removeHaveObjects`: no longer.
    RemoveHave(Range<u64>),
    /// `addWantObjects`: fetch these, now or whenever a neighbor has them. What we have is left out.
    AddWant(Range<u64>),
    /// `removeWantObjects`: no longer. What came of these needs no `AddHave`.
    RemoveWant(Range<u64>),
    /// `writeRequestedObject`.
    Write {
        /// Which request is answered.
        request: RequestId,
        /// The object, at most 64 KiB.
        object: Bytes,
    },
    /// `denyRequestedObject`.
    Deny(RequestId),
    /// What this neighbor sent as this object is not what it must be: it is to blame, and the object is wanted
    /// again.
    Reject {
        /// Which object.
        index: u64,
        /// Who sent it.
        peer: PeerId,
    },
    /// `replicationStrategy`.
    SetStrategy(Strategy),
    /// Whether we are the one who brings the objects: each is then sent once before any is sent twice, and others
    /// are told to ask us only for what nobody else has. It is about what is added from then on: what was there before,
    /// such as a descriptor that everybody needs first, is offered to all.
    SetFirstSeed(bool),
}

/// What the owner hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// `NetGroup.Replication.Fetch.SendNotify`: a neighbor is asked for an object.
    SendNotify {
        /// Which.
        index: u64,
    },
    /// `NetGroup.Replication.Fetch.Failed`: a neighbor did not give it; it stays wanted and is tried again.
    Failed {
        /// Which.
        index: u64,
    },
    /// `NetGroup.Replication.Fetch.Result`: it came, unchecked, and is not wanted any more. Whoever keeps it says
    /// `AddHave`, whoever finds it wrong `Reject`, whoever needs it no more `RemoveWant`; without any of these soon nothing
    /// more comes.
    Result {
        /// Which.
        index: u64,
        /// Who sent it.
        peer: PeerId,
        /// Its bytes.
        object: Bytes,
    },
    /// `NetGroup.Replication.Request`: a neighbor wants an object. Must be answered by `Write` or `Deny`.
    Request {
        /// How to name it in the answer.
        request: RequestId,
        /// Which object.
        index: u64,
        /// Who asks.
        peer: PeerId,
    },
    /// Each object was sent to somebody once who said that it came. Only to a first seed.
    Spread,
    /// The neighbor broke the protocol; it should be dropped and kept out.
    Misbehaved {
        /// The neighbor.
        peer: PeerId,
        /// What it did.
        what: &'static str,
    },
}

/// Counters since birth.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Objects sent, and their bytes.
    pub sent_objects: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Objects that came and were wanted.
    pub received_objects: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Bytes of objects that came although they were there or not wanted any more.
    pub duplicate_bytes: u64,
    /// Objects rejected by the owner; each cost its sender the link.
    pub rejected: u64,
    /// Requests refused because too many were taken.
    pub refused: u64,
    /// Requests of ours that were refused because the holder was busy.
    pub met_busy: u64,
    /// Requests of ours that were not answered in time.
    pub timed_out: u64,
    /// Requests of ours that moved to another holder.
    pub moved: u64,
    /// Pieces of what neighbors said they have that were not believed.
    pub ignored_pieces: u64,
}

/// A neighbor, as objects go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// Who.
    pub peer: PeerId,
    /// How many objects it offers.
    pub offers: u64,
    /// Bytes of objects that came from it.
    pub received_bytes: u64,
    /// Bytes of objects that went to it.
    pub sent_bytes: u64,
    /// Our requests that it has not answered.
    pub requests: usize,
    /// How long it takes to answer one, in the mean.
    pub latency: Duration,
}

/// What the machine hears.
pub type Input = stratus_core::Input<Message, Command>;
/// What the machine asks for.
pub type Output = stratus_core::Output<Message, Event>;
