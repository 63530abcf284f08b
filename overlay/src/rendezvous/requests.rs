//! What clients ask of a registry: to be listed, to stay listed, to be introduced.

use std::net::SocketAddr;

use bytes::Bytes;
use stratus_core::{Cx, GroupId, PeerId, Time, Verify, Wire};

use super::group::Member;
use super::registry::Registry;
use super::{Event, Named, Output, Refusal, Registration, ServerMessage, Subject};
use crate::Record;
use crate::introducer::{Denial, Party};

impl Registry {
    /// Checks, lists the member, and tells it whom to meet. Source: spec RV-1 … RV-6.
    pub(super) fn register(
        &mut self,
        cx: &mut Cx<'_>,
        id: u64,
        registration: &Registration,
        out: &mut Vec<Output>,
    ) {
        let subject = Subject::Group(registration.group());
        match self.admit(cx, id, registration) {
            Ok(()) => {
                self.list(cx.now, id, registration, out);
                out.push(self.welcome(cx, id, registration.group()));
            }
            Err(refusal @ (Refusal::Stranger | Refusal::BadRecord | Refusal::TooFast)) => {
                self.strike(id, subject, refusal, out);
            }
            Err(refusal) => self.refuse(id, subject, refusal, out),
        }
    }

    /// Cheapest check first; who is listed already can always change its record.
    fn admit(&mut self, cx: &mut Cx<'_>, id: u64, registration: &Registration) -> Result<(), Refusal> {
        let connection = self.connections.get_mut(&id).expect("the caller looked it up");
        if !connection.registrations.take(cx.now, self.config.registrations) {
            return Err(Refusal::TooFast);
        }
        let group = registration.group();
        if !connection.groups.contains(&group) {
            if connection.groups.len() >= self.config.groups_per_connection {
                return Err(Refusal::ConnectionFull);
            }
            self.listings.has_room(&group, connection.observed, &self.config)?;
        }
        if !registration.is_signed(cx.verify, &connection.exporter, &connection.peer) {
            return Err(Refusal::Stranger);
        }
        if is_own(registration.record(), cx.verify, &group, &connection.peer) {
            Ok(())
        } else {
            Err(Refusal::BadRecord)
        }
    }

    fn list(&mut self, now: Time, id: u64, registration: &Registration, out: &mut Vec<Output>) {
        self.stop_idling(id);
        let connection = self.connections.get_mut(&id).expect("admitted");
        let (group, peer) = (registration.group(), connection.peer);
        let expires_at = now + self.config.expires_after;
        let member =
            Member::new(id, registration.address(), connection.observed, registration.record(), expires_at);
        connection.groups.insert(group);
        if self.listings.list(group, peer, member) {
            self.stats.registered_count += 1;
            out.push(Output::Event(Event::Registered { group, peer }));
        } else {
            self.stats.renewed_count += 1;
        }
    }

    fn welcome(&self, cx: &mut Cx<'_>, id: u64, group: GroupId) -> Output {
        let connection = &self.connections[&id];
        let listed = self.listings.group(&group).expect("just listed");
        let members = listed.introduce(&connection.peer, &self.config, cx.rng);
        let named = |member: &Member| Named { observed: member.observed, record: member.record.clone() };
        let message = ServerMessage::Welcome {
            group,
            observed: connection.observed,
            refresh_every: self.config.refresh_every,
            expires_after: self.config.expires_after,
            members: members.into_iter().map(named).collect(),
        };
        Output::Send { connection: id, message }
    }

    /// Lets a registration live on. Source: spec RV-7.
    pub(super) fn refresh(&mut self, now: Time, id: u64, group: GroupId, out: &mut Vec<Output>) {
        let peer = self.connections[&id].peer;
        if self.listings.postpone(group, peer, now + self.config.expires_after) {
            self.stats.refreshed_count += 1;
        } else {
            self.refuse(id, Subject::Group(group), Refusal::NotRegistered, out);
        }
    }

    /// Tells both sides in this same turn, or the asker why not. Source: spec RV-8.
    pub(super) fn introduce(
        &mut self,
        now: Time,
        id: u64,
        (group, target): (GroupId, PeerId),
        stated: Vec<SocketAddr>,
        out: &mut Vec<Output>,
    ) {
        let subject = Subject::Introduction { group, target };
        let asker = self.connections[&id].peer;
        let Some(member) = self.listings.member(&group, &asker) else {
            self.refuse(id, subject, Refusal::NotRegistered, out);
            return;
        };
        let found = self.listings.member(&group, &target);
        // What the asker states now goes before what its record said then.
        let mut party = party(asker, member);
        party.stated.splice(0..0, stated);
        let told =
            self.introducer.introduce(now, &party, found.map(|found| self::party(target, found)).as_ref());
        match (told, found) {
            (Ok(told), Some(found)) => {
                out.push(introduced(id, group, target, found, told.to_asker));
                out.push(introduced(found.connection, group, asker, member, told.to_target));
                out.push(Output::Event(Event::Introduced { group, asker, target }));
                self.stats.introduced_count += 1;
            }
            (Err(Denial::TooFast), _) => {
                self.stats.introduction_limited_count += 1;
                self.strike(id, subject, Refusal::TooFast, out);
            }
            _ => self.refuse(id, subject, Refusal::UnknownPeer, out),
        }
    }
}

/// Whether `record` is one that `peer` itself issued for `group`.
fn is_own(record: &Bytes, verify: &dyn Verify, group: &GroupId, peer: &PeerId) -> bool {
    Record::from_bytes(record.clone())
        .is_ok_and(|record| record.peer() == *peer && record.verify(verify, group))
}

fn party(peer: PeerId, member: &Member) -> Party {
    let record = Record::from_bytes(member.record.clone()).expect("spec RV-3: only sound records are listed");
    Party { peer, observed: Some(member.observed), stated: record.addresses().to_vec() }
}

/// Tells `connection` of `peer`.
fn introduced(
    connection: u64,
    group: GroupId,
    peer: PeerId,
    member: &Member,
    candidates: Vec<SocketAddr>,
) -> Output {
    let record = member.record.clone();
    Output::Send { connection, message: ServerMessage::Introduced { group, peer, record, candidates } }
}
