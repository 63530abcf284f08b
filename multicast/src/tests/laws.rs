//! The six laws (ARCHITECTURE.md), on a member that plays one stream and publishes another.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::laws::{Bounds, Subject, check};
use stratus_core::testing::{identity, peer};
use stratus_core::{BitSet, DirectVerify, GroupId, PeerId, Rng, Time};

use crate::cutter::{CutRun, Cutter};
use crate::message::{Start, StartAnswer, Subscriber};
use crate::{
    Announcement, Availability, Command, Config, Kind, Message, Multicast, Overrides, Parameters, Piece,
    PieceFlags, Publish, PushAnswer, PushRequest, PushStop, Setup, StreamAlias, StreamId, Want,
};

const GROUP: GroupId = GroupId::from_bytes([9; 32]);

/// A foreign stream, cut ahead of time, of which peers send pieces in any order.
struct Foreign {
    announcement: Arc<Announcement>,
    runs: Vec<CutRun>,
}

struct Liveliness {
    foreign: RefCell<Option<Arc<Foreign>>>,
}

fn flags(rng: &mut Rng) -> PieceFlags {
    let kind = *rng.pick(&[Kind::Data, Kind::Audio, Kind::Video]).expect("three kinds");
    PieceFlags { is_start: rng.chance(1, 2), is_end: rng.chance(1, 2), is_key: rng.chance(1, 3), kind }
}

fn foreign() -> Foreign {
    let key = identity(2_000);
    let mut rng = Rng::from_seed(77);
    let mut cutter = Cutter::new(key.clone(), Time::ZERO);
    let mut runs = Vec::new();
    for number in 0..60u64 {
        for _ in 0..=rng.below(4) {
            let payload = Bytes::from(vec![number as u8; rng.below(1_128) as usize]);
            cutter.add(Time::ZERO, &Piece { payload, flags: flags(&mut rng), flush: false }, 32);
        }
        runs.extend(cutter.cut(Time::from_millis(13 * number), &DirectVerify));
    }
    let parameters = Parameters::from(&Config::default());
    let stream = StreamId(key.public());
    let announcement = Announcement::unsigned(stream, peer(1), "cam".to_owned(), 1, parameters, None);
    Foreign { announcement: Arc::new(announcement.signed(&GROUP, &key)), runs }
}

impl Liveliness {
    fn foreign(&self) -> Arc<Foreign> {
        self.foreign.borrow_mut().get_or_insert_with(|| Arc::new(foreign())).clone()
    }

    fn alias(&self, rng: &mut Rng) -> StreamAlias {
        let own = StreamId(identity(1_000).public()).alias();
        let foreign = self.foreign().announcement.stream.alias();
        *rng.pick(&[foreign, foreign, foreign, own, StreamAlias(3)]).expect("five aliases")
    }

    fn media(&self, rng: &mut Rng) -> Message {
        let foreign = self.foreign();
        let stream = foreign.announcement.stream.alias();
        let cut = rng.pick(&foreign.runs).expect("sixty runs");
        let is_repair = rng.chance(1, 4);
        if rng.chance(1, 3) {
            let hops = rng.below(9) as u8;
            return Message::Manifest { stream, is_repair, hops, manifest: cut.manifest.clone() };
        }
        let position = rng.below(cut.payloads.len() as u64) as u32;
        let mut payload = cut.payloads[position as usize].clone();
        if rng.chance(1, 50) {
            payload = Bytes::from_static(b"not what was signed");
        }
        Message::Fragment { stream, is_repair, run: cut.manifest.run, position, payload }
    }

