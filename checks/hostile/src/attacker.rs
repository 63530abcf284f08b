//! One hostile member: its links, what it learned, and what it makes of them.

mod arsenal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use stratus_core::{BitSet, Identity, PeerId, Priority, Wire};
use stratus_groupspec::Groupspec;
use stratus_multicast::{self as multicast, Announcement, Manifest, PushAnswer, PushStop, Want};
use stratus_node::Message;
use stratus_overlay::{self as overlay, Draft, Record};
use stratus_transport::{Config, Endpoint, GroupPort, Link, LinkEvent};
use tokio::time::timeout;

use crate::behavior::Behavior;
use crate::craft;

/// Most messages kept to be played back.
const MOST_RECORDED: usize = 50_000;
/// A link that was attacked for less than this when all ended came late: on a busy machine a dial takes long.
const LATE: Duration = Duration::from_secs(2);
/// Between two rounds of attack.
const TICK: Duration = Duration::from_millis(2);

/// How long an attacker was borne, and what it brought in.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often it got a link.
    pub links: u64,
    /// From the first hostile byte of each link to its end, or to the end of the attack.
    pub borne: Vec<Duration>,
    /// Links that were still up at the end and not made just before it.
    pub still_up: usize,
    /// The longest that it kept the place of a parent in one slice, from the first run that was its to push.
    pub longest_role: Duration,
    /// Places as a parent that it was given.
    pub roles: u64,
    /// Messages and bytes that it sent as an attack.
    pub sent: (u64, u64),
}

/// A neighbor, from the attacker's side.
struct Victim {
    link: Link,
    attacked_since: Option<Instant>,
    credit: f64,
}

/// A member with a valid groupspec, and no honest machine inside.
pub struct Attacker {
    identity: Identity,
    spec: Groupspec,
    behavior: Behavior,
    endpoint: Endpoint,
    port: GroupPort,
    victims: BTreeMap<PeerId, Victim>,
    announcement: Option<Arc<Announcement>>,
    manifest: Option<Arc<Manifest>>,
    recorded: Vec<(bool, Bytes)>,
    /// Children by slice: the first run that we should push, and since when that run exists.
    roles: BTreeMap<(PeerId, u32), (u64, Option<Instant>)>,
    /// The gossip made last, and its number.
    gossiped: Option<(u64, Bytes)>,
    sequence: u64,
    /// Ticks so far.
    rounds: u64,
    /// Hostile messages made so far.
    turn: u64,
    report: Report,
}

impl Attacker {
    /// Opens a socket on loopback. `seed` decides who it is.
    pub fn new(spec: &Groupspec, behavior: Behavior, seed: u8) -> Self {
        let identity = Identity::from_seed([seed; 32]);
        let config = Config::listen_on(([127, 0, 0, 1], 0).into());
        let endpoint = Endpoint::bind(config, &identity).expect("a socket");
        let port = endpoint.join(spec.keys()).expect("the first group");
        Self {
            identity,
            spec: spec.clone(),
            behavior,
            endpoint,
            port,
            victims: BTreeMap::new(),
            announcement: None,
            manifest: None,
            recorded: Vec::new(),
            roles: BTreeMap::new(),
            gossiped: None,
            sequence: 0,
            rounds: 0,
            turn: 0,
            report: Report::default(),
        }
    }

    /// Who it is.
    pub fn peer(&self) -> PeerId {
        self.identity.peer()
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.endpoint.local_addr()
    }

    /// Is a neighbor like any other of `targets` for `quiet`, then attacks them for `noisy`, and comes back as
    /// often as it is thrown out.
    pub async fn run(
        mut self,
        targets: Vec<(PeerId, std::net::SocketAddr)>,
        quiet: Duration,
        noisy: Duration,
    ) -> Report {
        assert!(targets.iter().all(|(_, address)| address.ip().is_loopback()), "loopback only");
        let begin = Instant::now();
        let (attack_at, end) = (begin + quiet, begin + quiet + noisy);
        let mut dialled_at = begin - Duration::from_secs(60);
        let mut ticked_at = begin;
        let mut events = Vec::new();
        while Instant::now() < end {
            if dialled_at.elapsed() > self.behavior.redials_every() {
                dialled_at = Instant::now();
                for (peer, address) in targets.iter().filter(|(peer, _)| !self.victims.contains_key(peer)) {
                    self.port.dial(*peer, vec![*address]);
                }
            }
            if timeout(TICK, self.port.recv_many(&mut events, 256)).await == Ok(0) {
                break;
            }
            events.drain(..).for_each(|event| self.arrival(event));
            let passed = ticked_at.elapsed();
            if passed >= TICK {
                ticked_at = Instant::now();
                self.pretend();
                if ticked_at >= attack_at {
                    self.attack(passed);
                }
            }
        }
        self.finish()
    }

