use std::collections::BTreeMap;

use stratus_core::Histogram;
use stratus_multicast::{self as multicast, SampleAccess, StreamId, StreamMessage};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::delays::Delays;
use crate::event::Event;
use crate::mailbox::Outbox;
use crate::playback::{Played, Purpose};
use crate::request::{Drained, PlayHandle};

type PublishReply = oneshot::Sender<Result<Drained, multicast::PublishError>>;

/// The publications and playbacks of one group, and who waits for what.
#[derive(Default)]
pub(super) struct Streams {
    publishing: BTreeMap<StreamId, PublishReply>,
    published: BTreeMap<StreamId, Published>,
    playing: BTreeMap<String, Playing>,
    handles: u64,
}

struct Published {
    drained: watch::Sender<bool>,
    is_ended: bool,
}

/// One subscription, shared by every playback of its name.
struct Playing {
    outlets: Vec<Outlet>,
    stream: Option<StreamId>,
    access: SampleAccess,
    has_ended: bool,
    delays: Delays,
    drained: watch::Sender<bool>,
}

/// One playback.
struct Outlet {
    handle: u64,
    purpose: Purpose,
    /// Gone once the stream has ended.
    outbox: Option<Outbox>,
    /// It was told of a stream before.
    has_started: bool,
    /// It came into the middle of a stream, and can begin only at a key message.
    awaits_key: bool,
}

impl Outlet {
    fn put(&mut self, played: Played) {
        if let Some(outbox) = &mut self.outbox {
            outbox.put(played);
        }
    }

    fn start(&mut self, stream: StreamId) {
        let is_reset = std::mem::replace(&mut self.has_started, true);
        self.put(Played::Start { stream, is_reset });
    }

    fn message(&mut self, message: &StreamMessage, access: SampleAccess) {
        self.awaits_key &= !message.is_key;
        if self.awaits_key {
            return;
        }
        // spec MC-20
        let is_withheld = self.purpose == Purpose::Application && !access.allows(message.kind);
        self.put(match is_withheld {
            true => Played::Withheld { index: message.index, kind: message.kind, bytes: message.len() },
            false => Played::Message(message.clone()),
        });
    }
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

    /// One more playback; true if nothing of that name was played. A second one shares what comes for the first.
    pub(super) fn play(
        &mut self,
        name: &str,
        outbox: Outbox,
        purpose: Purpose,
        reply: oneshot::Sender<PlayHandle>,
    ) -> bool {
        let is_first = !self.playing.contains_key(name);
        let playing = self.playing.entry(name.to_owned()).or_insert_with(|| Playing {
            outlets: Vec::new(),
            stream: None,
            access: SampleAccess::default(),
            has_ended: false,
            delays: Delays::new(Instant::now()),
            drained: watch::channel(false).0,
        });
        self.handles += 1;
        let handle = self.handles;
        let mut outlet =
            Outlet { handle, purpose, outbox: Some(outbox), has_started: false, awaits_key: false };
        if let Some(stream) = playing.stream.filter(|_| !playing.has_ended) {
            outlet.start(stream);
            outlet.awaits_key = true;
        }
        playing.outlets.push(outlet);
        // If nobody waits any more, the handle was dropped and says `Stop`.
        let _ = reply.send(PlayHandle { handle, drained: playing.drained.subscribe() });
        is_first
    }

    /// A playback ends; true if it was the last of its name.
    pub(super) fn stop(&mut self, name: &str, handle: u64) -> bool {
        let Some(playing) = self.playing.get_mut(name) else { return false };
        playing.outlets.retain(|outlet| outlet.handle != handle);
        playing.outlets.is_empty() && self.playing.remove(name).is_some()
    }

