use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stratus_core::{Bucket, Cx, Deadline, Delivery, Lookup, Machine, PeerId, Rate, Time, Timers, Wire};

use crate::history::History;
use crate::neighbor::Neighbor;
use crate::wanted::Wanted;
use crate::{Command, Config, Event, Input, Item, Message, Output, Post, PostingInfo, Setup};

mod judge;
mod news;
mod owner;
mod pull;
mod reconcile;

use owner::Own;
use reconcile::Session;

/// When neighbors are to be told what came meanwhile.
const NEWS: &str = "news";
/// When a request is overdue.
const PULL: &str = "pull";
/// When a neighbor is compared with.
const EXCHANGE: &str = "exchange";
/// When a comparison has taken too long.
const SESSION: &str = "session";
/// When posts that are too old are let go of.
const AGE: &str = "age";

/// Posts of ours that wait for a neighbor to be told of them, at most: an interval's worth, usually.
const MAX_UNTOLD: usize = 1_024;

/// Posting, as one member does it (spec PO-5).
///
/// ```text
///   a post comes ── verified, held, shown ──► its item goes to some neighbors at once   (news.rs)
///   an item comes that is not held ──► it is asked of one of those who announced it     (pull.rs)
///   a neighbor comes, or time passes ──► histories are compared, and what differs named (reconcile.rs)
/// ```
pub struct Posting {
    config: Config,
    setup: Setup,
    own: Own,
    /// The owner's clock, less our time: microseconds.
    clock_ahead: u64,
    pub(crate) history: History,
    wanted: Wanted,
    neighbors: BTreeMap<PeerId, Neighbor>,
    /// Tags of posts that were refused, in their order, so that they are not pulled again.
    refused: Lookup<u64, ()>,
    refused_order: VecDeque<u64>,
    /// With whom histories are being compared.
    session: Option<Session>,
    /// With whom they have not been yet.
    uncompared: VecDeque<PeerId>,
    /// The time to the next comparison, as it grows while nothing comes.
    exchange_pause: std::time::Duration,
    timers: Timers,
    stats: PostingInfo,
}

impl Posting {
    /// A member that holds nothing and knows nobody. `config` must be valid.
    pub fn new(config: Config, setup: Setup) -> Self {
        Self {
            exchange_pause: config.exchange_interval,
            config,
            setup,
            own: Own::default(),
            clock_ahead: 0,
            history: History::default(),
            wanted: Wanted::default(),
            neighbors: BTreeMap::new(),
            refused: Lookup::new(),
            refused_order: VecDeque::new(),
            session: None,
            uncompared: VecDeque::new(),
            timers: Timers::default(),
            stats: PostingInfo::default(),
        }
    }

    /// What was counted.
    pub fn info(&self) -> PostingInfo {
        let (held, held_bytes) = (self.history.len() as u64, self.history.bytes() as u64);
        PostingInfo { held, held_bytes, ..self.stats }
    }

    /// All posts that are held, in their order.
    pub fn posts(&self) -> impl Iterator<Item = &Arc<Post>> {
        self.history.posts()
    }

