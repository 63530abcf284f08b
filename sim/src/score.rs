use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Lookup, PeerId, Time};
use stratus_multicast::{self as multicast, Event as Heard, Piece, StreamId, StreamMessage};
use stratus_node::{Event, Input, Message, Node, Output};
use stratus_overlay::{self as overlay, routing};
use stratus_posting as posting;

use crate::anatomy::Anatomy;
use crate::cast::{Cast, Part};
use crate::census::Talk;
use crate::histogram::Histogram;
use crate::hostile::Hostile;
use crate::journal::Journal;
use crate::last::Lasts;
use crate::member::Purpose;
use crate::posts::PostScore;
use crate::report::ratio;
use crate::series::Keeper;
use crate::source::Source;
use crate::world::{Content, Packet, Watch};

/// Looks on, keeps the score, and holds what players get against what was published.
#[derive(Debug)]
pub(crate) struct Score {
    pub(crate) cast: Cast,
    pub(crate) sources: Vec<Source>,
    /// Each stream's place in the list of sources.
    numbers: BTreeMap<StreamId, usize>,
    /// By member, then by stream.
    players: Vec<Player>,
    /// Bytes sent since the stream began, by member.
    pub(crate) sent: Vec<Purpose>,
    /// Bytes sent by everybody while the stream ran and was warm.
    pub(crate) steady: Purpose,
    /// Fragments that came in that time, by push and because they were asked for.
    steady_paths: [u64; 2],
    /// Bytes received since then, by member.
    pub(crate) received: Vec<Purpose>,
    /// Of all, then of each part.
    pub(crate) delays: [Histogram; 1 + Part::ALL.len()],
    /// Of each stream.
    lasts: Vec<Lasts>,
    /// Delays count from here on.
    warm_at: Time,
    /// When the stream ends.
    end_at: Time,
    /// What is older than this is not delivered.
    window: Duration,
    /// Fragments that were lost on the way to those who play, and when they would have left.
    awaited: Lookup<(u32, usize), Time>,
    /// From there to when they came some other way.
    pub(crate) repairs: Histogram,
    /// Where the fragments lie that were published: members pass on shared bytes, so whatever lies elsewhere is
    /// nobody's.
    known: Lookup<(usize, usize), ()>,
    pub(crate) anatomy: Option<Anatomy>,
    pub(crate) hostile: Hostile,
    /// What plots are made of, if asked for.
    pub(crate) keeper: Option<Keeper>,
    pub(crate) journal: Option<Journal>,
    pub(crate) posts: Option<Box<PostScore>>,
    pub(crate) faults: Faults,
    pub(crate) is_streaming: bool,
    /// Whether what comes of routing is kept for whoever looks at it.
    pub(crate) keeps_routed: bool,
    pub(crate) routed: Vec<(Time, u32, routing::Event)>,
    /// Where nothing is played.
    pub(crate) talk: Option<Talk>,
}

/// What one member played of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Player {
    /// Number of the first message.
    pub(crate) first: Option<u32>,
    /// When it came.
    pub(crate) first_at: Option<Time>,
    /// Number of the last.
    pub(crate) last: Option<u32>,
    /// Messages delivered.
    pub(crate) messages: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Fragments it was told to have missed.
    pub(crate) given_up: u64,
    /// Whether it heard the end.
    pub(crate) has_ended: bool,
}

/// Broken promises. The first few in words, all of them counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// How many.
    pub(crate) count: u64,
    /// The first few.
    pub(crate) words: Vec<String>,
}

/// The window counts from when a member learned that there is a run (spec MC-10): that takes the run's hold, its journey,
/// and in a group without enough uplink some more.
const LEARNING: Duration = Duration::from_secs(1);

/// Faults told in words.
const MOST_WORDS: usize = 20;

impl Faults {
    /// Adds one that a member is to blame for, or learned of.
    pub(crate) fn add(&mut self, at: Time, member: u32, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.words.len() < MOST_WORDS {
            self.words.push(format!("{at} member {member}: {}", what()));
        }
    }

