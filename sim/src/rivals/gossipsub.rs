use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Deadline, Delivery, Input, Lookup, Machine, Output, PeerId, Rng, Time};

use super::{Order, Rival};
use crate::world::Member;

/// Mesh neighbors wanted, and the fewest and most that are let be.
const D: usize = 8;
const D_LOW: usize = 6;
const D_HIGH: usize = 12;
/// Of those wanted, links that this member dialled itself (v1.1).
const D_OUT: usize = 2;
/// Links that a newcomer opens; the specification leaves that to whoever finds peers. With 6 a mesh has 8.6 members and
/// a message is received 7.7 times by each of a hundred, as by the real crate; with 12 both are two more.
const DIALS: usize = 6;
/// Others that are told what is held, at each heartbeat, or this share of them if that is more.
const D_LAZY: usize = 6;
const GOSSIP_SHARE: usize = 4;
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Heartbeats for which messages are kept, and for which they are told of.
const HISTORY: usize = 5;
const HISTORY_TOLD: usize = 3;
/// A link that was pruned is not grafted again for this long.
const BACKOFF: Duration = Duration::from_secs(60);
/// Ids in one message.
const MOST_IDS: usize = 5_000;

/// Envelope of a message without a signature: length, field tags, a topic of 20 bytes.
const ENVELOPE: usize = 30;
/// An id and its tag, as Ethereum's 20 bytes; the default is 46.
const ID: usize = 22;

/// GossipSub v1.1 with one topic: whatever is new goes to the mesh neighbors at once, and each second others are told
/// of it, who may ask. A publisher sends to all its links.
///
/// From the specification (libp2p/specs, pubsub/gossipsub, v1.0 and v1.1), with D = 8, without scores, which are for
/// hostile members. Messages are known by where their bytes lie: in one world they are shared.
pub(super) struct GossipSub {
    links: BTreeMap<PeerId, Link>,
    mesh: Vec<PeerId>,
    seen: Lookup<Id, ()>,
    /// Newest first.
    history: VecDeque<Vec<Bytes>>,
    /// Asked for since the last heartbeat.
    asked: BTreeSet<Id>,
    dialled: BTreeSet<PeerId>,
    heartbeat_at: Option<Time>,
}

struct Link {
    is_outbound: bool,
    backoff_until: Time,
}

/// Where a payload lies.
type Id = usize;

fn id_of(payload: &Bytes) -> Id {
    payload.as_ptr() as Id
}

#[derive(Debug)]
pub(super) enum Message {
    Data(Bytes),
    IHave(Vec<Id>),
    IWant(Vec<Id>),
    Graft,
    Prune,
}

type Out = Vec<Output<Message, Bytes>>;

fn control(to: PeerId, message: Message) -> Output<Message, Bytes> {
    Output::Send { to, message, how: Delivery::Control }
}

fn data(to: PeerId, payload: &Bytes) -> Output<Message, Bytes> {
    Output::Send { to, message: Message::Data(payload.clone()), how: Delivery::Bulk }
}

impl GossipSub {
    /// Takes a payload; answers whether it is new.
    fn keep(&mut self, payload: &Bytes) -> bool {
        let is_new = self.seen.insert(id_of(payload), ()).is_none();
        if is_new {
            self.history[0].push(payload.clone());
        }
        is_new
    }

    fn received(&mut self, now: Time, from: PeerId, message: Message, out: &mut Out) {
        match message {
            Message::Data(payload) => {
                if self.keep(&payload) {
                    out.extend(self.mesh.iter().filter(|peer| **peer != from).map(|to| data(*to, &payload)));
                    out.push(Output::Event(payload));
                }
            }
            Message::IHave(ids) => {
                let is_wanted = |id: &Id| self.seen.get(id).is_none() && self.asked.insert(*id);
                let wanted: Vec<Id> = ids.into_iter().filter(is_wanted).collect();
                if !wanted.is_empty() {
                    out.push(control(from, Message::IWant(wanted)));
                }
            }
            Message::IWant(ids) => {
                let ids: BTreeSet<Id> = ids.into_iter().collect();
                let held = self.history.iter().flatten().filter(|payload| ids.contains(&id_of(payload)));
                out.extend(held.map(|payload| data(from, payload)));
            }
            Message::Graft => self.grafted(now, from, out),
            Message::Prune => self.unmesh(from, now + BACKOFF),
        }
    }

    /// Somebody wants to be in the mesh: refused while backing off, and where it is full unless this end dialled.
    fn grafted(&mut self, now: Time, from: PeerId, out: &mut Out) {
        let Some(link) = self.links.get_mut(&from) else { return };
        let is_full = self.mesh.len() >= D_HIGH && !link.is_outbound;
        if link.backoff_until > now || is_full {
            link.backoff_until = link.backoff_until.max(now + BACKOFF);
            out.push(control(from, Message::Prune));
        } else if !self.mesh.contains(&from) {
            self.mesh.push(from);
        }
    }

    fn unmesh(&mut self, peer: PeerId, backoff_until: Time) {
        self.mesh.retain(|other| *other != peer);
        if let Some(link) = self.links.get_mut(&peer) {
            link.backoff_until = backoff_until;
        }
    }

