use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Time};

use super::parting::ALONE_RETRY;
use super::{Overlay, timer};
use crate::api::{Event, Output};
use crate::dials::{Dial, Purpose, Stage};
use crate::introducer::{Party, is_harmless};
use crate::message::Message;
use crate::places::distance;
use crate::record::Record;
use crate::troubles::Trouble;

/// How many neighbors are asked for an introduction to the same member.
const INTRODUCERS_ASKED: usize = 3;
/// How long a member that could not be dialled directly is left out of the best list.
const UNREACHED_FOR: Duration = Duration::from_secs(10);

/// What happens when a dial has taken too long.
#[derive(Clone, Copy)]
enum Then {
    AskSomebody,
    AskAnother,
    Fail,
}

/// Dials that fail, and introductions: asked for, made, and received. Source: spec OV-18, OV-19.
impl Overlay {
    /// The host could not reach a member.
    pub(super) fn connect_failed(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let Some(dial) = self.dials.get(&peer).filter(|dial| dial.stage == Stage::Dialing) else { return };
        self.stats.dial_failure_count += 1;
        let (purpose, was_introduced) = (dial.purpose, !dial.asked.is_empty());
        if matches!(purpose, Purpose::Memory | Purpose::Courtesy) {
            self.dials.take(&peer);
            return;
        }
        let place = self.place_of(&peer);
        self.troubles.note(place, Trouble::Unreached, cx.now, UNREACHED_FOR, UNREACHED_FOR);
        self.sort_soon(cx);
        if was_introduced || !self.ask_introducer(cx, peer, out) {
            self.give_up(cx, peer);
        }
    }

    /// Nothing more can be tried.
    fn give_up(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        self.dials.take(&peer);
        self.prolong_alarm(cx.now);
        self.bury(cx, peer);
        if !self.has_open_link() {
            // Perhaps it only had no time.
            self.timers.set_sooner(timer::MEMORY, cx.now + cx.rng.jitter(ALONE_RETRY));
        }
    }

    /// Asks the next neighbor that may know `peer`; false if there is none.
    fn ask_introducer(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) -> bool {
        let Some(via) = self.next_introducer(cx.now, &peer) else { return false };
        let candidates = self.own.record().addresses().to_vec();
        let dial = self.dials.get_mut(&peer).expect("only dialled members are asked for");
        dial.stage = Stage::Asking(via);
        dial.since = cx.now;
        dial.asked.push(via);
        out.push(Output::Send {
            to: via,
            message: Message::Introduce { target: peer, candidates },
            how: Delivery::Control,
        });
        self.timers.set_sooner(timer::DIALS, cx.now + self.introduction_timeout(cx.now));
        true
    }

    /// One whom the member names itself, or else the neighbor nearest to it on the ring, which is likely to
    /// be linked with it.
    fn next_introducer(&self, now: Time, peer: &PeerId) -> Option<PeerId> {
        let asked = &self.dials.get(peer)?.asked;
        // While many die, most of those that do not answer are dead, and neighbors answer only so many questions.
        let most = if self.is_alarmed(now) { 1 } else { INTRODUCERS_ASKED };
        if asked.len() >= most {
            return None;
        }
        let place = self.place_of(peer);
        let named = self.heard.get(place).map(|entry| entry.record().introducers()).unwrap_or_default();
        self.open_links()
            .filter(|link| !asked.contains(&link.peer))
            .min_by_key(|link| (!named.contains(&link.place), distance(place, link.place), link.peer))
            .map(|link| link.peer)
    }

    /// The owner wants to be introduced to a member.
    pub(super) fn seek_introduction(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        // Dialled as well: introductions go wrong, and a dial that is under way does no harm.
        if self.dial(cx, peer, Purpose::Added, out) {
            self.ask_introducer(cx, peer, out);
        }
    }

    /// An introducer is gone or knows no help: ask another.
    fn ask_another(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if !self.ask_introducer(cx, peer, out) {
            self.give_up(cx, peer);
        }
    }

    /// A neighbor is gone: whoever was to be met through it is met through another.
    pub(super) fn ask_others_than(&mut self, cx: &mut Cx<'_>, gone: PeerId, out: &mut Vec<Output>) {
        let left: Vec<PeerId> = self
            .dials
            .iter()
            .filter(|dial| dial.stage == Stage::Asking(gone))
            .map(|dial| dial.peer)
            .collect();
        for peer in left {
            self.ask_another(cx, peer, out);
        }
    }

    /// Gives up dials and introductions that take too long, and has those introduced that do not answer soon.
    pub(super) fn judge_dials(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let dials: Vec<_> =
            self.dials.iter().map(|dial| (dial.peer, dial.since, self.patience(cx.now, dial))).collect();
        for (peer, since, (patience, then)) in dials {
            if since + patience > cx.now {
                self.timers.set_sooner(timer::DIALS, since + patience);
                continue;
            }
            match then {
                Then::AskSomebody => self.slow(cx, peer, out),
                Then::AskAnother => self.ask_another(cx, peer, out),
                Then::Fail => self.connect_failed(cx, peer, out),
            }
        }
    }

