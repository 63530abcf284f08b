//! Which stream of a name is played, and what becomes of streams whose publisher is gone (spec MC-17, MC-22).

use stratus_core::{Cx, PeerId, Time};

use super::Multicast;
use super::seeking::PATIENCE;
use crate::api::{Event, Output};
use crate::swarm::Swarm;
use crate::{Overrides, StreamAlias};

/// A name that is played.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subscription {
    /// The stream that was found.
    pub(super) stream: Option<StreamAlias>,
    /// What is wished for it; gone with it.
    wishes: Overrides,
    /// Whom we asked by name for a place to start, and when.
    pub(super) sought: Option<(PeerId, Time)>,
}

impl Multicast {
    /// A subscription to `name` may have found its stream, or a later one.
    pub(super) fn look_again(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, name: &str) {
        let Some(Subscription { stream: former, wishes, sought }) = self.subscriptions.get(name).copied()
        else {
            return;
        };
        let Some(found) = self.choose(cx.now, name, former) else { return };
        let connected: Vec<PeerId> = self.connected.keys().copied().collect();
        if let Some(former) = former {
            self.with(former, cx, out, |swarm, turn| {
                if !swarm.has_ended() {
                    // What it may still bring is not waited for: its successor has begun.
                    swarm.desert_if_silent(turn.cx.now);
                    swarm.unsubscribe(turn, &connected);
                }
            });
        }
        let sought = sought.filter(|(_, at)| cx.now.since(*at) < PATIENCE);
        let wishes = if former.is_none() { wishes } else { Overrides::default() };
        let subscription = Subscription { stream: Some(found), wishes, sought: None };
        self.subscriptions.insert(name.to_owned(), subscription);
        let name = name.to_owned();
        self.with(found, cx, out, |swarm, turn| {
            let stream = swarm.announcement().stream;
            turn.event(match former {
                None => Event::PlayStart { stream, name },
                Some(_) => Event::PlayReset { stream, name },
            });
            swarm.set_overrides(turn.config, &wishes);
            swarm.subscribe(turn, &connected, sought);
        });
    }

    /// The stream to move to, if there is one better than `current`.
    ///
    /// Where a publish key guards the group, the stream that began last is the publisher's word and taken over at
    /// once. Where anybody may publish, whoever is played keeps its name for as long as it shows signs of life.
    fn choose(&self, now: Time, name: &str, current: Option<StreamAlias>) -> Option<StreamAlias> {
        let playing = current.and_then(|alias| self.streams.get(&alias)).filter(|swarm| !swarm.is_over(now));
        let is_candidate = |(alias, swarm): &(&StreamAlias, &Swarm)| {
            let is_played = Some(**alias) == current && swarm.is_subscribed();
            swarm.announcement().name == name && swarm.is_playable() && !is_played
        };
        let (alias, best) =
            self.streams.iter().filter(is_candidate).max_by_key(|(_, swarm)| swarm.announcement().rank())?;
        let is_better = playing.is_none_or(|playing| {
            let is_guarded = self.setup.publish_authority.is_some();
            is_guarded && best.announcement().rank() > playing.announcement().rank()
        });
        is_better.then_some(*alias)
    }

    /// Wishes for the stream of `name`: for the one that is played, else for the first that is found. Wishes that
    /// cannot be had are a mistake of the caller, who can ask beforehand.
    pub(super) fn set_overrides(&mut self, name: &str, wishes: Overrides) {
        if wishes.validate().is_err() {
            return;
        }
        let Some(subscription) = self.subscriptions.get_mut(name) else { return };
        subscription.wishes = wishes;
        if let Some(swarm) = subscription.stream.and_then(|alias| self.streams.get_mut(&alias)) {
            swarm.set_overrides(&self.config, &wishes);
        }
    }

