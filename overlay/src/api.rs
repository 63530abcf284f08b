use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupAddress, GroupId, Identity, PeerId, RingArc, RingKey};

use crate::best::Reason;
use crate::changes::Changes;
use crate::message::Message;
use crate::record::Record;

/// What an overlay is told at birth.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who we are; signs our record.
    pub identity: Identity,
    /// The group, to which records are bound.
    pub group: GroupId,
    /// Turns peer ids into places on the group's ring.
    pub ring: RingKey,
}

/// What the owner may ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Where we may be met, as far as the host knows. What neighbors see is added by itself.
    SetAddresses(Vec<SocketAddr>),
    /// The rendezvous servers at which we are registered.
    SetServers(Vec<SocketAddr>),
    /// Members to begin with, as from a server.
    Bootstrap(Vec<Record>),
    /// Link with this member at once; the link may end later if the sort has no use for it.
    AddNeighbor(PeerId),
    /// This is a member; link with it only if the sort wants it.
    AddMemberHint(PeerId),
    /// Another layer came across this encoded record.
    HearRecord(Bytes),
    /// Another layer needs a link to this member, until `Unpin`.
    Pin(PeerId),
    /// It no longer does.
    Unpin(PeerId),
    /// Another layer needs a link to this member at once, until `Release`.
    Seek(PeerId),
    /// It no longer does.
    Release(PeerId),
    /// Have nothing to do with this member for a while (`ban_for`).
    Ban(PeerId),
    /// The dial that `Connect` asked for failed.
    ConnectFailed(PeerId),
    /// Ask neighbors to introduce us to this member, without dialling it first.
    Introduce(PeerId),
    /// From where a neighbor is seen to come.
    Observed {
        /// The neighbor.
        peer: PeerId,
        /// The far end of its link.
        address: SocketAddr,
    },
    /// Say goodbye to everybody. The host closes the links afterwards; the machine does nothing more.
    Leave,
}

/// What the owner hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// `NetGroup.Neighbor.Connect`: a link is up.
    NeighborConnect {
        /// The neighbor.
        peer: PeerId,
        /// Its place on the ring.
        address: GroupAddress,
    },
    /// `NetGroup.Neighbor.Disconnect`: it is gone.
    NeighborDisconnect {
        /// The neighbor.
        peer: PeerId,
        /// Its place on the ring.
        address: GroupAddress,
    },
    /// `NetGroup.LocalCoverage.Notify`: the stretch of the ring that we answer for has changed.
    LocalCoverage(RingArc),
    /// A round trip was measured.
    Rtt {
        /// With this neighbor.
        peer: PeerId,
        /// This long.
        rtt: Duration,
    },
    /// An introducer named us and this peer to each other: dial it now, at these addresses.
    Introduced {
        /// Whom to dial.
        peer: PeerId,
        /// Where, best first.
        candidates: Vec<SocketAddr>,
    },
    /// Our own record was issued (again): for other layers and for servers.
    OwnRecord(Bytes),
    /// The neighbor broke the protocol; it should be dropped and kept out.
    Misbehaved {
        /// The neighbor.
        peer: PeerId,
        /// What it did.
        what: &'static str,
    },
}

/// What an overlay hears.
pub type Input = stratus_core::Input<Message, Command>;
/// What an overlay asks for.
pub type Output = stratus_core::Output<Message, Event>;

/// A neighbor, as shown to the owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbor {
    /// Who.
    pub peer: PeerId,
    /// Its place on the ring.
    pub address: GroupAddress,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// Why there is a link.
    pub reason: Reason,
}

/// Counts since the start, except those named `…_now`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Members heard of.
    pub heard_now: usize,
    /// Expired members remembered.
    pub remembered_now: usize,
    /// Members left alone for a while: dead, full or gone.
    pub troubles_now: usize,
    /// Members that broke the protocol and are kept out, or were.
    pub bans_now: usize,
    /// Members that the sort wants.
    pub best_now: usize,
    /// Exchanges begun.
    pub exchange_count: u64,
    /// Exchanges that neighbors began and we answered.
    pub exchange_answered_count: u64,
    /// Exchanges that neighbors began more often than they may.
    pub exchange_refused_count: u64,
    /// Records that were news.
    pub news_count: u64,
    /// Records that were not: known, older, or of the dead.
    pub stale_count: u64,
    /// Signatures checked.
    pub verify_count: u64,
    /// Records and requests dropped because the neighbor sent too many.
    pub throttled_count: u64,
    /// How often the best list was made.
    pub sort_count: u64,
    /// Dials asked for.
    pub dial_count: u64,
    /// Dials that came to nothing.
    pub dial_failure_count: u64,
    /// Neighbors that fell silent.
    pub death_count: u64,
    /// Neighbors asked to end a link.
    pub leave_asked_count: u64,
    /// Such requests by neighbors that were refused, because the link is wanted here.
    pub leave_refused_count: u64,
    /// Links refused or ended for want of room.
    pub full_count: u64,
    /// Introductions made between neighbors.
    pub introduction_count: u64,
    /// Links that came and went, by why.
    pub changes: Changes,
}
