//! Members whose links are given, over the made-up network.

use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Net, NetConfig, peer};
use stratus_core::{GroupAddress, GroupId, PeerId, RingKey, Rng};

use super::Routing;
use crate::best::{View, standard};
use crate::places::{Place, place_of};
use crate::routing::{Arrived, Command, Config, Event, ReceiveMode, Send, SendError, SendResult, Setup, Way};

mod alone;
mod application;
mod hostile;
mod limits;
mod pace;
mod sends;

const RING: RingKey = RingKey::new([3; 32]);

fn routing(number: u64) -> Routing {
    let group = GroupId::from_bytes([7; 32]);
    Routing::new(Config::default(), Setup { peer: peer(number), group, ring: RING })
}

fn address(number: u64) -> GroupAddress {
    RING.address(&peer(number))
}

/// Members 1 to `count`, each linked with those that the overlay's sort would choose, all taking parcels in `mode`.
fn ring(count: u64, mode: ReceiveMode) -> Net<Routing> {
    let mut net = Net::new(1, NetConfig::with_latency(Duration::from_millis(10))).untraced();
    let mut places: Vec<(Place, PeerId)> =
        (1..=count).map(|number| (place_of(&RING, &peer(number)), peer(number))).collect();
    places.sort_unstable();
    for number in 1..=count {
        net.add(&format!("n{number}"), peer(number), routing(number));
        net.command(peer(number), Command::SetReceiveMode(mode));
    }
    let known: Vec<Place> = places.iter().map(|(place, _)| *place).collect();
    let mut rng = Rng::from_seed(50);
    for (center, me) in &places {
        let others: Vec<Place> = known.iter().copied().filter(|place| place != center).collect();
        // Whose latency is low is chance.
        let mut near = others.clone();
        rng.shuffle(&mut near);
        near.truncate(60);
        let view =
            View { center: *center, known: &others, near: &near, members: count, chance: rng.next_u64() };
        for choice in standard(&view).iter() {
            let at = known.binary_search(&choice.place).expect("chosen from these");
            net.connect(*me, places[at].1);
        }
    }
    net.run_for(Duration::from_secs(1));
    net
}

fn send(net: &mut Net<Routing>, from: u64, way: Way, payload: &'static [u8]) {
    let send = Send { id: 7, way, payload: Bytes::from_static(payload), passing: None };
    net.command(peer(from), Command::Send(Box::new(send)));
}

/// What came to `number` and what came of its sends since the last time.
fn happened(net: &mut Net<Routing>, number: u64) -> (Vec<Arrived>, Vec<SendResult>) {
    let (mut arrived, mut results) = (Vec::new(), Vec::new());
    for (_, event) in net.take_events(&peer(number)) {
        match event {
            Event::Arrived(parcel) => arrived.push(*parcel),
            Event::Sent { result, .. } => results.push(result),
            other => panic!("{other:?}"),
        }
    }
    (arrived, results)
}

/// What the default application does: hands on what is not for itself.
fn pass_on(net: &mut Net<Routing>, at: u64, arrived: Arrived) {
    let Some(place) = arrived.to.filter(|_| !arrived.is_local) else { return };
    let passing = Some((arrived.origin, arrived.hops));
    let send = Send { id: 8, way: Way::Nearest(place), payload: arrived.payload, passing };
    net.command(peer(at), Command::Send(Box::new(send)));
}

fn nearest_of(count: u64, place: &GroupAddress) -> u64 {
    let addresses: Vec<GroupAddress> = (1..=count).map(address).collect();
    let nearest = place.nearest(&addresses).expect("somebody");
    (1..=count).find(|number| address(*number) == *nearest).expect("one of them")
}
