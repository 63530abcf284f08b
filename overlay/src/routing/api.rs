use bytes::Bytes;
use stratus_core::{GroupAddress, GroupId, PeerId, RingKey};

use super::message::Message;

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
    /// Parcels that came to us although we are not nearer than the sender, or take none for such a place.
    pub astray_count: u64,
    /// Parcels and questions dropped because the neighbor sent too many.
    pub throttled_count: u64,
}
