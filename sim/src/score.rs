use stratus_core::Time;
use stratus_multicast::{Event as Heard, StreamMessage};
use stratus_node::{Event, Message, Node};
use stratus_overlay as overlay;

use crate::anatomy::Anatomy;
use crate::histogram::Histogram;
use crate::member::Purpose;
use crate::source::Source;
use crate::world::{Content, Packet, Watch};

/// Looks on, keeps the score, and holds what players get against what was published.
#[derive(Debug)]
pub(crate) struct Score {
    pub(crate) source: Source,
    /// By member.
    pub(crate) players: Vec<Player>,
    /// Bytes sent since the stream began, by member.
    pub(crate) sent: Vec<Purpose>,
    pub(crate) delays: Histogram,
    /// Delays count from here on.
    warm_at: Time,
    pub(crate) anatomy: Option<Anatomy>,
    pub(crate) faults: Faults,
    pub(crate) is_streaming: bool,
}

/// What one member played.
#[derive(Clone, Debug, Default)]
pub(crate) struct Player {
    /// Number of the first message.
    pub(crate) first: Option<u32>,
    /// Number of the last.
    last: Option<u32>,
    /// Messages delivered.
    pub(crate) messages: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Payload bytes that came in, by whatever path and however often.
    pub(crate) received_bytes: u64,
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
    pub(crate) fn new(source: Source, members: u32, warm_at: Time, anatomy: Option<Anatomy>) -> Self {
        Self {
            source,
            players: vec![Player::default(); members as usize],
            sent: vec![Purpose::default(); members as usize],
            delays: Histogram::new(),
            warm_at,
            anatomy,
            faults: Faults::default(),
            is_streaming: false,
        }
    }

    fn heard(&mut self, now: Time, member: u32, event: Heard) -> (u64, u64) {
        match event {
            Heard::Message { message, .. } => return self.played(now, member, &message),
            Heard::Gap { count, .. } => self.players[member as usize].given_up += count,
            Heard::PlayEnd { .. } => self.players[member as usize].has_ended = true,
            Heard::Misbehaved { what, .. } => {
                self.faults.add(now, member, || format!("an honest neighbor was accused: {what}"));
            }
            Heard::PublishFailed { why, .. } => {
                self.faults.add(now, member, || format!("the publication was refused: {why}"));
            }
            _ => {}
        }
        (1, 0)
    }

    /// No message twice, none out of order, none in part, none that was not published.
    fn played(&mut self, now: Time, member: u32, message: &StreamMessage) -> (u64, u64) {
        let seen = (message.index, message.len() as u64);
        let Some(number) = self.source.number_at(message.index) else {
            self.faults
                .add(now, member, || format!("a message nobody published, at index {}", message.index));
            return seen;
        };
        let written = &self.source.published()[number as usize];
        if written.pieces != message.pieces {
            self.faults.add(now, member, || format!("message {number} is not as it was published"));
        }
        let player = &mut self.players[member as usize];
        if player.last.is_some_and(|last| number <= last) {
            self.faults.add(now, member, || format!("message {number} came twice or out of order"));
            return seen;
        }
        player.first.get_or_insert(number);
        player.last = Some(number);
        player.messages += 1;
        player.bytes += written.len();
        if written.at >= self.warm_at {
            self.delays.add(now.since(written.at));
            if let Some(anatomy) = &mut self.anatomy {
                anatomy.played(now, member, written);
            }
        }
        seen
    }
}

impl Watch<Node> for Score {
    fn sent(&mut self, _: Time, packet: &Packet<Message>) {
        let (true, Content::Message(message)) = (self.is_streaming, &packet.content) else { return };
        self.sent[packet.head.from as usize] += Purpose::of(message, packet.head.length);
        if let Some(anatomy) = &mut self.anatomy {
            anatomy.sent(packet, message);
        }
    }

    fn arrived(&mut self, now: Time, packet: &Packet<Message>) {
        let Content::Message(message) = &packet.content else { return };
        self.players[packet.head.to as usize].received_bytes +=
            Purpose::of(message, packet.head.length).payload;
        if let Some(anatomy) = &mut self.anatomy {
            anatomy.arrived(now, packet, message);
        }
    }

    fn event(&mut self, now: Time, member: u32, event: Event) -> (u64, u64) {
        match event {
            Event::Multicast(event) => self.heard(now, member, event),
            Event::Overlay(overlay::Event::Misbehaved { what, .. }) => {
                self.faults.add(now, member, || format!("an honest neighbor was accused: {what}"));
                (2, 1)
            }
            Event::Overlay(_) => (2, 0),
        }
    }
}
