use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupAddress, GroupId, PeerId, Rng, Wire};
use stratus_groupspec::{BootstrapPeer, GroupKeys};
use stratus_overlay::Record;
use stratus_overlay::rendezvous::Named;
use stratus_transport::DialError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::seeking::Seeking;
use crate::event::Event;
use crate::rendezvous::{Ask, Member, Server, Told};
use crate::ways::{ServerState, Way};

/// Addresses that servers saw, kept for dialling members that servers named.
const MOST_NAMED: usize = 256;
/// Members of the last run that are dialled at a time, the next as many with the next try.
const OLD_FRIENDS: usize = 4;
/// Most pauses between tries of the members that the groupspec names.
const SLOWEST: Duration = Duration::from_secs(15);
/// First pause between such tries, and between losing all neighbors and asking the servers for more.
const QUICKEST: Duration = Duration::from_millis(500);
/// Addresses of ours that servers saw.
const MOST_OBSERVED: usize = 4;

/// The ways into a group: members that the groupspec names, and rendezvous servers.
pub(crate) struct Entry {
    keys: GroupKeys,
    peer: PeerId,
    local: Vec<SocketAddr>,
    observed: Vec<SocketAddr>,
    servers: Vec<Known>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    bootstrap: Vec<Door>,
    /// Members of the last run, and how many of them were tried.
    friends: Vec<Door>,
    friends_tried: usize,
    named: BTreeMap<PeerId, SocketAddr>,
    seeking: Seeking,
    /// When to try the ways in again; `None` while there are neighbors.
    try_at: Option<Instant>,
    tries: u32,
    has_begun: bool,
}

/// A server and how we stand with it.
struct Known {
    server: Server,
    state: ServerState,
}

/// A member through which the group can be entered, and how that went.
struct Door {
    member: BootstrapPeer,
    outcome: Option<DialError>,
}

/// Where a search for a group begins.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) servers: Vec<Server>,
    /// Members that the groupspec or the application names.
    pub(crate) bootstrap: Vec<BootstrapPeer>,
    /// Members of the last run, best first.
    pub(crate) friends: Vec<BootstrapPeer>,
}

impl Entry {
    pub(crate) fn new(keys: GroupKeys, peer: PeerId, local: Vec<SocketAddr>, start: Start) -> Self {
        // One server says a few things in a row; more than this waits for the group's task.
        let (tell, told) = mpsc::channel(64);
        let known = |server| Known { server, state: ServerState::Seeking };
        let Start { servers, bootstrap, friends } = start;
        let doors = |members: Vec<BootstrapPeer>| {
            let others = members.into_iter().filter(|member| member.peer != peer);
            others.map(|member| Door { member, outcome: None }).collect()
        };
        Self {
            keys,
            peer,
            local,
            observed: Vec::new(),
            servers: servers.into_iter().map(known).collect(),
            tell,
            told,
            bootstrap: doors(bootstrap),
            friends: doors(friends),
            friends_tried: 0,
            named: BTreeMap::new(),
            seeking: Seeking::default(),
            try_at: Some(Instant::now()),
            tries: 0,
            has_begun: false,
        }
    }

    pub(super) fn group(&self) -> GroupId {
        self.keys.group_id
    }

    /// Registers at every server.
    pub(super) fn begin(&mut self, record: Bytes, address: GroupAddress) {
        self.has_begun = true;
        for known in &self.servers {
            known.server.ask(Ask::Enter(Box::new(Member {
                group: self.keys.group_id,
                rendezvous: self.keys.rendezvous.clone(),
                peer: self.peer,
                address,
                record: record.clone(),
                told: self.tell.clone(),
            })));
        }
    }

