use std::time::Duration;

use stratus_core::{Cx, Delivery, GroupAddress, PeerId, Time, Wire as _};

use super::api::{Arrived, Event, Output, ReceiveMode, Send, SendError, SendResult, Way};
use super::message::{MAX_HOPS, MAX_PAYLOAD, Message, Parcel};
use super::neighbor::Neighbor;
use super::routing::Routing;

/// A neighbor that was asked to end its link does so within a round trip, or not.
const PARTING: Duration = Duration::from_secs(2);

/// Where a parcel goes next.
enum Next {
    Ourselves,
    Neighbor(PeerId),
    Nobody,
}

/// Parcels: sent by one hop, and taken. Source: spec RO-2 … RO-6.
impl Routing {
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, send: Send, out: &mut Vec<Output>) {
        let id = send.id;
        let result = self.sent(cx, send, out);
        out.push(Output::Event(Event::Sent { id, result }));
    }

    fn sent(&mut self, cx: &mut Cx<'_>, send: Send, out: &mut Vec<Output>) -> SendResult {
        let Send { way, payload, passing, .. } = send;
        let (origin, hops) = passing.unwrap_or((self.address, 0));
        if payload.len() > MAX_PAYLOAD {
            return SendResult::Error(SendError::TooLong);
        }
        let to = match way {
            Way::Nearest(place) => Some(place),
            _ => None,
        };
        let mut chosen = match way {
            Way::NextIncreasing => self.next_on_ring(|from, to| from.clockwise_to(to)),
            Way::NextDecreasing => self.next_on_ring(|from, to| to.clockwise_to(from)),
            Way::AllNeighbors => self.neighbors.keys().copied().collect(),
            Way::Nearest(place) => match self.next(cx.now, &place) {
                Next::Neighbor(peer) => vec![peer],
                Next::Nobody => return SendResult::NoRoute,
                Next::Ourselves => {
                    let from = self.address;
                    let arrived = Arrived { to, from, is_local: true, origin, hops, payload };
                    out.push(Output::Event(Event::Arrived(Box::new(arrived))));
                    return SendResult::Sent;
                }
            },
        };
        if chosen.is_empty() {
            return SendResult::NoRoute;
        }
        if hops >= MAX_HOPS {
            return SendResult::Error(SendError::TooManyHops);
        }
        chosen.retain(|peer| self.may_send(cx, peer));
        if chosen.is_empty() {
            return SendResult::Error(SendError::TooFast);
        }
        let message = Message::Parcel(Parcel { hops: hops + 1, origin, to, payload });
        self.stats.sent_count += chosen.len() as u64;
        self.stats.sent_bytes += (chosen.len() * message.wire_len()) as u64;
        let parcel = |to| Output::Send { to, message: message.clone(), how: Delivery::Control };
        out.extend(chosen.into_iter().map(parcel));
        SendResult::Sent
    }

    /// The nearest to `place` of the neighbors that take parcels for it and ourselves. We pass parcels on only to who is
    /// nearer than we are, so that none goes in circles. Source: spec RO-2, RO-3.
    fn next(&self, now: Time, place: &GroupAddress) -> Next {
        let rank = |address: &GroupAddress| (place.distance(address), place.clockwise_to(address));
        // One that is at the very place is not avoided: nobody else would do.
        let is_good = |neighbor: &Neighbor| neighbor.avoided_until <= now || neighbor.address == *place;
        let takers = self.neighbors.iter().filter(|(_, neighbor)| neighbor.takes(place) && is_good(neighbor));
        let nearest = takers.min_by_key(|(_, neighbor)| rank(&neighbor.address));
        let takes_itself = self.mode == ReceiveMode::Nearest || self.address == *place;
        match nearest {
            Some((_, neighbor)) if takes_itself && rank(&self.address) <= rank(&neighbor.address) => {
                Next::Ourselves
            }
            Some((peer, _)) => Next::Neighbor(*peer),
            None if takes_itself => Next::Ourselves,
            None => Next::Nobody,
        }
    }

    /// The neighbor at the smallest of these distances, if there is any.
    fn next_on_ring<D: Ord>(&self, distance: impl Fn(&GroupAddress, &GroupAddress) -> D) -> Vec<PeerId> {
        let nearest = self.neighbors.iter().min_by_key(|(_, other)| distance(&self.address, &other.address));
        nearest.map(|(peer, _)| *peer).into_iter().collect()
    }

    /// The node asked this neighbor to end its link: what is on its way to it then is lost, so that for a moment others
    /// are given what is to be passed on. Source: spec RO-3.
    pub fn avoid(&mut self, now: Time, peer: &PeerId) {
        if let Some(neighbor) = self.neighbors.get_mut(peer) {
            neighbor.avoided_until = now + PARTING;
        }
    }

    fn may_send(&mut self, cx: &Cx<'_>, peer: &PeerId) -> bool {
        let rate = self.config.parcels_sent;
        self.neighbors.get_mut(peer).is_some_and(|neighbor| neighbor.parcels_sent.take(cx.now, rate))
    }

    /// Something on its way came from a neighbor.
    pub(super) fn parcel(&mut self, cx: &mut Cx<'_>, from: PeerId, parcel: Parcel, out: &mut Vec<Output>) {
        let rate = self.config.parcels;
        let neighbor = self.neighbors.get_mut(&from).expect("only neighbors are heard");
        if !neighbor.parcels.take(cx.now, rate) {
            return self.bear(cx.now, from, out);
        }
        let (sender, sender_mode) = (neighbor.address, neighbor.mode);
        self.stats.arrived_count += 1;
        self.stats.arrived_bytes += parcel.wire_len() as u64;
        let Parcel { hops, origin, to, payload } = parcel;
        if let Some(place) = to {
            let takes = self.mode == ReceiveMode::Nearest || self.address == place;
            // Whoever takes parcels itself passes them on only to who is nearer.
            let is_nearer =
                sender_mode == ReceiveMode::Exact || place.distance(&self.address) < place.distance(&sender);
            if !takes || !is_nearer {
                self.stats.astray_count += 1;
                return;
            }
        }
        let arrived = Arrived { to, from: sender, is_local: false, origin, hops, payload };
        out.push(Output::Event(Event::Arrived(Box::new(arrived))));
    }
}
