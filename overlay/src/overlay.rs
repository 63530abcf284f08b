use std::collections::BTreeSet;
use std::sync::Arc;

use stratus_core::{
    Cx, Deadline, GroupAddress, GroupId, Identity, Machine, PeerId, RingArc, RingKey, Roster, Time, Timers,
};

use crate::absent::Absent;
use crate::api::{Command, Event, Input, Output, Setup, Stats};
use crate::asked::Asked;
use crate::bans::Bans;
use crate::best::BestList;
use crate::changes::Departure;
use crate::comings::Comings;
use crate::config::Config;
use crate::coverage::coverage;
use crate::dials::Dials;
use crate::heard::HeardList;
use crate::introducer::Introducer;
use crate::link::Link;
use crate::memory::Memory;
use crate::message::Message;
use crate::places::{Place, place_of};
use crate::record::{Draft, Record};
use crate::troubles::Troubles;

mod exchange;
mod hearing;
mod interest;
mod linking;
mod liveness;
mod meeting;
mod missing;
mod own;
mod parting;
mod queries;
mod topology;

use exchange::Offer;
use liveness::Alarm;
use topology::Pace;

/// One member's part in keeping a group together: whom it has heard of, with whom it is linked, and why.
///
/// It asks for links (`Connect`, `Disconnect`) and tells of them; what travels over them besides its own
/// messages is none of its business. Source: spec OV-4 … OV-25.
pub struct Overlay {
    config: Config,
    identity: Identity,
    group: GroupId,
    ring: RingKey,
    address: GroupAddress,
    own: own::Own,
    heard: HeardList,
    absent: Absent,
    memory: Memory,
    troubles: Troubles,
    bans: Bans,
    comings: Comings,
    /// Members known by id alone, oldest first.
    hints: Vec<PeerId>,
    /// Whom other layers hold.
    pins: BTreeSet<PeerId>,
    /// Whom look-ups need for a moment.
    sought: BTreeSet<PeerId>,
    links: Roster<Link>,
    dials: Dials,
    asked: Asked,
    /// How many more members may be heard of for hard times while neighbors come and go.
    curiosity: usize,
    born_at: Time,
    /// When a neighbor was last lost; at first, when we came.
    last_departure: Time,
    best: BestList,
    /// Decides the random choice of this round.
    chance: u64,
    pace: Pace,
    alarm: Alarm,
    introducer: Introducer,
    coverage: RingArc,
    timers: Timers,
    stats: Stats,
    has_left: bool,
}

/// Names of the timers.
mod timer {
    pub(super) const RENEW: &str = "renew";
    pub(super) const SORT: &str = "sort";
    pub(super) const GOSSIP: &str = "gossip";
    pub(super) const ROUND: &str = "round";
    pub(super) const PART: &str = "part";
    pub(super) const PROBE: &str = "probe";
    pub(super) const SILENCE: &str = "silence";
    pub(super) const DIALS: &str = "dials";
    pub(super) const MEMORY: &str = "memory";
    pub(super) const AGE: &str = "age";
}

impl Overlay {
    /// An overlay that knows nobody. `config` must be valid. Cost: one signature.
    pub fn new(config: Config, setup: Setup) -> Self {
        if let Err(what) = config.validate() {
            panic!("the overlay's config is not valid: {what}");
        }
        let Setup { identity, group, ring } = setup;
        let address = ring.address(&identity.peer());
        let record = Record::sign(&identity, &group, Draft::default());
        let mut timers = Timers::default();
        // Whatever the host does first also starts the machine.
        timers.set(timer::RENEW, Time::ZERO);
        Self {
            own: own::Own::new(Arc::new(record)),
            heard: HeardList::new(config.heard),
            absent: Absent::new(config.absent),
            memory: Memory::new(config.remembered),
            troubles: Troubles::new(config.troubles),
            bans: Bans::new(config.ban_for, config.longest_ban, config.bans),
            comings: Comings::new(config.comings, config.troubles),
            hints: Vec::new(),
            pins: BTreeSet::new(),
            sought: BTreeSet::new(),
            links: Roster::new(),
            dials: Dials::new(config.dials),
            asked: Asked::default(),
            curiosity: config.curious,
            born_at: Time::ZERO,
            last_departure: Time::ZERO,
            best: BestList::default(),
            chance: 0,
            pace: Pace::new(config.hurried_interval),
            alarm: Alarm::default(),
            introducer: Introducer::new(config.introductions, config.links),
            coverage: coverage(&address, [].iter()),
            timers,
            stats: Stats::default(),
            has_left: false,
            config,
            identity,
            group,
            ring,
            address,
        }
    }

