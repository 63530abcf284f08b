use std::collections::BTreeSet;
use std::time::Duration;

use stratus_core::{PeerId, Rng};

/// Neighbors, and others known of, as in the paper.
const ACTIVE: usize = 5;
const PASSIVE: usize = 30;
/// Steps of a newcomer's news, and the step at which it is put among those known of.
const NEWS_STEPS: u8 = 6;
const NEWS_PASSIVE: u8 = 3;
/// What a shuffle carries of both, and its steps.
const SHUFFLE_ACTIVE: usize = 3;
const SHUFFLE_PASSIVE: usize = 4;
const SHUFFLE_STEPS: u8 = 6;
/// As iroh-gossip has them; the paper does not say.
pub(super) const SHUFFLE_PERIOD: Duration = Duration::from_secs(60);
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// HyParView's two views, after Leitão, Pereira and Rodrigues (DSN 2007), with what iroh-gossip 0.101 does differently:
/// a neighbor is taken when it has answered, and who lets one go tells it of others first.
pub(super) struct Views {
    me: PeerId,
    pub(super) active: Vec<PeerId>,
    passive: Vec<PeerId>,
    /// Asked to be neighbors, and silent so far.
    asked: BTreeSet<PeerId>,
    /// Their link ends, but they are alive.
    parting: BTreeSet<PeerId>,
}

#[derive(Debug)]
pub(super) enum Message {
    Join,
    News { newcomer: PeerId, steps: u8 },
    Neighbor { must: bool },
    Shuffle { origin: PeerId, peers: Vec<PeerId>, steps: u8 },
    Peers(Vec<PeerId>),
    Bye,
}

/// What the views want.
pub(super) enum Act {
    Send(PeerId, Message),
    Close(PeerId),
    Up(PeerId),
    Down(PeerId),
    /// Look after a while whether it has answered.
    Await(PeerId),
}

type Acts = Vec<Act>;

impl Message {
    /// As iroh-gossip's encoding makes it: a topic of 32 bytes, two kinds, then ids of 32.
    pub(super) fn length(&self) -> usize {
        let ids = match self {
            Self::Join | Self::Bye => 0,
            Self::Neighbor { .. } => 0,
            Self::News { .. } => 1,
            Self::Shuffle { peers, .. } => 1 + peers.len(),
            Self::Peers(peers) => peers.len(),
        };
        36 + 33 * ids
    }
}

impl Views {
    pub(super) fn new(me: PeerId) -> Self {
        let (active, passive) = (Vec::new(), Vec::new());
        Self { me, active, passive, asked: BTreeSet::new(), parting: BTreeSet::new() }
    }

    pub(super) fn received(&mut self, from: PeerId, message: Message, rng: &mut Rng, acts: &mut Acts) {
        let is_bye = matches!(message, Message::Bye);
        match message {
            Message::Join => self.joined(from, rng, acts),
            Message::News { newcomer, steps } => self.news(from, newcomer, steps, rng, acts),
            Message::Shuffle { origin, peers, steps } => self.shuffled(from, origin, peers, steps, rng, acts),
            Message::Peers(peers) => {
                peers.into_iter().for_each(|peer| self.know(peer, rng));
                self.refill(None, rng, acts);
            }
            Message::Neighbor { must } => {
                let answers = !self.asked.remove(&from);
                if !self.take(from, must, answers, rng, acts) {
                    self.part(from, rng, acts);
                }
            }
            Message::Bye => self.left(from, rng, acts),
        }
        if !is_bye && !self.active.contains(&from) {
            acts.push(Act::Close(from));
        }
    }

    /// A newcomer is always taken, and others are told of it.
    fn joined(&mut self, newcomer: PeerId, rng: &mut Rng, acts: &mut Acts) {
        self.take(newcomer, true, true, rng, acts);
        let others = self.active.iter().filter(|peer| **peer != newcomer);
        acts.extend(others.map(|to| Act::Send(*to, Message::News { newcomer, steps: NEWS_STEPS })));
    }

    fn news(&mut self, from: PeerId, newcomer: PeerId, steps: u8, rng: &mut Rng, acts: &mut Acts) {
        if self.active.contains(&newcomer) || steps == 0 || self.active.len() <= 1 {
            return self.ask(newcomer, true, acts);
        }
        if steps == NEWS_PASSIVE {
            self.know(newcomer, rng);
        }
        if !self.asked.contains(&newcomer)
            && let Some(to) = pick(&self.active, &[from], rng)
        {
            acts.push(Act::Send(to, Message::News { newcomer, steps: steps - 1 }));
        }
    }

    fn shuffled(
        &mut self,
        from: PeerId,
        origin: PeerId,
        peers: Vec<PeerId>,
        steps: u8,
        rng: &mut Rng,
        acts: &mut Acts,
    ) {
        if steps == 0 || self.active.len() <= 1 {
            let count = peers.len();
            peers.into_iter().for_each(|peer| self.know(peer, rng));
            acts.push(Act::Send(origin, self.some(count, rng)));
        } else if let Some(to) = pick(&self.active, &[origin, from], rng) {
            acts.push(Act::Send(to, Message::Shuffle { origin, peers, steps: steps - 1 }));
        }
    }

