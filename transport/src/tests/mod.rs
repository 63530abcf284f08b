//! Whole endpoints on real loopback sockets.

mod bounds;
mod bulk;
mod floods;
mod flow;
mod limit;
mod membership;
mod pairing;
mod raw;
mod service;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use stratus_core::{Identity, PeerId, Priority};
use stratus_groupspec::{GroupKeys, GroupSpecifier};
use tokio::time::timeout;

use crate::{Config, DialError, Endpoint, GroupPort, Link, LinkEvent};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);
/// Long enough for anything that should not happen to have happened.
const QUIET: Duration = Duration::from_millis(300);

fn keys(group: u8) -> GroupKeys {
    GroupSpecifier::new("show").unwrap().make_unique([group; 32]).build().keys()
}

fn identity(seed: u8) -> Identity {
    Identity::from_seed([seed; 32])
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn config() -> Config {
    Config::listen_on(loopback())
}

/// A trace of what a port saw, one word per event.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Up(PeerId),
    Down(PeerId),
    Control(PeerId, Bytes),
    Datagram(PeerId, Bytes),
    Bulk(PeerId, Bytes),
    Flooded(PeerId),
    DialFailed(PeerId, DialError),
}

/// An endpoint in one group.
struct Member {
    endpoint: Endpoint,
    port: GroupPort,
    waiting: VecDeque<Seen>,
    links: Vec<Link>,
}

impl Member {
    fn new(seed: u8, group: u8) -> Self {
        Self::with(config(), seed, group)
    }

    fn with(config: Config, seed: u8, group: u8) -> Self {
        Self::on(Endpoint::bind(config, &identity(seed)).unwrap(), group)
    }

    fn on(endpoint: Endpoint, group: u8) -> Self {
        let port = endpoint.join(keys(group)).unwrap();
        Self { endpoint, port, waiting: VecDeque::new(), links: Vec::new() }
    }

    fn peer(&self) -> PeerId {
        self.endpoint.peer()
    }

    fn dial(&self, other: &Self) {
        self.port.dial(other.peer(), vec![other.endpoint.local_addr()]);
    }

    /// The next event, within `patience`.
    async fn within(&mut self, patience: Duration) -> Option<Seen> {
        if self.waiting.is_empty() {
            let mut events = Vec::new();
            timeout(patience, self.port.recv_many(&mut events, 64)).await.ok()?;
            for event in events {
                let seen = self.note(event);
                self.waiting.push_back(seen);
            }
        }
        self.waiting.pop_front()
    }

    fn note(&mut self, event: LinkEvent) -> Seen {
        match event {
            LinkEvent::Up { peer, link } => {
                self.links.push(link);
                Seen::Up(peer)
            }
            LinkEvent::Down { peer } => {
                self.links.retain(|link| link.peer() != peer);
                Seen::Down(peer)
            }
            LinkEvent::Control { peer, bytes } => Seen::Control(peer, bytes),
            LinkEvent::Datagram { peer, bytes } => Seen::Datagram(peer, bytes),
            LinkEvent::Bulk { peer, bytes } => Seen::Bulk(peer, bytes),
            LinkEvent::Flooded { peer } => Seen::Flooded(peer),
            LinkEvent::DialFailed { peer, reason } => Seen::DialFailed(peer, reason),
        }
    }

    async fn next(&mut self) -> Seen {
        self.within(PATIENCE).await.expect("an event in time")
    }

    /// Everything until nothing has happened for a while.
    async fn rest(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(event) = self.within(QUIET).await {
            seen.push(event);
        }
        seen
    }

    fn link(&self, peer: PeerId) -> &Link {
        self.links.iter().find(|link| link.peer() == peer).expect("a link that is up")
    }

    fn send(&self, to: PeerId, message: &[u8]) {
        let packet = self.port.packet_from(message);
        self.link(to).send_control(&packet).unwrap();
    }

    fn send_live(&self, to: PeerId, message: &[u8]) {
        let packet = self.port.packet_from(message);
        self.link(to).send_live(&packet, Instant::now() + Duration::from_secs(1), Priority::Push);
    }
}

/// Two members that are neighbors; the first dialled.
async fn pair(group: u8) -> (Member, Member) {
    let (mut a, mut b) = (Member::new(1, group), Member::new(2, group));
    a.dial(&b);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(b.next().await, Seen::Up(a.peer()));
    (a, b)
}
