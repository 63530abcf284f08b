use std::collections::{BTreeMap, BTreeSet};

use stratus_core::{Cx, Deadline, GroupId, Machine, PeerId, Time};

use super::connection::Connection;
use super::crowds::{Act, Crowds};
use super::listings::Listings;
use super::{ClientMessage, Config, Event, Input, Output, Refusal, Stats, Subject};
use crate::introducer::Introducer;

/// Who is registered where: the pure mind of a rendezvous server.
///
/// A connection's life:
///
/// ```text
/// open ──Register──► registered ──Refresh, Register, Introduce──► registered
///   │ 10 s without       │ Leave, or 150 s without Refresh
///   │ registration       ▼
///   └──► closed        open
/// ```
///
/// All of it is soft state: a registry that starts empty is as good as the one before as soon as its members
/// have come back. Source: spec RV-4 … RV-12.
#[derive(Debug)]
pub struct Registry {
    pub(super) config: Config,
    pub(super) connections: BTreeMap<u64, Connection>,
    /// The one connection of each peer.
    peers: BTreeMap<PeerId, u64>,
    /// Connections without registrations, the next to be closed first.
    idle: BTreeSet<(Time, u64)>,
    pub(super) listings: Listings,
    pub(super) introducer: Introducer,
    crowds: Crowds,
    is_stopping: bool,
    pub(super) stats: Stats,
}

impl Machine for Registry {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Opened { connection, peer, observed, exporter } => {
                self.open(cx.now, connection, Connection::new(peer, observed, exporter), out);
            }
            Input::Received { connection, message } => self.receive(cx, connection, message, out),
            Input::Garbled { connection } => self.reject(connection, Refusal::Malformed, out),
            Input::Closed { connection } => self.forget(connection, out),
            Input::Stop => self.stop(out),
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        while let Some((group, peer)) = self.listings.expired(cx.now) {
            self.stats.expired_count += 1;
            self.unregister(cx.now, group, peer, out);
        }
        while let Some((_, connection)) = self.idle.first().filter(|(at, _)| *at <= cx.now) {
            self.dismiss(*connection, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        let expiry = self.listings.next_expiry().map(|at| Deadline { at, timer: "expiry" });
        let idle = self.idle.first().map(|(at, _)| Deadline { at: *at, timer: "idle" });
        [expiry, idle].into_iter().flatten().min()
    }
}

impl Registry {
    /// An empty registry. `config` must be valid.
    pub fn new(config: Config) -> Self {
        assert_eq!(config.validate(), Ok(()), "the caller validates its configuration");
        Self {
            introducer: Introducer::new(config.introductions, config.connections),
            crowds: Crowds::new(
                [config.network_frames, config.network_registrations, config.network_introductions],
                config.connections,
            ),
            config,
            connections: BTreeMap::new(),
            peers: BTreeMap::new(),
            idle: BTreeSet::new(),
            listings: Listings::default(),
            is_stopping: false,
            stats: Stats::default(),
        }
    }

    /// What it holds and what it has done.
    pub fn stats(&self) -> Stats {
        Stats {
            connection_count: self.connections.len() as u64,
            group_count: self.listings.group_count() as u64,
            member_count: self.listings.member_count() as u64,
            ..self.stats
        }
    }

    /// The one connection of a peer is its newest: a restarted client cannot wait for its old one to die.
    /// Source: spec RV-4.
    fn open(&mut self, now: Time, id: u64, opened: Connection, out: &mut Vec<Output>) {
        assert!(!self.connections.contains_key(&id), "a connection's number is used once");
        if let Some(older) = self.peers.get(&opened.peer).copied() {
            self.reject(older, Refusal::Replaced, out);
        }
        if self.is_stopping || self.connections.len() >= self.config.connections {
            self.stats.count_refusal(Refusal::ServerFull);
            out.push(Output::refused(id, Subject::Connection, Refusal::ServerFull));
            out.push(Output::Close { connection: id });
            return;
        }
        self.peers.insert(opened.peer, id);
        self.connections.insert(id, opened);
        self.start_idling(now, id);
    }

