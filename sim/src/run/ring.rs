use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::{GroupAddress, PeerId, Rng, Time};
use stratus_node::Command;
use stratus_overlay::routing::{self, Arrived, Found, Got, Key, Put, Send, Value, Way};

use super::{Act, Run};
use crate::histogram::Histogram;
use crate::report::{RingResults, ratio};

/// How often an application looks at what has come.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Nothing is begun so shortly before the end.
const DRAIN: Duration = Duration::from_secs(20);
/// A member that joined so long ago is part of the group, for what is asked of it and by it.
const SETTLED: Duration = Duration::from_secs(5);
/// Values put in a second, before they are read.
const PUTS: f64 = 50.0;
/// Bytes of a value.
const VALUE_BYTES: usize = 100;
/// How long values are kept: longer than any run.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// What is sent, looked up, put and read in a group, and what came of it.
pub(super) struct Ring {
    chance: Rng,
    next: u64,
    /// Of each kind, what is owed at the present rate.
    owed: [f64; 4],
    places: BTreeMap<u64, GroupAddress>,
    begun: BTreeMap<u64, Time>,
    values: Vec<Value>,
    /// Those that were put, by the number of their put.
    puts: BTreeMap<u64, usize>,
    kept: Vec<usize>,
    /// Who looks something up.
    look_ups: BTreeMap<u64, u32>,
    /// Who reads what.
    reads: BTreeMap<u64, (u32, Key)>,
    hops: Vec<u8>,
    asked: u64,
    tally: Tally,
    looked_up: Histogram,
    read: Histogram,
}

#[derive(Default)]
struct Tally {
    sends: u64,
    sends_right: u64,
    look_ups: u64,
    look_ups_right: u64,
    puts: u64,
    reads: u64,
    reads_right: u64,
}

impl Ring {
    pub(super) fn new(chance: Rng) -> Self {
        Self {
            chance,
            next: 0,
            owed: [0.0; 4],
            places: BTreeMap::new(),
            begun: BTreeMap::new(),
            values: Vec::new(),
            puts: BTreeMap::new(),
            kept: Vec::new(),
            look_ups: BTreeMap::new(),
            reads: BTreeMap::new(),
            hops: Vec::new(),
            asked: 0,
            tally: Tally::default(),
            looked_up: Histogram::new(),
            read: Histogram::new(),
        }
    }

    fn begin(&mut self, now: Time) -> u64 {
        self.next += 1;
        self.begun.insert(self.next, now);
        self.next
    }

    /// How many of a kind are to be begun now, at so many a second.
    fn due(&mut self, kind: usize, rate: f64) -> u64 {
        self.owed[kind] += rate * LOOK_EVERY.as_secs_f64();
        let due = self.owed[kind].floor();
        self.owed[kind] -= due;
        due as u64
    }

    /// What came of it; who is gone was owed no answer.
    pub(super) fn results(&mut self, is_alive: impl Fn(u32) -> bool) -> RingResults {
        self.tally.reads -= self.reads.values().filter(|(reader, _)| !is_alive(*reader)).count() as u64;
        self.tally.look_ups -= self.look_ups.values().filter(|asker| !is_alive(**asker)).count() as u64;
        let Tally { sends, sends_right, look_ups, look_ups_right, puts, reads, reads_right } = self.tally;
        self.hops.sort_unstable();
        let share = |part: u64, whole: u64| ratio(part as f64, whole as f64);
        let hops: u64 = self.hops.iter().map(|hops| u64::from(*hops)).sum();
        RingResults {
            sends,
            sends_right: share(sends_right, sends),
            hops_mean: share(hops, self.hops.len() as u64),
            hops_p99: self.hops.get(self.hops.len() * 99 / 100).copied().unwrap_or_default().into(),
            look_ups,
            look_ups_right: share(look_ups_right, look_ups),
            asked_mean: share(self.asked, look_ups),
            look_up_p50_ms: self.looked_up.quantile_ms(500),
            look_up_p99_ms: self.looked_up.quantile_ms(990),
            values: puts,
            values_kept: share(self.kept.len() as u64, puts),
            reads,
            reads_right: share(reads_right, reads),
            read_p50_ms: self.read.quantile_ms(500),
            read_p99_ms: self.read.quantile_ms(990),
        }
    }
}

