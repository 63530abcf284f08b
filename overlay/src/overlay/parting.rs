use std::time::Duration;

use stratus_core::{Cx, Delivery, PeerId, Timers};

use super::{Overlay, timer};
use crate::api::Output;
use crate::best::{RING_EACH_SIDE, Reason};
use crate::changes::Departure;
use crate::link::Link;
use crate::message::{Farewell, Message};
use crate::places::{Place, around};
use crate::troubles::Trouble;

/// When a member that is full is dialled again by one who has no other neighbor.
pub(super) const ALONE_RETRY: Duration = Duration::from_secs(1);

/// How links end that nobody wants any more. Source: spec OV-11.
impl Overlay {
    /// Asks neighbors that we did not choose to end the link; they do so unless they chose us.
    pub(super) fn part(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let (after, period) = (self.config.leave_after, self.config.leave_period);
        let nearest = self.nearest_linked();
        let is_unchosen = |link: &&Link| !nearest.contains(&link.place) && !self.is_chosen(link, cx.now);
        let unchosen: Vec<PeerId> = self.open_links().filter(is_unchosen).map(|link| link.peer).collect();
        if self.has_unneeded() {
            self.timers.set(timer::PART, cx.now + cx.rng.jitter(after / 2));
        }
        for peer in unchosen {
            let link = self.links.get_mut(&peer).expect("listed above");
            let is_old_enough = link.since + after <= cx.now;
            if is_old_enough && link.asked_to_leave_at.is_none_or(|at| at + period <= cx.now) {
                link.asked_to_leave_at = Some(cx.now);
                self.stats.leave_asked_count += 1;
                out.push(Output::Send { to: peer, message: Message::AskLeave, how: Delivery::Control });
            }
        }
    }

    /// A neighbor has no use for the link: neither have we, or it stays.
    pub(super) fn asked_to_leave(&mut self, cx: &mut Cx<'_>, from: PeerId, out: &mut Vec<Output>) {
        if self.timers.get(timer::SORT).is_some() {
            self.sort(cx, out);
        }
        let Some(link) = self.open_link(&from) else { return };
        let is_of_use = self.is_chosen(link, cx.now) || self.nearest_linked().contains(&link.place);
        if is_of_use || self.neighbor_count() == 1 {
            self.stats.leave_refused_count += 1;
            if let Some(link) = self.links.get_mut(&from) {
                link.refused_to_leave_at = Some(cx.now);
            }
        } else {
            self.close(cx, from, Departure::Unwanted, out);
        }
    }

    /// While a ring neighbor has no link: the neighbors that are the nearest on the ring, as many as there should be.
    /// Their links stay, for the one said to sit between may be dead, and these are not.
    fn nearest_linked(&self) -> Vec<Place> {
        let mut linked: Vec<Place> = self.open_links().map(|link| link.place).collect();
        linked.sort_unstable();
        let mut ring = self.best.iter().filter(|choice| choice.reason == Reason::Ring);
        if ring.all(|choice| linked.binary_search(&choice.place).is_ok()) {
            return Vec::new();
        }
        around(&linked, self.me(), RING_EACH_SIDE)
    }

    /// A neighbor ends the link. Source: spec OV-21.
    pub(super) fn goodbye(&mut self, cx: &mut Cx<'_>, from: PeerId, why: Farewell, out: &mut Vec<Output>) {
        let place = self.place_of(&from);
        let longest = self.config.age_limit;
        let departure = match why {
            Farewell::Leaving => {
                let entry = self.heard.remove(place);
                let last = entry.as_ref().map_or(0, |entry| entry.record().sequence());
                self.memory.forget(place);
                if let Some(entry) = entry {
                    self.miss(cx, place, entry);
                }
                self.troubles.note(place, Trouble::Left(last), cx.now, longest, longest);
                Departure::Left
            }
            Farewell::Full => {
                // Who has nobody else knocks again soon.
                let duration = if self.neighbor_count() > 1 { longest / 4 } else { ALONE_RETRY };
                let duration = cx.rng.jitter(duration);
                self.troubles.note(place, Trouble::Full, cx.now, duration, longest);
                Departure::Full
            }
        };
        self.close(cx, from, departure, out);
    }

    /// Ends the link to make room for another.
    pub(super) fn dismiss(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        self.refer(cx, peer, out);
        self.close(cx, peer, Departure::Full, out);
    }

    /// Says that there is no room, and who else there is: a crowd that comes to one member spreads by itself.
    /// Source: spec OV-11.
    pub(super) fn refer(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        self.stats.full_count += 1;
        let others = self.records_for(cx, peer);
        if !others.is_empty() {
            out.push(self.send_records(peer, others));
        }
        let message = Message::Goodbye(Farewell::Full);
        out.push(Output::Send { to: peer, message, how: Delivery::Control });
    }

    /// Ends the link, if there is one.
    pub(super) fn close(&mut self, cx: &mut Cx<'_>, peer: PeerId, why: Departure, out: &mut Vec<Output>) {
        if let Some(link) = self.links.get_mut(&peer).filter(|link| !link.is_closing()) {
            link.closing = Some(why);
            out.push(Output::Disconnect(peer));
            self.update_coverage(out);
            self.sort_soon(cx);
        }
    }

    /// Says goodbye to everybody, and does nothing more. Source: spec OV-21.
    pub(super) fn leave(&mut self, out: &mut Vec<Output>) {
        let neighbors: Vec<PeerId> = self.open_links().map(|link| link.peer).collect();
        for to in neighbors {
            let message = Message::Goodbye(Farewell::Leaving);
            out.push(Output::Send { to, message, how: Delivery::Control });
        }
        self.links.values_mut().for_each(|link| link.closing = Some(Departure::Leaving));
        self.dials.clear();
        self.timers = Timers::default();
        self.has_left = true;
    }
}