    fn control(&self, rng: &mut Rng) -> Message {
        let stream = self.alias(rng);
        let from_run = rng.below(70);
        let slices = BitSet::from_bits(rng.next_u64() & 0x3ff);
        match rng.below(9) {
            0 => Message::Interest {
                stream,
                is_on: rng.chance(4, 5),
                asks_for_others: rng.chance(1, 2),
                record: Bytes::from_static(b"record"),
            },
            1 => {
                let record = Bytes::from_static(b"record");
                let subscribers = vec![Subscriber { peer: peer(100 + rng.below(80)), record }];
                Message::Subscribers { stream, subscribers }
            }
            2 => {
                let held: Vec<bool> = (0..rng.below(64)).map(|_| rng.chance(3, 4)).collect();
                let mut map = Availability::of_held(from_run, held.into_iter());
                (map.free, map.home_free) = (slices, slices);
                Message::Map { stream, map }
            }
            3 => Message::PushRequest(PushRequest { stream, slices, home: slices, from_run }),
            4 => {
                let hops = vec![1; slices.len() as usize];
                let (refused, free) = (BitSet::EMPTY, slices);
                Message::PushAnswer(PushAnswer { stream, accepted: slices, hops, refused, from_run, free })
            }
            5 => {
                let is_from_parent = rng.chance(1, 2);
                Message::PushStop(PushStop { stream, slices, from_run, is_from_parent })
            }
            6 => {
                let want = |run| Want { run, manifest: run % 2 == 0, positions: BitSet::first(32) };
                Message::Pull { stream, wants: (from_run..from_run + 5).map(want).collect() }
            }
            7 => Message::Refuse {
                stream,
                is_busy: from_run.is_multiple_of(2),
                runs: vec![from_run, from_run + 1],
            },
            _ => {
                let start = Start::Offered { from: from_run / 2, next: from_run };
                let answer = Message::StartAnswer(StartAnswer { stream, start });
                let seek = Message::Seek { name: "cam".to_owned(), record: Bytes::from_static(b"record") };
                [answer, Message::Start { stream }, seek][rng.below(3) as usize].clone()
            }
        }
    }
}

impl Subject for Liveliness {
    type Machine = Multicast;

    fn machine(&mut self, _: &mut Rng) -> Multicast {
        let setup = Setup { peer: peer(0), group: GROUP, publish_authority: None, home: 3 };
        Multicast::new(Config { max_streams: 3, ..Config::default() }, setup)
    }

    fn message(&mut self, _: &Multicast, _: PeerId, _: Time, rng: &mut Rng) -> Message {
        match rng.below(20) {
            0 => Message::Announce {
                announcement: self.foreign().announcement.clone(),
                age: Duration::from_secs(rng.below(400)),
                subscribers: vec![],
            },
            1..10 => self.media(rng),
            _ => self.control(rng),
        }
    }

    fn command(&mut self, _: &Multicast, _: Time, rng: &mut Rng) -> Option<Command> {
        let stream = StreamId(identity(1_000).public());
        Some(match rng.below(12) {
            0..3 => Command::Subscribe { name: "cam".to_owned() },
            3 if rng.chance(1, 3) => Command::Unsubscribe { name: "cam".to_owned() },
            4 => {
                let parameters = Parameters::from(&Config::default());
                let (key, name) = (identity(1_000), "mine".to_owned());
                Command::Publish(Box::new(Publish {
                    key,
                    name,
                    began: 5,
                    authorization: None,
                    parameters,
                    wishes: Overrides::default(),
                }))
            }
            5 if rng.chance(1, 9) => Command::Unpublish(stream),
            6 => {
                Command::SetRtt { peer: peer(1 + rng.below(12)), rtt: Duration::from_millis(rng.below(300)) }
            }
            7 => Command::SetUpload(Some(rng.below(1_000_000))),
            8 => Command::SetRecord(Bytes::from_static(b"ours")),
            _ => {
                let payload = Bytes::from(vec![5; rng.below(1_128) as usize]);
                let piece = Piece { payload, flags: flags(rng), flush: rng.chance(1, 3) };
                Command::Write { stream, piece }
            }
        })
    }

    fn collections(&self, machine: &Multicast) -> Vec<(&'static str, usize, usize)> {
        machine.sizes()
    }

    fn mentions(&self, machine: &Multicast, peer: &PeerId) -> bool {
        machine.mentions(peer)
    }
}

#[test]
fn the_six_laws_hold() {
    // A newcomer may be given a whole window at once; a quiet stream says its map ten times a second.
    let bounds = Bounds { settle: Duration::from_secs(30), ..Bounds::new(4_000, 1_500) };
    check(&bounds, || Liveliness { foreign: RefCell::new(None) });
}