    fn receive(&mut self, cx: &mut Cx<'_>, id: u64, message: ClientMessage, out: &mut Vec<Output>) {
        // Frames that were under way when their connection was dismissed still arrive.
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.frames.take(cx.now, self.config.frames) {
            self.strike(id, message.subject(), Refusal::TooFast, out);
            return;
        }
        if !self.admits_crowd(cx.now, id, &message) {
            self.stats.network_throttled_count += 1;
            let is_introduction = matches!(message, ClientMessage::Introduce { .. });
            self.stats.introduction_limited_count += u64::from(is_introduction);
            self.refuse(id, message.subject(), Refusal::TooFast, out);
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match message {
            ClientMessage::Register(registration) => self.register(cx, id, &registration, out),
            ClientMessage::Refresh { group } => self.refresh(cx.now, id, group, out),
            ClientMessage::Leave { group } => {
                let peer = connection.peer;
                self.unregister(cx.now, group, peer, out);
            }
            ClientMessage::Introduce { group, target, candidates } => {
                self.introduce(cx.now, id, (group, target), candidates, out);
            }
        }
    }

    /// Whether the client's network has asked little enough for this as well.
    fn admits_crowd(&mut self, now: Time, id: u64, message: &ClientMessage) -> bool {
        let observed = self.connections[&id].observed;
        let act = match message {
            ClientMessage::Register(_) => Some(Act::Register),
            ClientMessage::Introduce { .. } => Some(Act::Introduce),
            ClientMessage::Refresh { .. } | ClientMessage::Leave { .. } => None,
        };
        let mut takes = |act| self.crowds.take(now, observed, act);
        takes(Act::Frame) && act.is_none_or(takes)
    }

    /// Takes a member off its group; its connection idles if that was its last.
    fn unregister(&mut self, now: Time, group: GroupId, peer: PeerId, out: &mut Vec<Output>) {
        let Some(member) = self.listings.unlist(&group, &peer) else { return };
        out.push(Output::Event(Event::Unregistered { group, peer }));
        let connection = self.connections.get_mut(&member.connection).expect("a member has a connection");
        connection.groups.remove(&group);
        if connection.groups.is_empty() {
            self.start_idling(now, member.connection);
        }
    }

    /// Gives a connection without registrations its time.
    fn start_idling(&mut self, now: Time, id: u64) {
        let idle_at = now + self.config.idle_after;
        self.connections.get_mut(&id).expect("the caller has it").idle_at = Some(idle_at);
        self.idle.insert((idle_at, id));
    }

    pub(super) fn stop_idling(&mut self, id: u64) {
        let idle_at = self.connections.get_mut(&id).and_then(|connection| connection.idle_at.take());
        if let Some(idle_at) = idle_at {
            self.idle.remove(&(idle_at, id));
        }
    }

    pub(super) fn refuse(&mut self, id: u64, subject: Subject, refusal: Refusal, out: &mut Vec<Output>) {
        let peer = self.connections[&id].peer;
        self.stats.count_refusal(refusal);
        out.push(Output::refused(id, subject, refusal));
        out.push(Output::Event(Event::Refused { peer, refusal }));
    }

    /// Refuses, and closes on a client that has been refused like this too often. Source: spec RV-11.
    pub(super) fn strike(&mut self, id: u64, subject: Subject, refusal: Refusal, out: &mut Vec<Output>) {
        self.refuse(id, subject, refusal, out);
        let connection = self.connections.get_mut(&id).expect("just refused");
        connection.strikes += 1;
        if connection.strikes >= self.config.strikes {
            self.dismiss(id, out);
        }
    }

    /// Refuses and closes at once.
    fn reject(&mut self, id: u64, refusal: Refusal, out: &mut Vec<Output>) {
        if self.connections.contains_key(&id) {
            self.refuse(id, Subject::Connection, refusal, out);
            self.forget(id, out);
            out.push(Output::Close { connection: id });
        }
    }

    /// Says goodbye and closes.
    fn dismiss(&mut self, id: u64, out: &mut Vec<Output>) {
        out.push(Output::goodbye(id));
        self.forget(id, out);
        out.push(Output::Close { connection: id });
    }

    /// Forgets a connection and all that it registered.
    fn forget(&mut self, id: u64, out: &mut Vec<Output>) {
        self.stop_idling(id);
        let Some(connection) = self.connections.remove(&id) else { return };
        let peer = connection.peer;
        for group in connection.groups {
            self.listings.unlist(&group, &peer).expect("spec RV-4: a connection lists what it registered");
            out.push(Output::Event(Event::Unregistered { group, peer }));
        }
        self.peers.remove(&peer);
        self.introducer.forget(&peer);
    }

    fn stop(&mut self, out: &mut Vec<Output>) {
        self.is_stopping = true;
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.dismiss(id, out);
        }
    }
}

#[cfg(test)]
mod tests;
