use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Deadline, Delivery, GroupAddress, Machine, PeerId, Roster, Time, Timers, Wire as _};

use super::api::{Command, Event, Input, Output, ReceiveMode, Setup, Stats};
use super::asking::{Answer, MOST_QUESTIONS, Question, Sought, value_kib};
use super::config::Config;
use super::look_up::{LookUp, MOST_CANDIDATES};
use super::message::{Message, Reply};
use super::neighbor::Neighbor;
use super::operations::{GetOperation, PutOperation};
use super::store::{Room, Store};

/// Names of the timers.
pub(super) mod timer {
    pub(in crate::routing) const QUESTIONS: &str = "questions";
    pub(in crate::routing) const PACE: &str = "pace";
    pub(in crate::routing) const LOOK_UPS: &str = "look-ups";
    pub(in crate::routing) const GETS: &str = "gets";
    pub(in crate::routing) const TEND: &str = "tend";
}

/// One member's part in directed routing, and in keeping values for the group.
///
/// Source: spec RO-1 … RO-10, DH-1 … DH-7.
pub struct Routing {
    pub(super) config: Config,
    pub(super) setup: Setup,
    pub(super) address: GroupAddress,
    pub(super) mode: ReceiveMode,
    pub(super) neighbors: Roster<Neighbor>,
    /// By their nonce.
    pub(super) questions: BTreeMap<u32, Question>,
    /// Members with whom links are wanted.
    pub(super) sought: BTreeMap<PeerId, Sought>,
    pub(super) look_ups: BTreeMap<u64, LookUp>,
    /// What waits for its member to be found, by the owner's number.
    pub(super) parcels: BTreeMap<u64, (GroupAddress, Bytes)>,
    pub(super) puts: BTreeMap<u64, PutOperation>,
    pub(super) gets: BTreeMap<u64, GetOperation>,
    pub(super) store: Store,
    /// Whether somebody may have come nearer to what is kept here, or gone.
    pub(super) is_tending: bool,
    /// When other holders are asked again about everything.
    pub(super) tend_all_at: Time,
    pub(super) timers: Timers,
    pub(super) stats: Stats,
    next: u64,
}

impl Routing {
    /// Routing for a member without neighbors. `config` must be valid.
    pub fn new(config: Config, setup: Setup) -> Self {
        if let Err(what) = config.validate() {
            panic!("the config of routing is not valid: {what}");
        }
        let address = setup.ring.address(&setup.peer);
        let room = Room {
            values: config.values,
            bytes: config.value_bytes,
            values_of_source: config.values_of_source,
        };
        Self {
            config,
            setup,
            address,
            mode: ReceiveMode::default(),
            neighbors: Roster::new(),
            questions: BTreeMap::new(),
            sought: BTreeMap::new(),
            look_ups: BTreeMap::new(),
            parcels: BTreeMap::new(),
            puts: BTreeMap::new(),
            gets: BTreeMap::new(),
            store: Store::new(address.prefix(), room),
            is_tending: false,
            tend_all_at: Time::ZERO,
            timers: Timers::default(),
            stats: Stats::default(),
            next: 0,
        }
    }

    /// For which places we take parcels.
    pub fn receive_mode(&self) -> ReceiveMode {
        self.mode
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        Stats { values_now: self.store.len(), ..self.stats }
    }