    /// Our own place.
    fn me(&self) -> Place {
        self.address.prefix()
    }

    fn place_of(&self, peer: &PeerId) -> Place {
        place_of(&self.ring, peer)
    }

    /// The link to `peer`, unless there is none or we are ending it.
    fn open_link(&self, peer: &PeerId) -> Option<&Link> {
        self.links.get(peer).filter(|link| !link.is_closing())
    }

    /// The links that are not being ended.
    fn open_links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().filter(|link| !link.is_closing())
    }

    fn has_open_link(&self) -> bool {
        self.open_links().next().is_some()
    }

    /// Tells the owner if the stretch of the ring that is ours has changed.
    fn update_coverage(&mut self, out: &mut Vec<Output>) {
        let neighbors: Vec<GroupAddress> = self.open_links().map(|link| link.address).collect();
        let arc = coverage(&self.address, neighbors.iter());
        if arc != self.coverage {
            self.coverage = arc;
            out.push(Output::Event(Event::LocalCoverage(arc)));
        }
    }

    /// A message over a link that is up and stays so.
    fn received(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Vec<Output>) {
        let Some(link) = self.links.get_mut(&from).filter(|link| !link.is_closing()) else { return };
        link.heard_at = cx.now;
        if let Some(probe) = &mut link.probe {
            // Whatever it says, it is there.
            probe.is_answered = true;
        }
        let throttled_before = self.stats.throttled_count;
        if link.messages.take(cx.now, self.config.messages) {
            self.dispatch(cx, from, message, out);
        } else {
            self.stats.throttled_count += 1;
        }
        if self.stats.throttled_count > throttled_before {
            self.bear(cx, from, out);
        }
    }

    /// A neighbor said more than it may: borne for a while. Source: spec OV-22.
    fn bear(&mut self, cx: &Cx<'_>, from: PeerId, out: &mut Vec<Output>) {
        let rate = self.config.excess;
        let link = self.links.get_mut(&from).filter(|link| !link.is_closing());
        if link.is_some_and(|link| !link.excess.take(cx.now, rate)) {
            Self::misbehaved(from, "a flood of control messages", out);
        }
    }

    fn dispatch(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Vec<Output>) {
        match message {
            Message::Hello(record) => self.hello(cx, from, record, out),
            Message::Offer { role, members, digests, old, missing } => {
                self.offered(cx, from, Offer { role, members, digests, old, missing }, out);
            }
            Message::Want(places) => self.wanted(cx, from, &places, out),
            Message::Records(records) => self.records(cx, from, records, out),
            Message::Ping { nonce, is_repeated } => self.pinged(cx, from, nonce, is_repeated, out),
            Message::Pong { nonce, members } => self.ponged(cx, from, nonce, members, out),
            Message::AskLeave => self.asked_to_leave(cx, from, out),
            Message::Goodbye(why) => self.goodbye(cx, from, why, out),
            Message::Introduce { target, candidates } => self.introduce(cx, from, target, candidates, out),
            Message::Introduced { peer, record, candidates } => {
                self.introduced(cx, from, peer, record, candidates, out);
            }
            Message::NotIntroduced(target) => self.not_introduced(cx, from, target, out),
            Message::Observed(address) => self.seen_at(cx, from, address),
            Message::Silent(place) => self.told_of_silence(cx, from, place, out),
        }
    }

    fn commanded(&mut self, cx: &mut Cx<'_>, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::SetAddresses(addresses) => self.set_addresses(cx, addresses, out),
            Command::SetServers(servers) => self.set_servers(cx, servers, out),
            Command::Bootstrap(records) => self.bootstrap(cx, records, out),
            Command::AddNeighbor(peer) => self.add_neighbor(cx, peer, out),
            Command::AddMemberHint(peer) => self.add_hint(cx, peer),
            Command::HearRecord(bytes) => self.hear_bytes(cx, bytes, out),
            Command::Pin(peer) => self.pin(cx, peer),
            Command::Unpin(peer) => {
                self.pins.remove(&peer);
                self.sort_soon(cx);
            }
            Command::Seek(peer) => self.seek(cx, peer, out),
            Command::Release(peer) => {
                self.sought.remove(&peer);
            }
            Command::Ban(peer) => self.ban(cx, peer, out),
            Command::ConnectFailed(peer) => self.connect_failed(cx, peer, out),
            Command::Introduce(peer) => self.seek_introduction(cx, peer, out),
            Command::Observed { peer, address } => self.observed(peer, address, out),
            Command::Leave => self.leave(out),
        }
    }

    fn due(&mut self, cx: &mut Cx<'_>, name: &'static str, out: &mut Vec<Output>) {
        match name {
            timer::RENEW => self.renew(cx, out),
            timer::SORT => self.sort(cx, out),
            timer::GOSSIP => self.gossip(cx, out),
            timer::ROUND => self.next_round(cx),
            timer::PART => self.part(cx, out),
            timer::PROBE => self.probe(cx, out),
            timer::SILENCE => self.judge_silence(cx, out),
            timer::DIALS => self.judge_dials(cx, out),
            timer::MEMORY => self.try_memory(cx, out),
            timer::AGE => self.age(cx),
            _ => unreachable!("the names above are all there are"),
        }
    }

    /// The first thing that happens to a machine.
    fn start(&mut self, cx: &mut Cx<'_>) {
        let rng = &mut *cx.rng;
        self.chance = rng.next_u64();
        self.born_at = cx.now;
        self.last_departure = cx.now;
        self.timers.set(timer::ROUND, cx.now + rng.jitter(self.config.random_period));
        self.timers.set(timer::AGE, cx.now + rng.jitter(self.config.age_limit / 16));
        self.timers.set(timer::MEMORY, cx.now + rng.jitter(self.memory_interval()));
    }

    /// Forgets what is too old.
    fn age(&mut self, cx: &mut Cx<'_>) {
        self.bury_expired(cx);
        self.troubles.expire(cx.now, self.config.age_limit);
        self.bans.expire(cx.now);
        self.memory.expire(cx.now);
        self.timers.set(timer::AGE, cx.now + cx.rng.jitter(self.config.age_limit / 16));
    }

    /// Nothing more is heard of a member, said to it or expected of it. Source: spec OV-23.
    fn ban(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let place = self.place_of(&peer);
        self.bans.add(place, cx.now);
        self.heard.remove(place);
        self.absent.take(place);
        self.memory.forget(place);
        self.hints.retain(|hint| *hint != peer);
        self.pins.remove(&peer);
        self.sought.remove(&peer);
        self.dials.take(&peer);
        self.close(cx, peer, Departure::Banned, out);
    }

    fn is_banned(&self, place: Place, now: Time) -> bool {
        self.bans.until(place, now).is_some()
    }

    fn misbehaved(peer: PeerId, what: &'static str, out: &mut Vec<Output>) {
        out.push(Output::Event(Event::Misbehaved { peer, what }));
    }
}

impl Machine for Overlay {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => self.connected(cx, peer, out),
            Input::Disconnected(peer) => self.disconnected(cx, peer, out),
            _ if self.has_left => {}
            Input::Received { from, message } => self.received(cx, from, message, out),
            Input::Command(command) => self.commanded(cx, command, out),
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        while let Some(name) = self.timers.pop_due(cx.now) {
            self.due(cx, name, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