    /// Subscriptions whose stream fell silent move on, if there is another of their name.
    pub(super) fn leave_silent_streams(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let now = cx.now;
        let is_over = |alias: &StreamAlias| self.streams.get(alias).is_none_or(|swarm| swarm.is_over(now));
        let over = self.subscriptions.iter().filter(|(_, found)| found.stream.as_ref().is_some_and(is_over));
        for name in over.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.look_again(cx, out, &name);
        }
    }

    /// Our own stream has lost its name to one that began later, and is told so once.
    pub(super) fn note_rival(&mut self, out: &mut Vec<Output>, alias: StreamAlias) {
        let Some(rival) = self.streams.get(&alias) else { return };
        if rival.is_publisher() || rival.has_ended() {
            return;
        }
        let (name, rank) = (rival.announcement().name.clone(), rival.announcement().rank());
        for swarm in self.streams.values() {
            let own = swarm.announcement();
            if swarm.is_publisher() && !swarm.has_ended() && own.name == name && own.rank() < rank {
                let event = Event::PublishBadName { stream: own.stream, name: name.clone() };
                out.push(Output::Event(event));
            }
        }
    }

    /// Renews what is ours, leaves streams that are condemned or whose publisher is gone, forgets those for which
    /// nobody vouches.
    pub(super) fn look_after_lives(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        for alias in self.streams.keys().copied().collect::<Vec<_>>() {
            if self.with(alias, cx, out, |swarm, turn| swarm.renew_own(turn)) == Some(true) {
                self.forward(cx, out, None, alias, stratus_core::Delivery::Background);
            }
            self.leave_if_gone(cx, out, alias);
            if self.streams.get(&alias).is_some_and(|swarm| swarm.has_expired(cx.now)) {
                self.forget(out, alias);
            }
        }
    }

    fn leave_if_gone(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, alias: StreamAlias) {
        let Some(swarm) = self.streams.get_mut(&alias) else { return };
        if !swarm.is_given_up(cx.now) {
            return;
        }
        let (stream, name) = (swarm.announcement().stream, swarm.announcement().name.clone());
        let had_ended = swarm.has_ended();
        if swarm.note_gone() {
            out.push(Output::Event(Event::PublishIdle { stream, name: name.clone() }));
            if !had_ended {
                out.push(Output::Event(Event::UnpublishNotify { stream, name: name.clone(), end: None }));
            }
        }
        self.leave(cx, out, alias);
        self.look_again(cx, out, &name);
    }

    /// After a message about it: a stream whose publisher signed two histories is not played any more.
    pub(super) fn leave_if_condemned(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, alias: StreamAlias) {
        if self.streams.get(&alias).is_some_and(Swarm::must_be_left) {
            self.leave(cx, out, alias);
        }
    }

    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, alias: StreamAlias) {
        let connected: Vec<PeerId> = self.connected.keys().copied().collect();
        self.with(alias, cx, out, |swarm, turn| swarm.unsubscribe(turn, &connected));
    }

    /// Forgets a stream; members who were never told of its end are.
    pub(super) fn forget(&mut self, out: &mut Vec<Output>, alias: StreamAlias) {
        let Some(swarm) = self.streams.remove(&alias) else { return };
        self.connected.values_mut().for_each(|linked| linked.tolerance.forget_stream(alias));
        if !swarm.has_ended() && swarm.is_told_on() {
            let (stream, name) = (swarm.announcement().stream, swarm.announcement().name.clone());
            out.push(Output::Event(Event::UnpublishNotify { stream, name, end: None }));
        }
    }

    /// Whether one more stream may be known; one that nobody here uses and that ended or is gone makes room.
    pub(super) fn make_room(&mut self, out: &mut Vec<Output>) -> bool {
        if self.streams.len() < self.config.max_streams {
            return true;
        }
        let spent = self.streams.iter().filter_map(|(alias, swarm)| Some((swarm.spent()?, *alias))).max();
        spent.is_some_and(|(_, alias)| {
            self.forget(out, alias);
            true
        })
    }

    /// When a stream of ours begins that begins now by our clock: never before what is known of its name, or
    /// nobody would find it.
    pub(super) fn begin_after_others(&self, name: &str, began: u64) -> u64 {
        let of_name = self.streams.values().filter(|swarm| swarm.announcement().name == name);
        of_name.map(|swarm| swarm.announcement().began.saturating_add(1)).fold(began, u64::max)
    }
}
