use std::time::Duration;

use stratus_core::{Input, PeerId, Time};

use super::weather::{Verdict, judge};
use super::{Happening, Member, Watch, World};
use crate::size::{HANDSHAKE_BYTES, INITIAL_BYTES};
use crate::trace::Kind;

/// Handshakes of strangers that an endpoint has under way at once. Source: spec TR-9.
const MOST_HANDSHAKES: u64 = 128;
/// When QUIC sends the first packet of a connection again: the first round trip is assumed to be 100 ms.
const FIRST_TIMEOUT: Duration = Duration::from_millis(300);

/// One end of a link between two members.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The member at the other end.
    pub(super) peer: u32,
    /// The same at both ends; a later link between the two has another.
    pub(super) number: u32,
    /// Travel time, so that it is computed once a link.
    pub(super) one_way: Duration,
    /// When the last reliable message in this direction arrives, by lane: nothing reliable overtakes.
    pub(super) in_order_until: [Time; 3],
    /// Whether packets are being lost, where they are lost in bursts.
    pub(super) is_bad: bool,
    /// What the rules say of what this end sends.
    pub(super) verdict: Verdict,
    /// Closed by this end, which has not heard so yet.
    pub(super) is_closing: bool,
}

/// The links of a member, by the other's number.
///
/// Two parallel vectors: nearly every question is asked of the numbers, and a member's links are rarely in cache.
#[derive(Default)]
pub(super) struct Links {
    peers: Vec<u32>,
    links: Vec<Link>,
}

impl Links {
    fn place(&self, peer: u32) -> Result<usize, usize> {
        self.peers.binary_search(&peer)
    }

    pub(super) fn get(&self, peer: u32) -> Option<&Link> {
        self.place(peer).ok().map(|place| &self.links[place])
    }

    pub(super) fn get_mut(&mut self, peer: u32) -> Option<&mut Link> {
        self.place(peer).ok().map(|place| &mut self.links[place])
    }

    /// The link to `peer`, if it is up.
    pub(super) fn open(&self, peer: u32) -> Option<&Link> {
        self.get(peer).filter(|link| !link.is_closing)
    }

    fn insert(&mut self, link: Link) {
        let place = self.place(link.peer).expect_err("an old link is removed before the next one opens");
        self.peers.insert(place, link.peer);
        self.links.insert(place, link);
    }

    fn remove(&mut self, peer: u32) {
        if let Ok(place) = self.place(peer) {
            self.peers.remove(place);
            self.links.remove(place);
        }
    }

    pub(super) fn clear(&mut self) -> Vec<Link> {
        self.peers.clear();
        std::mem::take(&mut self.links)
    }

    /// Appends the numbers of those to whom a link is up.
    pub(super) fn open_peers(&self, into: &mut Vec<u32>) {
        into.extend(self.links.iter().filter(|link| !link.is_closing).map(|link| link.peer));
    }

    /// The other's number of each, and the link's own.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (u32, u32)> {
        self.links.iter().map(|link| (link.peer, link.number))
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }
}

impl<M: Member, W: Watch<M>> World<M, W> {
    /// Opens a link from `from` to `peer`, as hosts do on their own for members that a groupspec names.
    ///
    /// A connection takes three journeys until both ends have proven themselves, the first of which begins when the uplink
    /// has sent what was to be sent before.
    pub fn dial(&mut self, from: u32, peer: PeerId) {
        let timeout = self.now + self.config.dial_timeout;
        let Some(&to) = self.numbers.get(&peer) else {
            self.queue.schedule(timeout, Happening::DialledNobody { from, peer: Box::new(peer) });
            return;
        };
        if from == to || self.seats[from as usize].links.open(to).is_some() {
            return;
        }
        let seat = &mut self.seats[from as usize];
        let left_at = seat.uplink.occupy(self.now, INITIAL_BYTES);
        seat.sent_bytes += INITIAL_BYTES;
        let at = left_at + self.one_way(from, to) * 2 + self.one_way(to, from);
        self.queue.schedule(at, Happening::Dialled { from, to, again: 0 });
    }

    /// Travel time from one member to another, rules counted.
    pub(super) fn one_way(&self, from: u32, to: u32) -> Duration {
        self.config.latency.one_way(from, to) + self.verdict(from, to).later
    }

    fn verdict(&self, from: u32, to: u32) -> Verdict {
        judge(&self.config.rules, from, to)
    }

