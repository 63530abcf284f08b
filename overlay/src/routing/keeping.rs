use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stratus_core::{Cx, PeerId, Time};

use super::api::Output;
use super::asking::{Answer, Purpose};
use super::message::{MAX_OFFERED, Message, Offered, Reply};
use super::routing::{Routing, timer};
use super::store::Verdict;
use super::value::{Key, Value};
use crate::places::{Place, distance};

/// A holder keeps what it has until it is so many places behind the last that should, and those have it.
const SPARE: usize = 2;

/// Values that are kept here for the group, and handed to whoever comes nearer to their keys. Source: spec DH-3 … DH-6.
impl Routing {
    /// Where `key` belongs.
    pub(super) fn place_of_key(&self, key: &Key) -> Place {
        self.setup.ring.place_of_key(key.as_bytes()).prefix()
    }

    /// What is kept here under `key` and has not expired.
    pub(super) fn held(&self, now: Time, key: &Key) -> Option<Value> {
        self.store.get(key).filter(|held| held.expires > now).map(|held| held.value.clone())
    }

    /// Keeps a value here, unless there is reason not to.
    pub(super) fn keep(
        &mut self,
        cx: &mut Cx<'_>,
        value: Value,
        lifetime: Duration,
        source: PeerId,
    ) -> Verdict {
        let key = value.key();
        let place = self.place_of_key(&key);
        self.store.expire(cx.now);
        let is_new = self.held(cx.now, &key).is_none_or(|held| held != value);
        let verdict = self.store.put(cx.now, (key, place), value, lifetime, source);
        if is_new && verdict == Verdict::Kept {
            // Whoever put it may have known few members: those that should keep it get it soon.
            self.tend_soon(cx);
        }
        verdict
    }

    /// A neighbor wants something kept.
    pub(super) fn asked_to_keep(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        nonce: u32,
        (value, lifetime): (Value, Duration),
        out: &mut Vec<Output>,
    ) {
        let lifetime = lifetime.min(self.config.longest_lifetime);
        let reply = if value.belongs(&value.key(), cx.verify, &self.setup.group) {
            match self.keep(cx, value, lifetime, from) {
                Verdict::Kept => Reply::Kept,
                Verdict::Older(kept) => Reply::Older(kept),
                Verdict::Full => Reply::NoRoom,
            }
        } else {
            Reply::Invalid
        };
        self.say(from, Message::Reply { nonce, reply }, out);
    }

    /// A neighbor keeps these: says which of them are missing here.
    pub(super) fn offered(&mut self, from: PeerId, nonce: u32, offered: &[Offered], out: &mut Vec<Output>) {
        let mut keys = Vec::new();
        for Offered { key, sequence } in offered {
            match self.store.get_mut(key) {
                Some(held) if held.value.sequence() >= *sequence => {
                    if held.value.sequence() == *sequence {
                        held.note_holder(from);
                    }
                }
                _ => keys.push(*key),
            }
        }
        self.say(from, Message::Wish { nonce, keys }, out);
    }

    /// A neighbor says which of what was offered it lacks.
    pub(super) fn offer_answered(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        offered: &[Key],
        answer: Answer,
        out: &mut Vec<Output>,
    ) {
        let Answer::Wish(wished) = answer else { return };
        for key in offered {
            let Some(held) = self.store.get_mut(key) else { continue };
            if !wished.contains(key) {
                held.note_holder(peer);
                continue;
            }
            let rest = held.expires.since(cx.now).as_secs();
            let (Ok(lifetime), value) = (u32::try_from(rest), held.value.clone()) else { continue };
            if lifetime > 0 {
                let keep = move |nonce| Message::Keep { nonce, lifetime, value };
                self.ask(cx, peer, None, Purpose::Hand(*key), keep, out);
            }
        }
    }

    /// A neighbor took what was handed to it, or did not.
    pub(super) fn handed(&mut self, peer: PeerId, key: Key, answer: &Answer) {
        let Answer::Reply(Reply::Kept | Reply::Older(_)) = answer else { return };
        self.stats.handed_count += u64::from(*answer == Answer::Reply(Reply::Kept));
        if let Some(held) = self.store.get_mut(&key) {
            held.note_holder(peer);
        }
    }

    /// Neighbors came or went: soon it is looked who should keep what.
    pub(super) fn tend_soon(&mut self, cx: &mut Cx<'_>) {
        if self.store.len() > 0 {
            self.is_tending = true;
            self.timers.set_sooner(timer::TEND, cx.now + cx.rng.jitter(self.config.tend_delay));
        }
    }

    /// Offers values to those that should keep them as well, and lets go of what others keep. Source: spec DH-5.
    pub(super) fn tend(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.store.expire(cx.now);
        if self.store.len() == 0 {
            return;
        }
        let is_whole = cx.now >= self.tend_all_at;
        if is_whole {
            // Whoever said once that it keeps something may have had to give it up.
            self.store.iter_mut().for_each(|(_, held)| held.holders.clear());
            self.tend_all_at = cx.now + cx.rng.jitter(self.config.tend_period);
        }
        if std::mem::take(&mut self.is_tending) || is_whole {
            self.offer_all(cx, out);
        }
        let next = if self.is_tending { cx.now + self.config.tend_delay } else { self.tend_all_at };
        self.timers.set_sooner(timer::TEND, next);
    }

    fn offer_all(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let busy: BTreeSet<PeerId> = self
            .questions
            .values()
            .filter(|question| matches!(question.purpose, Purpose::Offer(_) | Purpose::Hand(_)))
            .map(|question| question.peer)
            .collect();
        let (offers, surplus) = self.plan_offers();
        surplus.iter().for_each(|key| self.store.remove(key));
        for (peer, mut offered) in offers {
            if busy.contains(&peer) || offered.len() > MAX_OFFERED {
                // The rest follows once this is answered, and what was wished for has been taken.
                self.is_tending = true;
            }
            if busy.contains(&peer) {
                continue;
            }
            offered.truncate(MAX_OFFERED);
            let keys = offered.iter().map(|offered| offered.key).collect();
            let offer = move |nonce| Message::Offer { nonce, offered };
            self.ask(cx, peer, None, Purpose::Offer(keys), offer, out);
        }
    }

    /// What is to be offered to whom, and what others keep and we need not.
    fn plan_offers(&self) -> (BTreeMap<PeerId, Vec<Offered>>, Vec<Key>) {
        let members: Vec<(Place, Option<PeerId>)> = self
            .neighbors
            .iter()
            .map(|(peer, neighbor)| (neighbor.address.prefix(), Some(*peer)))
            .chain([(self.address.prefix(), None)])
            .collect();
        let mut offers: BTreeMap<PeerId, Vec<Offered>> = BTreeMap::new();
        let mut surplus = Vec::new();
        for (key, held) in self.store.iter() {
            let mut nearest = members.clone();
            let count = self.config.copies + SPARE;
            nearest.sort_unstable_by_key(|(place, _)| (distance(*place, held.place), *place));
            let is_spare = nearest.iter().take(count).all(|(_, peer)| peer.is_some());
            let others: Vec<PeerId> =
                nearest.iter().take(self.config.copies).filter_map(|(_, peer)| *peer).collect();
            let missing: Vec<PeerId> =
                others.into_iter().filter(|peer| !held.holders.contains(peer)).collect();
            if is_spare && missing.is_empty() {
                surplus.push(*key);
            }
            for peer in missing {
                let sequence = held.value.sequence();
                offers.entry(peer).or_default().push(Offered { key: *key, sequence });
            }
        }
        (offers, surplus)
    }
}
