use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Priority, Rate, Time};

use super::{Overlay, timer};
use crate::api::{Event, Output};
use crate::changes::Departure;
use crate::link::Probe;
use crate::message::Message;
use crate::places::{Place, distance};

/// How often a probe is sent before its silence counts. Source: spec OV-12.
const ATTEMPTS: u32 = 3;
/// How long a ping or pong waits in a queue before it is worth nothing.
const PING_LIFETIME: Duration = Duration::from_secs(1);
/// How many pings of one neighbor are answered: it has reason for three in a row.
const PINGS: Rate = Rate { burst: 16, per_second: 2 };
/// How many neighbors are told of a silence: those nearest to the silent one, who probably have a link with it
/// too, and as many by chance.
const TOLD: usize = 6;

/// How much less patience there is while many die at once.
const HASTE: u32 = 3;

/// Whether many die at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alarm {
    /// Who was the last to die, or to be silent for long enough to be told of.
    last: Option<(Time, PeerId)>,
    until: Time,
}

impl Alarm {
    pub(super) fn is_on(&self, now: Time) -> bool {
        now < self.until
    }
}

/// Who is still there, and how far away. Source: spec OV-12.
impl Overlay {
    /// Probes the neighbor that was silent longest.
    pub(super) fn probe(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let unprobed = self.open_links().filter(|link| link.probe.is_none());
        if let Some(peer) = unprobed.min_by_key(|link| (link.heard_at, link.peer)).map(|link| link.peer) {
            self.ping(cx, peer, out);
        }
        if !self.links.is_empty() {
            self.timers.set(timer::PROBE, cx.now + cx.rng.jitter(self.config.probe_period));
        }
    }

    /// Sends a ping, the first of up to three.
    pub(super) fn ping(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let nonce = cx.rng.next_u64() as u32;
        let Some(link) = self.links.get_mut(&peer).filter(|link| !link.is_closing()) else { return };
        let attempts = link.probe.map_or(0, |probe| probe.attempts) + 1;
        link.probe = Some(Probe { nonce, sent_at: cx.now, attempts, is_answered: false });
        let is_repeated = attempts > 1;
        // The first is a datagram and measures; the others must arrive if anything does.
        let how = if is_repeated { Delivery::Control } else { datagram(cx.now) };
        out.push(Output::Send { to: peer, message: Message::Ping { nonce, is_repeated }, how });
        self.timers.set_sooner(timer::SILENCE, cx.now + self.config.probe_timeout);
    }

    pub(super) fn pinged(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        nonce: u32,
        is_repeated: bool,
        out: &mut Vec<Output>,
    ) {
        if !self.links.get_mut(&from).is_some_and(|link| link.pings.take(cx.now, PINGS)) {
            self.stats.throttled_count += 1;
            return;
        }
        let how = if is_repeated { Delivery::Control } else { datagram(cx.now) };
        let message = Message::Pong { nonce, members: self.told_estimate(cx.now) };
        out.push(Output::Send { to: from, message, how });
    }

    pub(super) fn ponged(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        nonce: u32,
        members: u64,
        out: &mut Vec<Output>,
    ) {
        let Some(link) = self.links.get_mut(&from) else { return };
        link.members = u32::try_from(members).unwrap_or(u32::MAX);
        let Some(probe) = link.probe.filter(|probe| probe.nonce == nonce) else { return };
        link.probe = None;
        let rtt = cx.now.since(probe.sent_at);
        let is_first = link.rtt.replace(rtt).is_none();
        let place = link.place;
        self.heard.measured(place, rtt);
        if is_first {
            self.sort_soon(cx);
        }
        out.push(Output::Event(Event::Rtt { peer: from, rtt }));
    }

