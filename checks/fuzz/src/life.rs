use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{identity, peer};
use stratus_core::{
    Cx, DirectVerify, GroupId, Identity, Input, Machine, Output, PeerId, RingKey, Rng, Time, Wire, drive,
};
use stratus_multicast::{self as multicast, Overrides, Parameters, Piece, PieceFlags, Publish, StreamId};
use stratus_node::{Command, Config, Message, Node, Services, Setup};
use stratus_overlay as overlay;

/// Who may come and go.
const PEERS: u8 = 6;
/// Steps of one life.
const MOST_STEPS: usize = 600;
/// Which member it is.
pub(crate) const OWN: u64 = 50;
/// The group of all lives.
pub(crate) const GROUP: GroupId = GroupId::from_bytes([7; 32]);

/// What member `number` is made from.
pub(crate) fn setup(number: u64) -> Setup {
    Setup {
        identity: identity(number),
        group: GROUP,
        ring: RingKey::new([3; 32]),
        publish_authority: None,
        services: Services { routing: true, posting: true, replication: true },
        posting_authority: None,
    }
}

pub(crate) fn node(number: u64) -> Node {
    Node::new(Config::default(), setup(number))
}

/// The key of one of the streams that there may be.
pub(crate) fn stream_key(number: u8) -> Identity {
    identity(1_000 + u64::from(number))
}

/// Its name.
pub(crate) fn name(number: u8) -> String {
    format!("cam{number}")
}

/// A member's life as the bytes say: links, messages of strangers, commands, time.
///
/// After each step every collection is within its limit, nothing is due, and nothing was said to a stranger.
pub(crate) fn member(data: &[u8]) {
    let mut life = Life::new();
    let mut rest = data;
    for _ in 0..MOST_STEPS {
        let Some((&[code, argument], left)) = rest.split_first_chunk::<2>() else { return };
        rest = life.step(code, argument, left);
    }
}

struct Life {
    node: Node,
    rng: Rng,
    now: Time,
    linked: BTreeSet<PeerId>,
}

impl Life {
    fn new() -> Self {
        Self { node: node(OWN), rng: Rng::from_seed(7), now: Time::ZERO, linked: BTreeSet::new() }
    }

    /// One step; gives back the bytes that it did not use.
    fn step<'a>(&mut self, code: u8, argument: u8, rest: &'a [u8]) -> &'a [u8] {
        let someone = peer(1 + u64::from(argument % PEERS));
        match code % 8 {
            0 if self.linked.insert(someone) => self.turn(Input::Connected(someone)),
            1 => {
                self.linked.remove(&someone);
                self.turn(Input::Disconnected(someone));
            }
            2..=4 => return self.hear(someone, code, rest),
            5 => self.command(argument),
            6 => self.wait(Duration::from_millis(1 << (argument % 16))),
            _ => self.wait(Duration::from_micros(u64::from(argument) * 100)),
        }
        rest
    }

    /// A length, and so many bytes, which may be a message; the first byte is set so that more of them are.
    fn hear<'a>(&mut self, from: PeerId, code: u8, rest: &'a [u8]) -> &'a [u8] {
        let Some((&[high, low], left)) = rest.split_first_chunk::<2>() else { return &[] };
        let length = usize::from(u16::from_be_bytes([high % 8, low])).min(left.len());
        let (bytes, left) = left.split_at(length);
        // Overlay, multicast, posting.
        let layer = code % 8 - 1;
        let whole: Bytes = [&[layer], bytes].concat().into();
        if let Ok(message) = Message::from_bytes(whole)
            && self.linked.contains(&from)
        {
            self.turn(Input::Received { from, message });
        }
        left
    }

    fn command(&mut self, argument: u8) {
        let (key, name) = (stream_key(argument / 64), name(argument / 64));
        let stream = StreamId(key.public());
        self.turn(Input::Command(match argument % 8 {
            0 | 1 => {
                let parameters = Parameters::from(&multicast::Config::default());
                let wanted = Publish {
                    key,
                    name,
                    authorization: None,
                    parameters,
                    began: 0,
                    wishes: Overrides::default(),
                };
                Command::Multicast(multicast::Command::Publish(Box::new(wanted)))
            }
            2 | 3 => {
                let flags =
                    PieceFlags { is_start: true, is_end: true, is_key: true, kind: multicast::Kind::Data };
                let piece = Piece { payload: Bytes::from(vec![argument; 700]), flags, flush: argument > 128 };
                Command::Multicast(multicast::Command::Write { stream, piece })
            }
            4 => Command::Multicast(multicast::Command::Subscribe { name }),
            5 => Command::Multicast(multicast::Command::Unsubscribe { name }),
            6 => Command::Multicast(multicast::Command::Unpublish(stream)),
            _ => Command::Overlay(overlay::Command::Ban(peer(1 + u64::from(argument / 8 % PEERS)))),
        }));
    }

    /// Lets time pass, waking the machine whenever it is due.
    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(deadline) = self.node.deadline().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            let mut out = Vec::new();
            let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
            self.node.wake(&mut cx, &mut out);
            self.judge(&out);
        }
        self.now = end;
    }

    fn turn(&mut self, input: Input<Message, Command>) {
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
        drive(&mut self.node, &mut cx, input, &mut out);
        self.judge(&out);
    }

    fn judge(&self, out: &[stratus_node::Output]) {
        for output in out {
            if let Output::Send { to, message, .. } = output {
                assert!(self.linked.contains(to), "said to a stranger: {message:?}");
                let bytes = message.to_bytes();
                // Times are rounded on the wire, so bytes are compared and not values.
                let again = Message::from_bytes(bytes.clone()).map(|message| message.to_bytes());
                assert_eq!(again, Ok(bytes), "it cannot be read back: {message:?}");
            }
        }
        assert!(self.node.deadline().is_none_or(|deadline| deadline.at > self.now), "still due");
        let routing = self.node.routing().map(|routing| routing.sizes()).unwrap_or_default();
        let posting = self.node.posting().map(|posting| posting.sizes()).unwrap_or_default();
        let replication = self.node.replication().map(|machine| machine.sizes()).unwrap_or_default();
        let streams = [self.node.overlay().sizes(), self.node.multicast().sizes()].concat();
        let sizes = [streams, routing, posting, replication].concat();
        for (what, size, limit) in sizes {
            assert!(size <= limit, "{what}: {size} is over {limit}");
        }
    }
}
