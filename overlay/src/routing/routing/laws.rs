//! The six laws, run on routing.

use bytes::Bytes;
use stratus_core::testing::laws::{Bounds, Subject, check};
use stratus_core::testing::peer;
use stratus_core::{GroupAddress, GroupId, PeerId, RingKey, Rng, Time};

use super::Routing;
use crate::routing::{Command, Config, Message, Parcel, ReceiveMode, Send, Setup, Way};

struct RoutingSubject;

fn somewhere(rng: &mut Rng) -> GroupAddress {
    // Now and then the very address of a member.
    let ring = RingKey::new([3; 32]);
    if rng.chance(1, 3) { ring.address(&peer(rng.below(13))) } else { GroupAddress::from_bytes(rng.seed()) }
}

fn mode(rng: &mut Rng) -> ReceiveMode {
    if rng.chance(1, 4) { ReceiveMode::Exact } else { ReceiveMode::Nearest }
}

fn payload(rng: &mut Rng) -> Bytes {
    vec![7; rng.below(300) as usize].into()
}

impl Subject for RoutingSubject {
    type Machine = Routing;

    fn machine(&mut self, _rng: &mut Rng) -> Routing {
        let config = Config { neighbors: 10, ..Config::default() };
        let (group, ring) = (GroupId::from_bytes([7; 32]), RingKey::new([3; 32]));
        Routing::new(config, Setup { peer: peer(0), group, ring })
    }

    fn message(&mut self, _machine: &Routing, _from: PeerId, _now: Time, rng: &mut Rng) -> Message {
        match rng.below(4) {
            0 => Message::Mode(mode(rng)),
            _ => Message::Parcel(Parcel {
                hops: 1 + rng.below(32) as u8,
                origin: somewhere(rng),
                to: rng.chance(3, 4).then(|| somewhere(rng)),
                payload: payload(rng),
            }),
        }
    }

    fn command(&mut self, _machine: &Routing, _now: Time, rng: &mut Rng) -> Option<Command> {
        let way = match rng.below(6) {
            0 => return Some(Command::SetReceiveMode(mode(rng))),
            1 => Way::NextIncreasing,
            2 => Way::NextDecreasing,
            3 => Way::AllNeighbors,
            _ => Way::Nearest(somewhere(rng)),
        };
        let passing = rng.chance(1, 2).then(|| (somewhere(rng), rng.below(34) as u8));
        Some(Command::Send(Box::new(Send { id: rng.below(50), way, payload: payload(rng), passing })))
    }

    fn collections(&self, machine: &Routing) -> Vec<(&'static str, usize, usize)> {
        machine.sizes()
    }

    fn mentions(&self, machine: &Routing, peer: &PeerId) -> bool {
        machine.mentions(peer)
    }
}

#[test]
fn routing_keeps_the_laws() {
    check(&Bounds::new(64, 1), || RoutingSubject);
}