    /// Adds one that is nobody's in particular.
    pub(crate) fn add_of_group(&mut self, at: Time, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.words.len() < MOST_WORDS {
            self.words.push(format!("{at}: {}", what()));
        }
    }

    /// Adds so many that the world counted without saying whose they are.
    pub(crate) fn add_counted(&mut self, at: Time, count: u64, what: &str) {
        self.count += count;
        if count > 0 && self.words.len() < MOST_WORDS {
            self.words.push(format!("{at} {count} times: {what}"));
        }
    }
}

impl Score {
    /// Nothing happened yet.
    pub(crate) fn new(
        cast: Cast,
        sources: Vec<Source>,
        streams: &[StreamId],
        [warm_at, end_at]: [Time; 2],
        window: Duration,
        anatomy: Option<Anatomy>,
    ) -> Self {
        Self {
            cast,
            sources,
            numbers: streams.iter().copied().zip(0..).collect(),
            players: Vec::new(),
            sent: Vec::new(),
            steady: Purpose::default(),
            steady_paths: [0; 2],
            received: Vec::new(),
            delays: std::array::from_fn(|_| Histogram::new()),
            lasts: vec![Lasts::default(); streams.len()],
            warm_at,
            end_at,
            window,
            awaited: Lookup::new(),
            repairs: Histogram::new(),
            known: Lookup::new(),
            anatomy,
            hostile: Hostile::default(),
            keeper: None,
            journal: None,
            posts: None,
            faults: Faults::default(),
            is_streaming: false,
            keeps_routed: false,
            routed: Vec::new(),
            talk: None,
        }
    }

    /// One more member.
    pub(crate) fn add(&mut self, part: Part, joined_at: Time) {
        self.cast.add(part, joined_at);
        self.sent.push(Purpose::default());
        self.received.push(Purpose::default());
        self.players.resize(self.cast.roles.len() * self.sources.len(), Player::default());
    }

    /// What `member` played of `stream`.
    pub(crate) fn player(&self, member: u32, stream: usize) -> &Player {
        &self.players[member as usize * self.sources.len() + stream]
    }

    /// From writing a message to the last that plays it, in the mean, and in the mean over streams.
    pub(crate) fn last_ms(&self) -> f64 {
        let sum: f64 = self.lasts.iter().map(Lasts::mean_ms).sum();
        if self.lasts.is_empty() { 0.0 } else { sum / self.lasts.len() as f64 }
    }

    /// Fragments that came by push while the stream ran and was warm, of all that did.
    pub(crate) fn pushed_share_steady(&self) -> f64 {
        let [pushed, pulled] = self.steady_paths;
        ratio(pushed as f64, (pushed + pulled) as f64)
    }

    /// Whether the stream runs, and is warm.
    fn is_steady(&self, now: Time) -> bool {
        now >= self.warm_at && now < self.end_at
    }

    /// The stream that is to be written next, and when.
    pub(crate) fn next_write(&self) -> Option<(Time, usize)> {
        let next = |(number, source): (usize, &Source)| source.next_at().map(|at| (at, number));
        self.sources.iter().enumerate().filter_map(next).min()
    }

    /// Writes the next message of a stream at `at`.
    pub(crate) fn write(&mut self, at: Time, stream: usize) -> Vec<Piece> {
        let pieces = self.sources[stream].write(at);
        for piece in &pieces {
            self.known.insert(whereabouts(&piece.payload), ());
        }
        pieces
    }

    /// Nothing is passed on that was not published.
    fn passed_on(&mut self, now: Time, packet: &Packet<Message>, message: &Message) {
        let Message::Multicast(multicast::Message::Fragment { payload, .. }) = message else { return };
        let is_hostile = self.cast.part(packet.head.from).is_hostile();
        if !is_hostile && self.known.get(&whereabouts(payload)).is_none() {
            self.faults.add(now, packet.head.from, || "it passed on what nobody published".into());
        }
    }

