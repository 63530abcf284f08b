use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::Time;
use stratus_multicast::MulticastInfo;

use super::Run;
use crate::cast::{Part, Role};
use crate::histogram::Histogram;
use crate::member::Purpose;
use crate::report::{HostileResults, PartResults, Results, ratio};
use crate::score::Player;
use crate::source::Published;

/// A viewer is not owed what was published in the last moment before it went.
const PARTING: Duration = Duration::from_secs(1);
/// Whoever joined is owed messages after this, if it has not begun by itself.
const ARRIVAL: Duration = Duration::from_secs(3);

/// Sums over what the survivors play.
#[derive(Default)]
struct Sums {
    count: u64,
    complete: u64,
    from_first: u64,
    ended: u64,
    messages: u64,
    published: u64,
    bytes: u64,
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
        self.published += published;
        self.bytes += player.bytes;
        self.given_up += player.given_up;
        self.pushed += info.pushed_from_peers.fragments;
        self.pulled += info.requested_from_peers.fragments;
        self.duplicates += info.duplicates.fragments;
        self.pulls += info.pulls_sent;
        self.reparented += info.reparented;
        self.quickened += info.quickened;
    }
}

/// Messages that were due, and those of them that were missed.
#[derive(Clone, Copy, Default)]
struct Due {
    all: u64,
    missed: u64,
}

impl Due {
    /// Of one member and one stream.
    fn of(role: &Role, player: &Player, published: &[Published]) -> Self {
        let before = |time: Time| published.partition_point(|message| message.at < time) as u64;
        let end = role.left_at.map_or(published.len() as u64, |left_at| before(left_at - PARTING));
        let Some((first, last)) = player.first.zip(player.last) else {
            let all = end.saturating_sub(before(role.joined_at + ARRIVAL));
            return Self { all, missed: all };
        };
        let all = end.max(u64::from(last) + 1) - u64::from(first);
        Self { all, missed: all - player.messages }
    }

    fn continuity(self) -> f64 {
        if self.all == 0 { 1.0 } else { ratio((self.all - self.missed) as f64, self.all as f64) }
    }
}

impl std::ops::AddAssign for Due {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.missed += other.missed;
    }
}

