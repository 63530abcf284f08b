//! Introductions: two peers told of each other in the same moment, by a server or by any member.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use stratus_core::{Bucket, PeerId, Rate, Time};

use crate::rendezvous::MAX_CANDIDATES;

/// Ports of services that answer a small packet with a large one; nobody is sent to dial them.
const AMPLIFIERS: [u16; 7] = [1_900, 3_702, 5_060, 5_353, 5_683, 10_001, 11_211];

/// One side of an introduction, as the introducer knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// Who.
    pub peer: PeerId,
    /// From where it is seen to come, if the introducer can see that.
    pub observed: Option<SocketAddr>,
    /// Where it says it may be met. Not believed, only passed on if harmless.
    pub stated: Vec<SocketAddr>,
}

/// What to tell the two sides, in the same turn. Source: spec RV-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// Where the asker may meet the target.
    pub to_asker: Vec<SocketAddr>,
    /// Where the target may meet the asker.
    pub to_target: Vec<SocketAddr>,
}

/// Why two peers are not introduced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denial {
    /// The asker asks too often. Ask again later.
    TooFast,
    /// The introducer has no link to the target. Ask another introducer.
    UnknownPeer,
}

/// Decides on introductions; the same machine in a server and in every member.
///
/// It holds one token bucket for each asker, `askers` at most, and forgets those that are full again when
/// room is short. Source: spec RV-8, RV-9.
#[derive(Clone, Debug)]
pub struct Introducer {
    rate: Rate,
    askers: usize,
    buckets: BTreeMap<PeerId, Bucket>,
}

impl Introducer {
    /// An introducer that grants each asker `rate`, and remembers up to `askers` of them.
    pub fn new(rate: Rate, askers: usize) -> Self {
        Self { rate, askers, buckets: BTreeMap::new() }
    }

    /// Introduces `asker` to `target`, if that is known and `asker` has not asked too often.
    ///
    /// A request for someone unknown counts as well: it costs the introducer the same.
    pub fn introduce(
        &mut self,
        now: Time,
        asker: &Party,
        target: Option<&Party>,
    ) -> Result<Introduction, Denial> {
        if !self.admits(now, asker.peer) {
            return Err(Denial::TooFast);
        }
        let target = target.filter(|target| target.peer != asker.peer).ok_or(Denial::UnknownPeer)?;
        Ok(Introduction { to_asker: candidates(target, asker), to_target: candidates(asker, target) })
    }

    /// Forgets a peer that is gone.
    pub fn forget(&mut self, peer: &PeerId) {
        self.buckets.remove(peer);
    }

    /// How many askers it remembers.
    pub fn asker_count(&self) -> usize {
        self.buckets.len()
    }

    fn admits(&mut self, now: Time, asker: PeerId) -> bool {
        if !self.buckets.contains_key(&asker) && self.buckets.len() >= self.askers {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= self.askers {
                return false;
            }
        }
        self.buckets.entry(asker).or_default().take(now, self.rate)
    }
}

/// Where `whom` may be met by `by`, best first, [`MAX_CANDIDATES`] at most, each once.
///
/// Behind the same NAT local addresses come first, otherwise the observed one does.
pub fn candidates(whom: &Party, by: &Party) -> Vec<SocketAddr> {
    let share_network = whom.observed.zip(by.observed).is_some_and(|(a, b)| a.ip() == b.ip());
    let mut ranked: Vec<_> =
        whom.stated.iter().copied().filter(|address| may_pass(*address, whom, by)).collect();
    // Stable, so that among equals the peer's own order holds.
    ranked.sort_by_key(|address| is_local(address.ip()) != share_network);
    let observed = whom.observed.filter(|address| is_met_by(*address, by));
    let position = ranked.iter().take_while(|address| share_network && is_local(address.ip())).count();
    if let Some(observed) = observed {
        ranked.insert(position, observed);
    }
    let mut kept = Vec::new();
    for address in ranked {
        if kept.len() < MAX_CANDIDATES && !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

/// Whether a stated address may be handed to `by`: no tool for aiming strangers at a victim.
///
/// A public address passes only if it is the one that `whom` comes from, or if the introducer cannot see
/// public addresses at all (it sits on the same machine or network).
fn may_pass(address: SocketAddr, whom: &Party, by: &Party) -> bool {
    let is_believed = match whom.observed.map(|observed| observed.ip()) {
        Some(seen) if is_public(seen) && is_public(address.ip()) => seen == address.ip(),
        _ => true,
    };
    is_believed && is_harmless(address) && is_met_by(address, by)
}

/// Whether dialling `address` can hurt nobody but its owner: not a group of hosts, not a system service, not
/// a known amplifier.
pub fn is_harmless(address: SocketAddr) -> bool {
    let is_one_host = match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_link_local()
        }
        // Link-local IPv6 means nothing without an interface, which only its owner knows.
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
    };
    is_one_host && address.port() >= 1_024 && !AMPLIFIERS.contains(&address.port())
}

