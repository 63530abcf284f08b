use stratus_multicast::MulticastInfo;

use super::{PUBLISHER, Run};
use crate::member::Purpose;
use crate::report::{Results, ratio};
use crate::score::Player;

/// Sums over the survivors.
#[derive(Default)]
struct Sums {
    count: u64,
    complete: u64,
    from_first: u64,
    ended: u64,
    messages: u64,
    bytes: u64,
    received_bytes: u64,
    given_up: u64,
    pushed: u64,
    pulled: u64,
    duplicates: u64,
    pulls: u64,
    reparented: u64,
    quickened: u64,
}

impl Sums {
    fn add(&mut self, player: &Player, published: u64, info: &MulticastInfo) {
        let due = player.first.map(|first| published - u64::from(first));
        self.count += 1;
        self.complete += u64::from(due == Some(player.messages));
        self.from_first += u64::from(player.first == Some(0));
        self.ended += u64::from(player.has_ended);
        self.messages += player.messages;
        self.bytes += player.bytes;
        self.received_bytes += player.received_bytes;
        self.given_up += player.given_up;
        self.pushed += info.pushed_from_peers.fragments;
        self.pulled += info.requested_from_peers.fragments;
        self.duplicates += info.duplicates.fragments;
        self.pulls += info.pulls_sent;
        self.reparented += info.reparented;
        self.quickened += info.quickened;
    }
}

impl Run<'_> {
    /// Adds everything up.
    pub(super) fn results(&mut self) -> Results {
        let totals = self.world.totals();
        let score = &self.world.watch;
        let published = score.source.published();
        let published_bytes: u64 = published.iter().map(|message| message.len()).sum();
        let mut sums = Sums::default();
        for member in self.survivors() {
            sums.add(&score.players[member], published.len() as u64, &self.infos[member]);
        }
        let mut sent = Purpose::default();
        score.sent.iter().for_each(|purpose| sent += *purpose);
        let publisher_sent = score.sent[PUBLISHER as usize].payload;
        let played_bytes: u64 = score.players.iter().map(|player| player.bytes).sum();
        let of_survivors = |part: u64| ratio(part as f64, sums.count as f64);
        let of_payload = |part: u64| ratio(part as f64, sent.payload as f64);
        Results {
            members: self.world.member_count(),
            survivors: sums.count as u32,
            neighbors_mean: self.neighbors_mean,
            messages: published.len() as u64,
            complete_share: of_survivors(sums.complete),
            from_first_share: of_survivors(sums.from_first),
            ended_share: of_survivors(sums.ended),
            delivered_ratio: ratio(sums.messages as f64, (sums.count * published.len() as u64) as f64),
            copies: ratio(sums.received_bytes as f64, sums.bytes as f64),
            control_ratio: of_payload(sent.control),
            auth_ratio: of_payload(sent.auth),
            p50_ms: score.delays.quantile_ms(500),
            p99_ms: score.delays.quantile_ms(990),
            max_ms: score.delays.longest_ms(),
            wire_per_payload: ratio((self.wire_bytes() - self.wire_before) as f64, played_bytes as f64),
            publisher_copies: ratio(publisher_sent as f64, published_bytes as f64),
            peer_share: 1.0 - of_payload(publisher_sent),
            pushed_share: ratio(sums.pushed as f64, (sums.pushed + sums.pulled) as f64),
            pulled_fragments: sums.pulled,
            duplicate_fragments: sums.duplicates,
            given_up_fragments: sums.given_up,
            pulls: sums.pulls,
            reparented: sums.reparented,
            quickened: sums.quickened,
            lost_packets: totals.lost_packets,
            expired_datagrams: totals.expired,
            overflowed: totals.overflowed,
            faults: score.faults.count,
            ended_at_s: self.world.now().as_micros() as f64 / 1e6,
            events: self.world.events(),
            trace_hash: self.world.trace().hash(),
        }
    }
}

/// Which counter is smaller than it was.
pub(super) fn fallen(before: &MulticastInfo, after: &MulticastInfo) -> Option<&'static str> {
    let pairs = counters(before).into_iter().zip(counters(after));
    pairs.into_iter().find(|((_, before), (_, after))| after < before).map(|((name, _), _)| name)
}

fn counters(info: &MulticastInfo) -> [(&'static str, u64); 20] {
    [
        ("pushed_to_peers.bytes", info.pushed_to_peers.bytes),
        ("pushed_to_peers.fragments", info.pushed_to_peers.fragments),
        ("pushed_from_peers.bytes", info.pushed_from_peers.bytes),
        ("pushed_from_peers.fragments", info.pushed_from_peers.fragments),
        ("requested_by_peers.bytes", info.requested_by_peers.bytes),
        ("requested_by_peers.fragments", info.requested_by_peers.fragments),
        ("requested_from_peers.bytes", info.requested_from_peers.bytes),
        ("requested_from_peers.fragments", info.requested_from_peers.fragments),
        ("duplicates.bytes", info.duplicates.bytes),
        ("duplicates.fragments", info.duplicates.fragments),
        ("manifests_sent_bytes", info.manifests_sent_bytes),
        ("manifests_received_bytes", info.manifests_received_bytes),
        ("control_sent_bytes", info.control_sent_bytes),
        ("control_received_bytes", info.control_received_bytes),
        ("pulls_sent", info.pulls_sent),
        ("refusals_sent", info.refusals_sent),
        ("reparented", info.reparented),
        ("quickened", info.quickened),
        ("messages_delivered", info.messages_delivered),
        ("fragments_given_up", info.fragments_given_up),
    ]
}
