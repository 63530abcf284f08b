use stratus_core::{Cx, Deadline, Machine};
use stratus_replication::{self as replication, Replication};

use super::{Event, Node, Output};
use crate::message::Message;

/// Object replication, where the group has it.
pub(super) struct Seat {
    pub(super) machine: Replication,
    /// What it asked for and nobody has looked at yet; empty between turns.
    asked: Vec<replication::Output>,
}

impl Seat {
    pub(super) fn new(config: replication::Config) -> Box<Self> {
        Box::new(Self { machine: Replication::new(config), asked: Vec::new() })
    }
}

impl Node {
    /// Object replication, to be looked at; `None` where the group has none.
    pub fn replication(&self) -> Option<&Replication> {
        self.replication.as_ref().map(|seat| &seat.machine)
    }

    pub(super) fn tell_replication(&mut self, cx: &mut Cx<'_>, input: replication::Input) {
        if let Some(seat) = &mut self.replication {
            seat.machine.handle(cx, input, &mut seat.asked);
        }
    }

    pub(super) fn replication_deadline(&self) -> Option<Deadline> {
        self.replication.as_ref().and_then(|seat| seat.machine.deadline())
    }

    pub(super) fn wake_replication(&mut self, cx: &mut Cx<'_>) {
        if let Some(seat) = &mut self.replication {
            seat.machine.wake(cx, &mut seat.asked);
        }
    }

    /// Whether it has asked for something that nobody has looked at.
    pub(super) fn has_replication_asked(&self) -> bool {
        self.replication.as_ref().is_some_and(|seat| !seat.asked.is_empty())
    }

    pub(super) fn settle_replication(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let Some(seat) = &mut self.replication else { return };
        for output in std::mem::take(&mut seat.asked) {
            match output {
                replication::Output::Send { to, message, how } => {
                    out.push(Output::Send { to, message: Message::Replication(message), how });
                }
                replication::Output::Event(event) => self.replication_event(cx, event, out),
                replication::Output::Connect(_) | replication::Output::Disconnect(_) => {
                    unreachable!("replication uses links, the overlay makes and ends them")
                }
            }
        }
    }

    fn replication_event(&mut self, cx: &mut Cx<'_>, event: replication::Event, out: &mut Vec<Output>) {
        if let replication::Event::Misbehaved { peer, .. } = &event {
            self.ban(cx, *peer);
        }
        out.push(Output::Event(Event::Replication(event)));
    }
}
