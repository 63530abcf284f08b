use std::net::SocketAddr;

use stratus_core::{Cx, Deadline, GroupId, Identity, Machine, PeerId, PublicKey, RingKey};
use stratus_multicast::{self as multicast, Multicast};
use stratus_overlay::{self as overlay, Overlay, routing};
use stratus_posting as posting;
use stratus_replication as replication;

use crate::message::Message;
use crate::services::Services;

mod services;

use services::Posts;

/// How the layers behave.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Who is linked with whom.
    pub overlay: overlay::Config,
    /// Live streams.
    pub multicast: multicast::Config,
    /// Directed routing.
    pub routing: routing::Config,
    /// Posts.
    pub posting: posting::Config,
    /// Objects.
    pub replication: replication::Config,
}

impl Config {
    /// Says what cannot work.
    pub fn validate(&self) -> Result<(), String> {
        self.overlay.validate().map_err(|what| format!("overlay: {what}"))?;
        self.multicast.validate().map_err(|what| format!("multicast: {what}"))?;
        self.routing.validate().map_err(|what| format!("routing: {what}"))?;
        self.posting.validate().map_err(|what| format!("posting: {what}"))?;
        self.replication.validate().map_err(|what| format!("replication: {what}"))
    }
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
    /// Which services the group has.
    pub services: Services,
    /// Whose grant a post needs; `None`: any member may post.
    pub posting_authority: Option<PublicKey>,
}

/// What the owner may ask of one of the layers.
#[derive(Clone, Debug)]
pub enum Command {
    /// Of the overlay.
    Overlay(overlay::Command),
    /// Of the multicast layer.
    Multicast(multicast::Command),
    /// Of directed routing; nothing comes of it where the group has none.
    Routing(routing::Command),
    /// Of posting.
    Posting(posting::Command),
    /// Of object replication; nothing comes of it where the group has none.
    Replication(replication::Command),
}

/// What the owner hears of one of the layers, except what is only meant for the other one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Of the overlay; never `Rtt`.
    Overlay(overlay::Event),
    /// Of the multicast layer; never `SubscriberHeard`, `Want` or `Release`.
    Multicast(multicast::Event),
    /// Of directed routing; never `Closest`, `Seek` or `Release`.
    Routing(routing::Event),
    /// Of posting.
    Posting(posting::Event),
    /// Of object replication.
    Replication(replication::Event),
}

/// What a node hears.
pub type Input = stratus_core::Input<Message, Command>;
/// What a node asks for.
pub type Output = stratus_core::Output<Message, Event>;

/// One member of one group.
///
/// | from | to | what |
/// |---|---|---|
/// | overlay `NeighborConnect` | multicast, posting, replication, routing `Connected` | a link that the overlay accepted is up |
/// | overlay `Disconnect`, `NeighborDisconnect` | the same four `Disconnected` | it is about to go, is gone |
/// | overlay asks to leave | routing's `avoid` | a link that is about to go |
/// | overlay `Rtt` | multicast `SetRtt`, routing's `note_rtt` | how far away a neighbor is |
/// | overlay `OwnRecord` | multicast `SetRecord` | what to tell others of us as a subscriber |
/// | multicast `SubscriberHeard` | overlay `HearRecord` | a member worth knowing |
/// | multicast `Want`, `Release` | overlay `Pin`, `Unpin` | a link that a stream needs |
/// | routing `Closest` | routing's `tell_members` | which members the overlay knows |
/// | routing `Seek`, `Release` | overlay `HearRecord`, `Seek`, `Release` | a link that a look-up needs for a moment |
/// | `Misbehaved` of any | overlay `Ban` | who is to be dropped and kept out |
///
/// `Connect` and `Disconnect` come from the overlay alone.
pub struct Node {
    overlay: Overlay,
    multicast: Multicast,
    routing: Option<Box<routing_seat::Seat>>,
    posts: Option<Box<Posts>>,
    replication: Option<Box<replication_seat::Seat>>,
    /// What the layers asked for and nobody has looked at yet; empty between turns.
    from_overlay: Vec<overlay::Output>,
    from_multicast: Vec<multicast::Output>,
}

impl Node {
    /// A node that knows nobody. `config` must be valid.
    pub fn new(config: Config, setup: Setup) -> Self {
        let Setup { identity, group, ring, publish_authority, services, posting_authority: authority } =
            setup;
        let peer = identity.peer();
        let routing = services
            .routing
            .then(|| routing_seat::Seat::new(config.routing, routing::Setup { peer, group, ring }));
        let replication = services.replication.then(|| replication_seat::Seat::new(config.replication));
        let home = ring.address(&peer).prefix();
        let multicast = multicast::Setup { peer, group, publish_authority, home };
        let posts = services.posting.then(|| {
            Posts::new(config.posting, posting::Setup { identity: identity.clone(), group, authority })
        });
        Self {
            overlay: Overlay::new(config.overlay, overlay::Setup { identity, group, ring }),
            multicast: Multicast::new(config.multicast, multicast),
            routing,
            posts,
            replication,
            from_overlay: Vec::new(),
            from_multicast: Vec::new(),
        }
    }