impl Run<'_> {
    /// Adds everything up.
    pub(super) fn results(&mut self) -> Results {
        let totals = self.world.totals();
        let group = self.group_results();
        let world = &self.world;
        let ring = self.ring.as_mut().map(|ring| ring.results(|member| world.is_alive(member)));
        let watch = &mut self.world.watch;
        let posts = watch.posts.as_mut().map(|posts| posts.results(&watch.cast.roles));
        let score = &self.world.watch;
        let published: Vec<u64> =
            score.sources.iter().map(|source| source.published().len() as u64).collect();
        let sums = self.sums(&published);
        let everybody = || 0..self.world.member_count();
        let honest = || everybody().filter(|member| !score.cast.part(*member).is_hostile());
        let of_part = |part: Part| everybody().filter(move |member| score.cast.part(*member) == part);
        let mut sent = Purpose::default();
        score.sent.iter().for_each(|purpose| sent += *purpose);
        let publishers_sent: u64 =
            of_part(Part::Publisher).map(|member| score.sent[member as usize].payload).sum();
        let mut received = Purpose::default();
        self.survivors().for_each(|member| received += score.received[member as usize]);
        let played = everybody().flat_map(|member| (0..published.len()).map(move |stream| (member, stream)));
        let played_bytes: u64 = played.map(|(member, stream)| score.player(member, stream).bytes).sum();
        let times = self.times();
        let of_survivors = |part: u64| ratio(part as f64, sums.count as f64);
        let of_payload = |part: u64| ratio(part as f64, sent.payload as f64);
        Results {
            members: self.world.member_count(),
            survivors: self.survivors().count() as u32,
            neighbors_mean: self.neighbors_mean,
            messages: published.iter().sum(),
            complete_share: of_survivors(sums.complete),
            from_first_share: of_survivors(sums.from_first),
            ended_share: of_survivors(sums.ended),
            delivered_ratio: ratio(sums.messages as f64, sums.published as f64),
            continuity: self.due(honest()).continuity(),
            copies: ratio(received.payload as f64, sums.bytes as f64),
            control_ratio: of_payload(sent.control),
            control_ratio_steady: ratio(score.steady.control as f64, score.steady.payload as f64),
            auth_ratio: of_payload(sent.auth),
            wire_per_payload: ratio((self.wire_bytes() - self.wire_before) as f64, played_bytes as f64),
            media_ratio: ratio((received.payload + received.auth) as f64, sums.bytes as f64),
            received_ratio: ratio(received.all() as f64, sums.bytes as f64),
            publisher_copies: ratio(publishers_sent as f64, self.published_bytes() as f64),
            peer_share: 1.0 - of_payload(publishers_sent),
            idle_media_bytes: of_part(Part::Idle).map(|member| self.media_bytes(member)).sum(),
            parts: self.parts(),
            group,
            ring,
            hostile: self.hostile_results(),
            posts,
            pushed_share: ratio(sums.pushed as f64, (sums.pushed + sums.pulled) as f64),
            pushed_share_steady: score.pushed_share_steady(),
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
            ..times
        }
    }

    /// How long things took.
    fn times(&self) -> Results {
        let (score, (joined, joins)) = (&self.world.watch, self.joins());
        Results {
            p50_ms: score.delays[0].quantile_ms(500),
            p95_ms: score.delays[0].quantile_ms(950),
            p99_ms: score.delays[0].quantile_ms(990),
            max_ms: score.delays[0].longest_ms(),
            last_ms: score.last_ms(),
            joined,
            join_p50_ms: joins.quantile_ms(500),
            join_p99_ms: joins.quantile_ms(990),
            repair_p50_ms: score.repairs.quantile_ms(500),
            repair_p99_ms: score.repairs.quantile_ms(990),
            ..Results::default()
        }
    }

    /// What hostile members achieved, if there are some.
    fn hostile_results(&self) -> Option<HostileResults> {
        let score = &self.world.watch;
        let is_hostile = |member: u32| score.cast.part(member).is_hostile();
        let members = (0..self.world.member_count()).filter(|member| is_hostile(*member)).count() as u32;
        if members == 0 {
            return None;
        }
        let (mut shares, mut links) = (Vec::new(), Vec::new());
        for member in (0..self.world.member_count()).filter(|member| !is_hostile(*member)) {
            links.clear();
            self.world.open_links(member, &mut links);
            if self.world.is_alive(member) && !links.is_empty() {
                let bad = links.iter().filter(|other| is_hostile(**other)).count();
                shares.push(ratio(bad as f64, links.len() as f64));
            }
        }
        shares.sort_unstable_by(f64::total_cmp);
        let hostile = &score.hostile;
        Some(HostileResults {
            members,
            bad_fragments: hostile.bad_fragments,
            accusations: hostile.accusations,
            cut_off_ms: hostile.slowest.as_micros() as f64 / 1e3,
            unpunished: hostile.unpunished() as u64,
            neighbors_p99: shares.get(shares.len() * 99 / 100).copied().unwrap_or_default(),
            neighbors_over_chance: ratio(
                shares.iter().sum::<f64>() / shares.len().max(1) as f64,
                f64::from(members) / f64::from(self.world.member_count()),
            ),
            eclipsed: shares.iter().filter(|share| **share == 1.0).count() as u32,
        })
    }

    /// Bytes of payload and manifests that a member sent and received.
    fn media_bytes(&self, member: u32) -> u64 {
        let score = &self.world.watch;
        let (sent, received) = (score.sent[member as usize], score.received[member as usize]);
        sent.payload + sent.auth + received.payload + received.auth
    }

    /// Those who joined while it streamed, and how long they waited for their first messages.
    fn joins(&self) -> (u32, Histogram) {
        let (score, start) = (&self.world.watch, self.end_at - self.scenario.secs);
        let (mut joined, mut waits) = (0, Histogram::new());
        for member in (0..self.world.member_count()).filter(|member| score.cast.plays(*member)) {
            let joined_at = score.cast.roles[member as usize].joined_at;
            if joined_at < start {
                continue;
            }
            joined += 1;
            let firsts =
                score.cast.played_by(member).filter_map(|stream| score.player(member, stream).first_at);
            if let Some(first_at) = firsts.min() {
                waits.add(first_at.since(joined_at));
            }
        }
        (joined, waits)
    }

    /// Over what the survivors play, of streams with so many messages each.
    fn sums(&self, published: &[u64]) -> Sums {
        let mut sums = Sums::default();
        for (member, stream) in self.sessions() {
            let info = &self.infos[member as usize * published.len() + stream];
            sums.add(self.world.watch.player(member, stream), published[stream], info);
        }
        sums
    }

    fn published_bytes(&self) -> u64 {
        let messages = self.world.watch.sources.iter().flat_map(|source| source.published());
        messages.map(Published::len).sum()
    }

    /// What was due to these members, whether they are still there or not.
    fn due(&self, members: impl Iterator<Item = u32>) -> Due {
        let score = &self.world.watch;
        let mut due = Due::default();
        for member in members {
            let role = &score.cast.roles[member as usize];
            for stream in score.cast.played_by(member) {
                due += Due::of(role, score.player(member, stream), score.sources[stream].published());
            }
        }
        due
    }

    fn parts(&self) -> BTreeMap<&'static str, PartResults> {
        let score = &self.world.watch;
        let published = self.published_bytes() as f64;
        let mut parts = BTreeMap::new();
        for part in Part::ALL {
            let of_part = || (0..self.world.member_count()).filter(|m| score.cast.part(*m) == part);
            let members = of_part().count() as u32;
            let carried: u64 = of_part().map(|member| score.sent[member as usize].payload).sum();
            if members > 0 {
                let result = PartResults {
                    members,
                    carried: ratio(carried as f64, published * f64::from(members)),
                    p99_ms: score.delays[1 + part as usize].quantile_ms(990),
                    continuity: self.due(of_part()).continuity(),
                };
                parts.insert(part.name(), result);
            }
        }
        parts
    }
}
