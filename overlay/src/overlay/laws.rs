//! The six laws, run on the overlay.

use std::sync::Arc;
use std::time::Duration;

use stratus_core::testing::laws::{Bounds, Subject, check};
use stratus_core::testing::{identity, peer};
use stratus_core::{GroupId, PeerId, RingKey, Rng, Time, Verify, Wire as _};

use super::tests::Remembering;
use super::{Machine as _, Overlay};
use crate::api::{Command, Setup};
use crate::config::Config;
use crate::message::{Aged, Digest, Farewell, MAX_RECORDS, Message, Role};
use crate::places::place_of;
use crate::record::{Draft, Record};

const GROUP: GroupId = GroupId::from_bytes([7; 32]);
const RING: RingKey = RingKey::new([3; 32]);
/// Test peers 1 to 12 have links; records name these as well.
const KNOWN: u64 = 60;

/// A small overlay, so that every limit is reached.
fn config() -> Config {
    Config {
        heard: 24,
        remembered: 5,
        dials: 6,
        links: 10,
        incoming_links: 5,
        pins: 4,
        hints: 5,
        troubles: 9,
        ring_width: 4,
        age_limit: Duration::from_secs(40),
        renew_period: Duration::from_secs(15),
        ..Config::default()
    }
}

struct OverlaySubject {
    group: GroupId,
}

impl OverlaySubject {
    fn record(&self, rng: &mut Rng) -> Arc<Record> {
        let draft = Draft {
            sequence: rng.below(8),
            introducers: vec![rng.below(KNOWN), rng.below(KNOWN)],
            ..Draft::default()
        };
        // Now and then of another group: a forgery here.
        let group = if rng.chance(1, 20) { GroupId::from_bytes([8; 32]) } else { self.group };
        Arc::new(Record::sign(&identity(1 + rng.below(KNOWN)), &group, draft))
    }

    fn gossip(&self, rng: &mut Rng) -> Message {
        let count = rng.below(MAX_RECORDS as u64);
        let digest =
            |rng: &mut Rng| Digest { place: place_of(&RING, &someone(rng)), sequence: rng.below(8) as u32 };
        match rng.below(3) {
            0 => {
                let role = *rng.pick(&[Role::Start, Role::Answer, Role::Ask]).expect("three");
                let digests = (0..count).map(|_| digest(rng)).collect();
                let missing = (0..rng.below(5)).map(|_| digest(rng)).collect();
                let old = (0..rng.below(5)).map(|_| digest(rng)).collect();
                Message::Offer { role, members: rng.below(100), digests, old, missing }
            }
            1 => Message::Want((0..count).map(|_| digest(rng).place).collect()),
            _ => {
                let aged = |rng: &mut Rng| Aged { record: self.record(rng), age: rng.below(500) as u32 };
                Message::Records((0..rng.below(5)).map(|_| aged(rng)).collect())
            }
        }
    }
}

fn someone(rng: &mut Rng) -> PeerId {
    peer(1 + rng.below(KNOWN))
}

impl Subject for OverlaySubject {
    type Machine = Overlay;

    fn machine(&mut self, _rng: &mut Rng) -> Overlay {
        Overlay::new(config(), Setup { identity: identity(0), group: self.group, ring: RING })
    }

    fn message(&mut self, machine: &Overlay, from: PeerId, _now: Time, rng: &mut Rng) -> Message {
        let own = Draft { sequence: rng.below(8), ..Draft::default() };
        match rng.below(16) {
            0 => {
                let owner = (1..=KNOWN).find(|number| peer(*number) == from).expect("a test peer");
                Message::Hello(Arc::new(Record::sign(&identity(owner), &self.group, own)))
            }
            1 => Message::Ping { nonce: rng.below(100) as u32, is_repeated: rng.chance(1, 2) },
            2..5 => {
                // A fitting answer, if there was a question.
                let nonce = machine.links.get(&from).and_then(|link| Some(link.probe?.nonce));
                Message::Pong { nonce: nonce.unwrap_or(7), members: rng.below(100) }
            }
            5 => Message::AskLeave,
            6 => Message::Goodbye(if rng.chance(1, 2) { Farewell::Leaving } else { Farewell::Full }),
            7 => Message::Introduce { target: someone(rng), candidates: vec![] },
            8 => Message::Introduced {
                peer: someone(rng),
                record: rng.chance(1, 2).then(|| self.record(rng)),
                candidates: vec!["203.0.113.7:1935".parse().expect("an address")],
            },
            9 => Message::NotIntroduced(someone(rng)),
            10 => Message::Silent(place_of(&RING, &someone(rng))),
            11 => {
                // Our own record, of a time before we were restarted.
                let record = Arc::new(Record::sign(&identity(0), &self.group, own));
                Message::Records(vec![Aged { record, age: 3 }])
            }
            _ => self.gossip(rng),
        }
    }

    fn command(&mut self, _machine: &Overlay, _now: Time, rng: &mut Rng) -> Option<Command> {
        let whom = someone(rng);
        Some(match rng.below(40) {
            0..4 => Command::Bootstrap((0..rng.below(8)).map(|_| (*self.record(rng)).clone()).collect()),
            4..8 => Command::AddNeighbor(whom),
            8..12 => Command::AddMemberHint(whom),
            12..16 => Command::Pin(whom),
            16..20 => Command::Unpin(whom),
            20 if rng.chance(1, 2) => Command::Seek(whom),
            21 if rng.chance(1, 2) => Command::Release(whom),
            20..22 => Command::Ban(whom),
            22..26 => Command::HearRecord(self.record(rng).to_bytes()),
            26..30 => Command::Introduce(whom),
            30..34 => {
                Command::Observed { peer: whom, address: "203.0.113.9:50".parse().expect("an address") }
            }
            34..36 => Command::SetAddresses(vec!["192.168.1.3:5000".parse().expect("an address")]),
            36..38 => Command::SetServers(vec!["203.0.113.1:1935".parse().expect("an address")]),
            38 => Command::HearRecord(vec![3, 50].into()),
            _ if rng.chance(1, 8) => Command::Leave,
            _ => return None,
        })
    }

    fn collections(&self, machine: &Overlay) -> Vec<(&'static str, usize, usize)> {
        machine.sizes()
    }

    fn mentions(&self, machine: &Overlay, peer: &PeerId) -> bool {
        machine.mentions(peer)
    }

    fn connect_failed(&self, peer: PeerId) -> Option<Command> {
        Some(Command::ConnectFailed(peer))
    }

    fn verify(&self) -> Box<dyn Verify> {
        Box::new(Remembering::default())
    }
}

#[test]
fn the_overlay_keeps_the_laws() {
    // Ten links: at most a few messages and events for each.
    check(&Bounds::new(120, 400), || OverlaySubject { group: GROUP });
}

#[test]
fn who_has_left_does_nothing_more() {
    let mut machine = OverlaySubject { group: GROUP }.machine(&mut Rng::from_seed(1));
    let mut rng = Rng::from_seed(2);
    let verify = Remembering::default();
    let mut cx = stratus_core::Cx { now: Time::from_millis(3), rng: &mut rng, verify: &verify };
    let mut out = Vec::new();
    machine.handle(&mut cx, super::Input::Connected(peer(1)), &mut out);
    machine.handle(&mut cx, super::Input::Command(Command::Leave), &mut out);
    out.clear();
    machine.handle(&mut cx, super::Input::Command(Command::AddNeighbor(peer(2))), &mut out);
    let message = Message::AskLeave;
    machine.handle(&mut cx, super::Input::Received { from: peer(1), message }, &mut out);
    assert_eq!((out, machine.deadline()), (vec![], None));
}
