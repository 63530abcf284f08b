//! The six laws, run on a whole member.
//!
//! What peers say is drawn from what members really said to each other in a small group with a stream.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stratus_core::testing::laws::{Bounds, Subject, check};
use stratus_core::testing::{Fate, NetConfig, identity, peer};
use stratus_core::{GroupAddress, PeerId, Rng, Time};
use stratus_overlay::routing::{self, Way};
use stratus_overlay::{Draft, Record};

use super::tests::{GROUP, group, node, on_air, post, write};
use super::{Command, Message, Node, multicast, overlay, posting, replication};

/// Test peers that may have links.
const PEERS: u64 = 12;

/// Everything that was said in a few seconds of a group with a stream, except hellos.
fn conversation() -> Rc<Vec<Message>> {
    let said = Rc::new(RefCell::new(Vec::new()));
    let mut net = group(5, NetConfig { lost_per_mille: 50, ..NetConfig::default() });
    let heard = said.clone();
    net.tap(move |passing| {
        if !matches!(passing.message, Message::Overlay(overlay::Message::Hello(_))) {
            heard.borrow_mut().push(passing.message.clone());
        }
        Fate::Pass
    });
    on_air(&mut net, 2..=5);
    write(&mut net, 40);
    let near = routing::Command::SetReceiveMode(routing::ReceiveMode::Nearest);
    net.command(peer(3), Command::Routing(near));
    for place in 0..30 {
        net.command(peer(4), routed(Way::Nearest(GroupAddress::from_bytes([place * 8; 32]))));
        net.command(peer(2), routed(Way::AllNeighbors));
        let target = GroupAddress::from_bytes([place * 8; 32]);
        net.command(peer(3), Command::Routing(routing::Command::LookUp { id: 7, target }));
        let value = routing::Value::Content(vec![place; 50].into());
        let put = routing::Put { id: u64::from(place), value, lifetime: Duration::from_secs(60) };
        net.command(peer(4), Command::Routing(routing::Command::Put(Box::new(put))));
    }
    for number in 1..=5 {
        post(&mut net, number, "something");
        net.run_for(Duration::from_millis(200));
    }
    net.command(peer(5), Command::Overlay(overlay::Command::Leave));
    net.run_for(Duration::from_secs(2));
    let said = said.borrow().clone();
    assert!(said.len() > 500, "only {} messages", said.len());
    Rc::new(said)
}

struct Member {
    conversation: Rc<Vec<Message>>,
}

fn routed(way: Way) -> Command {
    let send = routing::Send { id: 3, way, payload: vec![7; 50].into(), passing: None };
    Command::Routing(routing::Command::Send(Box::new(send)))
}

fn somewhere(rng: &mut Rng) -> GroupAddress {
    GroupAddress::from_bytes(rng.seed())
}

fn someone(rng: &mut Rng) -> PeerId {
    peer(1 + rng.below(PEERS))
}

impl Subject for Member {
    type Machine = Node;

    fn machine(&mut self, _rng: &mut Rng) -> Node {
        node(0)
    }

    fn message(&mut self, _machine: &Node, from: PeerId, _now: Time, rng: &mut Rng) -> Message {
        let owner = (1..=PEERS).find(|number| peer(*number) == from);
        match owner.filter(|_| rng.chance(1, 10)) {
            Some(owner) => {
                let draft = Draft { sequence: rng.below(8), ..Draft::default() };
                let record = Record::sign(&identity(owner), &GROUP, draft);
                Message::Overlay(overlay::Message::Hello(Arc::new(record)))
            }
            None => rng.pick(&self.conversation).expect("something was said").clone(),
        }
    }

    fn command(&mut self, _machine: &Node, _now: Time, rng: &mut Rng) -> Option<Command> {
        let whom = someone(rng);
        let name = || "cam".to_owned();
        Some(match rng.below(13) {
            0 => Command::Overlay(overlay::Command::AddNeighbor(whom)),
            1 => Command::Overlay(overlay::Command::Pin(whom)),
            2 => Command::Overlay(overlay::Command::Unpin(whom)),
            3 if rng.chance(1, 4) => Command::Overlay(overlay::Command::Ban(whom)),
            4 | 5 => Command::Multicast(multicast::Command::Subscribe { name: name() }),
            6 => Command::Multicast(multicast::Command::Unsubscribe { name: name() }),
            8 if rng.chance(1, 2) => {
                Command::Routing(routing::Command::LookUp { id: 7, target: somewhere(rng) })
            }
            9 if rng.chance(1, 2) => {
                let value = routing::Value::Content(vec![rng.below(20) as u8; 50].into());
                if rng.chance(1, 2) {
                    Command::Routing(routing::Command::Get { id: 9, key: value.key() })
                } else {
                    let put = routing::Put { id: 8, value, lifetime: Duration::from_secs(60) };
                    Command::Routing(routing::Command::Put(Box::new(put)))
                }
            }
            8 => routed(Way::AllNeighbors),
            9 => routed(Way::Nearest(somewhere(rng))),
            7 => Command::Multicast(multicast::Command::SetUpload(Some(1 + rng.below(1_000_000)))),
            11 => Command::Replication(replication::Command::AddWant(0..50)),
            12 => Command::Replication(replication::Command::AddHave(30..70)),
            10 => {
                let body = vec![5; rng.below(300) as usize].into();
                posting::Command::Post(Box::new(posting::Draft { token: 3, body, authorization: None }))
                    .into()
            }
            _ => return None,
        })
    }

    fn collections(&self, machine: &Node) -> Vec<(&'static str, usize, usize)> {
        let mut sizes = machine.overlay().sizes();
        sizes.extend(machine.multicast().sizes());
        sizes.extend(machine.routing().expect("the group has it").sizes());
        sizes.extend(machine.posting().expect("the group has it").sizes());
        sizes.extend(machine.replication().expect("the group has it").sizes());
        let between = machine.from_overlay.len() + machine.from_multicast.len();
        sizes.push(("messages between layers", between + usize::from(!machine.is_settled()), 0));
        sizes
    }

    fn mentions(&self, machine: &Node, peer: &PeerId) -> bool {
        let routing = machine.routing().expect("the group has it");
        let posting = machine.posting().expect("the group has it");
        let below = machine.overlay().mentions(peer) || machine.multicast().mentions(peer);
        let replication = machine.replication().expect("the group has it");
        below || replication.mentions(peer) || routing.mentions(peer) || posting.mentions(peer)
    }

    fn connect_failed(&self, peer: PeerId) -> Option<Command> {
        Some(Command::Overlay(overlay::Command::ConnectFailed(peer)))
    }
}

#[test]
fn a_member_keeps_the_laws() {
    let conversation = conversation();
    let bounds = Bounds { seeds: 20, ..Bounds::new(512, 500) };
    check(&bounds, || Member { conversation: conversation.clone() });
}
