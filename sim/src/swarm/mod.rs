//! A swarm: one member has a set of objects, all others want it. The same replication machine as everywhere, on a random
//! graph of as many links as the overlay makes, without the overlay itself.

mod peer;

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Serialize;
use stratus_core::{PeerId, Rng, Time, Wire};
use stratus_replication::{Command, Event, Message};

use crate::latency::Latency;
use crate::size::Size;
use crate::world::{Config, Member, Watch, World};
use peer::{Order, Peer};

/// What is played.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Swarm {
    /// Members, the source among them.
    pub members: u32,
    /// Objects of the set.
    pub objects: u64,
    /// Bytes of each.
    pub object_bytes: usize,
    /// Wire bytes a second that the source, and a member in the mean, can send.
    pub uplink: NonZeroU64,
    /// Members of three kinds: 30 of 100 with a quarter of the uplink, 20 with twice as much less a little, so that
    /// the mean is the uplink.
    pub has_classes: bool,
    /// From which everything is drawn.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SwarmResults {
    /// What was played.
    pub swarm: Swarm,
    /// Members that have everything, the source not counted.
    pub complete: u32,
    /// Seconds until the last one had it.
    pub seconds: f64,
    /// Seconds until the first one had it, and until half had it.
    pub first_and_half: [Option<f64>; 2],
    /// Seconds until the source had sent each object and heard that it came.
    pub spread_seconds: Option<f64>,
    /// How much of all uplinks was in use, in each tenth of the time.
    pub uplink_use: [f64; 10],
    /// By the shortest time that any schedule needs with equal uplinks: F/U × (1 + ⌊log2 N⌋/K).
    pub t_over_schedule: f64,
    /// By the fluid bound: the source's uplink, or all uplinks together.
    pub t_over_bound: f64,
    /// Bytes of objects that came to whom had them, of those needed.
    pub duplicates_ratio: f64,
    /// Copies of the set that the source sent.
    pub source_copies: f64,
    /// Bytes on the wire, of the bytes needed.
    pub wire_per_payload: f64,
    /// Requests that met a busy member.
    pub refused: u64,
    /// The hash of everything that happened.
    pub trace: String,
}

/// Longest that a swarm is watched, as a multiple of its bound.
const PATIENCE: f64 = 6.0;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl Swarm {
    /// A swarm as the project's goals D1 to D4 have it: 1,024 objects of 64 KiB, uplinks of 20 Mbit/s.
    pub fn new(members: u32, seed: u64) -> Self {
        let uplink = NonZeroU64::new(2_500_000).expect("not zero");
        Self { members, objects: 1_024, object_bytes: 64 << 10, uplink, has_classes: false, seed }
    }

    /// Wire bytes of all objects, headers included: what an uplink has to carry for one copy.
    fn wire_bytes(&self) -> f64 {
        let how = stratus_core::Delivery::Bulk;
        (Size::of(self.object_bytes + 11, how).bytes * self.objects) as f64
    }

    fn uplink_of(&self, member: u32) -> NonZeroU64 {
        let mean = self.uplink.get();
        let rate = match member % 10 {
            _ if member == 0 || !self.has_classes => mean,
            1 | 4 | 7 => mean / 4,
            2 | 5 => mean * 85 / 40,
            _ => mean,
        };
        NonZeroU64::new(rate.max(1)).expect("at least 1")
    }

    /// The fluid bound in seconds.
    fn bound(&self) -> f64 {
        let all: u64 = (0..self.members).map(|member| self.uplink_of(member).get()).sum();
        let copies = f64::from(self.members - 1);
        (self.wire_bytes() / self.uplink.get() as f64).max(self.wire_bytes() * copies / all as f64)
    }

    /// Seconds of the best schedule of whole objects with equal uplinks.
    fn schedule(&self) -> f64 {
        let rounds = f64::from(31 - self.members.leading_zeros());
        self.wire_bytes() / self.uplink.get() as f64 * (1.0 + rounds / self.objects as f64)
    }

    /// Plays it.
    pub fn run(&self) -> SwarmResults {
        let latency = Latency::Uniform {
            low: Duration::from_millis(10),
            high: Duration::from_millis(50),
            seed: self.seed,
        };
        let config = Config { queue_bytes: 4 << 20, ..Config::new(latency) };
        let got = vec![0; self.members as usize];
        let watch = Finishing { objects: self.objects, got, finished: Vec::new(), spread_at: None };
        let mut world = World::new(config, self.seed, 0, watch);
        let peers: Vec<PeerId> =
            (0..self.members).map(|number| stratus_core::testing::peer(u64::from(number))).collect();
        for member in 0..self.members {
            let peer = Peer::new(self.object_bytes);
            world.join(peers[member as usize], peer, Some(self.uplink_of(member)));
        }
        for (from, to) in self.links() {
            world.command(from, Order::Dial(peers[to as usize]));
        }
        let began = Time::from_millis(2_000);
        world.run_until(began);
        world.command(0, Order::Tell(Command::SetFirstSeed(true)));
        world.command(0, Order::Tell(Command::AddHave(0..self.objects)));
        (1..self.members)
            .for_each(|member| world.command(member, Order::Tell(Command::AddWant(0..self.objects))));
        let end = began + Duration::from_secs_f64(self.bound() * PATIENCE);
        let sent =
            |world: &World<Peer, Finishing>| (0..self.members).map(|m| world.sent_bytes(m)).sum::<u64>();
        let mut sums = vec![sent(&world)];
        while world.watch.finished.len() < self.members as usize - 1 && world.now() < end {
            let next = world.now() + LOOK;
            world.run_until(next);
            sums.push(sent(&world));
        }
        self.results(&mut world, began, &sums)
    }

    /// A random graph in which everybody has about as many links as the overlay makes.
    fn links(&self) -> Vec<(u32, u32)> {
        let mut rng = Rng::from_seed(self.seed).fork("links");
        let degree = 2 * (32 - self.members.leading_zeros()) + 13;
        let own = (degree / 2).min(self.members - 1);
        let mut links = Vec::new();
        for member in 0..self.members {
            // A ring keeps it in one piece.
            links.push((member, (member + 1) % self.members));
            for _ in 1..own {
                let other = rng.below(u64::from(self.members)) as u32;
                if other != member {
                    links.push((member, other));
                }
            }
        }
        links
    }

    /// Of all that the uplinks could send in each tenth of the time, how much they did. `sums` is what all had sent at
    /// each look.
    fn uplink_use(&self, sums: &[u64]) -> [f64; 10] {
        let all: u64 = (0..self.members).map(|member| self.uplink_of(member).get()).sum();
        let at = |tenth: usize| tenth * (sums.len() - 1) / 10;
        std::array::from_fn(|tenth| {
            let (from, until) = (at(tenth), at(tenth + 1));
            let seconds = LOOK.as_secs_f64() * (until - from).max(1) as f64;
            (sums[until] - sums[from]) as f64 / (all as f64 * seconds)
        })
    }

    fn results(&self, world: &mut World<Peer, Finishing>, began: Time, sums: &[u64]) -> SwarmResults {
        let trace = world.trace().hash();
        // Members finish in order of time.
        let finished = world.watch.finished.clone();
        let after = |at: Option<&Time>| at.map(|at| at.since(began).as_secs_f64());
        let seconds = finished.last().unwrap_or(&world.now()).since(began).as_secs_f64();
        let needed = (self.object_bytes as u64 * self.objects * u64::from(self.members - 1)) as f64;
        let stats = |member: u32| world.machine(member).machine.stats();
        let all = |of: &dyn Fn(u32) -> u64| (0..self.members).map(of).sum::<u64>();
        SwarmResults {
            swarm: self.clone(),
            complete: finished.len() as u32,
            seconds,
            first_and_half: [after(finished.first()), after(finished.get(self.members as usize / 2))],
            spread_seconds: world.watch.spread_at.map(|at| at.since(began).as_secs_f64()),
            uplink_use: self.uplink_use(sums),
            t_over_schedule: seconds / self.schedule(),
            t_over_bound: seconds / self.bound(),
            duplicates_ratio: all(&|member| stats(member).duplicate_bytes) as f64 / needed,
            source_copies: stats(0).sent_objects as f64 / self.objects as f64,
            wire_per_payload: all(&|member| world.sent_bytes(member)) as f64 / needed,
            refused: all(&|member| stats(member).refused),
            trace,
        }
    }
}

