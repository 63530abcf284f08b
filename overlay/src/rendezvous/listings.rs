use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use stratus_core::{GroupId, PeerId, Time};

use super::group::{Group, Member};
use super::network::Network;
use super::{Config, Refusal};

/// All groups and their members, with the counts that limits need and the order in which members expire.
#[derive(Default, Debug)]
pub(super) struct Listings {
    groups: BTreeMap<GroupId, Group>,
    /// Registrations by network; none is zero.
    networks: BTreeMap<Network, usize>,
    /// Every registration, the next to expire first.
    due: BTreeSet<(Time, GroupId, PeerId)>,
}

impl Listings {
    pub(super) fn group(&self, group: &GroupId) -> Option<&Group> {
        self.groups.get(group)
    }

    pub(super) fn member(&self, group: &GroupId, peer: &PeerId) -> Option<&Member> {
        self.groups.get(group)?.get(peer)
    }

    pub(super) fn group_count(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn member_count(&self) -> usize {
        self.due.len()
    }

    /// Whether one more member of `group` fits. Source: spec RV-10.
    pub(super) fn has_room(
        &self,
        group: &GroupId,
        observed: SocketAddr,
        config: &Config,
    ) -> Result<(), Refusal> {
        match self.groups.get(group) {
            Some(group) if group.len() >= config.members_per_group => return Err(Refusal::GroupFull),
            None if self.groups.len() >= config.groups => return Err(Refusal::ServerFull),
            _ => {}
        }
        if self.due.len() >= config.members {
            return Err(Refusal::ServerFull);
        }
        let from_network = self.networks.get(&Network::of_customer(observed.ip()));
        if from_network.is_some_and(|count| *count >= config.members_per_network) {
            return Err(Refusal::NetworkFull);
        }
        Ok(())
    }

    /// Lists a member; says whether it was not listed before.
    pub(super) fn list(&mut self, group: GroupId, peer: PeerId, member: Member) -> bool {
        let before = self.unlist(&group, &peer);
        *self.networks.entry(Network::of_customer(member.observed.ip())).or_default() += 1;
        self.due.insert((member.expires_at, group, peer));
        self.groups.entry(group).or_default().insert(peer, member);
        before.is_none()
    }

    /// Lets a member live until `expires_at`; says whether it is listed at all.
    pub(super) fn postpone(&mut self, group: GroupId, peer: PeerId, expires_at: Time) -> bool {
        let Some(listed) = self.groups.get_mut(&group) else { return false };
        let Some(before) = listed.postpone(&peer, expires_at) else { return false };
        self.due.remove(&(before, group, peer));
        self.due.insert((expires_at, group, peer))
    }

    /// Takes a member off, and its group when it was the last.
    pub(super) fn unlist(&mut self, group: &GroupId, peer: &PeerId) -> Option<Member> {
        let listed = self.groups.get_mut(group)?;
        let member = listed.remove(peer)?;
        if listed.is_empty() {
            self.groups.remove(group);
        }
        self.due.remove(&(member.expires_at, *group, *peer));
        let network = Network::of_customer(member.observed.ip());
        let count = self.networks.get_mut(&network).expect("every member is counted in its network");
        *count -= 1;
        if *count == 0 {
            self.networks.remove(&network);
        }
        Some(member)
    }

    /// When the next member expires.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// A member that has expired, if any. It stays listed.
    pub(super) fn expired(&self, now: Time) -> Option<(GroupId, PeerId)> {
        self.due.first().filter(|(at, ..)| *at <= now).map(|(_, group, peer)| (*group, *peer))
    }
}
