mod data;
mod join;
mod life;
mod links;
mod maps;
mod pull;
mod push;
mod rate;
mod source;
mod trust;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, Cx, Delivery, PeerId, Priority, Roster, Time, Wire};

use crate::api::Output;
use crate::children::Children;
use crate::cutter::Cutter;
use crate::holes::Holes;
use crate::message::{MAX_RECORDS, Subscriber};
use crate::neighbor::Neighbor;
use crate::parents::{Parents, home_slices};
use crate::patience::Patience;
use crate::player::Player;
use crate::tolerance::Serving;
use crate::window::{Limits, Window};
use crate::{
    Announcement, Config, Event, Message, MulticastInfo, Overrides, Parameters, Properties, Setup,
    StreamAlias,
};

use join::Join;
use life::Life;
use links::Links;
use maps::Rounds;
use rate::Rate;
pub(crate) use trust::Suspicion;

/// A guess at the round trip before the overlay has measured it.
const DEFAULT_RTT: Duration = Duration::from_millis(100);
/// A slice that brought nothing for this long, while the stream went on, does not flow.
const FLOW_PATIENCE: Duration = Duration::from_secs(1);
/// A stream that brought nothing for this long gives way to another of its name.
const STREAM_SILENCE: Duration = Duration::from_secs(3);
/// Most subscribers remembered for newcomers.
const MAX_SUBSCRIBERS: usize = 32;

/// All that one turn may use.
pub(crate) struct Turn<'a, 'c> {
    pub(crate) cx: &'a mut Cx<'c>,
    pub(crate) out: &'a mut Vec<Output>,
    pub(crate) config: &'a Config,
    pub(crate) setup: &'a Setup,
    /// Our own overlay record, opaque.
    pub(crate) record: &'a Bytes,
}

impl Turn<'_, '_> {
    pub(crate) fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }
}

/// What we are to a stream.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// We know of it.
    Idle,
    /// We receive it, and relay it.
    Subscriber,
    /// It is ours.
    Publisher(Box<Cutter>),
}

/// What is to be known of a stream from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// What its publisher chose.
    pub parameters: Parameters,
    /// What holds here, with this member's own wishes.
    pub properties: Properties,
    /// Whether it is published or played here.
    pub is_active: bool,
    /// Counters by path.
    pub counters: MulticastInfo,
    /// Neighbors that subscribe to it, or publish it.
    pub subscribed_neighbors: usize,
    /// Slices that someone pushes to us.
    pub slices_with_parent: usize,
    /// Those of them that the publisher itself pushes to us; the others come from other viewers.
    pub slices_from_publisher: usize,
    /// Pushes that we serve, over all slices.
    pub children: usize,
    /// Runs that are missing now.
    pub holes: usize,
    /// Runs in the window, held or missing.
    pub window_runs: usize,
    /// Payload bytes in the window.
    pub window_bytes: usize,
}

/// One stream, as one member sees it: who else has it, what we hold, who pushes to whom.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    announcement: Arc<Announcement>,
    alias: StreamAlias,
    role: Role,
    /// What holds of the publisher's choices and of ours.
    properties: Properties,
    life: Life,
    /// Connected members that subscribe or publish.
    neighbors: Roster<Neighbor>,
    /// Records of subscribers that we heard of, connected or not.
    subscribers: BTreeMap<PeerId, Bytes>,
    links: Links,
    join: Join,
    window: Window,
    holes: Holes,
    parents: Parents,
    children: Children,
    /// Requests of children for what we are missing ourselves: run, position, child.
    pending: BTreeMap<(u64, u32, PeerId), Time>,
    patience: Patience,
    /// Uploads are limited here: what has not come may wait in a queue, and is not taken for lost so soon.
    has_queues: bool,
    allowance: pull::Allowance,
    player: Option<Player>,
    rate: Rate,
    /// What of the upload budget is for this stream, where there are several.
    upload_share: Option<u64>,
    home: BitSet,
    rounds: Rounds,
    next_quicker_at: Time,
    /// When parents are next judged by what they bring.
    next_judged_at: Time,
    /// When we began to publish it.
    began_at: Time,
    /// When the newest certain run that brings something was learned of.
    advanced_at: Time,
    /// When the newest certain run of any kind was learned of, or the announcement was renewed.
    alive_at: Time,
    /// When our own stream, if it rests, shows that it lives.
    beat_at: Time,
    /// When our own announcement is renewed.
    renew_at: Time,
    has_finished: bool,
    has_told_end: bool,
    has_drained: bool,
    stats: MulticastInfo,
}

