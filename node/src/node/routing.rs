use std::time::Duration;

use stratus_core::{Cx, Deadline, Machine, PeerId, Time, Wire};
use stratus_overlay::routing::{self, Quest, Routing};
use stratus_overlay::{self as overlay, Place};

use super::{Event, Node, Output};
use crate::message::Message;

/// Members that a look-up begins with: enough to go back to where many do not answer.
const BEGIN_WITH: usize = 16;

/// Directed routing, where the group has it.
pub(super) struct Seat {
    pub(super) machine: Routing,
    /// What it asked for and nobody has looked at yet; empty between turns.
    asked: Vec<routing::Output>,
}

impl Seat {
    pub(super) fn new(config: routing::Config, setup: routing::Setup) -> Box<Self> {
        Box::new(Self { machine: Routing::new(config, setup), asked: Vec::new() })
    }
}

impl Node {
    /// Directed routing, to be looked at; `None` where the group has none.
    pub fn routing(&self) -> Option<&Routing> {
        self.routing.as_ref().map(|seat| &seat.machine)
    }

    pub(super) fn tell_routing(&mut self, cx: &mut Cx<'_>, input: routing::Input) {
        if let Some(seat) = &mut self.routing {
            seat.machine.handle(cx, input, &mut seat.asked);
        }
    }

    /// How far away a neighbor is.
    pub(super) fn tell_routing_rtt(&mut self, peer: &PeerId, rtt: Duration) {
        if let Some(seat) = &mut self.routing {
            seat.machine.note_rtt(peer, rtt);
        }
    }

    /// This neighbor was asked to end its link.
    pub(super) fn avoid_in_routing(&mut self, now: Time, peer: &PeerId) {
        if let Some(seat) = &mut self.routing {
            seat.machine.avoid(now, peer);
        }
    }

    pub(super) fn routing_deadline(&self) -> Option<Deadline> {
        self.routing.as_ref().and_then(|seat| seat.machine.deadline())
    }

    pub(super) fn wake_routing(&mut self, cx: &mut Cx<'_>) {
        if let Some(seat) = &mut self.routing {
            seat.machine.wake(cx, &mut seat.asked);
        }
    }

    /// Whether it has asked for something that nobody has looked at.
    pub(super) fn has_routing_asked(&self) -> bool {
        self.routing.as_ref().is_some_and(|seat| !seat.asked.is_empty())
    }

    pub(super) fn settle_routing(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let Some(seat) = &mut self.routing else { return };
        for output in std::mem::take(&mut seat.asked) {
            match output {
                routing::Output::Send { to, message, how } => {
                    out.push(Output::Send { to, message: Message::Routing(message), how });
                }
                routing::Output::Event(event) => self.routing_event(cx, event, out),
                routing::Output::Connect(_) | routing::Output::Disconnect(_) => {
                    unreachable!("routing uses links, the overlay makes and ends them")
                }
            }
        }
    }

    /// Tells routing which members the overlay knows nearest to a place.
    fn tell_closest(&mut self, cx: &mut Cx<'_>, quest: Quest, target: Place) {
        let count = match quest {
            Quest::LookUp(_) => BEGIN_WITH,
            // One more: whoever asks may be among them.
            Quest::Answer { .. } => routing::MAX_FOUND + 1,
        };
        let records = self.overlay.closest(target, count, cx.now);
        let members = self.overlay.estimated_member_count();
        if let Some(seat) = &mut self.routing {
            seat.machine.tell_members(cx, routing::Members { quest, records, members }, &mut seat.asked);
        }
    }

    fn routing_event(&mut self, cx: &mut Cx<'_>, event: routing::Event, out: &mut Vec<Output>) {
        match event {
            routing::Event::Closest { quest, target } => return self.tell_closest(cx, quest, target),
            routing::Event::Seek(record) => {
                let peer = record.peer();
                self.tell_overlay(cx, command(overlay::Command::HearRecord(record.to_bytes())));
                return self.tell_overlay(cx, command(overlay::Command::Seek(peer)));
            }
            routing::Event::Release(peer) => {
                return self.tell_overlay(cx, command(overlay::Command::Release(peer)));
            }
            routing::Event::Misbehaved { peer, .. } => self.ban(cx, peer),
            _ => {}
        }
        out.push(Output::Event(Event::Routing(event)));
    }
}

fn command(command: overlay::Command) -> overlay::Input {
    overlay::Input::Command(command)
}