    /// How long a dial may take, and what happens then.
    fn patience(&self, now: Time, dial: &Dial) -> (Duration, Then) {
        let is_alone = !matches!(dial.purpose, Purpose::Memory | Purpose::Courtesy) && dial.asked.is_empty();
        match dial.stage {
            Stage::Asking(_) => (self.introduction_timeout(now), Then::AskAnother),
            Stage::Dialing if is_alone && self.has_open_link() && !dial.is_slow => {
                (self.slow_dial(now), Then::AskSomebody)
            }
            Stage::Dialing => (self.config.dial_timeout, Then::Fail),
        }
    }

    /// A dial has no answer yet: whoever knows the member introduces us while it goes on, and if nobody does, it
    /// is probably dead. Source: spec OV-19.
    fn slow(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if let Some(dial) = self.dials.get_mut(&peer) {
            dial.is_slow = true;
            let rest = dial.since + self.config.dial_timeout;
            self.timers.set_sooner(timer::DIALS, rest);
            self.ask_introducer(cx, peer, out);
            self.sort_soon(cx);
        }
    }

    /// A neighbor wants to be introduced to another.
    pub(super) fn introduce(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        target: PeerId,
        candidates: Vec<SocketAddr>,
        out: &mut Vec<Output>,
    ) {
        let asker = self.party(from, candidates);
        let known = self.open_link(&target).map(|_| self.party(target, Vec::new()));
        let Ok(told) = self.introducer.introduce(cx.now, &asker, known.as_ref()) else {
            out.push(Output::Send {
                to: from,
                message: Message::NotIntroduced(target),
                how: Delivery::Control,
            });
            return;
        };
        self.stats.introduction_count += 1;
        for (to, peer, candidates) in [(target, from, told.to_target), (from, target, told.to_asker)] {
            let record = self.heard.get(self.place_of(&peer)).map(|entry| entry.record().clone());
            let message = Message::Introduced { peer, record, candidates };
            out.push(Output::Send { to, message, how: Delivery::Control });
        }
    }

    /// What we can say of where a neighbor may be met.
    fn party(&self, peer: PeerId, mut stated: Vec<SocketAddr>) -> Party {
        let observed = self.links.get(&peer).and_then(|link| link.observed);
        if let Some(entry) = self.heard.get(self.place_of(&peer)) {
            stated.extend(entry.addresses());
        }
        Party { peer, observed, stated }
    }

    /// A neighbor introduces us to another member: because we asked, or because that one did.
    pub(super) fn introduced(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        peer: PeerId,
        record: Option<Arc<Record>>,
        mut candidates: Vec<SocketAddr>,
        out: &mut Vec<Output>,
    ) {
        let rate = self.config.introductions;
        let was_asked = self.dials.get(&peer).is_some_and(|dial| dial.stage == Stage::Asking(from));
        let is_barred = self.is_banned(self.place_of(&peer), cx.now);
        let Some(link) = self.links.get_mut(&from) else { return };
        if is_barred || !(was_asked || link.introductions.take(cx.now, rate)) {
            self.stats.throttled_count += 1;
            return;
        }
        if let Some(record) = record.filter(|record| record.peer() == peer) {
            // How old it is nobody said, so it does not live long without further news.
            self.hear(cx, record, self.config.age_limit / 2, Some(from), out);
        }
        candidates.retain(|address| is_harmless(*address));
        if self.dials.get(&peer).is_none() {
            self.dial(cx, peer, Purpose::Courtesy, out);
        } else if was_asked {
            out.push(Output::Connect(peer));
        }
        let Some(dial) = self.dials.get_mut(&peer) else { return };
        dial.candidates.clone_from(&candidates);
        dial.stage = Stage::Dialing;
        dial.since = cx.now;
        self.timers.set_sooner(timer::DIALS, cx.now + self.config.dial_timeout);
        out.push(Output::Event(Event::Introduced { peer, candidates }));
    }

    /// A neighbor cannot introduce us.
    pub(super) fn not_introduced(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        target: PeerId,
        out: &mut Vec<Output>,
    ) {
        if self.dials.get(&target).is_some_and(|dial| dial.stage == Stage::Asking(from)) {
            self.ask_another(cx, target, out);
        }
    }

    /// Dials one of the remembered, to see whether a partition has healed. The larger the group, the less
    /// often each member tries: all together try every two seconds. Source: spec OV-14.
    pub(super) fn try_memory(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let (absent, remembered) = (self.absent.len(), self.memory.len());
        let drawn = cx.rng.below((absent + remembered).max(1) as u64) as usize;
        let record = if drawn < absent { Some(self.absent.at(drawn)) } else { self.memory.pick(cx.rng) };
        let remembered = record.map(|record| record.peer());
        if let Some(peer) = remembered.filter(|peer| {
            let place = self.place_of(peer);
            !self.troubles.is_hopeless(place) && !self.is_banned(place, cx.now)
        }) {
            self.dial(cx, peer, Purpose::Memory, out);
        }
        self.timers.set(timer::MEMORY, cx.now + cx.rng.jitter(self.memory_interval()));
    }

    pub(super) fn memory_interval(&self) -> Duration {
        if !self.has_open_link() {
            return ALONE_RETRY * 2;
        }
        let members = u32::try_from(self.estimated_member_count()).unwrap_or(u32::MAX);
        (Duration::from_secs(2).saturating_mul(members))
            .clamp(Duration::from_secs(5), Duration::from_secs(60))
    }
}