    fn heartbeat(&mut self, now: Time, rng: &mut Rng, out: &mut Out) {
        if self.mesh.len() < D_LOW {
            self.graft(now, D - self.mesh.len(), |_| true, rng, out);
        }
        if self.mesh.len() > D_HIGH {
            self.prune(now, rng, out);
        }
        let outbound = self.mesh.iter().filter(|peer| self.links[*peer].is_outbound).count();
        if self.mesh.len() >= D_LOW && outbound < D_OUT {
            self.graft(now, D_OUT - outbound, |link| link.is_outbound, rng, out);
        }
        self.gossip(rng, out);
        self.asked.clear();
        self.history.push_front(Vec::new());
        self.history.truncate(HISTORY);
    }

    fn graft(&mut self, now: Time, count: usize, is_fit: fn(&Link) -> bool, rng: &mut Rng, out: &mut Out) {
        let fit = self.links.iter().filter(|(_, link)| link.backoff_until <= now && is_fit(link));
        let mut fit: Vec<PeerId> =
            fit.map(|(peer, _)| *peer).filter(|peer| !self.mesh.contains(peer)).collect();
        rng.shuffle(&mut fit);
        fit.truncate(count);
        out.extend(fit.iter().map(|peer| control(*peer, Message::Graft)));
        self.mesh.extend(fit);
    }

    /// Keeps D of the mesh, so many of its own dialling among them as are wanted.
    fn prune(&mut self, now: Time, rng: &mut Rng, out: &mut Out) {
        rng.shuffle(&mut self.mesh);
        let links = &self.links;
        let mut outbound = 0;
        self.mesh.sort_by_key(|peer| {
            let is_kept = links[peer].is_outbound && outbound < D_OUT;
            outbound += usize::from(is_kept);
            !is_kept
        });
        for peer in self.mesh.split_off(D) {
            out.push(control(peer, Message::Prune));
            self.unmesh(peer, now + BACKOFF);
        }
    }

    /// Tells some that are not in the mesh of what came lately.
    fn gossip(&mut self, rng: &mut Rng, out: &mut Out) {
        let mut ids: Vec<Id> = self.history.iter().take(HISTORY_TOLD).flatten().map(id_of).collect();
        if ids.is_empty() {
            return;
        }
        ids.truncate(MOST_IDS);
        let mut others: Vec<PeerId> =
            self.links.keys().copied().filter(|peer| !self.mesh.contains(peer)).collect();
        rng.shuffle(&mut others);
        others.truncate(D_LAZY.max(others.len() / GOSSIP_SHARE));
        out.extend(others.into_iter().map(|peer| control(peer, Message::IHave(ids.clone()))));
    }
}

impl Machine for GossipSub {
    type Input = Input<Message, Order>;
    type Output = Output<Message, Bytes>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Vec<Self::Output>) {
        match input {
            Input::Connected(peer) => {
                let is_outbound = self.dialled.remove(&peer);
                self.links.insert(peer, Link { is_outbound, backoff_until: Time::ZERO });
            }
            Input::Disconnected(peer) => {
                self.unmesh(peer, Time::ZERO);
                self.links.remove(&peer);
            }
            Input::Received { from, message } => self.received(cx.now, from, message, out),
            Input::Command(Order::Join(mut known)) => {
                cx.rng.shuffle(&mut known);
                known.truncate(DIALS);
                out.extend(known.iter().map(|peer| Output::Connect(*peer)));
                self.dialled.extend(known);
                self.heartbeat_at = Some(cx.now + cx.rng.between(Duration::from_micros(1), HEARTBEAT));
            }
            Input::Command(Order::ConnectFailed(peer)) => {
                self.dialled.remove(&peer);
            }
            Input::Command(Order::Publish(payload)) => {
                if self.keep(&payload) {
                    out.extend(self.links.keys().map(|to| data(*to, &payload)));
                }
            }
            // The end of its links says it all.
            Input::Command(Order::Leave) => {}
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Self::Output>) {
        if self.heartbeat_at.is_some_and(|at| at <= cx.now) {
            self.heartbeat_at = Some(cx.now + HEARTBEAT);
            self.heartbeat(cx.now, cx.rng, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.heartbeat_at.map(|at| Deadline { at, timer: "heartbeat" })
    }
}

impl Member for GossipSub {
    type Message = Message;
    type Command = Order;
    type Event = Bytes;

    fn connect_failed(peer: PeerId) -> Order {
        Order::ConnectFailed(peer)
    }

    fn length_of(message: &Message) -> usize {
        match message {
            Message::Data(payload) => ENVELOPE + payload.len(),
            Message::IHave(ids) => ENVELOPE + ids.len() * ID,
            Message::IWant(ids) => ENVELOPE + ids.len() * ID,
            Message::Graft | Message::Prune => ENVELOPE,
        }
    }
}

impl Rival for GossipSub {
    fn new(_: PeerId) -> Self {
        Self {
            links: BTreeMap::new(),
            mesh: Vec::new(),
            seen: Lookup::new(),
            history: VecDeque::from([Vec::new()]),
            asked: BTreeSet::new(),
            dialled: BTreeSet::new(),
            heartbeat_at: None,
        }
    }

    fn payload_in(message: &Message) -> usize {
        if let Message::Data(payload) = message { payload.len() } else { 0 }
    }
}
