use std::collections::BTreeMap;

use stratus_core::Histogram;
use stratus_multicast::{self as multicast, StreamId};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::delays::Delays;
use crate::error::PlayError;
use crate::event::Event;
use crate::mailbox::Outbox;
use crate::playback::Played;
use crate::request::Drained;

type PublishReply = oneshot::Sender<Result<Drained, multicast::PublishError>>;
type PlayReply = oneshot::Sender<Result<Drained, PlayError>>;

/// The publications and playbacks of one group, and who waits for what.
#[derive(Default)]
pub(super) struct Streams {
    publishing: BTreeMap<StreamId, PublishReply>,
    published: BTreeMap<StreamId, Published>,
    playing: BTreeMap<String, Playing>,
}

struct Published {
    drained: watch::Sender<bool>,
    is_ended: bool,
}

struct Playing {
    /// Gone once the stream has ended.
    outbox: Option<Outbox>,
    stream: Option<StreamId>,
    delays: Delays,
    drained: watch::Sender<bool>,
}

impl Streams {
    /// A publication was asked for; the node answers within the turn.
    pub(super) fn publishing(&mut self, stream: StreamId, reply: PublishReply) {
        self.publishing.insert(stream, reply);
    }

    /// True if the stream is ours and was going on.
    pub(super) fn unpublish(&mut self, stream: &StreamId) -> bool {
        self.published
            .get_mut(stream)
            .is_some_and(|published| !std::mem::replace(&mut published.is_ended, true))
    }

    /// True if nothing of that name was played.
    pub(super) fn play(&mut self, name: &str, outbox: Outbox, reply: PlayReply) -> bool {
        if self.playing.contains_key(name) {
            let _ = reply.send(Err(PlayError::AlreadyPlaying));
            return false;
        }
        let (drained, receiver) = watch::channel(false);
        let playing =
            Playing { outbox: Some(outbox), stream: None, delays: Delays::new(Instant::now()), drained };
        self.playing.insert(name.to_owned(), playing);
        // If nobody waits any more, the handle was dropped and says `Stop`.
        let _ = reply.send(Ok(receiver));
        true
    }

    pub(super) fn stop(&mut self, name: &str) {
        self.playing.remove(name);
    }

    /// Gives a stream's event to whom it concerns; what concerns the whole group comes back.
    pub(super) fn event(&mut self, event: multicast::Event) -> Option<Event> {
        match event {
            multicast::Event::PublishNotify { stream, name } => {
                self.began(stream);
                return Some(Event::PublishNotify { stream, name });
            }
            multicast::Event::UnpublishNotify { stream, name, .. } => {
                return Some(Event::UnpublishNotify { stream, name });
            }
            multicast::Event::Misbehaved { peer, what } => return Some(Event::Misbehaved { peer, what }),
            multicast::Event::PublishFailed { stream, why } => self.failed(&stream, why),
            multicast::Event::PlayStart { stream, name } => self.start(stream, &name, false),
            multicast::Event::PlayReset { stream, name } => self.start(stream, &name, true),
            multicast::Event::Message { stream, message } => self.message(stream, message),
            multicast::Event::Gap { stream, first_index, count } => {
                self.put(stream, Played::Gap { first_index, count });
            }
            multicast::Event::PlayEnd { stream } => self.ended(stream),
            multicast::Event::Drained { stream } => self.drained(stream),
            // The node keeps these between its layers.
            multicast::Event::SubscriberHeard { .. }
            | multicast::Event::Want(_)
            | multicast::Event::Release(_) => {}
        }
        None
    }

    fn began(&mut self, stream: StreamId) {
        let Some(reply) = self.publishing.remove(&stream) else { return };
        // Those that ended and never drained, and for which nobody waits any more.
        self.published.retain(|_, old| !old.is_ended || old.drained.receiver_count() > 0);
        let (drained, receiver) = watch::channel(false);
        self.published.insert(stream, Published { drained, is_ended: false });
        let _ = reply.send(Ok(receiver));
    }

    fn failed(&mut self, stream: &StreamId, why: multicast::PublishError) {
        if let Some(reply) = self.publishing.remove(stream) {
            let _ = reply.send(Err(why));
        }
    }

    fn start(&mut self, stream: StreamId, name: &str, is_reset: bool) {
        let Some(playing) = self.playing.get_mut(name) else { return };
        playing.stream = Some(stream);
        playing.drained.send_replace(false);
        playing.delays.restart();
        if let Some(outbox) = &mut playing.outbox {
            outbox.put(Played::Start { stream, is_reset });
        }
    }

    fn message(&mut self, stream: StreamId, message: multicast::StreamMessage) {
        if let Some(playing) = self.player(stream) {
            playing.delays.observe(message.published_at, Instant::now());
            self.put(stream, Played::Message(message));
        }
    }

    /// How late what is played comes, by the name of its stream.
    pub(super) fn delays(&self) -> Vec<(String, Histogram)> {
        let delays =
            |(name, playing): (&String, &Playing)| (name.clone(), playing.delays.histogram().clone());
        self.playing.iter().map(delays).collect()
    }

    fn put(&mut self, stream: StreamId, played: Played) {
        if let Some(outbox) = self.player(stream).and_then(|playing| playing.outbox.as_mut()) {
            outbox.put(played);
        }
    }

    fn ended(&mut self, stream: StreamId) {
        if let Some(playing) = self.player(stream) {
            playing.outbox = None;
        }
    }

    /// Nobody needs anything of the stream any more: whoever published it or played it may go.
    fn drained(&mut self, stream: StreamId) {
        if let Some(published) = self.published.remove(&stream) {
            published.drained.send_replace(true);
        }
        if let Some(playing) = self.player(stream) {
            playing.drained.send_replace(true);
        }
    }

    fn player(&mut self, stream: StreamId) -> Option<&mut Playing> {
        self.playing.values_mut().find(|playing| playing.stream == Some(stream))
    }
}