impl Swarm {
    pub(crate) fn new(
        now: Time,
        announcement: Arc<Announcement>,
        role: Role,
        setup: &Setup,
        config: &Config,
    ) -> Self {
        let slices = announcement.parameters.slices;
        Self {
            alias: announcement.stream.alias(),
            role,
            properties: Properties::of(&announcement.parameters, config, &Overrides::default()),
            life: Life::new(),
            neighbors: Roster::new(),
            subscribers: BTreeMap::new(),
            links: Links::default(),
            join: Join::default(),
            window: Window::default(),
            holes: Holes::default(),
            parents: Parents::new(slices),
            children: Children::new(slices),
            pending: BTreeMap::new(),
            patience: Patience::default(),
            has_queues: config.upload.is_some(),
            allowance: pull::Allowance::default(),
            player: None,
            rate: Rate::new(announcement.parameters.expected_rate),
            upload_share: None,
            home: home_slices(setup.home, slices),
            rounds: Rounds::default(),
            next_quicker_at: Time::ZERO,
            next_judged_at: Time::ZERO,
            began_at: Time::ZERO,
            advanced_at: now,
            alive_at: now,
            beat_at: Time::ZERO,
            renew_at: Time::ZERO,
            has_finished: false,
            has_told_end: false,
            has_drained: false,
            stats: MulticastInfo::default(),
            announcement,
        }
    }

    pub(crate) fn announcement(&self) -> &Arc<Announcement> {
        &self.announcement
    }

    pub(crate) fn stats_mut(&mut self) -> &mut MulticastInfo {
        &mut self.stats
    }

    pub(crate) fn info(&self) -> StreamInfo {
        StreamInfo {
            name: self.announcement.name.clone(),
            parameters: self.announcement.parameters.clone(),
            properties: self.properties,
            is_active: self.is_active(),
            counters: self.stats,
            subscribed_neighbors: self.neighbors.len(),
            slices_with_parent: self.parents.peers().count(),
            slices_from_publisher: self.parents.first_hops(),
            children: self.children.total(),
            holes: self.holes.len(),
            window_runs: self.window.len(),
            window_bytes: self.window.bytes(),
        }
    }

    #[cfg(test)]
    pub(crate) fn has_parent(&self, peer: &PeerId) -> bool {
        self.parents.peers().any(|parent| parent == *peer)
    }

    #[cfg(test)]
    pub(crate) fn newest_run(&self) -> u64 {
        self.window.verified_end() - 1
    }

    /// Whether we take part: receive or publish.
    pub(crate) fn is_active(&self) -> bool {
        !matches!(self.role, Role::Idle)
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        matches!(self.role, Role::Subscriber)
    }

    pub(crate) fn is_publisher(&self) -> bool {
        matches!(self.role, Role::Publisher(_))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.announcement.end.is_some()
    }

    /// A member's own wishes for it.
    pub(crate) fn set_overrides(&mut self, config: &Config, wishes: &Overrides) {
        self.properties = Properties::of(&self.announcement.parameters, config, wishes);
    }

