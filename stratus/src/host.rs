//! The task that owns one node: waits for one thing, drives, applies, arms.

mod delays;
mod encoder;
mod entry;
mod journal;
mod keeping;
mod meter;
mod objects;
mod posts;
mod routes;
mod seeking;
mod streams;
mod trains;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{CachingVerify, Cx, Histogram, Machine, PeerId, Rng, Time, Wire, drive};
use stratus_multicast as multicast;
use stratus_node::{Command, Input, Message, Node, Output};
use stratus_overlay as overlay;
use stratus_posting as posting;
use stratus_transport::{Endpoint, GroupPort, Link, LinkEvent, Packet};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use self::encoder::Encoder;
pub(crate) use self::entry::{Entry, Start};
pub(crate) use self::journal::Journal;
use self::keeping::Keeping;
use self::meter::{Counted, Meter};
use self::objects::Outlet;
use self::posts::{Posts, wall_clock};
use self::routes::Routes;
use self::streams::Streams;
use self::trains::Trains;
use crate::cache::Cache;
use crate::event::Event;
use crate::info::{GroupInfo, NetGroupInfo, NetStreamMulticastInfo, WireInfo};
use crate::rendezvous::Told;
use crate::request::Request;

/// Events of links taken in one turn: a few trains.
const ARRIVALS: usize = 256;
/// Requests taken in one turn.
const REQUESTS: usize = 64;
/// With nothing due, the task still looks up this often.
const LONG: Duration = Duration::from_secs(3_600);

/// From the same house to a satellite.
const ROUND_TRIPS: [Duration; 8] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_millis(1_000),
];

/// What a host is made of.
pub(crate) struct Parts {
    pub(crate) node: Node,
    /// The node's own chance: nobody else draws from it, so that a journal can be replayed.
    pub(crate) chance: Rng,
    pub(crate) rng: Rng,
    pub(crate) journal: Option<Journal>,
    pub(crate) endpoint: Endpoint,
    pub(crate) port: GroupPort,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    pub(crate) neighbors: watch::Sender<usize>,
    pub(crate) entry: Entry,
    pub(crate) cache: Option<Cache>,
    /// Whether what leaves for one neighbor should leave together.
    pub(crate) sends_trains: bool,
}

/// One member of one group, on real sockets.
pub(crate) struct Host {
    node: Node,
    chance: Rng,
    rng: Rng,
    journal: Option<Journal>,
    verify: CachingVerify,
    began: Instant,
    endpoint: Endpoint,
    port: GroupPort,
    links: BTreeMap<PeerId, Link>,
    requests: mpsc::Receiver<Request>,
    events: broadcast::Sender<Arc<Event>>,
    neighbors: watch::Sender<usize>,
    entry: Entry,
    keeping: Keeping,
    streams: Streams,
    routes: Routes,
    posts: Posts,
    objects: Outlet,
    meter: Meter,
    out: Vec<Output>,
    encoder: Encoder,
    trains: Trains,
    undecodable: u64,
    overlay_sent_bytes: u64,
    overlay_received_bytes: u64,
    joined_after: Option<Duration>,
    round_trips: Histogram,
    is_leaving: bool,
}

/// What the task was woken by.
enum Turn {
    Requests(usize),
    Arrivals(usize),
    Told(Told),
    Due,
}

