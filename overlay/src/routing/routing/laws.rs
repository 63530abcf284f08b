//! The six laws, run on routing.

use std::sync::Arc;

use bytes::Bytes;
use stratus_core::testing::laws::{Bounds, Subject, check};
use stratus_core::testing::{identity, peer};
use stratus_core::{Cx, Deadline, GroupAddress, GroupId, Machine, PeerId, RingKey, Rng, Time, Verify};

use super::Routing;
use crate::overlay::tests::Remembering;
use crate::record::{Draft, Record};
use crate::routing::{
    Command, Config, Event, Input, Key, Members, Message, Offered, Output, Parcel, Put, ReceiveMode, Reply,
    Send, Setup, Value, Way,
};

const GROUP: GroupId = GroupId::from_bytes([7; 32]);
const RING: RingKey = RingKey::new([3; 32]);
/// Test peers 1 to 12 come and go; records name these as well.
const KNOWN: u64 = 40;

/// Routing with somebody who answers its questions about known members, as the node does.
struct Fed {
    routing: Routing,
    records: Vec<Arc<Record>>,
}

impl Fed {
    fn feed(&mut self, cx: &mut Cx<'_>, mut asked: Vec<Output>, out: &mut Vec<Output>) {
        while !asked.is_empty() {
            let mut more = Vec::new();
            for output in asked {
                let Output::Event(Event::Closest { quest, .. }) = output else {
                    out.push(output);
                    continue;
                };
                let count = cx.rng.below(17);
                let records = (0..count).filter_map(|_| cx.rng.pick(&self.records).cloned()).collect();
                let members = cx.rng.below(60);
                self.routing.tell_members(cx, Members { quest, records, members }, &mut more);
            }
            asked = more;
        }
    }
}

impl Machine for Fed {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        let mut asked = Vec::new();
        self.routing.handle(cx, input, &mut asked);
        self.feed(cx, asked, out);
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        while self.routing.deadline().is_some_and(|deadline| deadline.at <= cx.now) {
            let mut asked = Vec::new();
            self.routing.wake(cx, &mut asked);
            self.feed(cx, asked, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.routing.deadline()
    }
}

struct RoutingSubject {
    records: Vec<Arc<Record>>,
    values: Vec<Value>,
}

impl RoutingSubject {
    fn new() -> Self {
        let record = |number| {
            // Now and then of another group: a forgery here.
            let group = if number % 10 == 9 { GroupId::from_bytes([8; 32]) } else { GROUP };
            Arc::new(Record::sign(&identity(number), &group, Draft::default()))
        };
        let value = |number: u64| match number % 3 {
            0 => Value::Content(vec![number as u8; 30].into()),
            _ => Value::signed(&identity(number % 5), &GROUP, &b"x"[..], number % 4, vec![number as u8]),
        };
        Self { records: (1..=KNOWN).map(record).collect(), values: (0..20).map(value).collect() }
    }

    fn value(&self, rng: &mut Rng) -> Value {
        rng.pick(&self.values).expect("some").clone()
    }

    fn some_records(&self, rng: &mut Rng) -> Vec<Arc<Record>> {
        (0..rng.below(9)).filter_map(|_| rng.pick(&self.records).cloned()).collect()
    }

    /// An answer, fitting if `nonce` is that of a question.
    fn answer(&self, nonce: u32, rng: &mut Rng) -> Message {
        match rng.below(5) {
            0 | 1 => Message::Found { nonce, records: self.some_records(rng) },
            2 => {
                let value = rng.chance(1, 2).then(|| self.value(rng));
                Message::Fetched { nonce, value, records: self.some_records(rng) }
            }
            3 => {
                let all = [Reply::Kept, Reply::Older(3), Reply::NoRoom, Reply::TooFast, Reply::Invalid];
                Message::Reply { nonce, reply: *rng.pick(&all).expect("some") }
            }
            _ => Message::Wish { nonce, keys: vec![self.value(rng).key(), self.value(rng).key()] },
        }
    }