/// Loopback is of use only to those who are seen on it.
fn is_met_by(address: SocketAddr, by: &Party) -> bool {
    !is_loopback(address.ip()) || by.observed.is_none_or(|observed| is_loopback(observed.ip()))
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn is_public(ip: IpAddr) -> bool {
    !is_local(ip) && !is_loopback(ip)
}

/// Private, shared or link-local: an address that means something inside one network only.
fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn party(id: u8, observed: &str, stated: &[&str]) -> Party {
        let observed = (!observed.is_empty()).then(|| observed.parse().unwrap());
        Party { peer: PeerId::from_bytes([id; 32]), observed, stated: at(stated) }
    }

    const RATE: Rate = Rate { burst: 2, per_second: 1 };

    #[test]
    fn both_sides_learn_of_each_other_from_one_request() {
        let asker = party(3, "203.0.113.7:5000", &["192.168.1.3:5000"]);
        let target = party(50, "198.51.100.9:7000", &["10.0.0.5:7000"]);
        let told = Introducer::new(RATE, 700).introduce(Time::ZERO, &asker, Some(&target));
        assert_eq!(
            told,
            Ok(Introduction {
                to_asker: at(&["198.51.100.9:7000", "10.0.0.5:7000"]),
                to_target: at(&["203.0.113.7:5000", "192.168.1.3:5000"]),
            })
        );
    }

    #[test]
    fn behind_one_nat_local_addresses_come_first() {
        let asker = party(3, "203.0.113.7:5000", &["192.168.1.3:5000"]);
        let target = party(50, "203.0.113.7:6000", &["203.0.113.7:9000", "192.168.1.5:6000"]);
        assert_eq!(
            candidates(&target, &asker),
            at(&["192.168.1.5:6000", "203.0.113.7:6000", "203.0.113.7:9000"])
        );
    }

    #[test]
    fn nobody_is_aimed_at_a_stranger_a_group_of_hosts_or_a_service() {
        let asker = party(3, "203.0.113.7:5000", &[]);
        let stated = [
            "192.0.2.66:5000",
            "127.0.0.1:5000",
            "0.0.0.0:5000",
            "224.0.0.251:5000",
            "255.255.255.255:5000",
            "10.0.0.5:53",
            "10.0.0.5:5353",
            "[fe80::1]:5000",
        ];
        let target = party(50, "198.51.100.9:7000", &stated);
        assert_eq!(candidates(&target, &asker), at(&["198.51.100.9:7000"]));
    }

    #[test]
    fn an_introducer_that_sees_no_public_address_passes_stated_ones_on() {
        let asker = party(3, "192.168.1.3:5000", &[]);
        let target = party(50, "127.0.0.1:7000", &["198.51.100.9:7000"]);
        assert_eq!(candidates(&target, &asker), at(&["198.51.100.9:7000"]));
        let unseen = party(51, "", &["198.51.100.9:7000", "127.0.0.1:7000"]);
        assert_eq!(candidates(&unseen, &party(3, "", &[])), unseen.stated);
    }

    #[test]
    fn at_most_24_candidates_are_passed_on_and_none_twice() {
        let asker = party(3, "127.0.0.1:5000", &[]);
        let mut target = party(50, "127.0.0.1:7000", &["127.0.0.1:7000"]);
        target.stated.extend((0..30).map(|n| SocketAddr::from(([127, 0, 0, 1], 7_000 + n))));
        let given = candidates(&target, &asker);
        assert_eq!(given.len(), 24);
        assert_eq!(given[..2], at(&["127.0.0.1:7000", "127.0.0.1:7001"]));
    }

    #[test]
    fn an_asker_out_of_tokens_waits_and_others_do_not() {
        let (asker, other) = (party(3, "", &[]), party(4, "", &[]));
        let target = party(50, "", &["203.0.113.7:5000"]);
        let mut introducer = Introducer::new(RATE, 700);
        let mut ask = |who: &Party, millis| {
            introducer
                .introduce(Time::from_millis(millis), who, Some(&target))
                .map(|told| told.to_asker.len())
        };
        assert_eq!([ask(&asker, 0), ask(&asker, 0), ask(&asker, 0)], [Ok(1), Ok(1), Err(Denial::TooFast)]);
        assert_eq!([ask(&other, 0), ask(&asker, 1_000)], [Ok(1), Ok(1)]);
    }

    #[test]
    fn unknown_peers_and_oneself_are_nobody_to_meet() {
        let asker = party(3, "203.0.113.7:5000", &[]);
        let mut introducer = Introducer::new(RATE, 700);
        assert_eq!(introducer.introduce(Time::ZERO, &asker, None), Err(Denial::UnknownPeer));
        assert_eq!(introducer.introduce(Time::ZERO, &asker, Some(&asker)), Err(Denial::UnknownPeer));
    }

    #[test]
    fn the_table_of_askers_is_full_at_its_bound_until_one_has_rested() {
        let mut introducer = Introducer::new(RATE, 2);
        let mut ask = |id, seconds: u64| {
            let now = Time::from_millis(seconds * 1_000);
            introducer.introduce(now, &party(id, "", &[]), None).expect_err("nobody is wanted")
        };
        let asked = [ask(3, 0), ask(4, 0), ask(5, 0), ask(5, 1)];
        let known = Denial::UnknownPeer;
        assert_eq!(asked, [known, known, Denial::TooFast, known]);
    }
}