impl Host {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { node, chance, rng, journal, endpoint, port, requests, events, neighbors, .. } = parts;
        let Parts { entry, cache, sends_trains, .. } = parts;
        Self {
            node,
            chance,
            rng,
            journal,
            verify: CachingVerify::default(),
            began: Instant::now(),
            endpoint,
            port,
            links: BTreeMap::new(),
            requests,
            events,
            neighbors,
            entry,
            keeping: Keeping::new(cache),
            streams: Streams::default(),
            routes: Routes::default(),
            posts: Posts::default(),
            objects: Outlet::default(),
            meter: Meter::default(),
            out: Vec::new(),
            encoder: Encoder::default(),
            trains: Trains::new(sends_trains),
            undecodable: 0,
            overlay_sent_bytes: 0,
            overlay_received_bytes: 0,
            joined_after: None,
            round_trips: Histogram::new(&ROUND_TRIPS),
            is_leaving: false,
        }
    }

    /// Lives until the group is left or nobody holds it any more.
    pub(crate) async fn run(mut self) {
        let mut requests = Vec::with_capacity(REQUESTS);
        let mut arrivals = Vec::with_capacity(ARRIVALS);
        let mut alarm = std::pin::pin!(sleep_until(self.began));
        self.begin();
        while !self.is_leaving {
            let due = self.due();
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
            }
            // Not biased: neither a busy publisher nor a busy network may starve the other.
            let turn = tokio::select! {
                count = self.requests.recv_many(&mut requests, REQUESTS) => Turn::Requests(count),
                count = self.port.recv_many(&mut arrivals, ARRIVALS) => Turn::Arrivals(count),
                Some(told) = self.entry.next() => Turn::Told(told),
                () = &mut alarm => Turn::Due,
            };
            match turn {
                Turn::Requests(0) | Turn::Arrivals(0) => break,
                Turn::Requests(_) => requests.drain(..).for_each(|request| self.request(request)),
                Turn::Arrivals(_) => arrivals.drain(..).for_each(|event| self.arrival(event)),
                Turn::Told(told) => self.told(told),
                Turn::Due => self.wake(),
            }
            self.apply();
            self.measure();
        }
        self.leave();
    }

    fn begin(&mut self) {
        let addresses = self.entry.addresses();
        self.overlay(overlay::Command::SetAddresses(addresses));
        self.set_clock();
        self.apply();
        let (record, address) = (self.node.overlay().own_record().to_bytes(), self.node.overlay().address());
        self.entry.begin(record, address);
    }

    /// When the node or the search for a way in next wants to act.
    fn due(&self) -> Instant {
        let node = self.node.deadline().map(|deadline| self.moment(deadline.at));
        let others = [self.entry.due(), self.keeping.due()];
        node.into_iter().chain(others.into_iter().flatten()).min().unwrap_or_else(|| Instant::now() + LONG)
    }

    /// Looks at the counters now and then, so that rates can be told.
    fn measure(&mut self) {
        let now = Instant::now();
        if self.meter.is_due(now) {
            self.set_clock();
            let streams = self.node.multicast().streams();
            let streams = streams.map(|(stream, info)| (Counted::Stream(stream), (&info.counters).into()));
            let posting = self.node.posting().map(|posting| (Counted::Posting, (&posting.info()).into()));
            let routing = self.node.routing().map(|routing| (Counted::Routing, (&routing.stats()).into()));
            let objects =
                self.node.replication().map(|objects| (Counted::Objects, (&objects.stats()).into()));
            self.meter.note(now, streams.chain(posting).chain(routing).chain(objects));
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(self.began.elapsed().as_micros() as u64)
    }

    fn moment(&self, time: Time) -> Instant {
        self.began + Duration::from_micros(time.as_micros())
    }

    fn drive(&mut self, input: Input) {
        self.turn(Some(input));
    }

    /// One turn of the node: an input, or else whatever is due. Written down if there is a journal.
    fn turn(&mut self, input: Option<Input>) {
        let now = self.now();
        if let Some(journal) = &mut self.journal {
            journal.begin(now, input.as_ref());
        }
        let before = self.out.len();
        let mut cx = Cx { now, rng: &mut self.chance, verify: &self.verify };
        match input {
            Some(input) => drive(&mut self.node, &mut cx, input, &mut self.out),
            None => self.node.wake(&mut cx, &mut self.out),
        }
        if let Some(journal) = &mut self.journal
            && !journal.end(&self.node, &self.out[before..])
        {
            self.journal = None;
        }
    }

    fn overlay(&mut self, command: overlay::Command) {
        self.drive(Input::Command(Command::Overlay(command)));
    }

    fn multicast(&mut self, command: multicast::Command) {
        self.drive(Input::Command(Command::Multicast(command)));
    }

    /// Tells the node what the wall clock shows, which may be set, or go on while the system sleeps.
    fn set_clock(&mut self) {
        if self.node.posting().is_some() {
            self.drive(Input::Command(posting::Command::SetClock(wall_clock()).into()));
        }
    }

    fn wake(&mut self) {
        self.turn(None);
        for (peer, addresses) in self.entry.wake(&mut self.rng) {
            self.port.dial(peer, addresses);
        }
        if self.keeping.is_due() {
            self.keeping.save(&self.links, &self.node);
        }
    }

    fn arrival(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Datagram { peer, bytes }
            | LinkEvent::Control { peer, bytes }
            | LinkEvent::Bulk { peer, bytes } => {
                self.received(peer, bytes);
            }
            LinkEvent::Up { peer, link } => {
                let address = link.remote_address();
                self.round_trips.observe(link.rtt());
                self.links.insert(peer, link);
                self.entry.linked(&peer);
                self.keeping.linked(peer);
                self.drive(Input::Connected(peer));
                self.overlay(overlay::Command::Observed { peer, address });
            }
            LinkEvent::Down { peer } => {
                if let Some(link) = self.links.remove(&peer) {
                    self.keeping.unlinked(&peer, &link, &self.node);
                }
                self.drive(Input::Disconnected(peer));
            }
            LinkEvent::Flooded { peer } => {
                self.tell(Event::Misbehaved { peer, what: "sent a flood of packets" });
                self.overlay(overlay::Command::Ban(peer));
            }
            LinkEvent::DialFailed { peer, reason } => {
                self.entry.dial_failed(peer, reason);
                self.overlay(overlay::Command::ConnectFailed(peer));
            }
        }
    }

    fn received(&mut self, from: PeerId, bytes: Bytes) {
        if !self.links.contains_key(&from) {
            return;
        }
        let length = bytes.len() as u64;
        match Message::from_bytes(bytes) {
            Ok(message) => {
                if matches!(message, Message::Overlay(_)) {
                    self.overlay_received_bytes += length;
                }
                self.drive(Input::Received { from, message });
            }
            Err(error) => {
                tracing::debug!(peer = ?from, %error, "not a message");
                self.undecodable += 1;
                self.tell(Event::Misbehaved { peer: from, what: "sent bytes that are no message" });
                self.overlay(overlay::Command::Ban(from));
            }
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Publish { publish, reply } => {
                self.streams.publishing(multicast::StreamId(publish.key.public()), reply);
                self.multicast(multicast::Command::Publish(publish));
            }
            Request::Write { stream, pieces } => {
                for piece in pieces {
                    self.multicast(multicast::Command::Write { stream, piece });
                }
            }
            Request::Unpublish(stream) => {
                if self.streams.unpublish(&stream) {
                    self.multicast(multicast::Command::Unpublish(stream));
                }
            }
            Request::Play { name, outbox, purpose, wishes, reply } => {
                if self.streams.play(&name, outbox, purpose, reply) {
                    self.multicast(multicast::Command::Subscribe { name: name.clone() });
                }
                if let Some(wishes) = wishes {
                    self.multicast(multicast::Command::SetOverrides { name, wishes });
                }
            }
            Request::SetOverrides { name, wishes } => {
                self.multicast(multicast::Command::SetOverrides { name, wishes });
            }
            Request::Stop { name, handle } => {
                if self.streams.stop(&name, handle) {
                    self.multicast(multicast::Command::Unsubscribe { name });
                }
            }
            Request::OpenObjects(sender) => self.objects.open(sender),
            Request::Objects(commands) => {
                commands.into_iter().for_each(|command| self.replication(command));
            }
            Request::ObjectsInfo(reply) => {
                if let Some(info) = self.objects_info() {
                    let _ = reply.send(info);
                }
            }
            Request::SetReceiveMode(mode) => self.set_receive_mode(mode),
            Request::Route { way, payload, reply } => self.route(way, payload, reply),
            Request::RouteExactly { to, payload, reply } => self.route_exactly(to, payload, reply),
            Request::LookUp { target, reply } => self.look_up(target, reply),
            Request::Put { put, reply } => self.put(*put, reply),
            Request::Get { key, reply } => self.get(key, reply),
            Request::OnSendTo(handler) => self.routes.handle_with(handler),
            Request::Post { body, authorization, reply } => {
                self.set_clock();
                let draft = self.posts.posting(body, authorization, reply);
                self.drive(Input::Command(posting::Command::Post(draft).into()));
            }
            Request::Posts(reply) => {
                let posts = self.node.posting().into_iter().flat_map(|posting| posting.posts());
                // Whoever asked may be gone.
                drop(reply.send(posts.cloned().collect()));
            }
            Request::AddNeighbor(peer) => self.overlay(overlay::Command::AddNeighbor(peer)),
            Request::AddMemberHint(peer) => self.overlay(overlay::Command::AddMemberHint(peer)),
            // Whoever asked may be gone.
            Request::Info(reply) => drop(reply.send(self.info())),
            Request::Ways(reply) => drop(reply.send(self.entry.ways())),
            Request::Leave => self.is_leaving = true,
        }
    }

    /// A server said something.
    fn told(&mut self, told: Told) {
        match told {
            Told::State { server, state } => {
                if let Some(event) = self.entry.note_state(&server, state) {
                    self.tell(event);
                    self.overlay(overlay::Command::SetServers(self.entry.registered()));
                }
            }
            Told::Welcome { server, observed, members } => {
                let records = self.entry.welcome(&server, members);
                if self.entry.note_observed(observed) {
                    self.overlay(overlay::Command::SetAddresses(self.entry.addresses()));
                }
                self.overlay(overlay::Command::Bootstrap(records));
            }
            Told::Introduced { peer, record, candidates } => {
                self.overlay(overlay::Command::HearRecord(record));
                self.port.dial(peer, candidates);
            }
        }
    }

    /// Does what the node asked for, in its order, and what the application makes of what was routed here.
    fn apply(&mut self) {
        self.apply_outputs();
        while self.drive_hops() | self.deny_unanswered() {
            self.apply_outputs();
        }
    }

    fn apply_outputs(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        for output in out.drain(..) {
            match output {
                Output::Connect(peer) => {
                    let candidates = self.entry.candidates(&peer, self.node.candidates(&peer));
                    self.entry.dialling(peer, self.node.overlay().servers_of(&peer));
                    self.port.dial(peer, candidates);
                }
                Output::Disconnect(peer) => self.disconnect(peer),
                Output::Send { to, message, how } => self.send(to, message, how),
                Output::Event(event) => self.event(event),
            }
        }
        self.out = out;
        self.trains.depart(&self.links);
        self.encoder.clear();
    }

    /// Lets go of a neighbor: in good order, or at once if it is banned.
    fn disconnect(&self, peer: PeerId) {
        let now = self.now();
        match self.node.overlay().banned_until(&peer, now) {
            Some(until) => self.port.expel(peer, until.since(now)),
            None => self.port.disconnect(peer),
        }
    }

    fn send(&mut self, to: PeerId, message: Message, how: stratus_core::Delivery) {
        let Some(link) = self.links.get(&to) else { return };
        if how == stratus_core::Delivery::Bulk
            && let Some((head, payload)) = message.split()
        {
            return send_bulk(link, &self.port.packet_from(&head), payload);
        }
        let is_overlay = matches!(message, Message::Overlay(_));
        let packet = self.encoder.encode(&self.port, message);
        if is_overlay {
            self.overlay_sent_bytes += packet.len() as u64;
        }
        match how {
            stratus_core::Delivery::Live { expires, priority } => {
                let expires = self.moment(expires).into_std();
                self.trains.add(to, link, packet, expires, priority);
            }
            stratus_core::Delivery::Control
            | stratus_core::Delivery::Background
            | stratus_core::Delivery::Bulk => {
                if let Err(error) = link.send_control(&packet) {
                    // A neighbor that is hundreds of messages behind is as good as gone.
                    tracing::debug!(peer = ?to, %error, "control not sent");
                    link.close();
                }
            }
        }
    }

    fn event(&mut self, event: stratus_node::Event) {
        match event {
            stratus_node::Event::Overlay(event) => self.overlay_event(event),
            stratus_node::Event::Replication(event) => self.replication_event(event),
            stratus_node::Event::Routing(event) => self.routing_event(event),
            stratus_node::Event::Posting(event) => {
                let event = self.posts.event(event);
                event.into_iter().for_each(|event| self.tell(event));
            }
            stratus_node::Event::Multicast(event) => {
                let node = &self.node;
                let access = |stream: &multicast::StreamId| {
                    let info = node.multicast().stream(stream);
                    info.map_or_else(Default::default, |info| info.parameters.sample_access)
                };
                for event in self.streams.event(event, access) {
                    self.tell(event);
                }
            }
        }
    }

    fn overlay_event(&mut self, event: overlay::Event) {
        match event {
            overlay::Event::NeighborConnect { peer, address } => {
                self.tell(Event::NeighborConnect { peer, address });
                self.count_neighbors();
            }
            overlay::Event::NeighborDisconnect { peer, address } => {
                self.tell(Event::NeighborDisconnect { peer, address });
                self.count_neighbors();
            }
            overlay::Event::LocalCoverage(arc) => self.tell(Event::LocalCoverage(arc)),
            overlay::Event::Introduced { peer, candidates } => self.port.dial(peer, candidates),
            overlay::Event::OwnRecord(record) => self.entry.own_record(record),
            overlay::Event::Misbehaved { peer, what } => self.tell(Event::Misbehaved { peer, what }),
            // The node keeps it between its layers.
            overlay::Event::Rtt { .. } => {}
        }
    }

    fn count_neighbors(&mut self) {
        let count = self.node.overlay().neighbor_count();
        if count > 0 {
            self.joined_after.get_or_insert_with(|| self.began.elapsed());
        }
        self.neighbors.send_replace(count);
        self.entry.note_neighbors(count, &mut self.rng);
    }

    fn tell(&self, event: Event) {
        // Nobody needs to listen.
        let _ = self.events.send(Arc::new(event));
    }

    fn info(&self) -> GroupInfo {
        let overlay = self.node.overlay();
        let counters = self.endpoint.counters();
        let mut wire = WireInfo {
            sent_bytes: counters.sent_bytes,
            received_bytes: counters.received_bytes,
            sent_datagrams: counters.sent_datagrams,
            received_datagrams: counters.received_datagrams,
            connections: counters.connections,
            unread_datagrams: self.port.dropped(),
            undecodable: self.undecodable,
            ..WireInfo::default()
        };
        for link in self.links.values() {
            let drops = link.counters().drops;
            wire.drops.expired += drops.expired;
            wire.drops.full += drops.full;
            wire.drops.too_long += drops.too_long;
        }
        let streams: Vec<_> = self.node.multicast().streams().collect();
        let posting = self.node.posting().map_or_else(Default::default, |posting| posting.info());
        let routing = self.node.routing().map(|routing| routing.stats());
        let objects = self.node.replication().map(stratus_replication::Replication::stats);
        let now = Instant::now();
        let multicast = |(stream, info): &(multicast::StreamId, multicast::StreamInfo)| {
            let rates = self.meter.rates(now, Counted::Stream(*stream), (&info.counters).into());
            (*stream, NetStreamMulticastInfo::of(&info.counters, rates))
        };
        GroupInfo {
            multicast: streams.iter().map(multicast).collect(),
            services: NetGroupInfo::of(
                self.meter.rates(now, Counted::Posting, (&posting).into()),
                self.meter.rates(now, Counted::Routing, (&routing.unwrap_or_default()).into()),
                self.meter.rates(now, Counted::Objects, (&objects.unwrap_or_default()).into()),
            ),
            posting,
            routing,
            objects,
            group: self.entry.group(),
            peer: self.endpoint.peer(),
            address: overlay.address(),
            coverage: overlay.coverage(),
            estimated_member_count: overlay.estimated_member_count(),
            neighbors: overlay.neighbors(),
            streams,
            joined_after: self.joined_after,
            round_trips: self.round_trips.clone(),
            delays: self.streams.delays(),
            ring_agreement: overlay.ring_agreement(self.now()),
            overlay: overlay.stats(),
            overlay_sent_bytes: self.overlay_sent_bytes,
            overlay_received_bytes: self.overlay_received_bytes,
            wire,
        }
    }

    /// Goodbyes go out on the control streams; the port, dropped after, ends them behind the goodbyes.
    fn leave(mut self) {
        self.keeping.save_now(&self.links, &self.node);
        self.overlay(overlay::Command::Leave);
        self.apply();
        self.entry.leave();
        self.neighbors.send_replace(0);
    }
}

/// An object whose link cannot take it is asked for again by whoever wants it.
fn send_bulk(link: &Link, head: &Packet, payload: Bytes) {
    if let Err(error) = link.send_bulk(head, payload) {
        tracing::debug!(peer = ?link.peer(), %error, "an object was not sent");
    }
}
