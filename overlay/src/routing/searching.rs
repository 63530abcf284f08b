use std::sync::Arc;
use std::time::Duration;

use stratus_core::{Cx, PeerId};

use super::api::{Event, Found, LookUpError, Members, Output, Quest};
use super::asking::{Answer, Purpose};
use super::look_up::{Goal, LookUp};
use super::message::{MAX_FOUND, Message};
use super::routing::{Routing, timer};
use super::value::{Key, Value};
use crate::places::{Place, place_of};
use crate::record::Record;

/// How long a neighbor that has just come may take to say who it is.
const GREETING: Duration = Duration::from_millis(200);
/// Values that one get looks at: as many as may answer.
const MOST_VALUES: usize = 16;

/// Look-ups: iterative, several members at a time, going back where one does not answer, until the nearest have answered
/// and are dense enough. Source: spec RO-8, RO-9.
impl Routing {
    /// Begins a look-up; its number, or `None`: there are too many.
    pub(super) fn look_up(
        &mut self,
        cx: &Cx<'_>,
        target: Place,
        goal: Goal,
        needed: usize,
        out: &mut Vec<Output>,
    ) -> Option<u64> {
        if self.look_ups.len() >= self.config.look_ups {
            return None;
        }
        let number = self.number();
        let ends_at = cx.now + self.config.look_up_timeout;
        let me = (self.address.prefix(), self.setup.peer);
        self.look_ups.insert(number, LookUp::new(target, goal, needed, me, ends_at));
        self.stats.look_up_count += 1;
        self.timers.set_sooner(timer::LOOK_UPS, ends_at);
        out.push(Output::Event(Event::Closest { quest: Quest::LookUp(number), target }));
        Some(number)
    }

    /// The node answers [`Event::Closest`].
    pub fn tell_members(&mut self, cx: &mut Cx<'_>, told: Members, out: &mut Vec<Output>) {
        let Members { quest, records, members } = told;
        match quest {
            Quest::LookUp(number) => {
                let Some(look_up) = self.look_ups.get_mut(&number) else { return };
                look_up.members = members;
                for record in records {
                    // The overlay has checked them.
                    look_up.add(place_of(&self.setup.ring, &record.peer()), record, true);
                }
                self.advance(cx, number, out);
            }
            Quest::Answer { to, nonce, key } => self.tell_nearest(cx, to, nonce, key, records, out),
        }
    }

    /// A neighbor wants to know who is near a place.
    pub(super) fn asked_for_nearest(
        &mut self,
        from: PeerId,
        nonce: u32,
        target: Place,
        key: Option<Key>,
        out: &mut Vec<Output>,
    ) {
        let quest = Quest::Answer { to: from, nonce, key };
        out.push(Output::Event(Event::Closest { quest, target }));
    }

    fn tell_nearest(
        &mut self,
        cx: &Cx<'_>,
        to: PeerId,
        nonce: u32,
        key: Option<Key>,
        mut records: Vec<Arc<Record>>,
        out: &mut Vec<Output>,
    ) {
        records.retain(|record| record.peer() != to);
        records.truncate(MAX_FOUND);
        let value = key.map(|key| self.held(cx.now, &key));
        let kib = value.iter().flatten().map(Value::kib).sum();
        let rate = self.config.value_kib;
        let Some(neighbor) = self.neighbors.get_mut(&to) else { return };
        if !neighbor.given.take_many(cx.now, rate, kib) {
            // Others have it as well, and whoever asks goes around us.
            self.stats.throttled_count += 1;
            return;
        }
        let answer = match value {
            None => Message::Found { nonce, records },
            Some(value) => Message::Fetched { nonce, value, records },
        };
        self.say(to, answer, out);
    }

    /// A member that was asked in a look-up takes long: others are asked meanwhile. Source: spec RO-8.
    pub(super) fn look_up_slow(&mut self, cx: &mut Cx<'_>, number: u64, peer: PeerId, out: &mut Vec<Output>) {
        let Some(look_up) = self.look_ups.get_mut(&number) else { return };
        look_up.note_slow(&peer);
        self.stats.slow_count += 1;
        self.advance(cx, number, out);
    }

    /// A member that was asked in a look-up answered, or did not.
    pub(super) fn look_up_answered(
        &mut self,
        cx: &mut Cx<'_>,
        number: u64,
        peer: PeerId,
        answer: Answer,
        out: &mut Vec<Output>,
    ) {
        let Some(look_up) = self.look_ups.get_mut(&number) else { return };
        let (value, records) = match answer {
            Answer::Found(records) => (None, Some(records)),
            Answer::Fetched(value, records) => (value, Some(records)),
            _ => (None, None),
        };
        look_up.note(&peer, records.is_some());
        self.take_value(cx, number, peer, value, out);
        for record in records.into_iter().flatten() {
            if !self.consider(cx, number, peer, record, out) {
                break;
            }
        }
        self.advance(cx, number, out);
    }

