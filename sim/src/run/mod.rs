use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use stratus_core::{Identity, Rng, Time};
use stratus_groupspec::{GroupKeys, GroupSpecifier, Groupspec};
use stratus_multicast::{self as multicast, MulticastInfo, Parameters, StreamId};
use stratus_node::journal::Header;
use stratus_node::{Command, Config, Node, Services, Setup};
use stratus_overlay as overlay;

use crate::anatomy::{Anatomy, State};
use crate::cast::{Cast, Part};
use crate::census::{Census, Talk};
use crate::journal::Journal;
use crate::posts::PostScore;
use crate::rendezvous::Listing;
use crate::report::{Results, ratio};
use crate::rivals;
use crate::scenario::{Bootstrap, Scenario, Share};
use crate::score::Score;
use crate::series::{Keeper, Series};
use crate::source::Source;
use crate::world::{self, Totals, World};

mod faults;
mod group;
mod oracles;
mod posts;
mod results;
mod ring;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod tests;

/// From joining to the server's answer: a round trip of a typical pair.
const RENDEZVOUS: Duration = Duration::from_millis(60);
/// A member that says nothing stays listed for this long.
const LISTED_FOR: Duration = Duration::from_secs(60);
/// How often it is counted how well a group without streams is put together.
const COUNT_EVERY: Duration = Duration::from_millis(250);
/// How often promises are checked that are not checked at every event.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What to keep besides the results.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// Events of the trace to keep as text.
    pub trace_lines: u64,
    /// Whether to follow each fragment and say where delay arises.
    pub with_anatomy: bool,
    /// Whether to keep what plots are made of.
    pub with_series: bool,
    /// Whose inputs to write down, by number, if anybody's.
    pub journal_of: Option<u32>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The figures.
    pub results: Results,
    /// Broken promises in words, if any.
    pub faults: Vec<String>,
    /// Where delay arose, if asked for.
    pub anatomy: Vec<String>,
    /// The first events, if asked for.
    pub trace_lines: Vec<String>,
    /// What plots are made of, if asked for.
    pub series: Option<Series>,
    /// A member's journal, if asked for: see [`stratus_node::journal`].
    pub journal: Vec<u8>,
}

/// Plays `scenario` from beginning to end. The scenario must be valid.
pub fn run(scenario: &Scenario, options: Options) -> Outcome {
    let mut run = Run::new(scenario, options);
    run.play();
    let window = run.config.multicast.window_duration;
    let talked = if scenario.rivals.is_empty() { None } else { run.talked() };
    let mut outcome = run.outcome();
    for opponent in &scenario.rivals {
        let (theirs, delay) = match &talked {
            Some(talked) => rivals::talk(scenario, talked),
            None => rivals::play(scenario, *opponent, window),
        };
        outcome.results.rivals.insert(opponent.name(), theirs.beside(&outcome.results));
        if let Some(series) = &mut outcome.series {
            series.rivals.insert(opponent.name().into(), delay);
        }
    }
    outcome
}

/// A stream's name in the group.
fn name_of(stream: usize) -> String {
    format!("live {stream}")
}

/// What the script does at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Join,
    Bootstrap(u32),
    Publish,
    Kill,
    Replace,
    Unlist(u32),
    Unpublish,
    Check,
    Part,
    Freeze,
    Crowd,
    Post,
    Count,
    Ring,
}