    /// Gives a stream's event to whom it concerns; what the group may hear of comes back. `access` says what the
    /// publisher of a stream allows.
    pub(super) fn event(
        &mut self,
        event: multicast::Event,
        access: impl FnOnce(&StreamId) -> SampleAccess,
    ) -> Vec<Event> {
        match event {
            multicast::Event::PublishNotify { stream, name } => {
                let notify = Event::PublishNotify { stream, name: name.clone() };
                if self.began(stream) {
                    return vec![Event::PublishStart { stream, name }, notify];
                }
                return vec![notify];
            }
            multicast::Event::UnpublishNotify { stream, name, .. } => {
                return vec![Event::UnpublishNotify { stream, name }];
            }
            multicast::Event::PublishBadName { stream, name } => {
                return vec![Event::PublishBadName { stream, name }];
            }
            multicast::Event::PublishIdle { stream, name } => {
                self.put(stream, &Played::Idle);
                self.drained(stream);
                self.ended(stream);
                return vec![Event::PublishIdle { stream, name }];
            }
            multicast::Event::Equivocated { stream, name } => {
                self.put(stream, &Played::Equivocated);
                self.drained(stream);
                self.ended(stream);
                return vec![Event::Equivocated { stream, name }];
            }
            multicast::Event::Misbehaved { peer, what } => return vec![Event::Misbehaved { peer, what }],
            multicast::Event::PublishFailed { stream, why } => self.failed(&stream, why),
            multicast::Event::PlayStart { stream, name } => {
                self.start(stream, &name, access(&stream));
                return vec![Event::PlayStart { stream, name }];
            }
            multicast::Event::PlayReset { stream, name } => {
                self.start(stream, &name, access(&stream));
                return vec![Event::PlayReset { stream, name }];
            }
            multicast::Event::Message { stream, message } => self.message(stream, &message),
            multicast::Event::Gap { stream, first_index, count } => {
                self.put(stream, &Played::Gap { first_index, count });
            }
            multicast::Event::PlayEnd { stream } => self.ended(stream),
            multicast::Event::Drained { stream } => self.drained(stream),
            // The node keeps these between its layers.
            multicast::Event::SubscriberHeard { .. }
            | multicast::Event::Want(_)
            | multicast::Event::Release(_) => {}
        }
        Vec::new()
    }

    /// Whether it is a publication of ours that somebody waits for.
    fn began(&mut self, stream: StreamId) -> bool {
        let Some(reply) = self.publishing.remove(&stream) else { return false };
        // Those that ended and never drained, and for which nobody waits any more.
        self.published.retain(|_, old| !old.is_ended || old.drained.receiver_count() > 0);
        let (drained, receiver) = watch::channel(false);
        self.published.insert(stream, Published { drained, is_ended: false });
        let _ = reply.send(Ok(receiver));
        true
    }

    fn failed(&mut self, stream: &StreamId, why: multicast::PublishError) {
        if let Some(reply) = self.publishing.remove(stream) {
            let _ = reply.send(Err(why));
        }
    }

    fn start(&mut self, stream: StreamId, name: &str, access: SampleAccess) {
        let Some(playing) = self.playing.get_mut(name) else { return };
        playing.stream = Some(stream);
        playing.access = access;
        playing.has_ended = false;
        playing.drained.send_replace(false);
        playing.delays.restart();
        for outlet in &mut playing.outlets {
            outlet.awaits_key = false;
            outlet.start(stream);
        }
    }

    fn put(&mut self, stream: StreamId, played: &Played) {
        for outlet in self.player(stream).into_iter().flat_map(|playing| &mut playing.outlets) {
            if !outlet.awaits_key || matches!(played, Played::Idle | Played::Equivocated) {
                outlet.put(played.clone());
            }
        }
    }

    fn message(&mut self, stream: StreamId, message: &StreamMessage) {
        let Some(playing) = self.player(stream) else { return };
        playing.delays.observe(message.published_at, Instant::now());
        let access = playing.access;
        playing.outlets.iter_mut().for_each(|outlet| outlet.message(message, access));
    }

    /// How late what is played comes, by the name of its stream.
    pub(super) fn delays(&self) -> Vec<(String, Histogram)> {
        let delays =
            |(name, playing): (&String, &Playing)| (name.clone(), playing.delays.histogram().clone());
        self.playing.iter().map(delays).collect()
    }

    fn ended(&mut self, stream: StreamId) {
        let Some(playing) = self.player(stream) else { return };
        playing.has_ended = true;
        playing.outlets.iter_mut().for_each(|outlet| outlet.outbox = None);
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