    fn question(&self, rng: &mut Rng) -> Message {
        let nonce = rng.below(50) as u32;
        match rng.below(4) {
            0 => Message::Find { nonce, target: rng.next_u64() },
            1 => Message::Fetch { nonce, key: self.value(rng).key() },
            2 => {
                let offered = Offered { key: self.value(rng).key(), sequence: rng.below(5) };
                Message::Offer { nonce, offered: vec![offered; rng.below(4) as usize] }
            }
            _ => Message::Keep { nonce, lifetime: rng.below(90) as u32, value: self.value(rng) },
        }
    }
}

fn somewhere(rng: &mut Rng) -> GroupAddress {
    // Now and then the very address of a member.
    if rng.chance(1, 3) { RING.address(&peer(rng.below(13))) } else { GroupAddress::from_bytes(rng.seed()) }
}

fn mode(rng: &mut Rng) -> ReceiveMode {
    if rng.chance(1, 4) { ReceiveMode::Exact } else { ReceiveMode::Nearest }
}

fn payload(rng: &mut Rng) -> Bytes {
    vec![7; rng.below(300) as usize].into()
}

impl Subject for RoutingSubject {
    type Machine = Fed;

    fn machine(&mut self, _rng: &mut Rng) -> Fed {
        let config =
            Config { neighbors: 10, look_ups: 5, values: 6, values_of_source: 3, ..Config::default() };
        let routing = Routing::new(config, Setup { peer: peer(0), group: GROUP, ring: RING });
        Fed { routing, records: self.records.clone() }
    }

    fn message(&mut self, machine: &Fed, from: PeerId, _now: Time, rng: &mut Rng) -> Message {
        let asked = machine.routing.questions.iter().find(|(_, question)| question.peer == from);
        match rng.below(8) {
            0 => Message::Mode(mode(rng)),
            1 | 2 => Message::Parcel(Parcel {
                hops: 1 + rng.below(32) as u8,
                origin: somewhere(rng),
                to: rng.chance(3, 4).then(|| somewhere(rng)),
                payload: payload(rng),
            }),
            3..6 => self.answer(asked.map_or(7, |(nonce, _)| *nonce), rng),
            _ => self.question(rng),
        }
    }

    fn command(&mut self, _machine: &Fed, _now: Time, rng: &mut Rng) -> Option<Command> {
        let id = rng.below(50);
        let way = match rng.below(12) {
            0 => return Some(Command::SetReceiveMode(mode(rng))),
            1 => Way::NextIncreasing,
            2 => Way::NextDecreasing,
            3 => Way::AllNeighbors,
            4 | 5 => return Some(Command::LookUp { id, target: somewhere(rng) }),
            6 => return Some(Command::Get { id, key: self.value(rng).key() }),
            7 | 8 => {
                let lifetime = std::time::Duration::from_secs(1 + rng.below(90));
                return Some(Command::Put(Box::new(Put { id, value: self.value(rng), lifetime })));
            }
            9 => return Some(Command::SendExactly { id, to: somewhere(rng), payload: payload(rng) }),
            _ => Way::Nearest(somewhere(rng)),
        };
        let passing = rng.chance(1, 2).then(|| (somewhere(rng), rng.below(34) as u8));
        Some(Command::Send(Box::new(Send { id, way, payload: payload(rng), passing })))
    }

    fn collections(&self, machine: &Fed) -> Vec<(&'static str, usize, usize)> {
        machine.routing.sizes()
    }

    fn mentions(&self, machine: &Fed, peer: &PeerId) -> bool {
        machine.routing.mentions(peer)
    }

    fn verify(&self) -> Box<dyn Verify> {
        Box::new(Remembering::default())
    }
}

#[test]
fn routing_keeps_the_laws() {
    // Ten neighbors; a look-up asks three at a time, and an offer is for each neighbor.
    check(&Bounds::new(96, 300), RoutingSubject::new);
}

#[test]
fn a_key_is_where_its_value_belongs() {
    // spec DH-1
    let key = Key::of_content(b"seven");
    let routing = Routing::new(Config::default(), Setup { peer: peer(0), group: GROUP, ring: RING });
    assert_eq!(routing.place_of_key(&key), RING.place_of_key(key.as_bytes()).prefix());
    assert_ne!(RING.place_of_key(key.as_bytes()), RING.address(&PeerId::from_bytes(*key.as_bytes())));
}
