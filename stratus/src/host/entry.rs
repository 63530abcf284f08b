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

use crate::event::Event;
use crate::rendezvous::{Ask, Member, Server, Told};
use crate::ways::{ServerState, Way};

/// Addresses that servers saw, kept for dialling members that servers named.
const MOST_NAMED: usize = 256;
/// Members for whom a server was asked to introduce us, remembered so as not to ask again at once.
const MOST_ASKED: usize = 256;
/// Pause before a server is asked for the same introduction again.
const ASK_AGAIN: Duration = Duration::from_secs(30);
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
    bootstrap: Vec<(BootstrapPeer, Option<DialError>)>,
    named: BTreeMap<PeerId, SocketAddr>,
    asked: BTreeMap<PeerId, Instant>,
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

impl Entry {
    pub(crate) fn new(
        keys: GroupKeys,
        peer: PeerId,
        local: Vec<SocketAddr>,
        servers: Vec<Server>,
        bootstrap: &[BootstrapPeer],
    ) -> Self {
        // One server says a few things in a row; more than this waits for the group's task.
        let (tell, told) = mpsc::channel(64);
        let known = |server| Known { server, state: ServerState::Seeking };
        let others = bootstrap.iter().filter(|named| named.peer != peer);
        Self {
            keys,
            peer,
            local,
            observed: Vec::new(),
            servers: servers.into_iter().map(known).collect(),
            tell,
            told,
            bootstrap: others.map(|named| (named.clone(), None)).collect(),
            named: BTreeMap::new(),
            asked: BTreeMap::new(),
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
        self.try_at
    }

    /// Whom to dial now because there is no neighbor.
    pub(super) fn wake(&mut self, rng: &mut Rng) -> Vec<(PeerId, Vec<SocketAddr>)> {
        if self.try_at.is_none_or(|at| at > Instant::now()) {
            return Vec::new();
        }
        if self.tries > 0 {
            self.ask_all(|group| Ask::Again { group });
        }
        let pause = rng.jitter((QUICKEST * 2_u32.saturating_pow(self.tries)).min(SLOWEST));
        self.try_at = Some(Instant::now() + pause);
        self.tries = (self.tries + 1).min(16);
        self.bootstrap.iter().map(|(named, _)| (named.peer, named.addresses.clone())).collect()
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

    /// Keeps how a dial went; asks a server to introduce us to a member that did not answer.
    pub(super) fn dial_failed(&mut self, peer: PeerId, reason: DialError) {
        if let Some((_, outcome)) = self.bootstrap.iter_mut().find(|(named, _)| named.peer == peer) {
            *outcome = Some(reason);
        }
        let is_absent = matches!(reason, DialError::TimedOut | DialError::NoAddress | DialError::WrongPeer);
        let now = Instant::now();
        self.asked.retain(|_, at| *at + ASK_AGAIN > now);
        if !is_absent || self.asked.contains_key(&peer) || self.asked.len() >= MOST_ASKED {
            return;
        }
        self.asked.insert(peer, now);
        let candidates = self.addresses();
        self.ask_all(|group| Ask::Introduce { group, target: peer, candidates: candidates.clone() });
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
        for (named, _) in self.bootstrap.iter().filter(|(named, _)| named.peer == *peer) {
            known.extend(&named.addresses);
        }
        known
    }

    /// Each way in, and how it went.
    pub(super) fn ways(&self) -> Vec<Way> {
        let server = |known: &Known| Way {
            what: format!("server {}", known.server.name()),
            outcome: known.state.to_string(),
        };
        let member = |(named, outcome): &(BootstrapPeer, Option<DialError>)| Way {
            what: format!("member {}", &named.peer.to_string()[..8]),
            outcome: outcome.map_or_else(|| "no answer yet".to_owned(), |error| error.to_string()),
        };
        self.servers.iter().map(server).chain(self.bootstrap.iter().map(member)).collect()
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