    /// Where `peer` may be met, best first; empty if nothing is known.
    pub fn candidates(&self, peer: &PeerId) -> Vec<SocketAddr> {
        self.overlay.candidates(peer)
    }

    /// The overlay, to be looked at.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// The multicast layer, to be looked at.
    pub fn multicast(&self) -> &Multicast {
        &self.multicast
    }

    fn tell_overlay(&mut self, cx: &mut Cx<'_>, input: overlay::Input) {
        self.overlay.handle(cx, input, &mut self.from_overlay);
    }

    fn tell_multicast(&mut self, cx: &mut Cx<'_>, input: multicast::Input) {
        self.multicast.handle(cx, input, &mut self.from_multicast);
    }

    /// Carries what the layers asked for to where it belongs, until neither asks for more.
    ///
    /// Ends: what goes across never makes the other layer answer with something that goes back.
    fn settle(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        while !self.is_settled() {
            let mut asked = std::mem::take(&mut self.from_overlay);
            asked.drain(..).for_each(|output| self.route_overlay(cx, output, out));
            reuse(&mut self.from_overlay, asked);
            let mut asked = std::mem::take(&mut self.from_multicast);
            asked.drain(..).for_each(|output| self.route_multicast(cx, output, out));
            reuse(&mut self.from_multicast, asked);
            self.settle_routing(cx, out);
            self.settle_posting(cx, out);
            self.settle_replication(cx, out);
        }
    }

    fn is_settled(&self) -> bool {
        let is_settled = self.from_overlay.is_empty() && self.from_multicast.is_empty();
        let is_settled = is_settled && !self.has_replication_asked();
        is_settled && !self.has_routing_asked() && self.posts.as_ref().is_none_or(|posts| posts.is_settled())
    }

    /// A link is up, or gone, for the layers above the overlay.
    fn tell_above(&mut self, cx: &mut Cx<'_>, peer: PeerId, is_up: bool) {
        if is_up {
            self.tell_multicast(cx, multicast::Input::Connected(peer));
            self.tell_posting(cx, posting::Input::Connected(peer));
            self.tell_routing(cx, routing::Input::Connected(peer));
            self.tell_replication(cx, replication::Input::Connected(peer));
        } else {
            self.tell_multicast(cx, multicast::Input::Disconnected(peer));
            self.tell_posting(cx, posting::Input::Disconnected(peer));
            self.tell_routing(cx, routing::Input::Disconnected(peer));
            self.tell_replication(cx, replication::Input::Disconnected(peer));
        }
    }

    fn route_overlay(&mut self, cx: &mut Cx<'_>, output: overlay::Output, out: &mut Vec<Output>) {
        out.push(match output {
            overlay::Output::Connect(peer) => Output::Connect(peer),
            overlay::Output::Disconnect(peer) => {
                // From here on nothing is sent over it, though the host has yet to say that it is gone.
                self.tell_above(cx, peer, false);
                Output::Disconnect(peer)
            }
            overlay::Output::Send { to, message, how } => {
                if message == overlay::Message::AskLeave {
                    self.avoid_in_routing(cx.now, &to);
                }
                Output::Send { to, message: Message::Overlay(message), how }
            }
            overlay::Output::Event(event) => return self.overlay_event(cx, event, out),
        });
    }

    fn overlay_event(&mut self, cx: &mut Cx<'_>, event: overlay::Event, out: &mut Vec<Output>) {
        use multicast::{Command as Tell, Input};
        match &event {
            overlay::Event::Rtt { peer, rtt } => {
                self.tell_routing_rtt(peer, *rtt);
                return self.tell_multicast(cx, Input::Command(Tell::SetRtt { peer: *peer, rtt: *rtt }));
            }
            overlay::Event::NeighborConnect { peer, .. } => self.tell_above(cx, *peer, true),
            overlay::Event::NeighborDisconnect { peer, .. } => self.tell_above(cx, *peer, false),
            overlay::Event::OwnRecord(record) => {
                self.tell_multicast(cx, Input::Command(Tell::SetRecord(record.clone())));
            }
            overlay::Event::Misbehaved { peer, .. } => self.ban(cx, *peer),
            overlay::Event::LocalCoverage(_) | overlay::Event::Introduced { .. } => {}
        }
        out.push(Output::Event(Event::Overlay(event)));
    }

