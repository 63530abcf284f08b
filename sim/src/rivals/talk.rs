use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupAddress, Identity, PeerId, Rng, Time};

use super::gossipsub::GossipSub;
use super::{Order, Rival, network};
use crate::cast::Role;
use crate::posts::PostScore;
use crate::rendezvous::Listing;
use crate::report::RivalResults;
use crate::scenario::Scenario;
use crate::score::Faults;
use crate::series::Curve;
use crate::world::{Content, Packet, Watch, World};

/// Who goes without a word stays listed for this long, as in ours.
const LISTED_FOR: Duration = Duration::from_secs(60);
/// After the last post all of them have so long to arrive.
const DRAIN: Duration = Duration::from_secs(10);

/// Who came and went in a run of ours, and who said what, so that others may do the same.
pub(crate) struct Talked {
    /// Everybody, in the order of coming.
    pub(crate) roles: Vec<Role>,
    /// When, by whom, what.
    pub(crate) posts: Vec<(Time, u32, Bytes)>,
    /// From when on bytes count.
    pub(crate) counts_from: Time,
}

/// Has the same members say the same at the same moments, by GossipSub's rules.
pub(crate) fn talk(scenario: &Scenario, talked: &Talked) -> (RivalResults, Curve) {
    let mut talk = Talk::<GossipSub>::new(scenario, talked);
    talk.play();
    let score = &mut talk.world.watch.score;
    let (results, delays) = (score.results(&talked.roles), score.delays.curve());
    let results = RivalResults {
        messages: results.posts,
        delivered_ratio: results.arrival_share,
        copies: results.copies,
        received_ratio: results.received_ratio,
        p50_ms: results.p50_ms,
        p99_ms: results.p99_ms,
        overflowed: talk.world.totals().overflowed,
        ..RivalResults::default()
    };
    (results, delays)
}

/// What happens at a moment.
#[derive(Clone, Copy)]
enum Act {
    Join,
    Go(u32),
    Unlist(u32),
    Post(usize),
}

struct Talk<'a, M: Rival> {
    talked: &'a Talked,
    world: World<M, Ears>,
    chance: Rng,
    listing: Listing,
    peers: Vec<PeerId>,
}

impl<'a, M: Rival> Talk<'a, M> {
    fn new(scenario: &Scenario, talked: &'a Talked) -> Self {
        let ears = Ears { score: PostScore::new(), roles: talked.roles.clone(), is_counting: false };
        Self {
            talked,
            world: World::new(network(scenario), scenario.seed, 0, ears),
            chance: Rng::from_seed(scenario.seed).fork("rivals"),
            listing: Listing::default(),
            peers: Vec::new(),
        }
    }

    fn play(&mut self) {
        let mut acts: Vec<(Time, Act)> = Vec::new();
        for (member, role) in (0..).zip(&self.talked.roles) {
            acts.push((role.joined_at, Act::Join));
            if let Some(left_at) = role.left_at {
                acts.push((left_at, Act::Go(member)));
                acts.push((left_at + LISTED_FOR, Act::Unlist(member)));
            }
        }
        acts.extend(self.talked.posts.iter().zip(0..).map(|((at, ..), post)| (*at, Act::Post(post))));
        acts.sort_by_key(|(at, _)| *at);
        let last = self.talked.posts.last().map_or(self.talked.counts_from, |(at, ..)| *at) + DRAIN;
        for (at, act) in acts.into_iter().filter(|(at, _)| *at < last) {
            self.world.run_until(at);
            self.world.watch.is_counting = at >= self.talked.counts_from;
            self.perform(at, act);
        }
        self.world.run_until(last);
    }

    fn perform(&mut self, at: Time, act: Act) {
        match act {
            Act::Join => self.join(),
            Act::Go(member) if self.talked.roles[member as usize].was_killed => self.world.kill(member),
            Act::Go(member) => {
                self.listing.remove(&self.address(member));
                self.world.leave(member, Order::Leave);
            }
            Act::Unlist(member) => self.listing.remove(&self.address(member)),
            Act::Post(number) => {
                let (_, by, body) = &self.talked.posts[number];
                self.world.watch.score.said(at, *by, body.clone());
                self.world.command(*by, Order::Publish(body.clone()));
            }
        }
    }

    fn join(&mut self) {
        let peer = Identity::from_seed(self.chance.seed()).peer();
        let member = self.world.join(peer, M::new(peer), None);
        self.peers.push(peer);
        let address = self.address(member);
        let named = self.listing.bootstrap(&address, &mut self.chance);
        self.listing.add(address, member);
        let known = named.into_iter().map(|other| self.peers[other as usize]).collect();
        self.world.command(member, Order::Join(known));
    }

    fn address(&self, member: u32) -> GroupAddress {
        GroupAddress::from_bytes(*self.peers[member as usize].as_bytes())
    }
}

/// Counts as is counted of ours.
struct Ears {
    score: PostScore,
    roles: Vec<Role>,
    is_counting: bool,
}

impl<M: Rival> Watch<M> for Ears {
    fn arrived(&mut self, _: Time, packet: &Packet<M::Message>) {
        if let (true, Content::Message(message)) = (self.is_counting, &packet.content) {
            self.score.received(M::payload_in(message) as u64, packet.head.length);
        }
    }

    fn event(&mut self, now: Time, member: u32, body: Bytes) -> (u64, u64) {
        let mut faults = Faults::default();
        self.score.shown(now, member, &body, &mut faults);
        assert_eq!(faults.count, 0, "{:?}", faults.words);
        self.score.note_delay(now, &self.roles[member as usize], &body);
        (0, 0)
    }
}
