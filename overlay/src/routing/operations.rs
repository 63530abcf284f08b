use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, GroupAddress, PeerId, Time};

use super::api::{
    Event, GetError, Got, LookUpError, Output, Put, PutError, Send, SendError, SendResult, Way,
};
use super::asking::{Answer, Purpose};
use super::look_up::{Goal, LookUp};
use super::message::{MAX_FOUND, MAX_PAYLOAD, Message, Reply};
use super::routing::{Routing, timer};
use super::store::Verdict;
use super::value::{Key, Value};

/// How often a get is tried before nothing is there: values are on their way when members come and go.
const ATTEMPTS: u32 = 3;
/// Time between.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A value on its way to its keepers.
#[derive(Clone, Debug)]
pub(super) struct PutOperation {
    value: Value,
    lifetime: Duration,
    /// Members asked to keep it, ourselves included.
    targets: u32,
    pending: u32,
    kept: u32,
    older: Option<u64>,
}

/// A value that is looked for.
#[derive(Clone, Debug)]
pub(super) struct GetOperation {
    key: Key,
    attempt: u32,
    asked: u32,
    /// When it is tried again; `None` while a look-up is under way.
    pub(super) again_at: Option<Time>,
}

/// What the owner wants with members that are not neighbors: look-ups, puts, gets, parcels for one alone.
/// Source: spec RO-10, DH-3, DH-4.
impl Routing {
    pub(super) fn find(&mut self, cx: &mut Cx<'_>, id: u64, target: GroupAddress, out: &mut Vec<Output>) {
        let needed = self.config.copies;
        if self.look_up(cx, target.prefix(), Goal::Owner(id), needed, out).is_none() {
            out.push(Output::Event(Event::LookedUp { id, result: Err(LookUpError::TooMany) }));
        }
    }

    /// Sends to the member at `to` alone. Source: spec RO-10.
    pub(super) fn send_exactly(
        &mut self,
        cx: &mut Cx<'_>,
        id: u64,
        to: GroupAddress,
        payload: Bytes,
        out: &mut Vec<Output>,
    ) {
        let is_near = to == self.address || self.neighbors.values().any(|neighbor| neighbor.address == to);
        let result = if payload.len() > MAX_PAYLOAD {
            SendResult::Error(SendError::TooLong)
        } else if is_near {
            return self.send(cx, Send { id, way: Way::Nearest(to), payload, passing: None }, out);
        } else if self.parcels.contains_key(&id)
            || self.look_up(cx, to.prefix(), Goal::Parcel(id), 1, out).is_none()
        {
            SendResult::Error(SendError::TooFast)
        } else {
            self.parcels.insert(id, (to, payload));
            return;
        };
        out.push(Output::Event(Event::Sent { id, result }));
    }

    pub(super) fn parcel_found(&mut self, cx: &mut Cx<'_>, id: u64, look_up: &LookUp, out: &mut Vec<Output>) {
        let Some((to, payload)) = self.parcels.remove(&id) else { return };
        let is_there = look_up.at(to.prefix()).is_some_and(|record| {
            let peer = record.peer();
            self.setup.ring.address(&peer) == to && self.neighbors.contains_key(&peer)
        });
        if is_there {
            self.send(cx, Send { id, way: Way::Nearest(to), payload, passing: None }, out);
        } else {
            out.push(Output::Event(Event::Sent { id, result: SendResult::NoRoute }));
        }
    }

    pub(super) fn put(&mut self, cx: &mut Cx<'_>, put: Put, out: &mut Vec<Output>) {
        let Put { id, value, lifetime } = put;
        let key = value.key();
        let lives = (Duration::from_secs(1)..=self.config.longest_lifetime).contains(&lifetime);
        let is_valid = lives && value.is_short_enough() && value.belongs(&key, cx.verify, &self.setup.group);
        let place = self.place_of_key(&key);
        let error = if !is_valid {
            PutError::Invalid
        } else if self.puts.contains_key(&id)
            || self.puts.len() >= self.config.look_ups
            || self.look_up(cx, place, Goal::Put(id), self.config.copies, out).is_none()
        {
            PutError::TooMany
        } else {
            let operation = PutOperation { value, lifetime, targets: 0, pending: 0, kept: 0, older: None };
            self.puts.insert(id, operation);
            return;
        };
        out.push(Output::Event(Event::Stored { id, result: Err(error) }));
    }

    /// The keepers are found.
    pub(super) fn put_found(&mut self, cx: &mut Cx<'_>, id: u64, look_up: &LookUp, out: &mut Vec<Output>) {
        if look_up.is_alone() {
            self.puts.remove(&id);
            out.push(Output::Event(Event::Stored { id, result: Err(PutError::Alone) }));
            return;
        }
        let Some(operation) = self.puts.get(&id).cloned() else { return };
        let PutOperation { value, lifetime, .. } = operation;
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        let (mut targets, mut pending) = (0, 0);
        let mut own = None;
        for (peer, record) in look_up.nearest().take(self.config.copies) {
            targets += 1;
            match record {
                None => own = Some(self.keep(cx, value.clone(), lifetime, self.setup.peer)),
                Some(record) => {
                    let value = value.clone();
                    let keep = move |nonce| Message::Keep { nonce, lifetime: seconds, value };
                    let asked = self.ask(cx, *peer, Some(record), Purpose::Put(id), keep, out);
                    pending += u32::from(asked.is_some());
                }
            }
        }
        let operation = self.puts.get_mut(&id).expect("seen above");
        operation.targets = targets;
        operation.pending = pending + u32::from(own.is_some());
        let own = match own {
            Some(Verdict::Kept) => Some(Reply::Kept),
            Some(Verdict::Older(kept)) => Some(Reply::Older(kept)),
            Some(Verdict::Full) => Some(Reply::NoRoom),
            None if pending == 0 => return self.finish_put(id, out),
            None => None,
        };
        if let Some(reply) = own {
            self.put_answered(id, &Answer::Reply(reply), out);
        }
    }