    fn route_multicast(&mut self, cx: &mut Cx<'_>, output: multicast::Output, out: &mut Vec<Output>) {
        match output {
            multicast::Output::Send { to, message, how } => {
                out.push(Output::Send { to, message: Message::Multicast(message), how });
            }
            multicast::Output::Event(event) => self.multicast_event(cx, event, out),
            multicast::Output::Connect(_) | multicast::Output::Disconnect(_) => {
                unreachable!("multicast wants and releases links, it does not make or end them")
            }
        }
    }

    fn multicast_event(&mut self, cx: &mut Cx<'_>, event: multicast::Event, out: &mut Vec<Output>) {
        use overlay::{Command as Tell, Input};
        let tell = match event {
            multicast::Event::SubscriberHeard { record, .. } => Tell::HearRecord(record),
            multicast::Event::Want(peer) => Tell::Pin(peer),
            multicast::Event::Release(peer) => Tell::Unpin(peer),
            event => {
                if let multicast::Event::Misbehaved { peer, .. } = &event {
                    self.ban(cx, *peer);
                }
                out.push(Output::Event(Event::Multicast(event)));
                return;
            }
        };
        self.tell_overlay(cx, Input::Command(tell));
    }

    fn ban(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        self.tell_overlay(cx, overlay::Input::Command(overlay::Command::Ban(peer)));
    }
}

/// Puts an emptied buffer back, so that turns allocate nothing; unless something came meanwhile.
fn reuse<T>(place: &mut Vec<T>, emptied: Vec<T>) {
    if place.is_empty() {
        *place = emptied;
    }
}

fn is_due(deadline: Option<Deadline>, cx: &Cx<'_>) -> bool {
    deadline.is_some_and(|deadline| deadline.at <= cx.now)
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            // The layers above hear of links from the overlay, which may refuse one.
            Input::Connected(peer) => self.tell_overlay(cx, overlay::Input::Connected(peer)),
            Input::Disconnected(peer) => self.tell_overlay(cx, overlay::Input::Disconnected(peer)),
            Input::Received { from, message: Message::Overlay(message) } => {
                self.tell_overlay(cx, overlay::Input::Received { from, message });
            }
            Input::Received { from, message: Message::Multicast(message) } => {
                self.tell_multicast(cx, multicast::Input::Received { from, message });
            }
            Input::Received { from, message: Message::Routing(message) } => {
                self.tell_routing(cx, routing::Input::Received { from, message });
            }
            Input::Received { from, message: Message::Replication(message) } => {
                self.tell_replication(cx, replication::Input::Received { from, message });
            }
            Input::Command(Command::Replication(command)) => {
                self.tell_replication(cx, replication::Input::Command(command));
            }
            Input::Command(Command::Routing(command)) => {
                self.tell_routing(cx, routing::Input::Command(command));
            }
            Input::Received { from, message: Message::Posting(message) } => {
                self.hear_posting(cx, from, message, out);
            }
            Input::Command(Command::Posting(command)) => self.command_posting(cx, command, out),
            Input::Command(Command::Overlay(command)) => {
                self.tell_overlay(cx, overlay::Input::Command(command));
            }
            Input::Command(Command::Multicast(command)) => {
                self.tell_multicast(cx, multicast::Input::Command(command));
            }
        }
        self.settle(cx, out);
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        // What one layer does may make the other due.
        while is_due(self.deadline(), cx) {
            if is_due(self.overlay.deadline(), cx) {
                self.overlay.wake(cx, &mut self.from_overlay);
            }
            if is_due(self.multicast.deadline(), cx) {
                self.multicast.wake(cx, &mut self.from_multicast);
            }
            if is_due(self.routing_deadline(), cx) {
                self.wake_routing(cx);
            }
            if is_due(self.replication_deadline(), cx) {
                self.wake_replication(cx);
            }
            if let Some(posts) = self.posts.as_mut().filter(|posts| is_due(posts.deadline(), cx)) {
                posts.wake(cx);
            }
            self.settle(cx, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let posting = self.posts.as_ref().and_then(|posts| posts.deadline());
        let layers = [self.overlay.deadline(), self.multicast.deadline(), self.routing_deadline(), posting];
        layers.into_iter().chain([self.replication_deadline()]).flatten().min()
    }
}

#[cfg(test)]
mod laws;
#[path = "node/replication.rs"]
mod replication_seat;
#[path = "node/routing.rs"]
mod routing_seat;
#[cfg(test)]
mod tests;