    /// A fragment that was lost before may have come after all.
    fn repaired(&mut self, now: Time, member: u32, message: &Message) {
        let Message::Multicast(multicast::Message::Fragment { payload, .. }) = message else { return };
        if self.awaited.is_empty() {
            return;
        }
        if let Some(lost_at) = self.awaited.remove(&(member, payload.as_ptr() as usize)) {
            self.repairs.add(now.since(lost_at));
        }
    }

    fn heard_post(&mut self, now: Time, member: u32, event: &posting::Event) -> (u64, u64) {
        if let Some(posts) = &mut self.posts {
            posts.heard(now, member, event, &mut self.faults);
            if let posting::Event::Post(post) = event {
                posts.note_delay(now, &self.cast.roles[member as usize], post.body());
                return (3, post.sequence());
            }
        }
        (3, 0)
    }

    fn heard(&mut self, now: Time, member: u32, event: Heard) -> (u64, u64) {
        match event {
            Heard::Message { stream, message } => return self.played(now, member, &stream, &message),
            Heard::Gap { stream, count, .. } => {
                if let Some(player) = self.player_mut(member, &stream) {
                    player.given_up += count;
                }
            }
            Heard::PlayEnd { stream } => {
                if let Some(player) = self.player_mut(member, &stream) {
                    player.has_ended = true;
                }
            }
            Heard::Misbehaved { peer, what } => self.accused(now, member, &peer, what),
            Heard::PublishFailed { why, .. } => {
                self.faults.add(now, member, || format!("the publication was refused: {why}"));
            }
            _ => {}
        }
        (1, 0)
    }

    fn accused(&mut self, now: Time, member: u32, peer: &PeerId, what: &str) {
        // What a hostile one says of those who keep it out is nobody's fault.
        let is_honest = !self.cast.part(member).is_hostile();
        if is_honest && !self.hostile.accused(now, member, peer) {
            self.faults.add(now, member, || format!("an honest neighbor was accused: {what}"));
        }
    }

    fn player_mut(&mut self, member: u32, stream: &StreamId) -> Option<&mut Player> {
        let number = *self.numbers.get(stream)?;
        self.players.get_mut(member as usize * self.sources.len() + number)
    }

    /// No message twice, none out of order, none in part, none that was not published.
    fn played(&mut self, now: Time, member: u32, stream: &StreamId, message: &StreamMessage) -> (u64, u64) {
        let seen = (message.index, message.len() as u64);
        let found = self.numbers.get(stream).copied();
        let number = found.and_then(|stream| self.sources[stream].number_at(message.index));
        let (Some(stream), Some(number)) = (found, number) else {
            self.faults
                .add(now, member, || format!("a message nobody published, at index {}", message.index));
            return seen;
        };
        let written = &self.sources[stream].published()[number as usize];
        if written.pieces != message.pieces {
            self.faults.add(now, member, || format!("message {number} is not as it was published"));
        }
        let known_since = written.at.max(self.cast.roles[member as usize].joined_at);
        if now.since(known_since) > self.window + LEARNING {
            let age = now.since(written.at);
            self.faults.add(now, member, || format!("message {number} came after the window, {age:?} old"));
        }
        let player = &mut self.players[member as usize * self.sources.len() + stream];
        if player.last.is_some_and(|last| number <= last) {
            self.faults.add(now, member, || format!("message {number} came twice or out of order"));
            return seen;
        }
        player.first.get_or_insert(number);
        player.first_at.get_or_insert(now);
        player.last = Some(number);
        player.messages += 1;
        player.bytes += written.len();
        if let Some(keeper) = &mut self.keeper {
            keeper.played(written.at.as_micros() / 1_000_000, now.since(written.at));
        }
        if written.at >= self.warm_at {
            let delay = now.since(written.at);
            self.delays[0].add(delay);
            self.lasts[stream].add(number, delay);
            self.delays[1 + self.cast.part(member) as usize].add(delay);
            if let Some(anatomy) = &mut self.anatomy {
                anatomy.played(now, member, written);
            }
        }
        seen
    }
}

