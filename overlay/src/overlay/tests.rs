//! A group of overlays over the made-up network, and what the tests ask of it.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Net, NetConfig, identity, peer};
use stratus_core::{
    Digest, DirectVerify, GroupId, Lookup, PeerId, PublicKey, RingKey, Signature, Time, Verify,
};

use super::Overlay;
use crate::api::{Command, Setup};
use crate::config::Config;
use crate::places::{Place, clockwise, counterclockwise, place_of};
use crate::record::Record;

mod convergence;
mod death;
mod figures;
mod floods;
mod liars;
mod limits;
mod links;
mod meeting;
mod records;

const GROUP: GroupId = GroupId::from_bytes([7; 32]);
const RING: RingKey = RingKey::new([3; 32]);

fn setup(number: u64) -> Setup {
    Setup { identity: identity(number), group: GROUP, ring: RING }
}

fn overlay(number: u64) -> Overlay {
    Overlay::new(Config::default(), setup(number))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A network of members 1 … `count`, who know nobody.
fn strangers(seed: u64, count: u64, config: NetConfig, overlay: impl Fn(u64) -> Overlay) -> Net<Overlay> {
    let net = Net::new(seed, config)
        .verified_by(Remembering::default())
        .telling_failed_dials(Command::ConnectFailed);
    // A trace of hundreds nobody reads.
    let mut net = if count > 20 { net.untraced() } else { net };
    for number in 1..=count {
        net.add(&format!("n{number}"), peer(number), overlay(number));
    }
    net.run_for(Duration::from_millis(1));
    net
}

fn record_of(net: &Net<Overlay>, number: u64) -> Record {
    net.machine(&peer(number)).own_record().clone()
}

/// Tells `number` of `others`, as a server would.
fn bootstrap(net: &mut Net<Overlay>, number: u64, others: impl IntoIterator<Item = u64>) {
    let records = others.into_iter().map(|other| record_of(net, other)).collect();
    net.command(peer(number), Command::Bootstrap(records));
}

/// A group that formed around its first member.
fn group(seed: u64, count: u64, config: NetConfig) -> Net<Overlay> {
    let mut net = strangers(seed, count, config, overlay);
    for number in 2..=count {
        bootstrap(&mut net, number, [1]);
    }
    net
}

/// How many of the living are linked with all those that the ring demands: three on each side.
fn exact_count(net: &Net<Overlay>) -> usize {
    let peers = net.peers();
    let mut places: Vec<Place> = peers.iter().map(|peer| place_of(&RING, peer)).collect();
    places.sort_unstable();
    let is_exact = |peer: &&PeerId| {
        let me = place_of(&RING, peer);
        let linked: Vec<Place> =
            net.machine(peer).neighbors().iter().map(|neighbor| neighbor.address.prefix()).collect();
        let each = 3.min(places.len() - 1);
        clockwise(&places, me).take(each).all(|place| linked.contains(&place))
            && counterclockwise(&places, me).take(each).all(|place| linked.contains(&place))
    };
    peers.iter().filter(is_exact).count()
}

fn is_exact(net: &Net<Overlay>) -> bool {
    exact_count(net) == net.peers().len()
}

/// Runs in steps of a tenth of a second until `is_done`; gives the time it took.
fn time_until(
    net: &mut Net<Overlay>,
    most: Duration,
    is_done: impl Fn(&Net<Overlay>) -> bool,
) -> Option<Duration> {
    let start = net.now();
    while !is_done(net) {
        if net.now() >= start + most {
            return None;
        }
        net.run_for(Duration::from_millis(100));
    }
    Some(net.now().since(start))
}

fn mean_links(net: &Net<Overlay>) -> f64 {
    let peers = net.peers();
    let links: usize = peers.iter().map(|peer| net.machine(peer).neighbor_count()).sum();
    links as f64 / peers.len() as f64
}

/// Checks each signature once and remembers the verdict.
#[derive(Default)]
pub(crate) struct Remembering(RefCell<Lookup<Signature, (Vec<u8>, bool)>>);

impl Verify for Remembering {
    fn signature(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        if let Some((_, verdict)) = self.0.borrow().get(signature).filter(|(known, _)| known == message) {
            return *verdict;
        }
        let verdict = DirectVerify.signature(key, message, signature);
        self.0.borrow_mut().insert(*signature, (message.to_vec(), verdict));
        verdict
    }

    fn digest(&self, payload: &Bytes) -> Digest {
        DirectVerify.digest(payload)
    }
}