    /// One of those that were to keep it did, or did not.
    pub(super) fn put_answered(&mut self, id: u64, answer: &Answer, out: &mut Vec<Output>) {
        let Some(operation) = self.puts.get_mut(&id) else { return };
        match answer {
            Answer::Reply(Reply::Kept) => operation.kept += 1,
            Answer::Reply(Reply::Older(kept)) => operation.older = operation.older.max(Some(*kept)),
            _ => {}
        }
        operation.pending = operation.pending.saturating_sub(1);
        if operation.pending == 0 {
            self.finish_put(id, out);
        }
    }

    /// Most of them must keep it, or it is not kept. Source: spec DH-4.
    fn finish_put(&mut self, id: u64, out: &mut Vec<Output>) {
        let Some(PutOperation { targets, kept, older, .. }) = self.puts.remove(&id) else { return };
        let result = match older {
            _ if kept * 2 > targets => Ok(kept),
            Some(kept) => Err(PutError::Older { kept }),
            None => Err(PutError::NotKept),
        };
        out.push(Output::Event(Event::Stored { id, result }));
    }

    pub(super) fn get(&mut self, cx: &mut Cx<'_>, id: u64, key: Key, out: &mut Vec<Output>) {
        let is_known = self.gets.contains_key(&id) || self.gets.len() >= self.config.look_ups;
        let needed = self.config.copies;
        if is_known || !self.look_for(cx, id, key, needed, out) {
            out.push(Output::Event(Event::Got { id, result: Err(GetError::TooMany) }));
            return;
        }
        self.gets.insert(id, GetOperation { key, attempt: 1, asked: 0, again_at: None });
    }

    /// Begins a look-up for a value, with what is kept here; false: there are too many.
    fn look_for(&mut self, cx: &Cx<'_>, id: u64, key: Key, needed: usize, out: &mut Vec<Output>) -> bool {
        let place = self.place_of_key(&key);
        let own = self.held(cx.now, &key).map(|value| (self.setup.peer, value));
        let begun = self.look_up(cx, place, Goal::Get(id, key), needed, out);
        let look_up = begun.and_then(|number| self.look_ups.get_mut(&number));
        look_up.map(|look_up| look_up.values.extend(own)).is_some()
    }

    /// A look-up for a value has ended.
    pub(super) fn get_found(&mut self, cx: &mut Cx<'_>, id: u64, look_up: &LookUp, out: &mut Vec<Output>) {
        let Some(operation) = self.gets.get_mut(&id) else { return };
        operation.asked += look_up.asked;
        let asked = operation.asked;
        let result = if let Some((value, copies)) = latest(&look_up.values) {
            Ok(Box::new(Got { value, copies, asked }))
        } else if look_up.is_alone() {
            Err(GetError::Alone)
        } else if operation.attempt < ATTEMPTS {
            operation.attempt += 1;
            operation.again_at = Some(cx.now + AGAIN_AFTER);
            self.timers.set_sooner(timer::GETS, cx.now + AGAIN_AFTER);
            return;
        } else {
            Err(GetError::NotFound { is_proven: look_up.is_proven() })
        };
        self.gets.remove(&id);
        out.push(Output::Event(Event::Got { id, result }));
    }

    /// Tries again those gets whose pause is over, of more members.
    pub(super) fn get_again(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let due = |operation: &GetOperation| operation.again_at.is_some_and(|at| at <= cx.now);
        let again: Vec<(u64, Key)> =
            self.gets.iter().filter(|(_, it)| due(it)).map(|(id, it)| (*id, it.key)).collect();
        for (id, key) in again {
            let has_begun = self.look_for(cx, id, key, MAX_FOUND, out);
            let operation = self.gets.get_mut(&id).expect("listed above");
            operation.again_at = (!has_begun).then(|| cx.now + AGAIN_AFTER);
        }
        if let Some(next) = self.gets.values().filter_map(|operation| operation.again_at).min() {
            self.timers.set_sooner(timer::GETS, next);
        }
    }
}

/// The value of the highest sequence, of those of one sequence the one that most have, and how many have it.
fn latest(values: &[(PeerId, Value)]) -> Option<(Value, u32)> {
    let mut counts: BTreeMap<(u64, Bytes), (u32, &Value)> = BTreeMap::new();
    for (_, value) in values {
        counts.entry((value.sequence(), value.payload().clone())).or_insert((0, value)).0 += 1;
    }
    let best =
        counts.iter().max_by_key(|((sequence, payload), (count, _))| (*sequence, *count, payload.clone()));
    best.map(|(_, (count, value))| ((*value).clone(), *count))
}
