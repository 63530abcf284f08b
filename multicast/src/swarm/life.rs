//! Signs of life: beats of a stream that rests, announcements that are renewed, and what follows when both stop
//! (spec MC-4, MC-6, MC-22).

use std::sync::Arc;
use std::time::Duration;

use stratus_core::Time;

use super::{Role, Swarm, Turn};
use crate::{Announcement, Config, Event};

/// A publisher that cut nothing for this long cuts a run without fragments.
const BEAT: Duration = Duration::from_secs(1);

/// What is known of a stream whether or not we play it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// When the announcement is worth nothing any more, unless it is renewed.
    pub(super) expires_at: Time,
    /// Our subscription left it because it was silent, and it showed no sign of life since.
    pub(super) is_deserted: bool,
    /// We played it and took its publisher for gone.
    pub(super) is_gone: bool,
    /// Its publisher signed two histories (spec MC-21).
    pub(super) is_condemned: bool,
}

impl Life {
    pub(super) fn new() -> Self {
        Self {
            expires_at: Time::from_micros(u64::MAX),
            is_deserted: false,
            is_gone: false,
            is_condemned: false,
        }
    }
}

impl Swarm {
    /// The announcement is `age` old.
    pub(crate) fn announced(&mut self, now: Time, age: Duration, config: &Config) {
        self.life.expires_at = now + config.announcement_lifetime.saturating_sub(age);
    }

    /// How old the announcement is.
    pub(crate) fn announcement_age(&self, now: Time, config: &Config) -> Duration {
        config.announcement_lifetime.saturating_sub(self.life.expires_at.since(now))
    }

    /// Whether a subscription may choose it.
    pub(crate) fn is_playable(&self) -> bool {
        let Life { is_deserted, is_gone, is_condemned, .. } = self.life;
        !(self.is_publisher() || self.has_ended() || is_deserted || is_gone || is_condemned)
    }

    /// Whether newcomers are told of it.
    pub(crate) fn is_told_on(&self) -> bool {
        !(self.life.is_gone || self.life.is_condemned)
    }

    /// Our subscription moves on; if that is because nothing came, it does not come back before a sign of life.
    pub(crate) fn desert_if_silent(&mut self, now: Time) {
        self.life.is_deserted = self.is_over(now);
    }

    /// Whether its place may be had for another stream, and how gladly it is given.
    pub(crate) fn spent(&self) -> Option<u8> {
        match self.life {
            _ if self.is_subscribed() || self.is_publisher() && !self.has_drained => None,
            _ if self.has_ended() => Some(2),
            Life { is_gone, is_condemned, .. } if is_gone || is_condemned => Some(1),
            Life { is_deserted: true, .. } => Some(0),
            _ => None,
        }
    }

    /// When a sign of life is due, or the lack of one is noticed.
    pub(super) fn next_sign(&self) -> Option<Time> {
        match &self.role {
            Role::Publisher(cutter) if !self.has_ended() => {
                let may_beat = cutter.cut_so_far().0 > 0 && !cutter.has_pending();
                let beat_at = may_beat.then_some(self.beat_at);
                beat_at.into_iter().chain([self.renew_at]).min()
            }
            Role::Subscriber => (!self.has_finished).then(|| self.given_up_at()),
            Role::Publisher(_) | Role::Idle => Some(self.life.expires_at),
        }
    }

    /// When the publisher of a stream that we play is taken for gone: some time after the last run, or, if it never
    /// began, when its announcement has died.
    fn given_up_at(&self) -> Time {
        let shows_runs = |map: &crate::Availability| map.end() > 0;
        let has_begun = self.window.verified_end() > 0
            || self.has_ended()
            || self.neighbors.values().any(|n| n.map.as_ref().is_some_and(|(_, map)| shows_runs(map)));
        if has_begun { self.alive_at + self.properties.publisher_timeout } else { self.life.expires_at }
    }

    /// Whether its publisher is taken for gone, by us who play it.
    pub(crate) fn is_given_up(&self, now: Time) -> bool {
        self.is_subscribed() && !self.has_finished && now >= self.given_up_at()
    }

    /// Whether nobody vouches for it any more.
    pub(crate) fn has_expired(&self, now: Time) -> bool {
        let is_ours = self.is_publisher() && !self.has_ended();
        !self.is_subscribed() && !is_ours && now >= self.life.expires_at
    }

    /// Its publisher is gone; says whether that is news.
    pub(crate) fn note_gone(&mut self) -> bool {
        !std::mem::replace(&mut self.life.is_gone, true)
    }

    /// Shows that we live, if it is time to.
    pub(super) fn beat_if_due(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let is_resting = self.is_publisher() && !self.has_ended() && now >= self.beat_at;
        let Role::Publisher(cutter) = &mut self.role else { return };
        let (runs, _) = cutter.cut_so_far();
        // Before the first run there is nothing to keep alive; what is pending is a sign of life itself.
        if !is_resting || runs == 0 || cutter.has_pending() {
            return;
        }
        let beat = cutter.beat(now, turn.cx.verify);
        self.give_out(turn, beat);
        self.beat_at = now + turn.cx.rng.jitter(BEAT);
    }

    /// A run was cut: the next beat is due so much later.
    pub(super) fn note_cut(&mut self, now: Time) {
        self.beat_at = now + BEAT;
    }

    /// Signs our announcement again before it dies; says whether it did.
    pub(crate) fn renew_own(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let now = turn.cx.now;
        let Role::Publisher(cutter) = &self.role else { return false };
        if self.has_ended() || now < self.renew_at {
            return false;
        }
        let mut announcement = (*self.announcement).clone();
        announcement.sequence += 1;
        self.announcement = Arc::new(announcement.signed(&turn.setup.group, cutter.key()));
        self.announced(now, Duration::ZERO, turn.config);
        self.plan_renewal(turn);
        true
    }

    pub(super) fn plan_renewal(&mut self, turn: &mut Turn<'_, '_>) {
        self.renew_at = turn.cx.now + turn.cx.rng.jitter(turn.config.announcement_lifetime / 3);
    }

    /// A later announcement of this stream, already checked: takes it over.
    pub(crate) fn renew(&mut self, turn: &mut Turn<'_, '_>, announcement: Arc<Announcement>, age: Duration) {
        let had_ended = self.has_ended();
        self.announcement = announcement;
        self.announced(turn.cx.now, age, turn.config);
        let (stream, name) = (self.announcement.stream, self.announcement.name.clone());
        let was_gone = std::mem::take(&mut self.life.is_gone);
        self.life.is_deserted = false;
        match self.announcement.end {
            Some(_) if had_ended => {}
            Some(end) => {
                if !was_gone {
                    turn.event(Event::UnpublishNotify { stream, name, end: Some(end) });
                }
                self.on_end(turn);
            }
            None => {
                self.alive_at = turn.cx.now;
                if was_gone {
                    turn.event(Event::PublishNotify { stream, name });
                }
            }
        }
    }
}