    /// Sizes of what strangers could grow, each with its limit: law 4 asks.
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        let Config { neighbors, look_ups, values, value_bytes, .. } = self.config;
        let most_candidates = self.look_ups.values().map(LookUp::len).max().unwrap_or_default();
        vec![
            ("neighbors", self.neighbors.len(), neighbors),
            ("questions", self.questions.len(), MOST_QUESTIONS),
            ("look-ups", self.look_ups.len(), look_ups),
            ("candidates", most_candidates, MOST_CANDIDATES),
            ("parcels", self.parcels.len(), look_ups),
            ("puts", self.puts.len(), look_ups),
            ("gets", self.gets.len(), look_ups),
            ("values", self.store.len(), values),
            ("bytes of values", self.store.bytes(), value_bytes),
        ]
    }

    /// Whether anything names `peer`: law 5 asks.
    pub fn mentions(&self, peer: &PeerId) -> bool {
        self.neighbors.contains_key(peer) || self.store.mentions(peer)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A link is up. Source: spec RO-1.
    fn connected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if self.neighbors.len() >= self.config.neighbors && !self.neighbors.contains_key(&peer) {
            return;
        }
        self.neighbors.insert(peer, Neighbor::new(self.setup.ring.address(&peer)));
        if self.mode != ReceiveMode::default() {
            self.say(peer, Message::Mode(self.mode), out);
        }
        self.ask_waiting(cx, peer, out);
        self.tend_soon(cx);
    }

    fn disconnected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if self.neighbors.remove(&peer).is_none() {
            return;
        }
        self.store.forget_holder(&peer);
        self.end_questions(cx, |question| question.ends_with(&peer), out);
        self.tend_soon(cx);
    }

    fn set_mode(&mut self, mode: ReceiveMode, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.mode, mode) != mode {
            let neighbors: Vec<PeerId> = self.neighbors.keys().copied().collect();
            neighbors.into_iter().for_each(|peer| self.say(peer, Message::Mode(mode), out));
        }
    }

    fn received(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Vec<Output>) {
        if !self.neighbors.contains_key(&from) {
            return;
        }
        if !matches!(message, Message::Parcel(_)) {
            self.stats.control_received_bytes += message.wire_len() as u64;
        }
        match message {
            Message::Mode(mode) => {
                self.neighbors.get_mut(&from).expect("seen above").mode = mode;
                self.unasked(cx.now, from, out);
            }
            Message::Parcel(parcel) => self.parcel(cx, from, parcel, out),
            Message::Found { nonce, records } => {
                self.answer(cx, from, nonce, Answer::Found(records), out);
            }
            Message::Fetched { nonce, value, records } => {
                self.answer(cx, from, nonce, Answer::Fetched(value, records), out);
            }
            Message::Reply { nonce, reply } => self.answer(cx, from, nonce, Answer::Reply(reply), out),
            Message::Wish { nonce, keys } => self.answer(cx, from, nonce, Answer::Wish(keys), out),
            question => self.asked(cx, from, question, out),
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_>, from: PeerId, nonce: u32, answer: Answer, out: &mut Vec<Output>) {
        match self.take_question(from, nonce, out) {
            Some(question) => self.answered(cx, question, answer, out),
            // It may have been asked, and be late.
            None => self.unasked(cx.now, from, out),
        }
    }

    /// A neighbor said something that nobody asked for: it counts as a question. Source: spec RO-9.
    fn unasked(&mut self, now: Time, from: PeerId, out: &mut Vec<Output>) {
        let rate = self.config.questions;
        let neighbor = self.neighbors.get_mut(&from).expect("only neighbors are heard");
        if !neighbor.questions.take(now, rate) {
            self.bear(now, from, out);
        }
    }

    /// A neighbor asks something, if it may at this moment. Source: spec RO-9.
    fn asked(&mut self, cx: &mut Cx<'_>, from: PeerId, question: Message, out: &mut Vec<Output>) {
        let Config { questions, value_kib: kib, .. } = self.config;
        let neighbor = self.neighbors.get_mut(&from).expect("only neighbors are heard");
        if !neighbor.questions.take(cx.now, questions)
            || !neighbor.brought.take_many(cx.now, kib, value_kib(&question))
        {
            if let Message::Keep { nonce, .. } = question {
                self.say(from, Message::Reply { nonce, reply: Reply::TooFast }, out);
            }
            return self.bear(cx.now, from, out);
        }
        match question {
            Message::Find { nonce, target } => self.asked_for_nearest(from, nonce, target, None, out),
            Message::Fetch { nonce, key } => {
                let place = self.place_of_key(&key);
                self.asked_for_nearest(from, nonce, place, Some(key), out);
            }
            Message::Keep { nonce, lifetime, value } => {
                let lifetime = Duration::from_secs(u64::from(lifetime));
                self.asked_to_keep(cx, from, nonce, (value, lifetime), out);
            }
            Message::Offer { nonce, offered } => self.offered(from, nonce, &offered, out),
            _ => unreachable!("`received` handles all others"),
        }
    }

    fn commanded(&mut self, cx: &mut Cx<'_>, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::SetReceiveMode(mode) => self.set_mode(mode, out),
            Command::Send(send) => self.send(cx, *send, out),
            Command::SendExactly { id, to, payload } => self.send_exactly(cx, id, to, payload, out),
            Command::LookUp { id, target } => self.find(cx, id, target, out),
            Command::Put(put) => self.put(cx, *put, out),
            Command::Get { id, key } => self.get(cx, id, key, out),
        }
    }

    /// Says something that is no parcel.
    pub(super) fn say(&mut self, to: PeerId, message: Message, out: &mut Vec<Output>) {
        self.stats.control_sent_bytes += message.wire_len() as u64;
        out.push(Output::Send { to, message, how: Delivery::Control });
    }

    /// The overlay measured how far away a neighbor is.
    pub fn note_rtt(&mut self, peer: &PeerId, rtt: Duration) {
        if let Some(neighbor) = self.neighbors.get_mut(peer) {
            neighbor.rtt = Some(rtt);
        }
    }

    /// A neighbor said more than it may: borne for a while. Source: spec RO-5.
    pub(super) fn bear(&mut self, now: Time, from: PeerId, out: &mut Vec<Output>) {
        self.stats.throttled_count += 1;
        let rate = self.config.excess;
        if self.neighbors.get_mut(&from).is_some_and(|neighbor| !neighbor.excess.take(now, rate)) {
            let what = "a flood of parcels or questions";
            out.push(Output::Event(Event::Misbehaved { peer: from, what }));
        }
    }
}

impl Machine for Routing {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => self.connected(cx, peer, out),
            Input::Disconnected(peer) => self.disconnected(cx, peer, out),
            Input::Received { from, message } => self.received(cx, from, message, out),
            Input::Command(command) => self.commanded(cx, command, out),
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        while let Some(name) = self.timers.pop_due(cx.now) {
            match name {
                timer::QUESTIONS => self.judge_questions(cx, out),
                timer::PACE => self.ask_paced(cx, out),
                timer::LOOK_UPS => self.judge_look_ups(cx, out),
                timer::GETS => self.get_again(cx, out),
                timer::TEND => self.tend(cx, out),
                _ => unreachable!("the names above are all there are"),
            }
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
