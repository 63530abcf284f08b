//! The six laws (ARCHITECTURE.md).

use super::*;
use stratus_core::Rng;
use stratus_core::testing::laws::{Bounds, Subject, check};

use crate::{Denied, Load, Message, ObjectSet, RequestId, Strategy, Want};

struct Sharing {
    next_id: u64,
}

fn set(rng: &mut Rng) -> ObjectSet {
    let start = rng.below(600);
    let mut set = ObjectSet::of(start..start + rng.below(200));
    (0..rng.below(20)).for_each(|_| {
        set.insert(rng.below(700));
    });
    set
}

fn load(rng: &mut Rng) -> Load {
    Load { uploads: rng.below(20) as u8, pace: rng.below(60) as u8 }
}

fn range(rng: &mut Rng) -> std::ops::Range<u64> {
    let start = rng.below(700);
    start..start + 1 + rng.below(100)
}

impl Subject for Sharing {
    type Machine = Replication;

    fn machine(&mut self, _: &mut Rng) -> Replication {
        Replication::new(Config { max_uploads: 9, max_requests: 30, max_pieces: 60, ..Config::default() })
    }

    fn message(&mut self, machine: &Replication, from: PeerId, _: Time, rng: &mut Rng) -> Message {
        let neighbor = machine.neighbors.get(&from);
        let asked: Vec<(u64, u64)> = neighbor
            .map(|n| n.requests.iter().map(|(id, index)| (*id, *index)).collect())
            .unwrap_or_default();
        let uploads: Vec<u64> = neighbor.map(|n| n.uploads.keys().copied().collect()).unwrap_or_default();
        match rng.below(12) {
            0 => Message::Have { is_scarce: rng.chance(1, 4), load: load(rng), set: set(rng) },
            1 | 2 => Message::Gained { load: load(rng), set: set(rng) },
            3 => Message::Lost(set(rng)),
            4..7 => {
                let done = uploads.iter().copied().filter(|_| rng.chance(1, 2)).collect();
                let mut want = || {
                    self.next_id += 1;
                    Want { id: self.next_id, index: rng.below(800) }
                };
                Message::Ask { done, wants: (0..3).map(|_| want()).collect() }
            }
            7 => Message::Cancel(uploads),
            8 => {
                let why = *rng.pick(&[Denied::Busy, Denied::NotOffered, Denied::Cancelled]).expect("three");
                Message::Deny { why, load: load(rng), ids: asked.iter().take(5).map(|(id, _)| *id).collect() }
            }
            _ => {
                let (id, index) = rng.pick(&asked).copied().unwrap_or((rng.below(9), rng.below(700)));
                Message::Object { id, index, load: Load::default(), payload: object(index) }
            }
        }
    }

    fn command(&mut self, machine: &Replication, _: Time, rng: &mut Rng) -> Option<Command> {
        let requests: Vec<RequestId> = machine.uploads.keys().copied().collect();
        let request = rng.pick(&requests).copied().unwrap_or(RequestId(rng.below(50)));
        Some(match rng.below(12) {
            0 | 1 => Command::AddHave(range(rng)),
            2 => Command::RemoveHave(range(rng)),
            3 | 4 => Command::AddWant(range(rng)),
            5 => Command::RemoveWant(range(rng)),
            6 | 7 => Command::Write { request, object: object(rng.below(100)) },
            8 => Command::Deny(request),
            9 => Command::Reject { index: rng.below(700), peer: peer(1 + rng.below(12)) },
            10 => Command::SetStrategy(Strategy::LowestFirst),
            _ => Command::SetFirstSeed(rng.chance(1, 2)),
        })
    }

    fn collections(&self, machine: &Replication) -> Vec<(&'static str, usize, usize)> {
        machine.sizes()
    }

    fn mentions(&self, machine: &Replication, peer: &PeerId) -> bool {
        machine.mentions(peer)
    }
}

#[test]
fn the_six_laws_hold() {
    check(&Bounds::new(400, 200), || Sharing { next_id: 0 });
}
