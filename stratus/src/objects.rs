//! Object replication: RTMFP's have and want, where the application is the store.

use std::ops::Range;

use bytes::Bytes;
use stratus_core::PeerId;
use stratus_replication::{Command, Exchange, ObjectSet, RequestId, Stats, Strategy};
use tokio::sync::mpsc;

use crate::error::Closed;
use crate::group::Group;
use crate::request::Request;

/// Events that may wait for the application. The machine has at most 84 requests and results under way; the rest is
/// notices, which are left out when nobody reads them.
pub(crate) const CAPACITY: usize = 1_024;
/// Places that only requests and results may take.
pub(crate) const RESERVED: usize = 512;

/// Something that happened to an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ObjectEvent {
    /// A neighbor was asked for it.
    SendNotify {
        /// Which.
        index: u64,
    },
    /// A neighbor did not give it; it is tried again while it is wanted.
    Failed {
        /// Which.
        index: u64,
    },
    /// It came, unchecked. To be answered by [`Objects::add_have`], [`Objects::reject`], or [`Objects::remove_want`].
    Result {
        /// Which.
        index: u64,
        /// Who sent it.
        peer: PeerId,
        /// Its bytes.
        object: Bytes,
    },
    /// A neighbor wants it. To be answered by [`Objects::write`] or [`Objects::deny`].
    Request {
        /// Names the request in the answer.
        request: RequestId,
        /// Which object.
        index: u64,
        /// Who asks.
        peer: PeerId,
    },
    /// A first seed has sent each object once.
    Spread,
}

impl ObjectEvent {
    /// The name that Flash gave such an event, or one in its manner.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SendNotify { .. } => "NetGroup.Replication.Fetch.SendNotify",
            Self::Failed { .. } => "NetGroup.Replication.Fetch.Failed",
            Self::Result { .. } => "NetGroup.Replication.Fetch.Result",
            Self::Request { .. } => "NetGroup.Replication.Request",
            Self::Spread => "NetGroup.Replication.Spread",
        }
    }
}

/// How the exchange of objects stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectsInfo {
    /// Counters since the group was joined.
    pub stats: Stats,
    /// Each neighbor, as objects go.
    pub exchanges: Vec<Exchange>,
    /// What is offered.
    pub have: ObjectSet,
    /// What is still to come.
    pub want: ObjectSet,
}

/// The objects of a group, as this member offers and wants them. When it is dropped, nothing is offered or wanted any
/// more.
#[derive(Debug)]
pub struct Objects {
    group: Group,
    events: mpsc::Receiver<ObjectEvent>,
}

impl Objects {
    pub(crate) fn new(group: Group, events: mpsc::Receiver<ObjectEvent>) -> Self {
        Self { group, events }
    }

    /// What happens next; `None` once the group is left. Safe to cancel.
    pub async fn next(&mut self) -> Option<ObjectEvent> {
        self.events.recv().await
    }

    /// The same for a thread that may wait. Must not be called within a runtime.
    pub fn blocking_next(&mut self) -> Option<ObjectEvent> {
        self.events.blocking_recv()
    }

    /// What happened already.
    pub fn try_next(&mut self) -> Option<ObjectEvent> {
        self.events.try_recv().ok()
    }

    /// Says what to do with objects, in order.
    pub async fn tell(&self, commands: Vec<Command>) -> Result<(), Closed> {
        self.group.send(Request::Objects(commands)).await
    }

    /// The same for a thread that may wait.
    pub fn blocking_tell(&self, commands: Vec<Command>) -> Result<(), Closed> {
        self.group.blocking_send(Request::Objects(commands))
    }

    /// `addHaveObjects`: these can be asked of us.
    pub async fn add_have(&self, range: Range<u64>) -> Result<(), Closed> {
        self.tell(vec![Command::AddHave(range)]).await
    }

    /// `removeHaveObjects`: no longer.
    pub async fn remove_have(&self, range: Range<u64>) -> Result<(), Closed> {
        self.tell(vec![Command::RemoveHave(range)]).await
    }

    /// `addWantObjects`: fetch these, now or whenever a neighbor has them.
    pub async fn add_want(&self, range: Range<u64>) -> Result<(), Closed> {
        self.tell(vec![Command::AddWant(range)]).await
    }

    /// `removeWantObjects`: no longer.
    pub async fn remove_want(&self, range: Range<u64>) -> Result<(), Closed> {
        self.tell(vec![Command::RemoveWant(range)]).await
    }

    /// `writeRequestedObject`: here it is, at most 64 KiB.
    pub async fn write(&self, request: RequestId, object: Bytes) -> Result<(), Closed> {
        self.tell(vec![Command::Write { request, object }]).await
    }

    /// `denyRequestedObject`.
    pub async fn deny(&self, request: RequestId) -> Result<(), Closed> {
        self.tell(vec![Command::Deny(request)]).await
    }

    /// What this neighbor sent as this object is wrong: it is dropped and kept out, and the object is wanted again.
    pub async fn reject(&self, index: u64, peer: PeerId) -> Result<(), Closed> {
        self.tell(vec![Command::Reject { index, peer }]).await
    }

    /// `replicationStrategy`.
    pub async fn set_strategy(&self, strategy: Strategy) -> Result<(), Closed> {
        self.tell(vec![Command::SetStrategy(strategy)]).await
    }

    /// Whether we are the one who brings the objects: each is then sent once before any is sent twice.
    pub async fn set_first_seed(&self, is_first: bool) -> Result<(), Closed> {
        self.tell(vec![Command::SetFirstSeed(is_first)]).await
    }

    /// How the exchange stands.
    pub async fn info(&self) -> Result<ObjectsInfo, Closed> {
        self.group.ask(Request::ObjectsInfo).await
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        let all = 0..stratus_replication::MOST_OBJECTS;
        let commands = vec![Command::RemoveWant(all.clone()), Command::RemoveHave(all)];
        self.group.send_later(Request::Objects(commands));
    }
}