    /// Every collection with its length and its limit.
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        let Config { max_posts, max_wanted, max_neighbors, max_refused, .. } = self.config;
        let most = |size: fn(&Neighbor) -> usize| self.neighbors.values().map(size).max().unwrap_or(0);
        vec![
            ("posts", self.history.len(), max_posts),
            ("bytes of posts", self.history.bytes(), self.config.max_history_bytes),
            ("senders", self.history.sender_count(), max_posts),
            ("wanted posts", self.wanted.len(), max_wanted),
            ("posting neighbors", self.neighbors.len(), max_neighbors),
            ("neighbors to compare with", self.uncompared.len(), max_neighbors),
            ("refused posts", self.refused_order.len(), max_refused),
            ("posts nobody was told of", self.own.untold.len(), MAX_UNTOLD),
            ("posts nobody has taken", self.own.untaken.len(), MAX_UNTOLD),
            ("news for a neighbor", most(|neighbor| neighbor.news.len()), crate::message::MAX_ITEMS),
            ("backlog of a neighbor", most(|neighbor| neighbor.backlog.len()), max_wanted),
            ("posts asked of a neighbor", most(|neighbor| neighbor.asked), 2 * self.config.max_asked),
        ]
    }

    /// Whether anything here still speaks of `peer` as a neighbor.
    pub fn mentions(&self, peer: &PeerId) -> bool {
        self.neighbors.contains_key(peer)
            || self.uncompared.contains(peer)
            || self.wanted.mentions(peer)
            || self.session.as_ref().is_some_and(|session| session.peer == *peer)
    }

    /// The owner's wall clock: microseconds since 1970.
    fn clock(&self, now: Time) -> u64 {
        now.as_micros().saturating_add(self.clock_ahead)
    }

    fn connected(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        if self.neighbors.len() >= self.config.max_neighbors || self.neighbors.contains_key(&peer) {
            return;
        }
        let mut neighbor = Neighbor::default();
        // What waited for somebody to hear it.
        neighbor.news.extend(std::mem::take(&mut self.own.untold));
        self.neighbors.insert(peer, neighbor);
        self.uncompared.push_back(peer);
        self.begin_session(cx, out);
        self.plan_exchange(cx);
    }

    fn disconnected(&mut self, cx: &mut Cx<'_>, peer: &PeerId, out: &mut Vec<Output>) {
        if self.neighbors.remove(peer).is_none() {
            return;
        }
        self.uncompared.retain(|other| other != peer);
        for (item, next) in self.wanted.forget(peer) {
            self.put_off(item, next);
        }
        if self.session.as_ref().is_some_and(|session| session.peer == *peer) {
            self.end_session(cx, out);
        }
        self.ask_all(cx, out);
        if self.neighbors.is_empty() {
            self.timers.clear(EXCHANGE);
        }
    }

    fn received(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Vec<Output>) {
        if !self.neighbors.contains_key(&from) || !self.may_say(cx, from, &message, out) {
            return;
        }
        let may_end = matches!(message, Message::Posts(_) | Message::Lack { .. });
        match message {
            Message::Announce { is_news, items } => self.announced(cx, from, is_news, items, out),
            Message::Pull { items } => self.give(cx, from, &items, out),
            Message::Posts(posts) => posts.into_iter().for_each(|post| self.judge(cx, from, post, out)),
            Message::Lack { items } => self.lacked(cx, from, &items, out),
            Message::Compare { is_answer, summaries } => {
                self.compared(from, is_answer, summaries, out);
            }
            Message::Holds(listings) => self.listed(cx, from, listings, out),
            Message::Same => self.is_same(cx, from, out),
        }
        self.ask(cx, from, out);
        self.note_progress(cx, from, may_end, out);
    }

    /// Counts a message, and holds its sender to its rates. Posts have none: who was not asked for them pays for each.
    fn may_say(&mut self, cx: &mut Cx<'_>, from: PeerId, message: &Message, out: &mut Vec<Output>) -> bool {
        let length = message.wire_len() as u64;
        if let Message::Posts(posts) = message {
            self.stats.received.posts += posts.len() as u64;
            self.stats.received.body_bytes += posts.iter().map(|post| post.body().len() as u64).sum::<u64>();
            self.stats.received.bytes += length;
            return true;
        }
        self.stats.control_received_bytes += length;
        let Config { messages, comparisons, .. } = self.config;
        let neighbor = self.neighbors.get_mut(&from).expect("asked before");
        let may = match message {
            Message::Compare { .. } | Message::Holds(_) => neighbor.comparisons.take(cx.now, comparisons),
            _ => neighbor.messages.take(cx.now, messages),
        };
        if !may {
            self.useless(cx, from, 8, out);
        }
        may
    }

    /// `count` things of `peer` were of no use; with too many it is dropped.
    fn useless(&mut self, cx: &mut Cx<'_>, peer: PeerId, count: u32, out: &mut Vec<Output>) {
        let rate: Rate = self.config.useless;
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let bucket: &mut Bucket = &mut neighbor.useless;
        if !bucket.take_many(cx.now, rate, count) {
            out.push(Output::Event(Event::Misbehaved { peer, what: "sent too much that is of no use" }));
        }
    }

    /// Remembers that a post is not wanted, for a while.
    fn refuse(&mut self, item: &Item) {
        if self.refused.insert(item.tag, ()).is_some() {
            return;
        }
        if self.refused_order.len() == self.config.max_refused {
            let oldest = self.refused_order.pop_front().expect("a limit is at least 1");
            self.refused.remove(&oldest);
        }
        self.refused_order.push_back(item.tag);
    }

    fn send(&mut self, to: PeerId, message: Message, out: &mut Vec<Output>) {
        let length = message.wire_len() as u64;
        match &message {
            Message::Posts(posts) => {
                self.stats.sent.posts += posts.len() as u64;
                self.stats.sent.body_bytes += posts.iter().map(|post| post.body().len() as u64).sum::<u64>();
                self.stats.sent.bytes += length;
            }
            _ => self.stats.control_sent_bytes += length,
        }
        out.push(Output::Send { to, message, how: Delivery::Control });
    }

    fn run(&mut self, cx: &mut Cx<'_>, timer: &'static str, out: &mut Vec<Output>) {
        match timer {
            NEWS => {}
            PULL => self.give_up(cx, out),
            EXCHANGE => self.exchange(cx, out),
            SESSION => self.end_session(cx, out),
            AGE => self.age(cx),
            other => unreachable!("no timer is called {other}"),
        }
    }

    /// After each turn: tells news that may be told, and sets the timers that follow from what is there.
    fn settle(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.tell(cx, out);
        match self.wanted.deadline() {
            Some(at) => self.timers.set(PULL, at),
            None => self.timers.clear(PULL),
        }
    }

    /// Lets go of what is too old, and plans to do so again.
    fn age(&mut self, cx: &mut Cx<'_>) {
        let clock = self.clock(cx.now);
        self.history.expire(&self.config, clock);
        if self.history.len() > 0 {
            let period = self.config.history_duration / 256;
            self.timers.set(AGE, cx.now + cx.rng.jitter(period.max(std::time::Duration::from_millis(10))));
        }
    }
}

impl Machine for Posting {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => self.connected(cx, peer, out),
            Input::Disconnected(peer) => self.disconnected(cx, &peer, out),
            Input::Received { from, message } => self.received(cx, from, message, out),
            Input::Command(Command::SetClock(clock)) => self.set_clock(cx, clock),
            Input::Command(Command::Post(draft)) => self.post(cx, *draft, out),
        }
        self.settle(cx, out);
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let mut is_due = false;
        while let Some(timer) = self.timers.pop_due(cx.now) {
            is_due = true;
            self.run(cx, timer, out);
        }
        if is_due {
            self.settle(cx, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }
}