    /// What a server says next. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.try_at.into_iter().chain(self.seeking.due()).min()
    }

    /// Asks for introductions that are due, and says whom to dial now because there is no neighbor.
    pub(super) fn wake(&mut self, rng: &mut Rng) -> Vec<(PeerId, Vec<SocketAddr>)> {
        let now = Instant::now();
        for peer in self.seeking.take_due(now) {
            self.ask_introduction(peer);
        }
        if self.try_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        if self.tries > 0 {
            self.ask_all(|group| Ask::Again { group });
        }
        let pause = rng.jitter((QUICKEST * 2_u32.saturating_pow(self.tries)).min(SLOWEST));
        self.try_at = Some(now + pause);
        self.tries = (self.tries + 1).min(16);
        let named = self.bootstrap.iter().map(|door| &door.member);
        // Some friends are called whatever the servers will say: no server can surround us with its own. Spec RV-15.
        let friends =
            self.friends.iter().cycle().skip(self.friends_tried).take(OLD_FRIENDS.min(self.friends.len()));
        let chosen = named.chain(friends.map(|door| &door.member));
        let dialled = chosen.map(|member| (member.peer, member.addresses.clone())).collect();
        self.friends_tried = (self.friends_tried + OLD_FRIENDS) % self.friends.len().max(1);
        dialled
    }

    /// With neighbors the ways in are left alone; without any they are tried again.
    pub(super) fn note_neighbors(&mut self, count: usize, rng: &mut Rng) {
        if count > 0 {
            self.try_at = None;
            self.tries = 0;
        } else if self.try_at.is_none() {
            self.tries = 1;
            self.try_at = Some(Instant::now() + rng.jitter(QUICKEST));
        }
    }

    /// A member is dialled that is registered at a server of ours, or may be: asks for an introduction unless the
    /// link is up soon.
    pub(super) fn dialling(&mut self, peer: PeerId, its_servers: &[SocketAddr]) {
        let shares_server = || self.registered().iter().any(|at| its_servers.contains(at));
        if self.named.contains_key(&peer) || shares_server() {
            self.seeking.dialling(peer, Instant::now());
        }
    }

    /// A member is linked.
    pub(super) fn linked(&mut self, peer: &PeerId) {
        self.seeking.done(peer);
    }

    /// Keeps how a dial went; asks the servers to introduce us to a member that did not answer.
    pub(super) fn dial_failed(&mut self, peer: PeerId, reason: DialError) {
        for door in self.bootstrap.iter_mut().chain(&mut self.friends) {
            if door.member.peer == peer {
                door.outcome = Some(reason);
            }
        }
        let is_absent = matches!(reason, DialError::TimedOut | DialError::NoAddress | DialError::WrongPeer);
        if !is_absent {
            self.seeking.done(&peer);
        } else if self.seeking.ask(peer, Instant::now()) {
            self.ask_introduction(peer);
        }
    }

    fn ask_introduction(&self, target: PeerId) {
        let candidates = self.addresses();
        self.ask_all(|group| Ask::Introduce { group, target, candidates: candidates.clone() });
    }

    /// The record that members see was issued anew.
    pub(super) fn own_record(&self, record: Bytes) {
        if self.has_begun {
            self.ask_all(|group| Ask::Record { group, record: record.clone() });
        }
    }

    /// Keeps how we stand with a server; says so if it is news to the application.
    pub(super) fn note_state(&mut self, name: &str, state: ServerState) -> Option<Event> {
        let known = self.servers.iter_mut().find(|known| known.server.name() == name)?;
        let before = std::mem::replace(&mut known.state, state.clone());
        let (was, server) = (matches!(before, ServerState::Registered { .. }), name.to_owned());
        match state {
            ServerState::Registered { named, .. } if !was => Some(Event::ServerConnect { server, named }),
            ServerState::Lost | ServerState::Unreachable(_) | ServerState::Refused(_) if was => {
                Some(Event::ServerDisconnect { server, why: state.to_string() })
            }
            ServerState::Refused(_) if before != state => {
                Some(Event::ServerDisconnect { server, why: state.to_string() })
            }
            _ => None,
        }
    }

    /// Servers at which we are registered.
    pub(super) fn registered(&self) -> Vec<SocketAddr> {
        let at = |known: &Known| match known.state {
            ServerState::Registered { at, .. } => Some(at),
            _ => None,
        };
        self.servers.iter().filter_map(at).collect()
    }

    /// Reads the records of members that a server named; what cannot be read is left out.
    pub(super) fn welcome(&mut self, name: &str, members: Vec<Named>) -> Vec<Record> {
        let mut records = Vec::with_capacity(members.len());
        for Named { observed, record } in members {
            let Ok(record) = Record::from_bytes(record) else {
                tracing::debug!(server = name, "named a member whose record cannot be read");
                continue;
            };
            if self.named.len() < MOST_NAMED || self.named.contains_key(&record.peer()) {
                self.named.insert(record.peer(), observed);
            }
            records.push(record);
        }
        records
    }

    /// True if the address at which a server sees us is news.
    pub(super) fn note_observed(&mut self, observed: SocketAddr) -> bool {
        let is_news = !self.observed.contains(&observed) && !self.local.contains(&observed);
        if is_news {
            self.observed.truncate(MOST_OBSERVED - 1);
            self.observed.insert(0, observed);
        }
        is_news
    }

    /// Where we may be met: first what lies on our own network.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        [&self.local[..], &self.observed[..]].concat()
    }

    /// Where a member may be met, with what its server and the groupspec know.
    pub(super) fn candidates(&self, peer: &PeerId, mut known: Vec<SocketAddr>) -> Vec<SocketAddr> {
        known.extend(self.named.get(peer));
        for door in self.bootstrap.iter().chain(&self.friends).filter(|door| door.member.peer == *peer) {
            known.extend(&door.member.addresses);
        }
        known
    }

    /// Each way in, and how it went.
    pub(super) fn ways(&self) -> Vec<Way> {
        let server = |known: &Known| Way {
            what: format!("server {}", known.server.name()),
            outcome: known.state.to_string(),
        };
        let member = |door: &Door| Way {
            what: format!("member {}", &door.member.peer.to_string()[..8]),
            outcome: door.outcome.map_or_else(|| "no answer yet".to_owned(), |error| error.to_string()),
        };
        let doors = self.servers.iter().map(server).chain(self.bootstrap.iter().map(member));
        doors.chain(self.friendship()).collect()
    }

    /// The members of the last run, in one line.
    fn friendship(&self) -> Option<Way> {
        let count = self.friends.len();
        let failed = self.friends.iter().filter(|door| door.outcome.is_some()).count();
        let what = format!("members of the last run: {count}");
        (count > 0).then(|| Way { what, outcome: format!("{failed} did not answer") })
    }

    pub(super) fn leave(&self) {
        self.ask_all(|group| Ask::Leave { group });
    }

    fn ask_all(&self, ask: impl Fn(GroupId) -> Ask) {
        for known in &self.servers {
            known.server.ask(ask(self.keys.group_id));
        }
    }
}
