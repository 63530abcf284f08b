//! A group of multicast machines on the made-up network, one publisher, everybody linked with everybody
//! unless told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Net, NetConfig, identity, peer};
use stratus_core::{GroupId, Identity, PeerId, Rng, Time};

use crate::{
    Command, Config, Event, Kind, Multicast, MulticastInfo, Overrides, Parameters, Piece, PieceFlags,
    Publish, Setup, StreamId, StreamMessage,
};

pub(crate) struct Group {
    pub(crate) net: Net<Multicast>,
    pub(crate) config: Config,
    pub(crate) authority: Option<Identity>,
    sent: BTreeMap<StreamId, Vec<Bytes>>,
    payloads: Rng,
}

impl Group {
    pub(crate) fn new(seed: u64, net: NetConfig) -> Self {
        Self {
            net: Net::new(seed, net),
            config: Config::default(),
            authority: None,
            sent: BTreeMap::new(),
            payloads: Rng::from_seed(seed),
        }
    }

    pub(crate) fn setup(&self, number: u64) -> Setup {
        Setup {
            peer: peer(number),
            group: GroupId::from_bytes([9; 32]),
            publish_authority: self.authority.as_ref().map(Identity::public),
            home: number,
        }
    }

    pub(crate) fn add(&mut self, number: u64) {
        let machine = Multicast::new(self.config.clone(), self.setup(number));
        self.net.add(&format!("m{number}"), peer(number), machine);
        self.net.command(peer(number), Command::SetRecord(Bytes::from(format!("record of {number}"))));
    }

    /// Members 0 … `count` − 1, each linked with each, with round trips known.
    pub(crate) fn mesh(&mut self, count: u64) {
        (0..count).for_each(|number| self.add(number));
        for a in 0..count {
            (a + 1..count).for_each(|b| self.link(a, b));
        }
        self.net.run_for(Duration::from_millis(300));
        let rtt = self.net.config_mut().latency.1 * 2;
        for a in 0..count {
            for b in (0..count).filter(|b| *b != a) {
                self.net.command(peer(a), Command::SetRtt { peer: peer(b), rtt });
            }
        }
    }

    pub(crate) fn link(&mut self, a: u64, b: u64) {
        self.net.connect(peer(a), peer(b));
    }

    pub(crate) fn stream(number: u64) -> StreamId {
        StreamId(identity(1_000 + number).public())
    }

    pub(crate) fn publish(&mut self, number: u64, name: &str) -> StreamId {
        self.publish_as(number, 0, name)
    }

    /// Member `number` publishes the `life`-th of its streams, which begins when it does.
    pub(crate) fn publish_as(&mut self, number: u64, life: u64, name: &str) -> StreamId {
        self.publish_with(number, life, name, |_| {})
    }

    pub(crate) fn publish_with(
        &mut self,
        number: u64,
        life: u64,
        name: &str,
        change: impl FnOnce(&mut Publish),
    ) -> StreamId {
        let mut wanted = Publish {
            key: identity(1_000 + number + 1_000 * life),
            name: name.to_owned(),
            began: self.net.now().as_micros() / 1_000,
            authorization: self.authority.clone(),
            parameters: Parameters::from(&self.config),
            wishes: Overrides::default(),
        };
        change(&mut wanted);
        let stream = StreamId(wanted.key.public());
        self.net.command(peer(number), Command::Publish(Box::new(wanted)));
        stream
    }

    pub(crate) fn subscribe(&mut self, number: u64, name: &str) {
        self.net.command(peer(number), Command::Subscribe { name: name.to_owned() });
    }

    /// The stream that member `number` publishes for the `life`-th time.
    pub(crate) fn stream_of(number: u64, life: u64) -> StreamId {
        StreamId(identity(1_000 + number + 1_000 * life).public())
    }

    /// One-fragment messages at a constant rate, beginning now.
    pub(crate) fn write(&mut self, number: u64, size: usize, every: Duration, duration: Duration) {
        self.write_to(Self::stream(number), number, size, every, duration);
    }

    /// The same to any stream of member `number`.
    pub(crate) fn write_to(
        &mut self,
        stream: StreamId,
        number: u64,
        size: usize,
        every: Duration,
        duration: Duration,
    ) {
        let end = self.plan(stream, number, self.net.now(), size, every, duration);
        self.net.run_until(end);
    }

    /// The same from `begin` on, without waiting for it; says when it ends.
    pub(crate) fn plan(
        &mut self,
        stream: StreamId,
        number: u64,
        begin: Time,
        size: usize,
        every: Duration,
        duration: Duration,
    ) -> Time {
        let mut at = begin;
        while at < begin + duration {
            let mut payload = vec![0; size];
            self.payloads.fill(&mut payload);
            let payload = Bytes::from(payload);
            self.sent.entry(stream).or_default().push(payload.clone());
            let flags = PieceFlags { is_start: true, is_end: true, is_key: true, kind: Kind::Data };
            let piece = Piece { payload, flags, flush: false };
            self.net.command_at(at, peer(number), Command::Write { stream, piece });
            at += every;
        }
        at
    }

    pub(crate) fn unpublish(&mut self, number: u64) {
        self.net.command(peer(number), Command::Unpublish(Self::stream(number)));
    }

    pub(crate) fn sent(&self, number: u64) -> &[Bytes] {
        self.sent_by(Self::stream(number))
    }

    pub(crate) fn sent_by(&self, stream: StreamId) -> &[Bytes] {
        &self.sent[&stream]
    }

    pub(crate) fn messages(&self, number: u64) -> Vec<(Time, StreamMessage)> {
        let events = self.net.events(&peer(number)).iter();
        events
            .filter_map(|(at, event)| match event {
                Event::Message { message, .. } => Some((*at, message.clone())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn received(&self, number: u64) -> Vec<Bytes> {
        self.messages(number).into_iter().map(|(_, message)| message.payload()).collect()
    }

    /// What came of one stream.
    pub(crate) fn received_of(&self, number: u64, wanted: &StreamId) -> Vec<Bytes> {
        let events = self.net.events(&peer(number)).iter();
        events
            .filter_map(|(_, event)| match event {
                Event::Message { stream, message } if stream == wanted => Some(message.payload()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn events_of(&self, number: u64, is_wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let events = self.net.events(&peer(number)).iter().map(|(_, event)| event);
        events.filter(|event| is_wanted(event)).cloned().collect()
    }

    pub(crate) fn misbehaved(&self, number: u64) -> Vec<(PeerId, &'static str)> {
        let events = self.net.events(&peer(number)).iter();
        events
            .filter_map(|(_, event)| match event {
                Event::Misbehaved { peer, what } => Some((*peer, *what)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn counters(&self, number: u64, stream: &StreamId) -> MulticastInfo {
        let machine = self.net.machine(&peer(number));
        machine.stream(stream).expect("the stream is known").counters
    }

    /// Payload bytes received over payload bytes needed, over `members`.
    pub(crate) fn copies(&self, members: std::ops::Range<u64>, stream: &StreamId) -> f64 {
        let needed: usize = self.sent[stream].iter().map(Bytes::len).sum();
        let count = members.clone().count();
        let received: u64 = members.map(|number| self.counters(number, stream).received_bytes()).sum();
        received as f64 / (needed * count) as f64
    }
}