    /// Once a minute.
    pub(super) fn shuffle(&mut self, rng: &mut Rng, acts: &mut Acts) {
        let Some(to) = pick(&self.active, &[], rng) else { return };
        let mut peers = sample(&self.active, to, SHUFFLE_ACTIVE, rng);
        peers.extend(sample(&self.passive, to, SHUFFLE_PASSIVE, rng));
        peers.push(self.me);
        acts.push(Act::Send(to, Message::Shuffle { origin: self.me, peers, steps: SHUFFLE_STEPS }));
    }

    /// So many peers to tell of, those that are not neighbors first.
    fn some(&self, count: usize, rng: &mut Rng) -> Message {
        let mut peers = sample(&self.passive, self.me, count, rng);
        peers.extend(sample(&self.active, self.me, count - peers.len(), rng));
        Message::Peers(peers)
    }

    /// It did not answer in time: another is asked.
    pub(super) fn unanswered(&mut self, peer: PeerId, rng: &mut Rng, acts: &mut Acts) {
        if self.asked.remove(&peer) {
            self.passive.retain(|other| *other != peer);
            self.refill(None, rng, acts);
        }
    }

    /// Its link is gone, without a word if it was not parting.
    pub(super) fn lost(&mut self, peer: PeerId, rng: &mut Rng, acts: &mut Acts) {
        self.asked.remove(&peer);
        let was_alive = self.parting.remove(&peer);
        if self.active.contains(&peer) {
            self.drop_active(peer, acts);
            acts.push(Act::Close(peer));
            if was_alive {
                self.know(peer, rng);
            }
            self.refill(Some(peer), rng, acts);
        } else if !was_alive {
            self.passive.retain(|other| *other != peer);
        }
    }

    /// It says that it lets us go, and lives on.
    fn left(&mut self, peer: PeerId, rng: &mut Rng, acts: &mut Acts) {
        self.asked.remove(&peer);
        if self.active.contains(&peer) {
            self.drop_active(peer, acts);
            acts.push(Act::Close(peer));
            self.know(peer, rng);
            self.parting.insert(peer);
            self.refill(Some(peer), rng, acts);
        } else if self.passive.contains(&peer) {
            self.parting.insert(peer);
        }
    }

    fn drop_active(&mut self, peer: PeerId, acts: &mut Acts) {
        self.active.retain(|other| *other != peer);
        acts.push(Act::Down(peer));
    }

    fn part(&mut self, peer: PeerId, rng: &mut Rng, acts: &mut Acts) {
        acts.push(Act::Send(peer, self.some(SHUFFLE_ACTIVE + SHUFFLE_PASSIVE, rng)));
        acts.push(Act::Send(peer, Message::Bye));
        acts.push(Act::Close(peer));
    }

    /// Makes it a neighbor if there is room, or if it must be; answers whether it is one now.
    fn take(&mut self, peer: PeerId, must: bool, answers: bool, rng: &mut Rng, acts: &mut Acts) -> bool {
        if peer == self.me {
            return false;
        }
        let is_new = !self.active.contains(&peer);
        if is_new && self.active.len() >= ACTIVE {
            if !must {
                return false;
            }
            if let Some(victim) = pick(&self.active, &[], rng) {
                self.drop_active(victim, acts);
                self.part(victim, rng, acts);
                self.know(victim, rng);
                self.parting.insert(victim);
            }
        }
        if is_new {
            self.passive.retain(|other| *other != peer);
            self.active.push(peer);
            acts.push(Act::Up(peer));
        }
        if answers {
            self.ask(peer, must, acts);
        }
        true
    }

    fn ask(&mut self, peer: PeerId, must: bool, acts: &mut Acts) {
        if self.asked.insert(peer) {
            acts.push(Act::Send(peer, Message::Neighbor { must }));
        }
    }

    /// Asks one of those known of to be a neighbor, if one is missing.
    fn refill(&mut self, but: Option<PeerId>, rng: &mut Rng, acts: &mut Acts) {
        if self.active.len() + self.asked.len() >= ACTIVE {
            return;
        }
        let not: Vec<PeerId> = self.asked.iter().copied().chain(but).collect();
        if let Some(peer) = pick(&self.passive, &not, rng) {
            self.ask(peer, self.active.is_empty(), acts);
            acts.push(Act::Await(peer));
        }
    }

    fn know(&mut self, peer: PeerId, rng: &mut Rng) {
        if peer == self.me || self.active.contains(&peer) || self.passive.contains(&peer) {
            return;
        }
        if self.passive.len() >= PASSIVE {
            let place = rng.below(self.passive.len() as u64) as usize;
            self.passive.swap_remove(place);
        }
        self.passive.push(peer);
    }
}

fn pick(view: &[PeerId], not: &[PeerId], rng: &mut Rng) -> Option<PeerId> {
    let fit: Vec<PeerId> = view.iter().copied().filter(|peer| !not.contains(peer)).collect();
    rng.pick(&fit).copied()
}

fn sample(view: &[PeerId], not: PeerId, count: usize, rng: &mut Rng) -> Vec<PeerId> {
    let mut fit: Vec<PeerId> = view.iter().copied().filter(|peer| *peer != not).collect();
    rng.shuffle(&mut fit);
    fit.truncate(count);
    fit
}
