//! Which members are worth keeping.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{ANCHORS, FORGET, Kept, MOST};

/// How long a member must have been linked to be an anchor.
const PROVEN_SECONDS: u64 = 600;
/// Members of one /24 or /48 that are kept before those of others.
const PER_SITE: usize = 8;

/// The members to keep at `now`, best first: anchors, then those seen last, spread over networks where that is
/// possible. Spec RV-15.
pub(super) fn best(mut members: Vec<Kept>, now: u64) -> Vec<Kept> {
    members.retain(|kept| !kept.addresses.is_empty() && now.saturating_sub(kept.seen_at) < FORGET.as_secs());
    members.sort_by_key(|kept| (Reverse(kept.linked_seconds), kept.peer));
    let proven = members.iter().take_while(|kept| kept.linked_seconds >= PROVEN_SECONDS).count();
    let mut rest = members.split_off(proven.min(ANCHORS));
    rest.sort_by_key(|kept| (Reverse(kept.seen_at), kept.peer));
    members.extend(spread(rest));
    members.truncate(MOST);
    members
}

/// Those beyond a site's share go behind all others.
fn spread(members: Vec<Kept>) -> impl Iterator<Item = Kept> {
    let mut sites: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let (first, later): (Vec<_>, Vec<_>) = members.into_iter().partition(|kept| {
        let count = sites.entry(site(&kept.addresses[0])).or_default();
        *count += 1;
        *count <= PER_SITE
    });
    first.into_iter().chain(later)
}

/// The /24 or /48 of an address.
fn site(address: &SocketAddr) -> Vec<u8> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets()[..3].to_vec(),
        IpAddr::V6(ip) => ip.octets()[..6].to_vec(),
    }
}
