use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Delivery, PeerId, Time, Wire as _};

use super::{Overlay, timer};
use crate::api::{Event, Output};
use crate::introducer::is_harmless;
use crate::message::{Aged, Message};
use crate::places::{Place, distance};
use crate::record::{Draft, Record, next_sequence};

/// How soon after a change the record is issued again: several changes make one issue.
const CHANGE_DELAY: Duration = Duration::from_millis(500);
/// When a record is issued again for the first time, to name introducers.
const FIRST_RENEWAL: Duration = Duration::from_secs(5);
/// Time between two issues that neighbors may cause.
const CALM: Duration = Duration::from_secs(5);
/// How many neighbors must see us at an address before it is believed.
const WITNESSES: usize = 2;

/// Our own record, and what goes into it.
#[derive(Clone, Debug)]
pub(super) struct Own {
    record: Arc<Record>,
    addresses: Vec<SocketAddr>,
    servers: Vec<SocketAddr>,
    issued_at: Time,
    has_started: bool,
}

impl Own {
    pub(super) fn new(record: Arc<Record>) -> Self {
        Self { record, addresses: Vec::new(), servers: Vec::new(), issued_at: Time::ZERO, has_started: false }
    }

    pub(super) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl Overlay {
    pub(super) fn set_addresses(
        &mut self,
        cx: &mut Cx<'_>,
        addresses: Vec<SocketAddr>,
        out: &mut Vec<Output>,
    ) {
        self.own.addresses = addresses;
        self.own.addresses.truncate(Record::MAX_ADDRESSES);
        self.renew(cx, out);
    }

    pub(super) fn set_servers(&mut self, cx: &mut Cx<'_>, servers: Vec<SocketAddr>, out: &mut Vec<Output>) {
        self.own.servers = servers;
        self.own.servers.truncate(Record::MAX_SERVERS);
        self.renew(cx, out);
    }

    /// Issues our record again: a higher sequence keeps us in the lists of others. Source: spec OV-3.
    pub(super) fn renew(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let is_first = !std::mem::replace(&mut self.own.has_started, true);
        if is_first {
            self.start(cx);
        }
        let addresses = self.all_addresses();
        let record = &self.own.record;
        let has_changed = record.servers() != self.own.servers
            || addresses.iter().any(|address| !record.addresses().contains(address))
            || addresses.len() < record.addresses().len();
        let sequence = next_sequence(record.sequence(), has_changed);
        let is_early = self.is_young(cx.now) && !has_changed;
        self.issue(cx, sequence, is_early, out);
        let period =
            if is_first { FIRST_RENEWAL.min(self.config.renew_period) } else { self.config.renew_period };
        self.timers.set(timer::RENEW, cx.now + cx.rng.jitter(period));
    }

    /// Someone holds a later record of ours than we do: we were here before, under the same key.
    ///
    /// Source: spec OV-3.
    pub(super) fn outdo(&mut self, cx: &mut Cx<'_>, sequence: u64, out: &mut Vec<Output>) {
        // What we said of ourselves then may no longer be so.
        self.issue(cx, next_sequence(sequence, true), false, out);
        self.timers.set(timer::RENEW, cx.now + cx.rng.jitter(self.config.renew_period));
    }

    /// Neighbors are told, but of one that is only to name introducers those alone who are near on the ring: all others have
    /// a link.
    fn issue(&mut self, cx: &Cx<'_>, sequence: u64, only_near: bool, out: &mut Vec<Output>) {
        self.own.issued_at = cx.now;
        let draft = Draft {
            sequence,
            addresses: self.all_addresses(),
            servers: self.own.servers.clone(),
            introducers: self.introducers(),
        };
        self.own.record = Arc::new(Record::sign(&self.identity, &self.group, draft));
        out.push(Output::Event(Event::OwnRecord(self.own.record.to_bytes())));
        for link in self.open_links().filter(|link| !only_near || self.is_ring_near(link.place)) {
            let message = Message::Records(vec![Aged { record: self.own.record.clone(), age: 0 }]);
            out.push(Output::Send { to: link.peer, message, how: Delivery::Control });
        }
    }

    /// What the host says, and what at least two neighbors see. Source: spec OV-20.
    fn all_addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = self.own.addresses.clone();
        let mut seen: Vec<SocketAddr> = self.open_links().filter_map(|link| link.sees_us_at).collect();
        seen.sort_unstable();
        for witnesses in seen.chunk_by(|a, b| a == b) {
            if witnesses.len() >= WITNESSES && !addresses.contains(&witnesses[0]) {
                addresses.push(witnesses[0]);
            }
        }
        addresses
    }

    /// The neighbors nearest on the ring: they stay longest.
    fn introducers(&self) -> Vec<Place> {
        let mut links: Vec<_> =
            self.open_links().map(|link| (distance(self.me(), link.place), link.place)).collect();
        links.sort_unstable();
        links.into_iter().take(Record::MAX_INTRODUCERS).map(|(_, place)| place).collect()
    }

    /// A neighbor says from where it sees us come.
    pub(super) fn seen_at(&mut self, cx: &mut Cx<'_>, from: PeerId, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        if let Some(link) = self.links.get_mut(&from) {
            link.sees_us_at = is_harmless(address).then_some(address);
        }
        let record = &self.own.record;
        let is_news =
            !record.addresses().contains(&address) && record.addresses().len() < Record::MAX_ADDRESSES;
        if is_news && self.all_addresses().contains(&address) {
            let calm = self.own.issued_at + CALM;
            self.timers.set_sooner(timer::RENEW, calm.max(cx.now + CHANGE_DELAY));
        }
    }

    /// The host says from where it sees a neighbor come.
    pub(super) fn observed(&mut self, peer: PeerId, address: SocketAddr, out: &mut Vec<Output>) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| !link.is_closing()) else { return };
        link.observed = Some(address);
        out.push(Output::Send { to: peer, message: Message::Observed(address), how: Delivery::Control });
    }

    /// Another layer came across an encoded record.
    pub(super) fn hear_bytes(&mut self, cx: &mut Cx<'_>, bytes: Bytes, out: &mut Vec<Output>) {
        match Record::from_bytes(bytes) {
            Ok(record) => {
                // How old it is nobody said: old enough to die soon if nobody else has news of it.
                self.hear(cx, Arc::new(record), self.config.age_limit / 2, None, out);
            }
            Err(_) => self.stats.stale_count += 1,
        }
    }
}