struct Run<'a> {
    scenario: &'a Scenario,
    config: Config,
    world: World<Node, Score>,
    /// Acts by time and then by the order of planning.
    script: BTreeMap<(Time, u64), Act>,
    planned: u64,
    chance: Rng,
    group: Groupspec,
    keys: GroupKeys,
    /// Of each stream.
    stream_keys: Vec<Identity>,
    streams: Vec<StreamId>,
    listing: Listing,
    /// Where each member is on the ring.
    places: Vec<u64>,
    /// Where nothing is played.
    census: Option<Census>,
    /// Where something is sent, looked up or kept.
    ring: Option<ring::Ring>,
    /// Each member's counters of each stream when they were last looked at.
    infos: Vec<MulticastInfo>,
    neighbors_mean: f64,
    /// Wire bytes sent before the stream began.
    wire_before: u64,
    end_at: Time,
    /// The world's counts when they were last looked at.
    totals: Totals,
    /// Whose limits are looked at next.
    next_limits: u32,
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, options: Options) -> Self {
        let mut chance = Rng::from_seed(scenario.seed).fork("script");
        let group = GroupSpecifier::unnamed(chance.seed()).publish_key_seed(chance.seed()).build();
        let publish_at = Time::ZERO + scenario.join_over + scenario.settle;
        let start = publish_at + scenario.lead_in;
        let mut config = Config::default();
        config.multicast.window_duration = scenario.window;
        let keys = group.keys();
        let cast = Cast::new(scenario);
        let count = cast.stream_count();
        let stream_keys: Vec<Identity> = (0..count).map(|_| Identity::from_seed(chance.seed())).collect();
        let streams: Vec<StreamId> = stream_keys.iter().map(|key| StreamId(key.public())).collect();
        // Fragments of several streams cannot be told apart by their index.
        let anatomy = (options.with_anatomy && count == 1)
            .then(|| Anatomy::new(scenario.members, config.multicast.slices));
        let sources = (0..count as u64).map(|number| Source::new(scenario, start, number)).collect();
        let mut score = Score::new(
            cast,
            sources,
            &streams,
            [start + scenario.warm_up, start + scenario.secs],
            config.multicast.window_duration,
            anatomy,
        );
        score.keeper = options.with_series.then(Keeper::default);
        score.journal = options.journal_of.map(Journal::of);
        score.posts = scenario.posts.map(|_| Box::new(PostScore::new()));
        score.talk = (scenario.publishers == 0).then(Talk::default);
        let between = world::Config {
            loss_ppm: (scenario.loss * 1e6).round() as u32,
            burst: scenario.burst,
            rules: scenario.rules(),
            jitter: scenario.jitter,
            ..world::Config::new(scenario.latency.draw(scenario.seed))
        };
        let census = (scenario.publishers == 0).then(|| {
            let faults_end = scenario.faults_end().map(|end| start + end);
            Census::new(chance.fork("census"), Time::ZERO + scenario.join_over, faults_end)
        });
        let mut run = Self {
            scenario,
            places: Vec::new(),
            census,
            ring: None,
            config,
            world: World::new(between, scenario.seed, options.trace_lines, score),
            script: BTreeMap::new(),
            planned: 0,
            keys,
            group,
            stream_keys,
            streams,
            chance,
            listing: Listing::default(),
            infos: Vec::new(),
            neighbors_mean: 0.0,
            wire_before: 0,
            end_at: start + scenario.secs,
            totals: Totals::default(),
            next_limits: 0,
        };
        run.plan_all(publish_at, start);
        if scenario.has_ring_load() {
            run.ring = Some(ring::Ring::new(run.chance.fork("ring")));
            run.world.watch.keeps_routed = true;
            run.plan(start, Act::Ring);
        }
        run
    }

    fn plan_all(&mut self, publish_at: Time, start: Time) {
        self.plan(Time::ZERO, Act::Join);
        let mut moments: Vec<Time> = (1..self.scenario.members)
            .map(|_| Time::ZERO + self.chance.between(Duration::ZERO, self.scenario.join_over))
            .collect();
        moments.sort_unstable();
        for at in moments {
            self.plan(at, Act::Join);
        }
        self.plan(publish_at, Act::Publish);
        self.plan_spells(start);
        self.plan_posts(start);
        self.plan(self.end_at, Act::Unpublish);
        self.plan(Time::ZERO + CHECK_EVERY, Act::Check);
        if self.census.is_some() {
            self.plan(Time::ZERO + COUNT_EVERY, Act::Count);
        }
    }

    fn plan(&mut self, at: Time, act: Act) {
        self.script.insert((at, self.planned), act);
        self.planned += 1;
    }

    /// Lets the world go on from act to act and from fragment to fragment until the stream has drained.
    fn play(&mut self) {
        let window = self.config.multicast.window_duration + self.config.multicast.relay_margin_duration;
        let last = self.end_at + window + CHECK_EVERY;
        while self.world.now() < last && !self.has_drained() {
            let act_at = self.script.first_key_value().map(|((at, _), _)| *at);
            match (self.world.watch.next_write(), act_at) {
                (Some((write_at, stream)), act_at) if act_at.is_none_or(|act_at| write_at < act_at) => {
                    self.write(write_at, stream);
                }
                (_, Some(at)) => {
                    self.world.run_until(at);
                    let (_, act) = self.script.pop_first().expect("just seen");
                    self.perform(act);
                }
                (_, None) => unreachable!("a check is always planned"),
            }
        }
        self.check();
    }

    fn has_drained(&self) -> bool {
        self.world.now() > self.end_at
            && self.sessions().all(|(member, stream)| self.world.watch.player(member, stream).has_ended)
    }

    /// Living honest members that play something.
    fn survivors(&self) -> impl Iterator<Item = u32> {
        let everybody = 0..self.world.member_count();
        let cast = &self.world.watch.cast;
        let is_honest = |member: &u32| !cast.part(*member).is_hostile();
        everybody.filter(is_honest).filter(|member| self.world.is_alive(*member) && cast.plays(*member))
    }

    /// Each of them with each stream that it plays.
    fn sessions(&self) -> impl Iterator<Item = (u32, usize)> {
        let streams = |member| self.world.watch.cast.played_by(member).map(move |stream| (member, stream));
        self.survivors().flat_map(streams)
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Join => self.join(),
            Act::Bootstrap(member) => self.bootstrap(member),
            Act::Publish => self.publish(),
            Act::Kill => self.kill(),
            Act::Replace => self.replace(),
            Act::Unlist(member) => self.listing.remove(&self.address_of(member)),
            Act::Unpublish => self.unpublish(),
            Act::Part => self.part(),
            Act::Freeze => self.freeze(),
            Act::Crowd => self.join(),
            Act::Ring => self.look_at_ring(),
            Act::Post => self.post(),
            Act::Count => {
                self.count();
                self.plan(self.world.now() + COUNT_EVERY, Act::Count);
            }
            Act::Check => {
                self.check();
                let is_close_look = self.world.watch.anatomy.is_some();
                let period = if is_close_look { CHECK_EVERY / 2 } else { CHECK_EVERY };
                self.plan(self.world.now() + period, Act::Check);
            }
        }
    }

    fn join(&mut self) {
        let identity = Identity::from_seed(self.chance.seed());
        let number = self.world.member_count();
        let part = self.world.watch.cast.next_part(self.scenario, &mut self.chance);
        self.world.watch.add(part, self.world.now());
        let rate = self.uplink(number, part);
        let peer = identity.peer();
        let setup = Setup {
            identity,
            group: self.keys.group_id,
            ring: self.keys.ring,
            publish_authority: self.group.publish_authority(),
            services: Services {
                routing: self.scenario.has_ring_load(),
                posting: self.scenario.posts.is_some(),
                ..Services::default()
            },
            posting_authority: None,
        };
        let mut config = self.config.clone();
        config.multicast.download_only = part == Part::DownloadOnly;
        let mut header = Header::new(&config, &setup, &self.chance);
        let node = Node::new(config, setup);
        let member = self.world.join(peer, node, rate);
        if let Some(downlink) = self.downlink(number, part) {
            self.world.limit_downlink(member, downlink);
        }
        let place = self.keys.ring.address(&peer).prefix();
        self.places.push(place);
        if part.is_hostile() {
            self.world.watch.hostile.add(member, peer, place);
        }
        header.entropy = self.world.entropy(member);
        if let Some(journal) = self.world.watch.journal.as_mut().filter(|journal| journal.is_of(member)) {
            journal.open(&header);
        }
        let address = ([10, (member >> 16) as u8, (member >> 8) as u8, member as u8], 1_935).into();
        self.world.command(member, Command::Overlay(overlay::Command::SetAddresses(vec![address])));
        let upload = multicast::Command::SetUpload(rate.map(NonZeroU64::get));
        self.world.command(member, Command::Multicast(upload));
        for stream in self.world.watch.cast.played_by(member).collect::<Vec<_>>() {
            let subscribe = multicast::Command::Subscribe { name: name_of(stream) };
            self.world.command(member, Command::Multicast(subscribe));
        }
        self.enter_ring(member);
        self.plan(self.world.now() + RENDEZVOUS, Act::Bootstrap(member));
    }

    /// Wire bytes a second that the member may send.
    fn uplink(&self, member: u32, part: Part) -> Option<NonZeroU64> {
        let Scenario { uplink, source_uplink, strong, weak, streams, .. } = self.scenario;
        let played = self.world.watch.cast.played_by(member).count().max(1) as f64;
        let class = |class: &Option<Share>| class.map(|class| class.multiple * played);
        let multiple = match part {
            Part::Publisher if self.scenario.all_listen => {
                source_uplink.zip(*uplink).map(|(own, others)| own * f64::from(*streams) + others * played)
            }
            Part::Publisher => source_uplink.map(|own| own * f64::from(*streams)),
            Part::Strong => class(strong),
            Part::Weak => class(weak),
            Part::Usual
            | Part::DownloadOnly
            | Part::Idle
            | Part::Polluter
            | Part::Freeloader
            | Part::Sybil => uplink.map(|multiple| multiple * played),
        };
        multiple.and_then(|multiple| NonZeroU64::new(self.scenario.wire_rate(multiple)))
    }

    /// Wire bytes a second that may come in to a member that plays.
    fn downlink(&self, member: u32, part: Part) -> Option<NonZeroU64> {
        let played = self.world.watch.cast.played_by(member).count();
        let multiple = self.scenario.downlink.filter(|_| played > 0 && part != Part::Publisher)?;
        NonZeroU64::new(self.scenario.wire_rate(multiple * played as f64))
    }

    fn bootstrap(&mut self, member: u32) {
        if !self.world.is_alive(member) {
            return;
        }
        let address = self.address_of(member);
        let named = match self.scenario.bootstrap {
            Bootstrap::Server => self.listing.bootstrap(&address, &mut self.chance),
            Bootstrap::One => Vec::from_iter((member > 0).then_some(0)),
        };
        let records =
            named.iter().map(|other| self.world.machine(*other).overlay().own_record().clone()).collect();
        self.listing.add(address, member);
        self.world.command(member, Command::Overlay(overlay::Command::Bootstrap(records)));
    }

    fn address_of(&self, member: u32) -> stratus_core::GroupAddress {
        self.keys.ring.address(&self.world.machine(member).overlay().own_record().peer())
    }

    fn publish(&mut self) {
        self.world.watch.is_streaming = true;
        self.wire_before = self.wire_bytes();
        let parameters = Parameters::for_rate(&self.config.multicast, self.scenario.rate_bits / 8);
        for stream in 0..self.streams.len() {
            let publish = multicast::Publish {
                key: self.stream_keys[stream].clone(),
                name: name_of(stream),
                began: self.world.now().as_micros() / 1_000,
                authorization: self.group.publish_authorization(),
                parameters: parameters.clone(),
                wishes: multicast::Overrides::default(),
            };
            let publisher = self.world.watch.cast.publisher_of(stream);
            let publish = multicast::Command::Publish(Box::new(publish));
            self.world.command(publisher, Command::Multicast(publish));
        }
    }

    fn write(&mut self, at: Time, number: usize) {
        self.world.run_until(at);
        let stream = self.streams[number];
        let publisher = self.world.watch.cast.publisher_of(number);
        for piece in self.world.watch.write(at, number) {
            self.world.command(publisher, Command::Multicast(multicast::Command::Write { stream, piece }));
        }
    }

    fn unpublish(&mut self) {
        let living: Vec<u32> =
            (0..self.world.member_count()).filter(|member| self.world.is_alive(*member)).collect();
        let links: usize = living.iter().map(|member| self.world.link_count(*member)).sum();
        self.neighbors_mean = ratio(links as f64, living.len() as f64);
        for number in 0..self.streams.len() {
            let unpublish = multicast::Command::Unpublish(self.streams[number]);
            let publisher = self.world.watch.cast.publisher_of(number);
            self.world.command(publisher, Command::Multicast(unpublish));
        }
    }

    fn wire_bytes(&self) -> u64 {
        (0..self.world.member_count()).map(|member| self.world.sent_bytes(member)).sum()
    }

    /// How far the trees have grown, for the anatomy.
    fn note_state(&mut self) {
        if self.world.watch.anatomy.is_none() {
            return;
        }
        let stream = self.streams[0];
        let known =
            self.survivors().filter_map(|member| self.world.machine(member).multicast().stream(&stream));
        let state = State::of(known, self.config.multicast.slices);
        let now = self.world.now();
        if let Some(anatomy) = &mut self.world.watch.anatomy {
            anatomy.note_state(now, state);
        }
    }

    fn outcome(mut self) -> Outcome {
        let results = self.results();
        let right = self.census.as_ref().map(|census| (census.history(), census.hops()));
        let watch = &mut self.world.watch;
        let delay = watch.delays[0].curve();
        let series = watch.keeper.take().map(|keeper| {
            let (right, hops) = right.unwrap_or_default();
            let (members, p99) = (keeper.members.clone(), keeper.p99());
            Series { delay, hops, right, members, p99, rivals: BTreeMap::new() }
        });
        let anatomy = watch.anatomy.as_mut().map(Anatomy::lines).unwrap_or_default();
        let faults = std::mem::take(&mut watch.faults.words);
        let journal = watch.journal.as_mut().map(Journal::take).unwrap_or_default();
        Outcome { results, faults, anatomy, trace_lines: self.world.trace().take_lines(), series, journal }
    }
}
