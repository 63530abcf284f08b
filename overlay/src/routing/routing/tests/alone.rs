use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use stratus_core::testing::identity;
use stratus_core::{Cx, DirectVerify, Machine as _, Time};

use super::*;
use crate::places::distance;
use crate::record::{Draft, Record};
use crate::routing::{Input, Members, Message, Output, Quest};

pub(super) const GROUP: GroupId = GroupId::from_bytes([7; 32]);

/// One machine, member 0, whose whole world is the test. It knows whom it is told to, and links come when it asks for them.
pub(super) struct Alone {
    pub(super) routing: Routing,
    pub(super) now: Time,
    /// Whom its overlay knows, by number.
    pub(super) known: Vec<u64>,
    /// How many members it takes the group to have.
    pub(super) members: u64,
    rng: Rng,
}

/// What a machine said to a member, by its number, and what it told its owner.
#[derive(Default)]
pub(super) struct Said {
    pub(super) messages: Vec<(u64, Message)>,
    pub(super) events: Vec<Event>,
}

/// Test peers by number, with their places and records: making a key takes long.
struct Folk {
    places: Vec<Place>,
    records: Vec<Arc<Record>>,
    numbers: BTreeMap<PeerId, u64>,
}

/// How many there are.
const NUMBERS: u64 = 310;

static FOLK: LazyLock<Folk> = LazyLock::new(|| {
    let sign = |number| Arc::new(Record::sign(&identity(number), &GROUP, Draft::default()));
    let records: Vec<Arc<Record>> = (0..NUMBERS).map(sign).collect();
    let places = records.iter().map(|record| place_of(&RING, &record.peer())).collect();
    let numbers = records.iter().map(|record| record.peer()).zip(0..).collect();
    Folk { places, records, numbers }
});

pub(super) fn record(number: u64) -> Arc<Record> {
    FOLK.records[number as usize].clone()
}

pub(super) fn place(number: u64) -> Place {
    FOLK.places[number as usize]
}

pub(super) fn number_of(peer: &PeerId) -> u64 {
    FOLK.numbers[peer]
}

/// Those of `numbers` that are nearest to a place, nearest first.
pub(super) fn nearest_to(numbers: &[u64], target: Place, count: usize) -> Vec<u64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by_key(|number| distance(place(*number), target));
    sorted.truncate(count);
    sorted
}

impl Alone {
    /// Member 0, who knows these.
    pub(super) fn knowing(known: impl IntoIterator<Item = u64>, members: u64) -> Self {
        let known = known.into_iter().collect();
        let now = Time::from_millis(1_000);
        Self { routing: routing(0), now, known, members, rng: Rng::from_seed(50) }
    }

    pub(super) fn connect(&mut self, number: u64) -> Said {
        self.turn(|routing, cx, out| routing.handle(cx, Input::Connected(record(number).peer()), out))
    }

    pub(super) fn hear(&mut self, from: u64, message: Message) -> Said {
        let input = Input::Received { from: record(from).peer(), message };
        self.turn(|routing, cx, out| routing.handle(cx, input, out))
    }

    pub(super) fn command(&mut self, command: Command) -> Said {
        self.turn(|routing, cx, out| routing.handle(cx, Input::Command(command), out))
    }

    /// Lets so much time pass.
    pub(super) fn wait(&mut self, millis: u64) -> Said {
        let end = self.now + Duration::from_millis(millis);
        let mut said = Said::default();
        while let Some(deadline) = self.routing.deadline().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            let more = self.turn(|routing, cx, out| routing.wake(cx, out));
            said.messages.extend(more.messages);
            said.events.extend(more.events);
        }
        self.now = end;
        said
    }

    /// A turn, and all that follows of it here: what the overlay knows is told, and links are made.
    fn turn(&mut self, act: impl FnOnce(&mut Routing, &mut Cx<'_>, &mut Vec<Output>)) -> Said {
        let mut said = Said::default();
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
        act(&mut self.routing, &mut cx, &mut out);
        while !out.is_empty() {
            for output in std::mem::take(&mut out) {
                match output {
                    Output::Send { to, message, .. } => said.messages.push((number_of(&to), message)),
                    Output::Event(Event::Closest { quest, target }) => {
                        let count = if matches!(quest, Quest::LookUp(_)) { 16 } else { 9 };
                        let nearest = nearest_to(&self.known, target, count);
                        let records = nearest.into_iter().map(record).collect();
                        let told = Members { quest, records, members: self.members };
                        self.routing.tell_members(&mut cx, told, &mut out);
                    }
                    Output::Event(Event::Seek(record)) => {
                        self.routing.handle(&mut cx, Input::Connected(record.peer()), &mut out);
                    }
                    Output::Event(Event::Release(peer)) => {
                        self.routing.handle(&mut cx, Input::Disconnected(peer), &mut out);
                    }
                    Output::Event(event) => said.events.push(event),
                    other => panic!("{other:?}"),
                }
            }
        }
        said
    }
}

impl Said {
    /// Who broke the protocol, and how.
    pub(super) fn blamed(&self) -> BTreeSet<(u64, &'static str)> {
        let blame = |event: &Event| match event {
            Event::Misbehaved { peer, what } => Some((number_of(peer), *what)),
            _ => None,
        };
        self.events.iter().filter_map(blame).collect()
    }
}
