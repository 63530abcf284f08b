use std::sync::Arc;

use bytes::Bytes;
use stratus_core::{GroupAddress, Identity, PeerId};
use stratus_multicast::{Overrides, Piece, Publish, PublishError, StreamId};
use stratus_overlay::routing::{
    Found, GetError, Got, Key, LookUpError, Put, PutError, ReceiveMode, SendResult, Way as SendWay,
};
use stratus_posting::{Post, PostError, PostId};
use stratus_replication::Command as ObjectCommand;
use tokio::sync::{mpsc, oneshot, watch};

use crate::info::GroupInfo;
use crate::mailbox::Outbox;
use crate::objects::{ObjectEvent, ObjectsInfo};
use crate::playback::Purpose;
use crate::routes::RouteHandler;
use crate::ways::Way;

/// Requests that may wait for a group's task: enough for it to be away for one turn, few enough that a writer
/// soon feels it.
pub(crate) const CAPACITY: usize = 256;

/// Turns true when everyone has what is left of a stream.
pub(crate) type Drained = watch::Receiver<bool>;

/// One of the playbacks of a name.
#[derive(Debug)]
pub(crate) struct PlayHandle {
    pub(crate) handle: u64,
    pub(crate) drained: Drained,
}

/// What handles ask of a group's task.
#[derive(Debug)]
pub(crate) enum Request {
    Publish {
        publish: Box<Publish>,
        reply: oneshot::Sender<Result<Drained, PublishError>>,
    },
    Write {
        stream: StreamId,
        pieces: Vec<Piece>,
    },
    Unpublish(StreamId),
    Play {
        name: String,
        outbox: Outbox,
        purpose: Purpose,
        wishes: Option<Overrides>,
        reply: oneshot::Sender<PlayHandle>,
    },
    SetOverrides {
        name: String,
        wishes: Overrides,
    },
    Stop {
        name: String,
        handle: u64,
    },
    Post {
        body: Bytes,
        authorization: Option<Identity>,
        reply: oneshot::Sender<Result<PostId, PostError>>,
    },
    Posts(oneshot::Sender<Vec<Arc<Post>>>),
    AddNeighbor(PeerId),
    SetReceiveMode(ReceiveMode),
    Route {
        way: SendWay,
        payload: Bytes,
        reply: oneshot::Sender<SendResult>,
    },
    RouteExactly {
        to: GroupAddress,
        payload: Bytes,
        reply: oneshot::Sender<SendResult>,
    },
    OnSendTo(RouteHandler),
    LookUp {
        target: GroupAddress,
        reply: oneshot::Sender<Result<Found, LookUpError>>,
    },
    Put {
        put: Box<Put>,
        reply: oneshot::Sender<Result<u32, PutError>>,
    },
    Get {
        key: Key,
        reply: oneshot::Sender<Result<Box<Got>, GetError>>,
    },
    OpenObjects(mpsc::Sender<ObjectEvent>),
    Objects(Vec<ObjectCommand>),
    ObjectsInfo(oneshot::Sender<ObjectsInfo>),
    AddMemberHint(PeerId),
    Info(oneshot::Sender<GroupInfo>),
    Ways(oneshot::Sender<Vec<Way>>),
    Leave,
}
