use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupAddress, GroupId, PeerId, RingKey};

use super::message::Message;
use super::value::{Key, Value};
use crate::places::Place;
use crate::record::Record;

/// What a routing machine is told at birth.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who we are.
    pub peer: PeerId,
    /// The group, to which what is signed is bound.
    pub group: GroupId,
    /// Turns peer ids into places on the group's ring.
    pub ring: RingKey,
}

/// For which places a member takes parcels. Source: spec RO-1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReceiveMode {
    /// For its own address alone. RTMFP's default.
    #[default]
    Exact,
    /// For every place to which no other member in this mode is nearer. Such members pass parcels on.
    Nearest,
}

/// Whom something is sent to. Source: spec RO-3, RO-6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The member nearest to this place, ourselves included: `sendToNearest`.
    Nearest(GroupAddress),
    /// The next neighbor clockwise on the ring: `sendToNeighbor` with `nextIncreasing`.
    NextIncreasing,
    /// The next neighbor counterclockwise: `nextDecreasing`.
    NextDecreasing,
    /// Each neighbor: `sendToAllNeighbors`.
    AllNeighbors,
}

/// Something to be sent by one hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Send {
    /// Comes back in the result.
    pub id: u64,
    /// Whom to.
    pub way: Way,
    /// What; at most [`super::MAX_PAYLOAD`] bytes.
    pub payload: Bytes,
    /// If it is something that arrived and goes on: who says to have sent it first, and how far it has come.
    pub passing: Option<(GroupAddress, u8)>,
}

/// What the owner may ask, and what the node tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// For which places to take parcels from now on.
    SetReceiveMode(ReceiveMode),
    /// Send something.
    Send(Box<Send>),
    /// Send to the member that sits at this very place and to nobody else: it is looked up, and linked with if need be.
    SendExactly {
        /// Comes back in the result.
        id: u64,
        /// The place.
        to: GroupAddress,
        /// What; at most [`super::MAX_PAYLOAD`] bytes.
        payload: Bytes,
    },
    /// Find the members nearest to a place.
    LookUp {
        /// Comes back in the result.
        id: u64,
        /// The place.
        target: GroupAddress,
    },
    /// Have the members nearest to its key keep a value.
    Put(Box<Put>),
    /// Find what is kept under a key.
    Get {
        /// Comes back in the result.
        id: u64,
        /// The key.
        key: Key,
    },
}

/// A value to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// Comes back in the result.
    pub id: u64,
    /// What.
    pub value: Value,
    /// For how long, at most [`Config::longest_lifetime`](super::Config).
    pub lifetime: Duration,
}

/// Members that the overlay knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Members {
    /// As it was asked.
    pub quest: Quest,
    /// The nearest to the place first, without ourselves.
    pub records: Vec<Arc<Record>>,
    /// How many members there are, as far as can be told.
    pub members: u64,
}

/// What members nearest to a place are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quest {
    /// A look-up of ours begins with them.
    LookUp(u64),
    /// To answer a neighbor's question.
    Answer {
        /// The neighbor.
        to: PeerId,
        /// Its question.
        nonce: u32,
        /// The value that it wants besides, if it wants one.
        key: Option<Key>,
    },
}

/// What a look-up found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The members nearest to the place that answered, nearest first; ourselves among them where we are so near.
    pub members: Vec<PeerId>,
    /// Whether as many members were shown to lie so near as the size of the group makes one expect: then there is no
    /// nearer one that was kept from us.
    pub is_proven: bool,
    /// Members asked.
    pub asked: u32,
}

/// Why nothing was looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookUpError {
    /// There is no other member that could be asked. Wait for neighbors.
    Alone,
    /// As many are under way as there may be. Wait for one of them.
    TooMany,
}

/// Why a value is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutError {
    /// There is no other member that could keep it. Wait for neighbors.
    Alone,
    /// As much is under way as there may be. Wait for something of it.
    TooMany,
    /// It is too long, lives too long, or its signature does not hold.
    Invalid,
    /// Another value of this sequence or a later one is kept. Read it, and sign a higher sequence.
    Older {
        /// The sequence that is kept.
        kept: u64,
    },
    /// Most of the members nearest to its key have no room, or do not answer. Try later.
    NotKept,
}

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GetError {
    /// There is no other member that could be asked. Wait for neighbors.
    Alone,
    /// As much is under way as there may be. Wait for something of it.
    TooMany,
    /// None of the members nearest to the key has it.
    NotFound {
        /// Whether those that answered are shown to be the nearest.
        is_proven: bool,
    },
}