/// When each member had everything.
struct Finishing {
    objects: u64,
    got: Vec<u64>,
    finished: Vec<Time>,
    spread_at: Option<Time>,
}

impl Watch<Peer> for Finishing {
    fn event(&mut self, now: Time, member: u32, event: Event) -> (u64, u64) {
        if let Event::Result { index, .. } = event {
            self.got[member as usize] += 1;
            if self.got[member as usize] == self.objects {
                self.finished.push(now);
            }
            return (6, index);
        }
        if event == Event::Spread {
            self.spread_at = Some(now);
        }
        (6, 0)
    }
}

impl Member for Peer {
    type Message = Message;
    type Command = Order;
    type Event = Event;

    fn connect_failed(_peer: PeerId) -> Order {
        Order::Nothing
    }

    fn length_of(message: &Message) -> usize {
        message.wire_len()
    }
}

#[cfg(test)]
mod tests {
    use stratus_replication::Load;

    use super::*;

    /// Goals D1, D3 and D4 on a small swarm; the large ones are run by hand (docs/measurements).
    #[test]
    fn a_swarm_of_twenty_is_quick_and_wastes_nothing() {
        let swarm = Swarm { objects: 256, object_bytes: 16 << 10, ..Swarm::new(20, 3) };
        let results = swarm.run();
        assert_eq!(results.complete, 19, "{results:?}");
        // Of so small a set most of a second is for the first objects to get around.
        assert!(results.t_over_schedule < 1.7, "{results:?}");
        assert!(results.duplicates_ratio <= 0.002, "{results:?}");
        assert!(results.source_copies <= 1.10, "{results:?}");
        assert_eq!(results, swarm.run(), "the same seed gives the same swarm");
    }

    #[test]
    fn the_bound_is_the_sources_or_that_of_all() {
        let equal = Swarm::new(100, 1);
        assert!(equal.schedule() > equal.bound());
        let classes = Swarm { has_classes: true, ..Swarm::new(1_000, 1) };
        let mean: f64 = (1..1_000).map(|member| classes.uplink_of(member).get() as f64).sum::<f64>() / 999.0;
        assert!((mean / 2_500_000.0 - 1.0).abs() < 0.01, "mean uplink {mean}");
    }

    #[test]
    fn an_object_has_the_size_that_is_counted() {
        let payload = vec![0; 64 << 10].into();
        let message = Message::Object { id: 7, index: 700, load: Load::default(), payload };
        assert!(message.wire_len() <= (64 << 10) + 11);
    }
}