impl Watch<Node> for Score {
    fn sent(&mut self, now: Time, packet: &Packet<Message>) {
        let (true, Content::Message(message)) = (self.is_streaming, &packet.content) else { return };
        let purpose = Purpose::of(message, packet.head.length);
        self.sent[packet.head.from as usize] += purpose;
        if self.is_steady(now) {
            self.steady += purpose;
        }
        self.passed_on(now, packet, message);
        if let Some(talk) = &mut self.talk {
            talk.add(message, packet.head.length);
        }
        if let Some(anatomy) = &mut self.anatomy {
            anatomy.sent(packet, message);
        }
    }

    fn lost(&mut self, sent_at: Time, packet: &Packet<Message>) {
        let Content::Message(Message::Multicast(multicast::Message::Fragment { payload, .. })) =
            &packet.content
        else {
            return;
        };
        if self.cast.plays(packet.head.to) {
            self.awaited.insert((packet.head.to, payload.as_ptr() as usize), sent_at);
        }
    }

    fn arrived(&mut self, now: Time, packet: &Packet<Message>) {
        let (true, Content::Message(message)) = (self.is_streaming, &packet.content) else { return };
        self.received[packet.head.to as usize] += Purpose::of(message, packet.head.length);
        self.repaired(now, packet.head.to, message);
        if let Message::Multicast(multicast::Message::Fragment { is_repair, .. }) = message {
            self.steady_paths[usize::from(*is_repair)] += u64::from(self.is_steady(now));
        }
        let (from, to) = (packet.head.from, packet.head.to);
        if self.cast.part(from).is_hostile() && !self.cast.part(to).is_hostile() {
            let is_bad = match message {
                Message::Multicast(multicast::Message::Fragment { payload, .. }) => {
                    self.known.get(&whereabouts(payload)).is_none()
                }
                _ => false,
            };
            self.hostile.came(now, to, from, is_bad);
        }
        if let (Message::Posting(message), Some(posts)) = (message, &mut self.posts) {
            posts.arrived(message, packet.head.length);
        }
        if let Some(anatomy) = &mut self.anatomy {
            anatomy.arrived(now, packet, message);
        }
    }

    fn turn_begins(&mut self, now: Time, member: u32, input: Option<&Input>) {
        if let Some(journal) = &mut self.journal {
            journal.begin(now, member, input);
        }
    }

    fn turn_ends(&mut self, member: u32, node: &Node, outputs: &[Output]) {
        if let Some(journal) = &mut self.journal {
            journal.end(member, node, outputs);
        }
    }

    fn tamper(&mut self, member: u32, outputs: &mut Vec<Output>) {
        let part = self.cast.part(member);
        if part.is_hostile() {
            self.hostile.tamper(part, outputs);
        }
    }

    fn event(&mut self, now: Time, member: u32, event: Event) -> (u64, u64) {
        match event {
            Event::Multicast(event) => self.heard(now, member, event),
            Event::Overlay(overlay::Event::Misbehaved { peer, what }) => {
                self.accused(now, member, &peer, what);
                (2, 1)
            }
            Event::Overlay(_) => (2, 0),
            Event::Routing(routing::Event::Misbehaved { what, .. }) => {
                self.faults.add(now, member, || format!("an honest neighbor was accused: {what}"));
                (5, 1)
            }
            Event::Routing(event) => {
                if self.keeps_routed {
                    self.routed.push((now, member, event));
                }
                (5, 0)
            }
            Event::Replication(_) => (4, 0),
            Event::Posting(event) => self.heard_post(now, member, &event),
        }
    }
}

fn whereabouts(payload: &Bytes) -> (usize, usize) {
    (payload.as_ptr() as usize, payload.len())
}
