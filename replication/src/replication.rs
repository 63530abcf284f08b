use std::collections::BTreeMap;

use stratus_core::{Cx, Deadline, Machine, PeerId, Timers};

use crate::api::{Command, Event, Exchange, Input, Output, RequestId, Stats};
use crate::config::{Config, Strategy};
use crate::fetch::Fetch;
use crate::load::Pace;
use crate::message::Message;
use crate::meter::Meter;
use crate::neighbor::Neighbor;
use crate::objects::ObjectSet;
use crate::rarity::Rarity;
use crate::seed::Economy;
use crate::serve::Upload;

/// Objects of one group, as one member sees them. Source: spec RE-1 to RE-13.
///
/// ```text
/// wanted ──a neighbor has it──► asked ──object──► handed to the owner ──AddHave──► offered
///    ▲                            │
///    └── denied, late, gone ──────┘
/// ```
#[derive(Debug)]
pub struct Replication {
    pub(crate) config: Config,
    pub(crate) neighbors: BTreeMap<PeerId, Neighbor>,
    pub(crate) have: ObjectSet,
    /// Never anything that we have.
    pub(crate) want: ObjectSet,
    /// Our requests, by object, and the same as a set.
    pub(crate) fetches: BTreeMap<u64, Fetch>,
    pub(crate) asked: ObjectSet,
    /// What came and the owner has not settled: it neither offers it nor rejects it nor gave it up.
    pub(crate) handed: ObjectSet,
    /// Counts up whenever something can be asked for that could not before.
    pub(crate) version: u64,
    pub(crate) rarity: Rarity,
    pub(crate) strategy: Strategy,
    pub(crate) arrivals: Meter,
    /// When a request of ours last was under way.
    pub(crate) busy_at: stratus_core::Time,
    pub(crate) uploads: BTreeMap<RequestId, Upload>,
    pub(crate) next_upload: u64,
    pub(crate) pace: Pace,
    pub(crate) turn: u64,
    /// What came since others were told.
    pub(crate) news: ObjectSet,
    /// When others were last told; `None`: never.
    pub(crate) told_at: Option<stratus_core::Time>,
    pub(crate) economy: Option<Economy>,
    pub(crate) timers: Timers,
    pub(crate) stats: Stats,
}

pub(crate) mod timers {
    pub(crate) const TICK: &str = "replication-tick";
    pub(crate) const NEWS: &str = "replication-news";
}

impl Replication {
    /// A member that has nothing, wants nothing and knows nobody. `config` must be valid.
    pub fn new(config: Config) -> Self {
        debug_assert_eq!(config.validate(), Ok(()), "the settings cannot work");
        Self {
            config,
            neighbors: BTreeMap::new(),
            have: ObjectSet::default(),
            want: ObjectSet::default(),
            fetches: BTreeMap::new(),
            asked: ObjectSet::default(),
            handed: ObjectSet::default(),
            version: 1,
            rarity: Rarity::default(),
            strategy: Strategy::default(),
            arrivals: Meter::default(),
            busy_at: stratus_core::Time::ZERO,
            uploads: BTreeMap::new(),
            next_upload: 0,
            pace: Pace::default(),
            turn: 0,
            news: ObjectSet::default(),
            told_at: None,
            economy: None,
            timers: Timers::default(),
            stats: Stats::default(),
        }
    }

    /// What can be asked of us.
    pub fn have(&self) -> &ObjectSet {
        &self.have
    }

    /// What is still to come.
    pub fn want(&self) -> &ObjectSet {
        &self.want
    }

