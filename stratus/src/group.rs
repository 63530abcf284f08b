use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use stratus_core::{GroupId, Identity, PeerId, RingKey};
use stratus_groupspec::{Groupspec, Password};
use stratus_multicast::{self as multicast, Overrides};
use stratus_posting::{Post, PostId};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::entropy;
use crate::error::{Closed, JoinTimeout, JoinedError, ObjectsError, PlayError, PostError, PublishError};
use crate::event::{Event, Events};
use crate::info::GroupInfo;
use crate::mailbox::mailbox;
use crate::objects::{self, Objects};
use crate::password::stretch;
use crate::playback::{Play, Playback};
use crate::publication::{Limits, Publication, Publish};
use crate::request::{PlayHandle, Request};
use crate::ways::Way;

/// Longest stream name, bytes; the multicast's own bound.
const MOST_NAME_BYTES: usize = 128;

/// A group that this connection is in. Cloning shares it; when the last clone, publication and playback are
/// gone, the group is left.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) inner: Arc<Inner>,
    /// What this handle came with: it says what may be published through it.
    pub(crate) spec: Arc<Groupspec>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: GroupId,
    pub(crate) title: String,
    pub(crate) multicast: multicast::Config,
    pub(crate) ring: RingKey,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) events: broadcast::WeakSender<Arc<Event>>,
    pub(crate) neighbors: watch::Receiver<usize>,
}

impl Group {
    pub(crate) fn new(inner: Arc<Inner>, spec: Groupspec) -> Self {
        Self { inner, spec: Arc::new(spec) }
    }

    /// The group's public name: what servers know of it.
    pub fn id(&self) -> GroupId {
        self.inner.id
    }

