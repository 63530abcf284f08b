use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DirectVerify, Identity, RingKey, Rng, Wire};

use super::super::{MAX_RECORD, Named, Rate, Registration, ServerMessage};
use super::*;
use crate::{Draft, Record};

mod admission;
mod laws;
mod life;
mod limits;

/// A registry with a clock, and clients made of numbers: client `n` has key `n`, comes from `address(n)`
/// and has exporter value `n` on its connection.
struct Room {
    registry: Registry,
    now: Time,
    rng: Rng,
}

/// The rendezvous key of group `n`.
fn key_of(group: u8) -> Identity {
    Identity::from_seed([200 + group; 32])
}

fn group_id(group: u8) -> GroupId {
    GroupId::of(&key_of(group).public())
}

fn identity(client: u64) -> Identity {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&client.to_be_bytes());
    Identity::from_seed(seed)
}

fn peer(client: u64) -> PeerId {
    identity(client).peer()
}

fn address(client: u64) -> SocketAddr {
    SocketAddr::from(([203, 0, (client >> 8) as u8, client as u8], 5_000))
}

fn exporter(connection: u64) -> [u8; 32] {
    [connection as u8; 32]
}

fn record(client: u64, group: u8) -> Bytes {
    let addresses = vec![SocketAddr::from(([192, 168, 1, client as u8], 5_000))];
    let draft = Draft { sequence: 3, addresses, ..Draft::default() };
    Record::sign(&identity(client), &group_id(group), draft).to_bytes()
}

fn registration(client: u64, group: u8, connection: u64) -> Registration {
    let place = RingKey::new([group; 32]).address(&peer(client));
    Registration::sign(&key_of(group), &exporter(connection), &peer(client), place, record(client, group))
}

fn config() -> Config {
    Config::default()
}

impl Room {
    fn new(config: Config) -> Self {
        Self { registry: Registry::new(config), now: Time::ZERO, rng: Rng::from_seed(41) }
    }

    /// Gives the registry one input; events are left out.
    fn give(&mut self, input: Input) -> Vec<Output> {
        let mut out = self.give_all(input);
        out.retain(|output| !matches!(output, Output::Event(_)));
        out
    }

    fn give_all(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
        self.registry.handle(&mut cx, input, &mut out);
        out
    }

    /// Lets time pass, waking at each deadline.
    fn pass(&mut self, seconds: u64) -> Vec<Output> {
        let end = self.now + Duration::from_secs(seconds);
        let mut out = Vec::new();
        while let Some(deadline) = self.registry.deadline().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            let mut cx = Cx { now: self.now, rng: &mut self.rng, verify: &DirectVerify };
            self.registry.wake(&mut cx, &mut out);
            let next = self.registry.deadline();
            assert!(
                next.is_none_or(|next| next.at > self.now),
                "woken at {deadline:?}, then due at {next:?}"
            );
        }
        self.now = end;
        out.retain(|output| !matches!(output, Output::Event(_)));
        out
    }

    /// Connection `client` of client `client`.
    fn open(&mut self, client: u64) -> Vec<Output> {
        self.open_as(client, client)
    }

    fn open_as(&mut self, client: u64, connection: u64) -> Vec<Output> {
        let exporter = exporter(connection);
        self.give(Input::Opened { connection, peer: peer(client), observed: address(client), exporter })
    }

    fn say(&mut self, connection: u64, message: ClientMessage) -> Vec<Output> {
        self.give(Input::Received { connection, message })
    }

    fn register(&mut self, client: u64, group: u8) -> Vec<Output> {
        self.say(client, ClientMessage::Register(registration(client, group, client)))
    }

    fn join(&mut self, client: u64, group: u8) -> Vec<Output> {
        assert_eq!(self.open(client), []);
        self.register(client, group)
    }

    fn refresh(&mut self, client: u64, group: u8) -> Vec<Output> {
        self.say(client, ClientMessage::Refresh { group: group_id(group) })
    }

    fn introduce(&mut self, client: u64, group: u8, target: u64) -> Vec<Output> {
        let candidates = vec!["192.168.1.77:7000".parse().unwrap()];
        self.say(
            client,
            ClientMessage::Introduce { group: group_id(group), target: peer(target), candidates },
        )
    }
}

fn refused(connection: u64, group: u8, refusal: Refusal) -> Output {
    Output::refused(connection, Subject::Group(group_id(group)), refusal)
}

fn not_introduced(connection: u64, group: u8, target: u64, refusal: Refusal) -> Output {
    let subject = Subject::Introduction { group: group_id(group), target: peer(target) };
    Output::refused(connection, subject, refusal)
}

/// The peers that a single welcome to `connection` names; `None` if the answer is anything else.
fn named(out: &[Output], connection: u64) -> Option<Vec<PeerId>> {
    let [Output::Send { connection: to, message: ServerMessage::Welcome { members, .. } }] = out else {
        return None;
    };
    assert_eq!(*to, connection);
    Some(members.iter().map(|named| Record::from_bytes(named.record.clone()).unwrap().peer()).collect())
}