    /// Takes a value that a member has, if it is what is looked for.
    fn take_value(
        &mut self,
        cx: &Cx<'_>,
        number: u64,
        peer: PeerId,
        value: Option<Value>,
        out: &mut Vec<Output>,
    ) {
        let Some(look_up) = self.look_ups.get_mut(&number) else { return };
        let Goal::Get(_, key) = look_up.goal else { return };
        let Some(value) = value.filter(|_| look_up.values.len() < MOST_VALUES) else { return };
        if value.belongs(&key, cx.verify, &self.setup.group) {
            look_up.values.push((peer, value));
        } else {
            let what = "a value under a key that is not its own";
            out.push(Output::Event(Event::Misbehaved { peer, what }));
        }
    }

    /// Keeps a member in mind that `source` named; false if its record was forged.
    fn consider(
        &mut self,
        cx: &Cx<'_>,
        number: u64,
        source: PeerId,
        record: Arc<Record>,
        out: &mut Vec<Output>,
    ) -> bool {
        let place = place_of(&self.setup.ring, &record.peer());
        let Some(look_up) = self.look_ups.get_mut(&number) else { return false };
        if !look_up.wants(place) {
            return true;
        }
        if !record.verify(cx.verify, &self.setup.group) {
            let what = "a forged record in an answer";
            out.push(Output::Event(Event::Misbehaved { peer: source, what }));
            return false;
        }
        look_up.add(place, record, false);
        true
    }

    /// Asks whoever should be asked now; ends the look-up if nobody should.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_>, number: u64, out: &mut Vec<Output>) {
        let (parallel, most) = (self.config.parallel, self.config.most_asked);
        loop {
            let Some(look_up) = self.look_ups.get_mut(&number) else { return };
            if look_up.is_alone() && !self.neighbors.is_empty() && cx.now < look_up.ends_at {
                // A neighbor has only just come, and has not said yet who it is.
                look_up.again_at = Some(cx.now + GREETING);
                self.timers.set_sooner(timer::LOOK_UPS, cx.now + GREETING);
                return;
            }
            look_up.widen_if_disputed();
            if look_up.is_done() || look_up.is_exhausted(most) {
                return self.conclude(cx, number, out);
            }
            let Some((peer, record)) = look_up.next(parallel, most) else { return };
            let (target, goal) = (look_up.target, look_up.goal.clone());
            let question = move |nonce| match goal {
                Goal::Get(_, key) => Message::Fetch { nonce, key },
                _ => Message::Find { nonce, target },
            };
            let asked = self.ask(cx, peer, Some(&record), Purpose::LookUp(number), question, out);
            if asked.is_none()
                && let Some(look_up) = self.look_ups.get_mut(&number)
            {
                look_up.note(&peer, false);
            }
        }
    }

    /// Ends those that take too long with what they have.
    pub(super) fn judge_look_ups(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let late = |look_up: &LookUp| look_up.ends_at <= cx.now;
        let over: Vec<u64> =
            self.look_ups.iter().filter(|(_, it)| late(it)).map(|(number, _)| *number).collect();
        for number in over {
            self.conclude(cx, number, out);
        }
        for (number, look_up) in &mut self.look_ups {
            if look_up.again_at.take_if(|at| *at <= cx.now).is_some() {
                let quest = Quest::LookUp(*number);
                out.push(Output::Event(Event::Closest { quest, target: look_up.target }));
            }
        }
        let due = |look_up: &LookUp| look_up.again_at.map_or(look_up.ends_at, |at| at.min(look_up.ends_at));
        if let Some(next) = self.look_ups.values().map(due).min() {
            self.timers.set_sooner(timer::LOOK_UPS, next);
        }
    }

    fn conclude(&mut self, cx: &mut Cx<'_>, number: u64, out: &mut Vec<Output>) {
        let Some(look_up) = self.look_ups.remove(&number) else { return };
        match look_up.goal.clone() {
            Goal::Owner(id) => {
                let result = if look_up.is_alone() { Err(LookUpError::Alone) } else { Ok(found(&look_up)) };
                out.push(Output::Event(Event::LookedUp { id, result }));
            }
            Goal::Put(id) => self.put_found(cx, id, &look_up, out),
            Goal::Get(id, _) => self.get_found(cx, id, &look_up, out),
            Goal::Parcel(id) => self.parcel_found(cx, id, &look_up, out),
        }
    }
}

fn found(look_up: &LookUp) -> Found {
    Found {
        members: look_up.nearest().take(MAX_FOUND).map(|(peer, _)| *peer).collect(),
        is_proven: look_up.is_proven(),
        asked: look_up.asked,
    }
}