    /// Whether nothing is to be expected of it: it was played to its end, we left it, or no sign of life came for
    /// a while. One that ended is still played until all came that will.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        let is_silent = now.since(self.alive_at) > STREAM_SILENCE;
        !self.is_subscribed() || self.has_finished || is_silent
    }

    /// Whether runs can be taken and given: a publisher always, a subscriber once it has a place to start.
    fn has_started(&self) -> bool {
        match self.role {
            Role::Idle => false,
            Role::Subscriber => self.player.is_some(),
            Role::Publisher(_) => true,
        }
    }

    fn slices(&self) -> u32 {
        self.announcement.parameters.slices
    }

    fn slice_of(&self, run: u64) -> u32 {
        (run % u64::from(self.slices())) as u32
    }

    fn limits(&self, config: &Config) -> Limits {
        let age = self.properties.window_duration + self.properties.relay_margin_duration;
        Limits {
            runs: config.max_runs,
            bytes: config.max_window_bytes,
            age,
            key_age: config.key_retention.max(age),
        }
    }

    /// Typical time between two runs of one slice.
    fn slice_interval(&self) -> Duration {
        self.rate.run_interval() * self.slices()
    }

    /// What one neighbor may be given of this stream for the asking.
    fn serving(&self) -> Serving {
        Serving::of(self.rate.wire(), self.window.bytes())
    }

    /// Full fragments a second.
    pub(crate) fn fragments_a_second(&self) -> u64 {
        self.rate.wire() / 1_128
    }

    /// How long a slice may be silent before its parent is taken for dead: two runs and a half, within 1 s.
    fn patience(&self) -> Duration {
        (self.slice_interval() * 5 / 2).clamp(Duration::from_millis(250), Duration::from_millis(900))
    }

    fn send(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, message: Message, how: Delivery) {
        assert!(self.neighbors.contains_key(&to), "a message for {to:?}, who is no neighbor of the stream");
        match &message {
            Message::Manifest { manifest, .. } => {
                let bytes = manifest.wire_len() - manifest.inline_len();
                self.stats.manifests_sent_bytes += bytes as u64;
            }
            Message::Fragment { .. } => {}
            _ => self.stats.control_sent_bytes += message.wire_len() as u64,
        }
        turn.out.push(Output::Send { to, message, how });
    }

    fn send_control(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, message: Message) {
        self.send(turn, to, message, Delivery::Control);
    }

    fn send_urgent(&mut self, turn: &mut Turn<'_, '_>, to: PeerId, message: Message) {
        let how = Delivery::live(turn.cx.now, Duration::from_millis(500), Priority::Urgent);
        self.send(turn, to, message, how);
    }

    pub(crate) fn misbehaved(&mut self, turn: &mut Turn<'_, '_>, peer: PeerId, what: &'static str) {
        self.stats.forged += 1;
        turn.event(Event::Misbehaved { peer, what });
    }

    /// When something must be done without input.
    pub(crate) fn next_wake(&self, config: &Config) -> Option<Time> {
        if !self.is_active() {
            return self.next_sign();
        }
        let hold = match &self.role {
            Role::Publisher(cutter) => cutter.due_at(config.hold(self.rate.payload())),
            _ => None,
        };
        [hold, self.rounds.next_at(), self.holes.next_check(), self.links.next_at(), self.next_sign()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does whatever is due.
    pub(crate) fn wake(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.is_active() {
            return;
        }
        let now = turn.cx.now;
        self.cut_if_due(turn);
        self.beat_if_due(turn);
        if self.links.next_at().is_some_and(|at| at <= now) {
            self.tend(turn);
        }
        if self.holes.next_check().is_some_and(|at| at <= now) {
            self.pull(turn);
        }
        if self.rounds.next_at().is_some_and(|at| at <= now) {
            self.update_maps(turn);
        }
    }

    /// A neighbor said something about the stream.
    pub(crate) fn heard(&mut self, now: Time, from: &PeerId) {
        if let Some(neighbor) = self.neighbors.get_mut(from) {
            neighbor.heard(now);
        }
    }

    /// The overlay measured a round trip.
    pub(crate) fn set_rtt(&mut self, peer: &PeerId, rtt: Duration) {
        if let Some(neighbor) = self.neighbors.get_mut(peer) {
            neighbor.rtt = rtt;
        }
    }

    /// The link is gone: so is everything that depended on it.
    pub(crate) fn disconnected(&mut self, turn: &mut Turn<'_, '_>, peer: &PeerId) {
        self.links.forget(peer);
        if self.neighbors.remove(peer).is_none() {
            return;
        }
        let lost = self.parents.forget(peer);
        self.children.forget(peer);
        self.pending.retain(|(.., child), _| child != peer);
        self.holes.forget(peer, turn.cx.now);
        self.join.forget(peer, turn.cx.now);
        self.rounds.forget(peer);
        if !lost.is_empty() {
            self.stats.reparented += u64::from(lost.len());
            self.links.hurry(turn.cx.now);
            self.look_around(turn);
        }
        self.check_drained(turn);
    }

    /// A neighbor subscribes, publishes, or no longer does.
    pub(crate) fn on_interest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        is_on: bool,
        asks_for_others: bool,
        record: Bytes,
        rtt: Option<Duration>,
    ) {
        if !is_on {
            self.disconnected(turn, &from);
            return;
        }
        if !self.neighbors.contains_key(&from) {
            if self.neighbors.len() >= turn.config.max_neighbors {
                return;
            }
            let rtt = rtt.unwrap_or(DEFAULT_RTT);
            self.neighbors.insert(from, Neighbor::new(turn.cx.now, rtt, record));
            self.links.hurry(turn.cx.now);
            if self.has_started() {
                self.send_map(turn, from);
            }
        }
        if asks_for_others {
            self.tell_of_others(turn, from);
        }
    }

    fn tell_of_others(&mut self, turn: &mut Turn<'_, '_>, to: PeerId) {
        let subscribers = self.some_subscribers(turn, &to);
        if !subscribers.is_empty() {
            self.send_control(turn, to, Message::Subscribers { stream: self.alias, subscribers });
        }
    }

    /// A few subscribers at random, for `asker`.
    pub(crate) fn some_subscribers(&self, turn: &mut Turn<'_, '_>, asker: &PeerId) -> Vec<Subscriber> {
        // Who gives nothing is no use to anybody who looks for subscribers.
        let givers = self.neighbors.iter().filter(|(_, neighbor)| !neighbor.gives_nothing());
        let connected = givers.map(|(peer, neighbor)| (peer, &neighbor.record));
        let mut known: Vec<Subscriber> = connected
            .chain(self.subscribers.iter().filter(|(peer, _)| !self.neighbors.contains_key(peer)))
            .filter(|(peer, record)| *peer != asker && !record.is_empty())
            .map(|(peer, record)| Subscriber { peer: *peer, record: record.clone() })
            .collect();
        turn.cx.rng.shuffle(&mut known);
        if self.is_active() && !self.gives_nothing(turn.config) && !turn.record.is_empty() {
            known.insert(0, Subscriber { peer: turn.setup.peer, record: turn.record.clone() });
        }
        known.truncate(MAX_RECORDS);
        known
    }

    /// Someone told of subscribers: something for the overlay, and perhaps links for us.
    pub(crate) fn hear_subscribers(&mut self, turn: &mut Turn<'_, '_>, heard: Vec<Subscriber>) {
        for Subscriber { peer, record } in heard {
            if peer == turn.setup.peer || record.is_empty() {
                continue;
            }
            turn.event(Event::SubscriberHeard { peer, record: record.clone() });
            if self.subscribers.len() < MAX_SUBSCRIBERS || self.subscribers.contains_key(&peer) {
                self.subscribers.insert(peer, record);
            }
        }
    }

    /// Whether this member only receives the stream (spec MC-16). Its own it sends whatever its role.
    pub(super) fn gives_nothing(&self, config: &Config) -> bool {
        config.download_only && !self.is_publisher()
    }

    /// The upload budget of this stream in wire bytes a second, if there is one.
    pub(super) fn upload(&self, config: &Config) -> Option<u64> {
        config.upload.map(|upload| self.upload_share.unwrap_or(upload))
    }

    /// How much of the upload budget this stream should have: what it weighs on the wire, twice if it is ours,
    /// since nobody else can begin it. Nothing while we take no part.
    pub(crate) fn upload_weight(&self) -> u64 {
        match self.role {
            Role::Idle => 0,
            _ if self.has_drained => 0,
            Role::Subscriber => self.rate.wire().max(1),
            Role::Publisher(_) => self.rate.wire().max(1) * 2,
        }
    }

    /// `None`: all of it.
    pub(crate) fn set_upload_share(&mut self, share: Option<u64>) {
        self.upload_share = share;
    }

    /// The slices in which we are at home: none where we serve nobody.
    pub(super) fn home(&self, config: &Config) -> BitSet {
        if self.gives_nothing(config) { BitSet::EMPTY } else { self.home }
    }

    /// How far from the publisher we are in a slice.
    fn hops(&self, slice: u32) -> u8 {
        if self.is_publisher() { 0 } else { self.parents.get(slice).hops }
    }

    /// Slices that we could serve: all of our own stream, else those that reach us unbroken.
    fn flowing(&self, now: Time) -> BitSet {
        match self.role {
            Role::Publisher(_) if !self.has_ended() => BitSet::first(self.slices()),
            Role::Subscriber => {
                let is_resting = now.since(self.advanced_at) > FLOW_PATIENCE;
                // A stream of few runs must not seem to stop between them: everybody is told when a slice flows again.
                let patience = (self.slice_interval() * 5 / 2).max(FLOW_PATIENCE);
                self.parents.flowing(now, patience, is_resting)
            }
            _ => BitSet::EMPTY,
        }
    }

    /// Whether we need nothing more of this stream from anyone.
    fn is_complete(&self) -> bool {
        self.is_publisher() && self.has_ended() || self.has_finished
    }

    /// Drops what left the window, and lets the player pass over what it will never get.
    fn expire(&mut self, turn: &mut Turn<'_, '_>) {
        let limits = self.limits(turn.config);
        self.give_up(turn);
        self.window.expire(turn.cx.now, &limits);
        let base = self.window.base();
        self.close_holes_below(base);
        self.pending = self.pending.split_off(&(base, 0, PeerId::from_bytes([0; 32])));
        self.prune_children();
    }

    pub(super) fn prune_children(&mut self) {
        let lag = self.rate.runs_in(Duration::from_secs(1));
        self.children.prune(self.window.verified_end().saturating_sub(lag));
    }

    fn close_holes_below(&mut self, run: u64) {
        for peer in self.holes.close_below(run) {
            self.request_ended(&peer);
        }
    }

    fn request_ended(&mut self, peer: &PeerId) {
        if let Some(neighbor) = self.neighbors.get_mut(peer) {
            neighbor.outstanding = neighbor.outstanding.saturating_sub(1);
        }
    }

    fn check_drained(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.has_drained && self.is_complete() && self.neighbors.values().all(Neighbor::is_complete) {
            self.has_drained = true;
            turn.event(Event::Drained { stream: self.announcement.stream });
        }
    }

    /// Whether anything here still names `peer`; law 5 asks.
    pub(crate) fn mentions(&self, peer: &PeerId) -> bool {
        self.neighbors.contains_key(peer)
            || self.parents.slices.iter().any(|slice| {
                slice.parent.is_some_and(|parent| parent.peer == *peer)
                    || slice.asked.is_some_and(|asked| asked.peer == *peer)
            })
            || self.children.peers().any(|child| child == *peer)
            || self.holes.mentions(peer)
            || self.pending.keys().any(|(.., child)| child == peer)
    }

    /// Sizes of what strangers could grow, with their limits.
    pub(crate) fn sizes(&self, config: &Config) -> Vec<(&'static str, usize, usize)> {
        let most_children = self.properties.push_neighbor_limit.max(config.strong_push_neighbor_limit);
        let waiting = self.neighbors.values().map(|n| n.waiting.len()).max().unwrap_or(0);
        let outstanding = self.neighbors.values().map(|n| n.outstanding).max().unwrap_or(0);
        vec![
            ("neighbors", self.neighbors.len(), config.max_neighbors),
            ("subscribers", self.subscribers.len(), MAX_SUBSCRIBERS),
            ("runs", self.window.len(), config.max_runs),
            ("holes", self.holes.len(), config.max_runs),
            ("waiting", waiting, config.max_waiting),
            ("outstanding", outstanding, config.max_requests),
            ("pending", self.pending.len(), pull::MAX_PENDING),
            ("children", self.children.total(), self.slices() as usize * most_children),
        ]
    }
}