/// Directed routing and kept values under load.
impl Run<'_> {
    /// What each member is told when it joins.
    pub(super) fn enter_ring(&mut self, member: u32) {
        let (sends, droppers) = (self.scenario.sends, self.scenario.droppers);
        let Some(ring) = &mut self.ring else { return };
        if ring.chance.chance((droppers * 1e6) as u64, 1_000_000) {
            self.world.deafen(member);
        }
        if sends > 0.0 {
            let nearest = routing::Command::SetReceiveMode(routing::ReceiveMode::Nearest);
            self.world.command(member, Command::Routing(nearest));
        }
    }

    /// Looks at what has come, and begins what is due.
    pub(super) fn look_at_ring(&mut self) {
        let heard = std::mem::take(&mut self.world.watch.routed);
        for (at, member, event) in heard {
            self.routed(at, member, event);
        }
        let now = self.world.now();
        let begins_at = self.end_at - self.scenario.secs;
        if (begins_at..self.end_at - DRAIN).contains(&now) {
            self.load(now.since(begins_at));
        }
        if now < self.end_at {
            self.plan(now + LOOK_EVERY, Act::Ring);
        }
    }

    fn load(&mut self, since: Duration) {
        let Some(mut ring) = self.ring.take() else { return };
        let scenario = self.scenario;
        for _ in 0..ring.due(0, scenario.sends) {
            self.send(&mut ring);
        }
        for _ in 0..ring.due(1, scenario.look_ups) {
            self.look_up(&mut ring);
        }
        for _ in 0..ring.due(2, PUTS) {
            if ring.values.len() < scenario.values as usize {
                self.put(&mut ring);
            }
        }
        if since >= SETTLED {
            for _ in 0..ring.due(3, scenario.reads) {
                self.read(&mut ring);
            }
        }
        self.ring = Some(ring);
    }

    /// A member that is there, has been for a while, and answers.
    fn someone(&self, ring: &mut Ring) -> Option<u32> {
        let count = u64::from(self.world.member_count());
        (0..1_000).map(|_| ring.chance.below(count) as u32).find(|member| self.is_sound(*member))
    }

    fn is_sound(&self, member: u32) -> bool {
        let joined_at = self.world.watch.cast.roles[member as usize].joined_at;
        self.world.is_alive(member)
            && !self.world.is_deaf(member)
            && self.world.now().since(joined_at) >= SETTLED
    }

    /// Of those that are sound, the one nearest to a place; a member that only just came may be as well.
    fn is_nearest(&self, member: u32, place: &GroupAddress) -> bool {
        let apart = |other: u32| {
            let at = self.places[other as usize];
            at.wrapping_sub(place.prefix()).min(place.prefix().wrapping_sub(at))
        };
        let everybody = (0..self.world.member_count()).filter(|other| self.is_sound(*other));
        everybody.map(apart).min().is_some_and(|least| apart(member) <= least)
    }

    fn tell(&mut self, member: u32, command: routing::Command) {
        self.world.command(member, Command::Routing(command));
    }

    fn send(&mut self, ring: &mut Ring) {
        let Some(member) = self.someone(ring) else { return };
        let id = ring.begin(self.world.now());
        let place = GroupAddress::from_bytes(ring.chance.seed());
        ring.places.insert(id, place);
        ring.tally.sends += 1;
        let payload = id.to_be_bytes().to_vec().into();
        let send = Send { id, way: Way::Nearest(place), payload, passing: None };
        self.tell(member, routing::Command::Send(Box::new(send)));
    }

    fn look_up(&mut self, ring: &mut Ring) {
        let Some(member) = self.someone(ring) else { return };
        let id = ring.begin(self.world.now());
        let target = GroupAddress::from_bytes(ring.chance.seed());
        ring.places.insert(id, target);
        ring.look_ups.insert(id, member);
        ring.tally.look_ups += 1;
        self.tell(member, routing::Command::LookUp { id, target });
    }

    fn put(&mut self, ring: &mut Ring) {
        let Some(member) = self.someone(ring) else { return };
        let id = ring.begin(self.world.now());
        let mut content = vec![7; VALUE_BYTES];
        content[..8].copy_from_slice(&id.to_be_bytes());
        let value = Value::Content(content.into());
        ring.puts.insert(id, ring.values.len());
        ring.values.push(value.clone());
        ring.tally.puts += 1;
        self.tell(member, routing::Command::Put(Box::new(Put { id, value, lifetime: LIFETIME })));
    }

    fn read(&mut self, ring: &mut Ring) {
        let Some(kept) = ring.chance.pick(&ring.kept).copied() else { return };
        let Some(member) = self.someone(ring) else { return };
        let id = ring.begin(self.world.now());
        let key = ring.values[kept].key();
        ring.reads.insert(id, (member, key));
        ring.tally.reads += 1;
        self.tell(member, routing::Command::Get { id, key });
    }

    fn routed(&mut self, at: Time, member: u32, event: routing::Event) {
        match event {
            routing::Event::Arrived(arrived) => self.arrived(member, *arrived),
            routing::Event::LookedUp { id, result } => self.found(at, id, result.ok()),
            routing::Event::Stored { id, result } => {
                let Some(ring) = &mut self.ring else { return };
                ring.begun.remove(&id);
                let value = ring.puts.remove(&id);
                ring.kept.extend(value.filter(|_| result.is_ok()));
            }
            routing::Event::Got { id, result } => self.got(at, id, result.ok()),
            _ => {}
        }
    }

    /// What the default application does: hands on what is not for itself.
    fn arrived(&mut self, member: u32, arrived: Arrived) {
        let Arrived { to: Some(place), is_local, origin, hops, payload, .. } = arrived else { return };
        if !is_local {
            let passing = Some((origin, hops));
            let send = Send { id: 0, way: Way::Nearest(place), payload, passing };
            return self.tell(member, routing::Command::Send(Box::new(send)));
        }
        let is_right = self.is_nearest(member, &place);
        let Some(ring) = &mut self.ring else { return };
        let id = payload.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        if id.is_some_and(|id| ring.places.remove(&id) == Some(place)) {
            ring.tally.sends_right += u64::from(is_right);
            ring.hops.push(hops);
        }
    }

    fn found(&mut self, at: Time, id: u64, found: Option<Found>) {
        let Some(place) = self.ring.as_mut().and_then(|ring| ring.places.remove(&id)) else { return };
        let nearest = found.as_ref().and_then(|found| found.members.first().copied());
        let member = nearest.and_then(|peer: PeerId| self.world.number_of(&peer));
        let is_right = member.is_some_and(|member| self.is_nearest(member, &place));
        let Some(ring) = &mut self.ring else { return };
        ring.look_ups.remove(&id);
        let begun = ring.begun.remove(&id).unwrap_or(at);
        ring.looked_up.add(at.since(begun));
        ring.tally.look_ups_right += u64::from(is_right);
        ring.asked += found.map_or(0, |found| u64::from(found.asked));
    }

    fn got(&mut self, at: Time, id: u64, got: Option<Box<Got>>) {
        let Some(ring) = &mut self.ring else { return };
        let (Some((_, key)), Some(begun)) = (ring.reads.remove(&id), ring.begun.remove(&id)) else { return };
        ring.tally.reads_right += u64::from(got.is_some_and(|got| got.value.key() == key));
        ring.read.add(at.since(begun));
    }
}
