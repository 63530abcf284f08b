use std::num::NonZeroU64;
use std::time::Duration;

use stratus_core::{GroupAddress, Identity, PeerId, Rng, Time};

use super::gossipsub::GossipSub;
use super::plumtree::Plumtree;
use super::tally::Tally;
use super::{Order, Rival, network};
use crate::rendezvous::Listing;
use crate::report::{RivalResults, ratio};
use crate::scenario::{Opponent, Rules, Scenario, Uplinks};
use crate::series::Curve;
use crate::source::Source;
use crate::world::World;

/// HyParView shuffles once a minute, and its overlay is better afterwards: it is given two.
const REHEARSAL: Duration = Duration::from_secs(130);

/// Plays the scenario's stream by the rules of another; answers what came of it and how quick it was. `window` is how late a delivery still counts.
pub(crate) fn play(scenario: &Scenario, opponent: Opponent, window: Duration) -> (RivalResults, Curve) {
    match opponent.rules {
        Rules::GossipSub => Play::<GossipSub>::new(scenario, opponent, window).play(),
        Rules::Plumtree => Play::<Plumtree>::new(scenario, opponent, window).play(),
    }
}

struct Play<'a, M: Rival> {
    scenario: &'a Scenario,
    opponent: Opponent,
    world: World<M, Tally>,
    source: Source,
    chance: Rng,
    start: Time,
    window: Duration,
}

impl<'a, M: Rival> Play<'a, M> {
    fn new(scenario: &'a Scenario, opponent: Opponent, window: Duration) -> Self {
        let secs = opponent.lasts.unwrap_or(scenario.secs);
        let (settle, warm_up) = match opponent.rules {
            Rules::GossipSub => (scenario.settle, Duration::ZERO),
            // Its trees grow while it streams.
            Rules::Plumtree => (scenario.settle.max(REHEARSAL), scenario.warm_up),
        };
        let start = Time::ZERO + scenario.join_over + settle;
        let stream = Scenario { secs: warm_up + secs, ..scenario.clone() };
        let tally = Tally::new(start + warm_up, window);
        Self {
            scenario,
            opponent,
            world: World::new(network(scenario), scenario.seed, 0, tally),
            source: Source::new(&stream, start, 0),
            chance: Rng::from_seed(scenario.seed).fork("rivals"),
            start,
            window,
        }
    }

    fn play(mut self) -> (RivalResults, Curve) {
        self.assemble();
        self.world.run_until(self.start);
        self.world.watch.is_streaming = true;
        let wire_before = self.wire_bytes();
        while let Some(at) = self.source.next_at() {
            self.world.run_until(at);
            for piece in self.source.write(at) {
                self.world.watch.write(at, &piece.payload);
                self.world.command(0, Order::Publish(piece.payload));
            }
        }
        self.world.run_until(self.world.now() + self.window);
        (self.results(wire_before), self.world.watch.delays.curve())
    }

    /// Everybody joins, as in ours, and is told of others by the same server.
    fn assemble(&mut self) {
        let mut joins: Vec<Time> = (1..self.scenario.members)
            .map(|_| Time::ZERO + self.chance.between(Duration::ZERO, self.scenario.join_over))
            .collect();
        joins.push(Time::ZERO);
        joins.sort_unstable();
        let mut listing = Listing::default();
        let mut peers: Vec<PeerId> = Vec::new();
        for (member, at) in (0..).zip(joins) {
            self.world.run_until(at);
            let peer = Identity::from_seed(self.chance.seed()).peer();
            let rate = self.uplink(member == 0);
            self.world.join(peer, M::new(peer), rate);
            let address = GroupAddress::from_bytes(*peer.as_bytes());
            let named = match self.opponent.rules {
                Rules::GossipSub => listing.bootstrap(&address, &mut self.chance),
                // As its own simulator does it: everybody joins the first.
                Rules::Plumtree => Vec::from_iter((member > 0).then_some(0)),
            };
            listing.add(address, member);
            peers.push(peer);
            let known = named.into_iter().map(|other| peers[other as usize]).collect();
            self.world.command(member, Order::Join(known));
        }
    }

    fn uplink(&self, is_source: bool) -> Option<NonZeroU64> {
        let multiple = match self.opponent.uplinks {
            Uplinks::Free => None,
            Uplinks::Same if is_source => self.scenario.source_uplink,
            Uplinks::Same => self.scenario.uplink,
        };
        multiple.and_then(|multiple| NonZeroU64::new(self.scenario.wire_rate(multiple)))
    }

    fn wire_bytes(&self) -> u64 {
        (0..self.world.member_count()).map(|member| self.world.sent_bytes(member)).sum()
    }

    fn results(&self, wire_before: u64) -> RivalResults {
        let tally = &self.world.watch;
        let viewers = u64::from(self.scenario.members - 1);
        let due = tally.written() * viewers;
        let payload: u64 = self.source.published().iter().map(|message| message.len()).sum();
        let needed = (payload * viewers) as f64;
        RivalResults {
            messages: tally.written(),
            delivered_ratio: ratio(tally.in_window as f64, due as f64),
            copies: ratio(tally.payload_bytes as f64, needed),
            received_ratio: ratio(tally.received_bytes as f64, needed),
            wire_per_payload: ratio((self.wire_bytes() - wire_before) as f64, needed),
            p50_ms: tally.delays.quantile_ms(500),
            p99_ms: tally.delays.quantile_ms(990),
            last_ms: tally.lasts.mean_ms(),
            overflowed: self.world.totals().overflowed,
            ..RivalResults::default()
        }
    }
}