/// A value that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Got {
    /// What.
    pub value: Value,
    /// Members that had this very one.
    pub copies: u32,
    /// Members asked.
    pub asked: u32,
}

/// What came of a send: RTMFP's `NetGroupSendResult`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendResult {
    /// Handed to at least one neighbor, or to ourselves. Whether it arrives is not known.
    Sent,
    /// No neighbor takes it.
    NoRoute,
    /// It was not tried.
    Error(SendError),
}

/// Why a send was not tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Shorten it.
    TooLong,
    /// The neighbors that would take it were sent as much as they take; wait a little.
    TooFast,
    /// It has come too far.
    TooManyHops,
}

/// Something that was sent has come here: `NetGroup.SendTo.Notify`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    /// The place it is for; `None`: it was for a neighbor, and goes no further.
    pub to: Option<GroupAddress>,
    /// The address of the member it came from; our own if `is_local`.
    pub from: GroupAddress,
    /// Whether we sent it on ourselves and are the nearest: it has arrived for good.
    pub is_local: bool,
    /// Who says to have sent it first. Not proven.
    pub origin: GroupAddress,
    /// Links it came over.
    pub hops: u8,
    /// What was sent.
    pub payload: Bytes,
}

/// What the owner hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Something came here; the owner decides what becomes of it.
    Arrived(Box<Arrived>),
    /// What came of a send.
    Sent {
        /// As given.
        id: u64,
        /// What.
        result: SendResult,
    },
    /// What came of a look-up.
    LookedUp {
        /// As given.
        id: u64,
        /// What.
        result: Result<Found, LookUpError>,
    },
    /// What came of a put: how many members keep it.
    Stored {
        /// As given.
        id: u64,
        /// What.
        result: Result<u32, PutError>,
    },
    /// What came of a get.
    Got {
        /// As given.
        id: u64,
        /// What.
        result: Result<Box<Got>, GetError>,
    },
    /// For the node: which known members are nearest to a place? [`super::Routing::tell_members`] answers.
    Closest {
        /// What for.
        quest: Quest,
        /// The place.
        target: Place,
    },
    /// For the node: a link with this member is needed now.
    Seek(Arc<Record>),
    /// For the node: it is not needed any more.
    Release(PeerId),
    /// The neighbor broke the protocol; it should be dropped and kept out.
    Misbehaved {
        /// The neighbor.
        peer: PeerId,
        /// What it did.
        what: &'static str,
    },
}

/// What routing hears.
pub type Input = stratus_core::Input<Message, Command>;
/// What routing asks for.
pub type Output = stratus_core::Output<Message, Event>;

/// Counts since the start, except those named `…_now`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Parcels sent, to each neighbor.
    pub sent_count: u64,
    /// Bytes of them, as encoded.
    pub sent_bytes: u64,
    /// Parcels that came.
    pub arrived_count: u64,
    /// Bytes of them, as encoded.
    pub arrived_bytes: u64,
    /// Bytes of all other messages sent: look-ups, and values kept and read.
    pub control_sent_bytes: u64,
    /// Bytes of all other messages that came.
    pub control_received_bytes: u64,
    /// Parcels that came to us although we are not nearer than the sender, or take none for such a place.
    pub astray_count: u64,
    /// Look-ups begun, those for puts and gets included.
    pub look_up_count: u64,
    /// Members asked, in look-ups and to keep values.
    pub question_count: u64,
    /// Of those, how many did not answer in time.
    pub unanswered_count: u64,
    /// Members that a look-up went around for the time being, because they took long to answer.
    pub slow_count: u64,
    /// Values kept for the group.
    pub values_now: usize,
    /// Values handed to members that came nearer to their keys.
    pub handed_count: u64,
    /// Parcels, questions and answers dropped because the neighbor sent, or asked for, too many.
    pub throttled_count: u64,
}
