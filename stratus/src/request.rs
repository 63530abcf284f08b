use stratus_core::PeerId;
use stratus_multicast::{Piece, Publish, PublishError, StreamId};
use tokio::sync::{oneshot, watch};

use crate::error::PlayError;
use crate::info::GroupInfo;
use crate::mailbox::Outbox;
use crate::ways::Way;

/// Requests that may wait for a group's task: enough for it to be away for one turn, few enough that a writer
/// soon feels it.
pub(crate) const CAPACITY: usize = 256;

/// Turns true when everyone has what is left of a stream.
pub(crate) type Drained = watch::Receiver<bool>;

/// What handles ask of a group's task.
#[derive(Debug)]
pub(crate) enum Request {
    Publish { publish: Box<Publish>, reply: oneshot::Sender<Result<Drained, PublishError>> },
    Write { stream: StreamId, pieces: Vec<Piece> },
    Unpublish(StreamId),
    Play { name: String, outbox: Outbox, reply: oneshot::Sender<Result<Drained, PlayError>> },
    Stop { name: String },
    AddNeighbor(PeerId),
    AddMemberHint(PeerId),
    Info(oneshot::Sender<GroupInfo>),
    Ways(oneshot::Sender<Vec<Way>>),
    Leave,
}