    pub(super) fn dialled(&mut self, from: u32, to: u32, again: u32) {
        if let Some(thaws_at) = self.frozen_until(from) {
            return self.queue.schedule(thaws_at, Happening::Dialled { from, to, again });
        }
        let (dialler, listener) = (&self.seats[from as usize], &self.seats[to as usize]);
        if !self.is_alive(from) || dialler.links.open(to).is_some() {
            return;
        }
        let most = self.config.most_links;
        if !self.is_awake(to) || self.cut_until(from, to).is_some() {
            let waited = self.one_way(from, to) * 2 + self.one_way(to, from);
            let rest = self.config.dial_timeout.saturating_sub(waited);
            self.queue.schedule(self.now + rest, Happening::DialFailed { from, to });
        } else if dialler.links.len() >= most || listener.links.len() >= most {
            self.dial_failed(from, to);
        } else if listener.uplink.backlog(self.now) >= MOST_HANDSHAKES * HANDSHAKE_BYTES {
            self.knock_again(from, to, again);
        } else {
            self.link_up(from, to);
        }
    }

    /// The listener has more handshakes on its way out than an endpoint has under way at once, and drops what strangers
    /// send: QUIC sends its first packet again after three round trips as first assumed, then after twice as long.
    fn knock_again(&mut self, from: u32, to: u32, again: u32) {
        let waits = FIRST_TIMEOUT * 2_u32.saturating_pow(again);
        let waited = waits.saturating_sub(FIRST_TIMEOUT);
        if waited + waits > self.config.dial_timeout {
            let rest = self.config.dial_timeout.saturating_sub(waited);
            return self.queue.schedule(self.now + rest, Happening::DialFailed { from, to });
        }
        let seat = &mut self.seats[from as usize];
        seat.uplink.occupy(self.now, INITIAL_BYTES);
        seat.sent_bytes += INITIAL_BYTES;
        self.queue.schedule(self.now + waits, Happening::Dialled { from, to, again: again + 1 });
    }

    pub(super) fn dial_failed(&mut self, from: u32, to: u32) {
        if self.seats[from as usize].links.open(to).is_none() {
            let peer = self.seats[to as usize].peer;
            self.dial_came_to_nothing(from, peer);
        }
    }

    pub(super) fn dial_came_to_nothing(&mut self, from: u32, peer: PeerId) {
        if let Some(thaws_at) = self.frozen_until(from) {
            let peer = Box::new(peer);
            return self.queue.schedule(thaws_at, Happening::DialledNobody { from, peer });
        }
        if self.is_alive(from) {
            self.totals.dials_failed += 1;
            self.trace.add(self.now, from, Kind::DialFailed, 0, 0);
            self.turn(from, Some(Input::Command(M::connect_failed(peer))));
        }
    }

    fn link_up(&mut self, from: u32, to: u32) {
        let number = self.next_link;
        self.next_link += 1;
        for (member, peer) in [(to, from), (from, to)] {
            // An end that has not heard of the old link's end hears of it first.
            if let Some(old) = self.seats[member as usize].links.get(peer) {
                let old = old.number;
                self.link_gone(member, peer, old);
            }
            let (one_way, verdict) = (self.one_way(member, peer), self.verdict(member, peer));
            let seat = &mut self.seats[member as usize];
            seat.links.insert(Link {
                peer,
                number,
                one_way,
                in_order_until: [Time::ZERO; 3],
                is_bad: false,
                verdict,
                is_closing: false,
            });
            let rest = if member == from { HANDSHAKE_BYTES - INITIAL_BYTES } else { HANDSHAKE_BYTES };
            seat.uplink.owe(rest);
            seat.sent_bytes += rest;
        }
        for (member, peer) in [(to, from), (from, to)] {
            self.trace.add(self.now, member, Kind::Up, u64::from(peer), u64::from(number));
            let peer = self.seats[peer as usize].peer;
            self.turn(member, Some(Input::Connected(peer)));
        }
    }

    /// This end is closed at once; it hears so in a turn of its own, and the other end when the packet arrives.
    pub(super) fn disconnect(&mut self, member: u32, peer: PeerId) {
        let Some(&peer) = self.numbers.get(&peer) else { return };
        let Some(link) = self.seats[member as usize].links.get_mut(peer) else { return };
        if !std::mem::replace(&mut link.is_closing, true) {
            let link = link.number;
            self.send_close(member, peer, link);
            self.queue.schedule(self.now, Happening::LinkGone { member, peer, link });
        }
    }

    pub(super) fn link_gone(&mut self, member: u32, peer: u32, link: u32) {
        if let Some(thaws_at) = self.frozen_until(member) {
            return self.queue.schedule(thaws_at, Happening::LinkGone { member, peer, link });
        }
        let seat = &mut self.seats[member as usize];
        if seat.links.get(peer).is_none_or(|current| current.number != link) {
            return;
        }
        seat.links.remove(peer);
        self.trace.add(self.now, member, Kind::Down, u64::from(peer), u64::from(link));
        let peer = self.seats[peer as usize].peer;
        self.turn(member, Some(Input::Disconnected(peer)));
    }
}