    /// Counters since birth.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Each neighbor, as objects go.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let exchange = |(peer, neighbor): (&PeerId, &Neighbor)| Exchange {
            peer: *peer,
            offers: neighbor.have.len(),
            received_bytes: neighbor.received_bytes,
            sent_bytes: neighbor.sent_bytes,
            requests: neighbor.requests.len(),
            latency: neighbor.latency,
        };
        self.neighbors.iter().map(exchange).collect()
    }

    /// Every collection that a stranger could make grow: its name, its size, its limit.
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        let config = &self.config;
        let most = |of: fn(&Neighbor) -> usize| self.neighbors.values().map(of).max().unwrap_or(0);
        vec![
            ("uploads", self.uploads.len(), config.max_uploads),
            ("uploads of a neighbor", most(|n| n.uploads.len()), config.max_uploads_per_neighbor),
            ("requests", self.fetches.len(), config.max_requests),
            ("requests at a neighbor", most(|n| n.requests.len()), config.max_requests_per_neighbor),
            ("objects handed to the owner", self.handed.len() as usize, config.max_requests),
            ("lost requests", most(Neighbor::lost_len), crate::MOST_IDS),
            ("pieces of a neighbor", most(|n| n.have.pieces()), config.max_pieces),
            (
                "acknowledgements that wait",
                most(|n| n.done.len() + n.wants.len()),
                crate::neighbor::MOST_UNTOLD,
            ),
            ("counted chunks", self.rarity.len(), 1_024),
        ]
    }

    /// Whether anything is kept of `peer`.
    pub fn mentions(&self, peer: &PeerId) -> bool {
        self.neighbors.contains_key(peer)
            || self.fetches.values().any(|fetch| fetch.peer == *peer)
            || self.uploads.values().any(|upload| upload.peer == *peer)
    }

    fn command(&mut self, cx: &mut Cx<'_>, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::AddHave(range) => self.add_have(cx, range, out),
            Command::RemoveHave(range) => self.remove_have(range, out),
            Command::AddWant(range) => {
                let mut wanted = ObjectSet::of(range);
                self.handed.subtract(&wanted);
                wanted.subtract(&self.have);
                self.want.add(&wanted);
                self.version += 1;
            }
            Command::RemoveWant(range) => self.remove_want(range, out),
            Command::Write { request, object } => self.write(cx, request, object, out),
            Command::Deny(request) => self.refuse(cx, request, out),
            Command::Reject { index, peer } => self.reject(index, peer, out),
            Command::SetStrategy(strategy) => self.strategy = strategy,
            Command::SetFirstSeed(is_first) => self.set_first_seed(cx, is_first, out),
        }
    }

    fn received(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Vec<Output>) {
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        let (bucket, rate) = match message {
            Message::Have { .. } | Message::Gained { .. } | Message::Lost(_) => {
                (&mut neighbor.news, self.config.news)
            }
            _ => (&mut neighbor.control, self.config.control),
        };
        if !bucket.take(cx.now, rate) {
            return misbehaved(from, "said more about objects than anybody needs", out);
        }
        match message {
            Message::Have { is_scarce, load, set } => self.hear_have(cx, from, is_scarce, load, set),
            Message::Gained { load, set } => self.hear_gained(cx, from, load, &set),
            Message::Lost(set) => self.hear_lost(cx, from, &set, out),
            Message::Ask { done, wants } => self.hear_ask(cx, from, &done, &wants, out),
            Message::Object { id, index, load, payload } => {
                self.hear_object(cx, from, crate::Want { id, index }, load, payload, out);
            }
            Message::Deny { why, load, ids } => self.hear_deny(cx, from, why, load, &ids, out),
            Message::Cancel(ids) => self.hear_cancel(cx, from, &ids, out),
        }
    }

    fn disconnected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let Some(neighbor) = self.neighbors.remove(&peer) else { return };
        for index in neighbor.requests.into_values() {
            self.reopen(index);
        }
        for request in neighbor.uploads.into_values() {
            self.drop_upload(request);
        }
        self.lose_offers(&neighbor.offered);
        self.rarity.forget();
        // Others are offered what it was to take; without that nobody might say anything any more.
        self.look_at_economy(cx, out);
    }

    /// What every turn ends with: requests that can be made, uploads that can begin, and what was said meanwhile.
    fn settle(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.fill(cx, out);
        self.serve(cx, out);
        self.flush(cx, out);
        if self.is_active() {
            self.timers.set_sooner(timers::TICK, cx.now + crate::fetch::TICK);
        }
    }

    fn is_active(&self) -> bool {
        !self.fetches.is_empty()
            || !self.uploads.is_empty()
            || self.economy.as_ref().is_some_and(Economy::is_waiting)
            || self.has_pauses()
    }
}

pub(crate) fn misbehaved(peer: PeerId, what: &'static str, out: &mut Vec<Output>) {
    out.push(Output::Event(Event::Misbehaved { peer, what }));
}

impl Machine for Replication {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => self.connected(cx, peer, out),
            Input::Disconnected(peer) => self.disconnected(cx, peer, out),
            Input::Received { from, message } => self.received(cx, from, message, out),
            Input::Command(command) => self.command(cx, command, out),
        }
        self.settle(cx, out);
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let mut is_woken = false;
        while let Some(timer) = self.timers.pop_due(cx.now) {
            is_woken = true;
            match timer {
                timers::NEWS => self.tell_news(cx, out),
                _ => self.tick(cx, out),
            }
        }
        if is_woken {
            self.settle(cx, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }
}