    /// Waits for the first neighbor. On a timeout the error names every way that was tried; the group goes on
    /// trying.
    pub async fn joined(&self, patience: Duration) -> Result<(), JoinedError> {
        let mut neighbors = self.inner.neighbors.clone();
        // What is lent by the watch must not be held over the question below, or no task could wait here.
        let first =
            timeout(patience, neighbors.wait_for(|count| *count > 0)).await.map(|seen| seen.map(drop));
        match first {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Closed.into()),
            Err(_) => {
                let (group, tried) = (self.inner.title.clone(), self.ways().await?);
                Err(JoinedError::Timeout(JoinTimeout { group, waited: patience, tried }))
            }
        }
    }

    /// How many neighbors there are now.
    pub fn neighbor_count(&self) -> usize {
        *self.inner.neighbors.borrow()
    }

    /// What happens from now on.
    pub fn events(&self) -> Events {
        let receiver = self.inner.events.upgrade().map(|events| events.subscribe());
        // A group that is left has no events; the sender of this one is gone at once.
        Events(receiver.unwrap_or_else(|| broadcast::channel(1).1))
    }

    /// Publishes a stream. With a password it takes about 0.12 s of a core longer, see [`stretch`](crate::stretch).
    pub async fn publish(&self, name: &str, publish: Publish) -> Result<Publication, PublishError> {
        if !self.spec.capabilities().multicast {
            return Err(PublishError::MulticastDisabled);
        }
        let parameters = publish.parameters.unwrap_or_else(|| (&self.inner.multicast).into());
        let linger = publish.linger.unwrap_or(parameters.window_duration + Duration::from_secs(2));
        let key = Identity::from_seed(entropy().ok_or(PublishError::Entropy)?);
        let stream = multicast::StreamId(key.public());
        let authorization = match (publish.authorization, publish.password) {
            (Some(key), _) => Some(key),
            (None, Some(password)) => self.unlock(password).await?,
            (None, None) => self.spec.publish_authorization(),
        };
        let (name, wishes) = (name.to_owned(), publish.overrides);
        let publish =
            multicast::Publish { key, name: name.clone(), began: now(), authorization, parameters, wishes };
        let drained = self.ask(|reply| Request::Publish { publish: Box::new(publish), reply }).await??;
        let limits = Limits {
            fragment: self.inner.multicast.fragment_size,
            message: self.inner.multicast.max_message,
        };
        Ok(Publication { group: self.clone(), stream, name, drained, linger, limits, written: 0 })
    }

    /// The publish key that `password` gives.
    async fn unlock(&self, password: Password) -> Result<Option<Identity>, PublishError> {
        let spec = self.spec.clone();
        let spec = stretch(move || spec.with_publish_password(&password)).await?;
        Ok(spec.publish_authorization())
    }

    /// Plays the stream of this name, now or whenever it is published.
    ///
    /// A second playback of a name shares the subscription of the first and adds no traffic; it begins at the next key
    /// message. Properties that it wishes hold for both.
    pub async fn play(&self, name: &str, play: Play) -> Result<Playback, PlayError> {
        if !self.spec.capabilities().multicast {
            return Err(PlayError::MulticastDisabled);
        }
        if name.len() > MOST_NAME_BYTES {
            return Err(PlayError::NameTooLong);
        }
        let (outbox, inbox) = mailbox(play.queue_bytes);
        let name = name.to_owned();
        play.overrides.validate()?;
        let wishes = (play.overrides != Overrides::default()).then_some(play.overrides);
        let ask = |reply| Request::Play { name: name.clone(), outbox, purpose: play.purpose, wishes, reply };
        let PlayHandle { handle, drained } = self.ask(ask).await?;
        Ok(Playback { group: self.clone(), name, inbox, drained, linger: play.linger, handle })
    }

    /// Says something to everybody in the group, those who come later included, as long as the history goes back. It is
    /// signed by this member; without neighbors it waits for the first. [`Event::PostTaken`] tells when somebody has it.
    pub async fn post(&self, body: impl Into<Bytes>) -> Result<PostId, PostError> {
        if !self.spec.capabilities().posting {
            return Err(PostError::PostingDisabled);
        }
        let (body, authorization) = (body.into(), self.spec.posting_authorization());
        Ok(self.ask(|reply| Request::Post { body, authorization, reply }).await??)
    }

    /// Every post that is held, this member's own included, in the order of their sequences. For who came late, or heard
    /// [`Event::Lagged`].
    pub async fn posts(&self) -> Result<Vec<Arc<Post>>, Closed> {
        self.ask(Request::Posts).await
    }

    /// The objects of the group, with this application as the store. Whoever opens them last has them.
    pub async fn objects(&self) -> Result<Objects, ObjectsError> {
        if !self.spec.capabilities().object_replication {
            return Err(ObjectsError::ReplicationDisabled);
        }
        let (sender, events) = mpsc::channel(objects::CAPACITY);
        self.send(Request::OpenObjects(sender)).await?;
        Ok(Objects::new(self.clone(), events))
    }

    /// How the group looks from here.
    pub async fn info(&self) -> Result<GroupInfo, Closed> {
        self.ask(Request::Info).await
    }

    /// Each way into the group, and how it went so far.
    pub async fn ways(&self) -> Result<Vec<Way>, Closed> {
        self.ask(Request::Ways).await
    }

    /// Seeks a link with this member, whether or not the overlay would.
    pub async fn add_neighbor(&self, peer: PeerId) -> Result<(), Closed> {
        self.send(Request::AddNeighbor(peer)).await
    }

    /// Names a member, to be linked with if the overlay sees fit.
    pub async fn add_member_hint(&self, peer: PeerId) -> Result<(), Closed> {
        self.send(Request::AddMemberHint(peer)).await
    }

    /// Says goodbye to the neighbors and leaves, whoever else holds the group.
    pub async fn leave(&self) {
        // A group that is closed has been left.
        if self.send(Request::Leave).await.is_ok() {
            self.inner.requests.closed().await;
        }
    }

    pub(crate) async fn send(&self, request: Request) -> Result<(), Closed> {
        self.inner.requests.send(request).await.map_err(|_| Closed)
    }

    pub(crate) fn blocking_send(&self, request: Request) -> Result<(), Closed> {
        self.inner.requests.blocking_send(request).map_err(|_| Closed)
    }

    /// Sends from where nothing can wait.
    pub(crate) fn send_later(&self, request: Request) {
        if let Err(mpsc::error::TrySendError::Full(request)) = self.inner.requests.try_send(request)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let group = self.clone();
            runtime.spawn(async move { group.send(request).await });
        }
    }

    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Closed> {
        let (reply, answer) = oneshot::channel();
        self.send(request(reply)).await?;
        answer.await.map_err(|_| Closed)
    }
}

/// Milliseconds since 1970: only orders the streams of one name, and nobody need agree on it.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}