    /// Probes again where the last probe was not answered in time, and gives up after the third.
    pub(super) fn judge_silence(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let probes: Vec<(PeerId, Probe)> =
            self.open_links().filter_map(|link| Some((link.peer, link.probe?))).collect();
        for (peer, probe) in probes {
            let timeout = self.probe_timeout(cx.now, &peer);
            if probe.sent_at + timeout > cx.now {
                self.timers.set_sooner(timer::SILENCE, probe.sent_at + timeout);
            } else if probe.is_answered {
                self.links.get_mut(&peer).expect("listed above").probe = None;
            } else if probe.attempts < ATTEMPTS {
                self.ping(cx, peer, out);
                if probe.attempts + 1 == ATTEMPTS {
                    self.tell_of_silence(cx, peer, out);
                    self.note_death(cx, peer, out);
                }
            } else {
                self.died(cx, peer, out);
            }
        }
    }

    /// A neighbor fell silent.
    fn died(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        self.stats.death_count += 1;
        self.bury(cx, peer);
        self.close(cx, peer, Departure::Silent, out);
        self.note_death(cx, peer, out);
    }

    /// How long an answer to a ping may take: less while many die, but never less than four round trips.
    fn probe_timeout(&self, now: Time, peer: &PeerId) -> Duration {
        let usual = self.config.probe_timeout;
        let rtt = self.links.get(peer).and_then(|link| link.rtt).unwrap_or(usual);
        if self.alarm.is_on(now) { (rtt * 4).clamp(usual / HASTE, usual) } else { usual }
    }

    /// After how long a dial without an answer is not counted on any more: less while many die.
    pub(super) fn slow_dial(&self, now: Time) -> Duration {
        self.hastened(now, self.config.slow_dial)
    }

    /// How long an introducer may take: less while many die.
    pub(super) fn introduction_timeout(&self, now: Time) -> Duration {
        self.hastened(now, self.config.introduction_timeout)
    }

    fn hastened(&self, now: Time, usual: Duration) -> Duration {
        if self.alarm.is_on(now) { usual / HASTE } else { usual }
    }

    /// Whether many die.
    pub(super) fn is_alarmed(&self, now: Time) -> bool {
        self.alarm.is_on(now)
    }

    /// One more is found dead: an alarm goes on for as long as there are such.
    pub(super) fn prolong_alarm(&mut self, now: Time) {
        if self.alarm.is_on(now) {
            self.alarm.until = self.alarm.until.max(now + self.config.alarm_within);
        }
    }

    /// Tells neighbors that probably have a link with the silent one as well, so that all look at once.
    fn tell_of_silence(&self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let place = self.place_of(&peer);
        let mut nearest: Vec<_> =
            self.open_links().map(|link| (distance(place, link.place), link.peer)).collect();
        nearest.sort_unstable();
        nearest.retain(|(_, to)| *to != peer);
        let rest = TOLD.min(nearest.len());
        cx.rng.shuffle(&mut nearest[rest..]);
        for (_, to) in nearest.into_iter().take(2 * TOLD) {
            out.push(Output::Send { to, message: Message::Silent(place), how: Delivery::Control });
        }
    }

    /// A neighbor says that another does not answer: believed only as far as to look.
    pub(super) fn told_of_silence(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        place: Place,
        out: &mut Vec<Output>,
    ) {
        let silent = self.open_links().find(|link| link.place == place && link.probe.is_none());
        let Some(peer) = silent.map(|link| link.peer) else { return };
        if self.admits_request(cx, &from) {
            self.ping(cx, peer, out);
        }
    }

    /// The second death within a short time is an alarm: everybody is probed at once. One that is told of as silent
    /// counts already.
    pub(super) fn note_death(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let within = self.config.alarm_within;
        let is_second = self.alarm.last.is_some_and(|(at, last)| last != peer && cx.now.since(at) <= within);
        self.alarm.last = Some((cx.now, peer));
        if !is_second || self.alarm.is_on(cx.now) {
            return;
        }
        self.alarm.until = cx.now + self.config.alarm_for;
        self.hurry(cx);
        let unprobed: Vec<PeerId> =
            self.open_links().filter(|link| link.probe.is_none()).map(|link| link.peer).collect();
        for peer in unprobed {
            self.ping(cx, peer, out);
        }
        self.timers.set_sooner(timer::DIALS, cx.now + self.slow_dial(cx.now));
    }
}

fn datagram(now: Time) -> Delivery {
    Delivery::live(now, PING_LIFETIME, Priority::Urgent)
}