    fn finish(mut self) -> Report {
        let attacked = self.victims.values().filter_map(|victim| victim.attacked_since);
        let borne: Vec<Duration> = attacked.map(|since| since.elapsed()).collect();
        self.report.still_up = borne.iter().filter(|borne| **borne > LATE).count();
        self.report.borne.extend(borne);
        let roles: Vec<_> = self.roles.keys().copied().collect();
        roles.into_iter().for_each(|role| self.lose_role(role));
        self.report
    }

    fn lose_role(&mut self, role: (PeerId, u32)) {
        if let Some((_, Some(since))) = self.roles.remove(&role) {
            self.report.longest_role = self.report.longest_role.max(since.elapsed());
        }
    }

    fn arrival(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up { peer, link } => self.meet(peer, link),
            LinkEvent::Down { peer } => {
                if let Some(victim) = self.victims.remove(&peer) {
                    self.report.borne.extend(victim.attacked_since.map(|since| since.elapsed()));
                }
                let lost: Vec<_> = self.roles.keys().filter(|(of, _)| *of == peer).copied().collect();
                lost.into_iter().for_each(|role| self.lose_role(role));
            }
            LinkEvent::Control { peer, bytes } => self.hear(peer, true, bytes),
            // It asks for no objects.
            LinkEvent::Bulk { .. } => {}
            LinkEvent::Datagram { peer, bytes } => self.hear(peer, false, bytes),
            LinkEvent::DialFailed { .. } | LinkEvent::Flooded { .. } => {}
        }
    }

    /// Greets as an honest member would.
    fn meet(&mut self, peer: PeerId, link: Link) {
        self.report.links += 1;
        self.victims.insert(peer, Victim { link, attacked_since: None, credit: 0.0 });
        self.sequence += 1;
        let draft = Draft { sequence: self.sequence, addresses: vec![self.address()], ..Draft::default() };
        let record = Record::sign(&self.identity, &self.spec.group_id(), draft);
        let hello = Message::Overlay(overlay::Message::Hello(Arc::new(record)));
        self.send(peer, true, &hello.to_bytes());
        self.take_part(peer);
    }

    /// Says that it subscribes, and where it is a taker that it would like everything pushed.
    fn take_part(&mut self, peer: PeerId) {
        let Some(announcement) = &self.announcement else { return };
        let stream = announcement.stream.alias();
        let interest = multicast::Message::Interest {
            stream,
            is_on: true,
            asks_for_others: false,
            record: Bytes::new(),
        };
        self.send(peer, true, &craft::multicast(&interest));
    }

    fn hear(&mut self, from: PeerId, is_control: bool, bytes: Bytes) {
        if self.recorded.len() < MOST_RECORDED {
            self.recorded.push((is_control, bytes.clone()));
        }
        let Ok(message) = Message::from_bytes(bytes) else { return };
        match message {
            Message::Overlay(overlay::Message::Ping { nonce, .. }) => {
                let pong = Message::Overlay(overlay::Message::Pong { nonce, members: 0 });
                self.send(from, false, &pong.to_bytes());
            }
            Message::Multicast(multicast::Message::Announce { announcement, .. })
                if self.announcement.is_none() =>
            {
                self.announcement = Some(announcement);
                let peers: Vec<PeerId> = self.victims.keys().copied().collect();
                peers.into_iter().for_each(|peer| self.take_part(peer));
            }
            Message::Multicast(multicast::Message::Manifest { manifest, .. })
                if self.manifest.as_ref().is_none_or(|known| known.run < manifest.run) =>
            {
                self.manifest = Some(manifest);
            }
            Message::Multicast(multicast::Message::PushRequest(request)) if self.behavior.claims_all() => {
                let slices = request.slices;
                for slice in slices.iter() {
                    self.report.roles += 1;
                    self.roles.insert((from, slice), (request.from_run, None));
                }
                let answer = PushAnswer {
                    stream: request.stream,
                    accepted: slices,
                    hops: vec![1; slices.len() as usize],
                    refused: BitSet::EMPTY,
                    from_run: request.from_run,
                    free: BitSet::first(64),
                };
                self.send(from, true, &craft::multicast(&multicast::Message::PushAnswer(answer)));
            }
            Message::Multicast(multicast::Message::PushStop(PushStop {
                slices,
                is_from_parent: false,
                ..
            })) => {
                slices.iter().for_each(|slice| self.lose_role((from, slice)));
            }
            _ => {}
        }
    }

    /// The newest run there may be: what maps and manifests say.
    fn newest(&self) -> u64 {
        self.manifest.as_ref().map_or(1, |manifest| manifest.run + 1)
    }

    /// Goes on looking like a member: boasts, and asks some of its victims for what makes it one.
    fn pretend(&mut self) {
        self.rounds += 1;
        let Some(announcement) = self.announcement.clone() else { return };
        let (stream, slices) = (announcement.stream.alias(), announcement.parameters.slices);
        if !self.rounds.is_multiple_of(25) {
            return;
        }
        let newest = self.newest();
        for (from_run, since) in self.roles.values_mut() {
            // Until its first run exists, the parent before it still serves.
            let has_begun = since.is_none() && newest > *from_run;
            *since = since.or_else(|| has_begun.then(Instant::now));
        }
        let peers: Vec<PeerId> = self.victims.keys().copied().collect();
        for peer in peers {
            if self.rounds.is_multiple_of(250) {
                // Who had not heard of the stream when it was told first did not listen.
                self.take_part(peer);
            }
            if self.behavior.claims_all() {
                self.send(peer, false, &craft::boast(stream, slices, self.newest() + 5));
            }
            // A pull now and then shows what the newest run is, and gives it something to record.
            let want = |run| Want { run, manifest: true, positions: BitSet::first(32) };
            let wants = (self.newest()..self.newest() + 8).map(want).collect();
            self.send(peer, false, &craft::multicast(&multicast::Message::Pull { stream, wants }));
        }
    }

    /// One round against everybody it has a link with.
    fn attack(&mut self, passed: Duration) {
        if self.behavior == Behavior::FloodResets {
            let peers: Vec<PeerId> = self.victims.keys().copied().collect();
            for peer in peers {
                self.mark_attacked(peer);
                self.port.disconnect(peer);
            }
            return;
        }
        let rate = self.behavior.rate() as f64;
        let peers: Vec<PeerId> = self.victims.keys().copied().collect();
        for peer in peers {
            let is_child = self.roles.keys().any(|(of, _)| *of == peer);
            if self.behavior == Behavior::StarveAlive && !is_child {
                continue;
            }
            let Some(victim) = self.victims.get_mut(&peer) else { continue };
            victim.credit = (victim.credit + rate * passed.as_secs_f64()).min(rate / 20.0);
            let mut credit = victim.credit;
            while credit > 0.0 {
                let Some((is_control, bytes)) = self.hostile() else { break };
                // What QUIC, UDP and IP add is part of the flood.
                credit -= (bytes.len() + if is_control { 8 } else { 68 }) as f64;
                if !self.send(peer, is_control, &bytes) {
                    break;
                }
                self.report.sent.0 += 1;
                self.report.sent.1 += bytes.len() as u64;
                self.mark_attacked(peer);
            }
            if let Some(victim) = self.victims.get_mut(&peer) {
                victim.credit = credit;
            }
        }
    }

    fn mark_attacked(&mut self, peer: PeerId) {
        if let Some(victim) = self.victims.get_mut(&peer) {
            victim.attacked_since.get_or_insert_with(Instant::now);
        }
    }

    /// Says whether it was taken.
    fn send(&self, to: PeerId, is_control: bool, bytes: &Bytes) -> bool {
        let Some(victim) = self.victims.get(&to) else { return false };
        let packet = self.port.packet_from(bytes);
        if is_control {
            return victim.link.send_control(&packet).is_ok();
        }
        victim.link.send_live(&packet, Instant::now() + craft::LIFETIME, Priority::Push);
        true
    }
}
