use std::net::SocketAddr;

use stratus_core::{Cx, Deadline, GroupId, Identity, Machine, PeerId, PublicKey, RingKey};
use stratus_multicast::{self as multicast, Multicast};
use stratus_overlay::{self as overlay, Overlay};

use crate::Message;

/// The settings of every layer.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Of the overlay.
    pub overlay: overlay::Config,
    /// Of the multicast.
    pub multicast: multicast::Config,
}

/// What a node is told at birth.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who we are.
    pub identity: Identity,
    /// The group.
    pub group: GroupId,
    /// Turns peer ids into places on the group's ring.
    pub ring: RingKey,
    /// Whose grant a stream needs; `None`: any member may publish.
    pub publish_authority: Option<PublicKey>,
}

/// What the owner may ask, by layer.
#[derive(Clone, Debug)]
pub enum Command {
    /// Of the overlay.
    Overlay(overlay::Command),
    /// Of the multicast.
    Multicast(multicast::Command),
}

/// What the owner hears, by layer. Events by which one layer tells the other do not come out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// From the overlay.
    Overlay(overlay::Event),
    /// From the multicast.
    Multicast(multicast::Event),
}

/// What a node hears.
pub type Input = stratus_core::Input<Message, Command>;
/// What a node asks for. `Connect` and `Disconnect` are the overlay's alone.
pub type Output = stratus_core::Output<Message, Event>;

/// One member of one group.
pub struct Node {
    overlay: Overlay,
    multicast: Multicast,
}

impl Node {
    /// A member that knows nobody. The settings must be valid.
    pub fn new(config: Config, setup: Setup) -> Self {
        let peer = setup.identity.peer();
        let home = setup.ring.address(&peer).prefix();
        let Setup { identity, group, ring, publish_authority } = setup;
        Self {
            overlay: Overlay::new(config.overlay, overlay::Setup { identity, group, ring }),
            multicast: Multicast::new(
                config.multicast,
                multicast::Setup { peer, group, publish_authority, home },
            ),
        }
    }

    /// The overlay, to be looked at.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// The multicast, to be looked at.
    pub fn multicast(&self) -> &Multicast {
        &self.multicast
    }

    /// Where `peer` may be dialled, best first.
    pub fn candidates(&self, peer: &PeerId) -> Vec<SocketAddr> {
        self.overlay.candidates(peer)
    }

    fn overlay_turn(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, input: overlay::Input) {
        let mut turn = Vec::new();
        self.overlay.handle(cx, input, &mut turn);
        self.take_overlay(cx, out, turn);
    }

    fn multicast_turn(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, input: multicast::Input) {
        let mut turn = Vec::new();
        self.multicast.handle(cx, input, &mut turn);
        self.take_multicast(cx, out, turn);
    }

    fn take_overlay(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, turn: Vec<overlay::Output>) {
        for output in turn {
            match output {
                overlay::Output::Connect(peer) => out.push(Output::Connect(peer)),
                overlay::Output::Disconnect(peer) => {
                    // From here on nothing may be sent to it, though the host has yet to say that it is gone.
                    self.multicast_turn(cx, out, multicast::Input::Disconnected(peer));
                    out.push(Output::Disconnect(peer));
                }
                overlay::Output::Send { to, message, how } => {
                    out.push(Output::Send { to, message: Message::Overlay(message), how });
                }
                overlay::Output::Event(event) => self.overlay_event(cx, out, event),
            }
        }
    }

    fn take_multicast(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, turn: Vec<multicast::Output>) {
        for output in turn {
            match output {
                // Multicast asks for links by `Want`; the overlay decides about connections.
                multicast::Output::Connect(_) | multicast::Output::Disconnect(_) => {
                    unreachable!("multicast neither connects nor disconnects")
                }
                multicast::Output::Send { to, message, how } => {
                    out.push(Output::Send { to, message: Message::Multicast(message), how });
                }
                multicast::Output::Event(event) => self.multicast_event(cx, out, event),
            }
        }
    }

    fn overlay_event(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, event: overlay::Event) {
        match event {
            overlay::Event::Rtt { peer, rtt } => {
                let command = multicast::Command::SetRtt { peer, rtt };
                self.multicast_turn(cx, out, multicast::Input::Command(command));
            }
            overlay::Event::OwnRecord(ref record) => {
                let command = multicast::Command::SetRecord(record.clone());
                self.multicast_turn(cx, out, multicast::Input::Command(command));
                out.push(Output::Event(Event::Overlay(event)));
            }
            overlay::Event::Misbehaved { peer, .. } => {
                out.push(Output::Event(Event::Overlay(event)));
                self.overlay_turn(cx, out, overlay::Input::Command(overlay::Command::Ban(peer)));
            }
            event => out.push(Output::Event(Event::Overlay(event))),
        }
    }

    fn multicast_event(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, event: multicast::Event) {
        let command = match event {
            multicast::Event::SubscriberHeard { record, .. } => overlay::Command::HearRecord(record),
            multicast::Event::Want(peer) => overlay::Command::Pin(peer),
            multicast::Event::Release(peer) => overlay::Command::Unpin(peer),
            multicast::Event::Misbehaved { peer, .. } => {
                out.push(Output::Event(Event::Multicast(event)));
                overlay::Command::Ban(peer)
            }
            event => {
                out.push(Output::Event(Event::Multicast(event)));
                return;
            }
        };
        self.overlay_turn(cx, out, overlay::Input::Command(command));
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => {
                self.overlay_turn(cx, out, overlay::Input::Connected(peer));
                self.multicast_turn(cx, out, multicast::Input::Connected(peer));
            }
            Input::Disconnected(peer) => {
                self.overlay_turn(cx, out, overlay::Input::Disconnected(peer));
                self.multicast_turn(cx, out, multicast::Input::Disconnected(peer));
            }
            Input::Received { from, message: Message::Overlay(message) } => {
                self.overlay_turn(cx, out, overlay::Input::Received { from, message });
            }
            Input::Received { from, message: Message::Multicast(message) } => {
                self.multicast_turn(cx, out, multicast::Input::Received { from, message });
            }
            Input::Command(Command::Overlay(command)) => {
                self.overlay_turn(cx, out, overlay::Input::Command(command));
            }
            Input::Command(Command::Multicast(command)) => {
                self.multicast_turn(cx, out, multicast::Input::Command(command));
            }
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let is_due = |deadline: Option<Deadline>| deadline.is_some_and(|deadline| deadline.at <= cx.now);
        let (overlay_is_due, multicast_is_due) =
            (is_due(self.overlay.deadline()), is_due(self.multicast.deadline()));
        if overlay_is_due {
            let mut turn = Vec::new();
            self.overlay.wake(cx, &mut turn);
            self.take_overlay(cx, out, turn);
        }
        if multicast_is_due {
            let mut turn = Vec::new();
            self.multicast.wake(cx, &mut turn);
            self.take_multicast(cx, out, turn);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.overlay.deadline().into_iter().chain(self.multicast.deadline()).min()
    }
}
