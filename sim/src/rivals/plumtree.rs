use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Deadline, Delivery, Input, Lookup, Machine, Output, PeerId, Rng, Time};

use super::hyparview::{self, ANSWER_WITHIN, Act, SHUFFLE_PERIOD, Views};
use super::{Order, Rival};
use crate::world::Member;

/// How long what was announced may take to come by push, and then from who was asked.
const GRAFT_AFTER: Duration = Duration::from_millis(80);
const GRAFT_AGAIN: Duration = Duration::from_millis(40);
/// Announcements are gathered for this long.
const GATHER: Duration = Duration::from_millis(5);
/// So many steps shorter makes another path better (from the paper's experiments).
const SHORTER_BY: u16 = 7;
/// How long a message is kept for those who ask.
const KEEP: Duration = Duration::from_secs(30);

/// Plumtree over HyParView: new messages go down a tree at once, and are announced along all other links.
///
/// After Leitão, Pereira and Rodrigues (SRDS 2007), with the times and thresholds of iroh-gossip 0.101. Links are opened
/// when there is something to say, as its network layer does.
pub(super) struct Plumtree {
    views: Views,
    eager: BTreeSet<PeerId>,
    lazy: BTreeSet<PeerId>,
    seen: Lookup<Id, ()>,
    /// Those of late, oldest first.
    kept: VecDeque<(Time, Bytes, u16)>,
    /// Announced and not here yet: by whom, how far from the source.
    missing: BTreeMap<Id, VecDeque<(PeerId, u16)>>,
    grafting: BTreeSet<Id>,
    announcing: BTreeMap<PeerId, Vec<(Id, u16)>>,
    is_gathering: bool,
    timers: BTreeMap<(Time, u64), Timer>,
    timers_made: u64,
    links: BTreeMap<PeerId, Link>,
}

enum Link {
    /// What waits for it.
    Dialling(Vec<Message>),
    Up,
}

/// Where a payload lies: in one world they are shared.
type Id = usize;

#[derive(Clone, Copy)]
enum Timer {
    Shuffle,
    Answer(PeerId),
    Graft(Id),
    Announce,
}

#[derive(Debug)]
pub(super) enum Message {
    Views(hyparview::Message),
    Data { payload: Bytes, steps: u16 },
    IHave(Vec<(Id, u16)>),
    Graft { id: Option<Id> },
    Prune,
}

type Out = Vec<Output<Message, Bytes>>;

fn id_of(payload: &Bytes) -> Id {
    payload.as_ptr() as Id
}

impl Plumtree {
    fn send(&mut self, to: PeerId, message: Message, out: &mut Out) {
        match self.links.get_mut(&to) {
            Some(Link::Up) => out.push(Output::Send { to, message, how: Delivery::Control }),
            Some(Link::Dialling(waiting)) => waiting.push(message),
            None => {
                self.links.insert(to, Link::Dialling(vec![message]));
                out.push(Output::Connect(to));
            }
        }
    }

    fn plan(&mut self, at: Time, timer: Timer) {
        self.timers_made += 1;
        self.timers.insert((at, self.timers_made), timer);
    }

    /// Lets the views do something, and does what they want.
    fn view(
        &mut self,
        now: Time,
        rng: &mut Rng,
        out: &mut Out,
        what: impl FnOnce(&mut Views, &mut Rng, &mut Vec<Act>),
    ) {
        let mut acts = Vec::new();
        what(&mut self.views, rng, &mut acts);
        for act in acts {
            match act {
                Act::Send(to, message) => self.send(to, Message::Views(message), out),
                Act::Close(peer) => out.push(Output::Disconnect(peer)),
                Act::Up(peer) => self.make_eager(peer),
                Act::Down(peer) => self.forget(peer),
                Act::Await(peer) => self.plan(now + ANSWER_WITHIN, Timer::Answer(peer)),
            }
        }
    }

    fn forget(&mut self, peer: PeerId) {
        self.eager.remove(&peer);
        self.lazy.remove(&peer);
        self.missing.retain(|_, by| {
            by.retain(|(other, _)| *other != peer);
            !by.is_empty()
        });
    }

    fn make_eager(&mut self, peer: PeerId) {
        self.lazy.remove(&peer);
        self.eager.insert(peer);
    }

    fn make_lazy(&mut self, peer: PeerId) {
        self.eager.remove(&peer);
        self.lazy.insert(peer);
    }

    fn received(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Out) {
        match message {
            Message::Views(message) => {
                self.view(cx.now, cx.rng, out, |views, rng, acts| views.received(from, message, rng, acts));
            }
            Message::Data { payload, steps } => self.data(cx.now, from, payload, steps, out),
            Message::IHave(announced) => self.announced(cx.now, from, announced),
            Message::Graft { id } => {
                self.make_eager(from);
                let found = self.kept.iter().find(|(_, payload, _)| Some(id_of(payload)) == id);
                if let Some((_, payload, steps)) = found {
                    let message = Message::Data { payload: payload.clone(), steps: *steps };
                    self.send(from, message, out);
                }
            }
            Message::Prune => self.make_lazy(from),
        }
    }

    fn data(&mut self, now: Time, from: PeerId, payload: Bytes, steps: u16, out: &mut Out) {
        let id = id_of(&payload);
        if self.seen.get(&id).is_some() {
            self.make_lazy(from);
            return self.send(from, Message::Prune, out);
        }
        self.spread(now, Some(from), &payload, steps + 1, out);
        self.grafting.remove(&id);
        let announced = self.missing.remove(&id);
        if let Some((other, theirs)) = announced.and_then(|by| by.into_iter().min_by_key(|(_, steps)| *steps))
        {
            self.shorten(from, steps + 1, other, theirs, out);
        }
        out.push(Output::Event(payload));
    }

    /// Who announced it was much nearer to the source than who pushed it: they change places.
    fn shorten(&mut self, from: PeerId, steps: u16, other: PeerId, theirs: u16, out: &mut Out) {
        if steps.saturating_sub(theirs) < SHORTER_BY {
            return;
        }
        if !self.eager.contains(&other) {
            self.make_eager(other);
            self.send(other, Message::Graft { id: None }, out);
        }
        self.make_lazy(from);
        self.send(from, Message::Prune, out);
    }

    /// A message that is new goes to the tree, and is announced to the others.
    fn spread(&mut self, now: Time, from: Option<PeerId>, payload: &Bytes, steps: u16, out: &mut Out) {
        self.seen.insert(id_of(payload), ());
        while self.kept.pop_front_if(|(at, ..)| *at + KEEP < now).is_some() {}
        self.kept.push_back((now, payload.clone(), steps));
        let eager: Vec<PeerId> = self.eager.iter().copied().filter(|peer| Some(*peer) != from).collect();
        for to in eager {
            self.send(to, Message::Data { payload: payload.clone(), steps }, out);
        }
        for to in self.lazy.iter().filter(|peer| Some(**peer) != from) {
            self.announcing.entry(*to).or_default().push((id_of(payload), steps));
        }
        if !std::mem::replace(&mut self.is_gathering, true) {
            self.plan(now + GATHER, Timer::Announce);
        }
    }

    fn announced(&mut self, now: Time, from: PeerId, announced: Vec<(Id, u16)>) {
        for (id, steps) in announced {
            if self.seen.get(&id).is_none() {
                self.missing.entry(id).or_default().push_back((from, steps));
                if self.grafting.insert(id) {
                    self.plan(now + GRAFT_AFTER, Timer::Graft(id));
                }
            }
        }
    }

    /// What was announced did not come: it is asked of who announced it, whose link becomes one of the tree.
    fn graft(&mut self, now: Time, id: Id, out: &mut Out) {
        self.grafting.remove(&id);
        if self.seen.get(&id).is_some() {
            return;
        }
        if let Some((peer, _)) = self.missing.get_mut(&id).and_then(VecDeque::pop_front) {
            self.make_eager(peer);
            self.send(peer, Message::Graft { id: Some(id) }, out);
            self.plan(now + GRAFT_AGAIN, Timer::Graft(id));
        }
    }

    fn due(&mut self, cx: &mut Cx<'_>, timer: Timer, out: &mut Out) {
        match timer {
            Timer::Shuffle => {
                self.plan(cx.now + SHUFFLE_PERIOD, Timer::Shuffle);
                self.view(cx.now, cx.rng, out, |views, rng, acts| views.shuffle(rng, acts));
            }
            Timer::Answer(peer) => {
                self.view(cx.now, cx.rng, out, |views, rng, acts| views.unanswered(peer, rng, acts));
            }
            Timer::Graft(id) => self.graft(cx.now, id, out),
            Timer::Announce => {
                self.is_gathering = false;
                for (to, announced) in std::mem::take(&mut self.announcing) {
                    self.send(to, Message::IHave(announced), out);
                }
            }
        }
    }
}

impl Machine for Plumtree {
    type Input = Input<Message, Order>;
    type Output = Output<Message, Bytes>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Vec<Self::Output>) {
        match input {
            Input::Connected(peer) => {
                if let Some(Link::Dialling(waiting)) = self.links.insert(peer, Link::Up) {
                    waiting.into_iter().for_each(|message| self.send(peer, message, out));
                }
            }
            Input::Disconnected(peer) | Input::Command(Order::ConnectFailed(peer)) => {
                self.links.remove(&peer);
                self.view(cx.now, cx.rng, out, |views, rng, acts| views.lost(peer, rng, acts));
                self.forget(peer);
            }
            Input::Received { from, message } => self.received(cx, from, message, out),
            Input::Command(Order::Join(known)) => {
                self.plan(cx.now + SHUFFLE_PERIOD, Timer::Shuffle);
                for peer in known {
                    self.send(peer, Message::Views(hyparview::Message::Join), out);
                }
            }
            Input::Command(Order::Publish(payload)) => self.spread(cx.now, None, &payload, 0, out),
            // Nobody goes while it plays.
            Input::Command(Order::Leave) => {}
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Self::Output>) {
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= cx.now) {
            let timer = first.remove();
            self.due(cx, timer, out);
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.timers.first_key_value().map(|((at, _), _)| Deadline { at: *at, timer: "timer" })
    }
}

impl Member for Plumtree {
    type Message = Message;
    type Command = Order;
    type Event = Bytes;

    fn connect_failed(peer: PeerId) -> Order {
        Order::ConnectFailed(peer)
    }

    /// As iroh-gossip's encoding makes it: a topic and ids of 32 bytes, two kinds, steps.
    fn length_of(message: &Message) -> usize {
        match message {
            Message::Views(message) => message.length(),
            Message::Data { payload, .. } => 70 + payload.len(),
            Message::IHave(announced) => 35 + 33 * announced.len(),
            Message::Graft { id } => 36 + 32 * usize::from(id.is_some()),
            Message::Prune => 34,
        }
    }
}

impl Rival for Plumtree {
    fn new(peer: PeerId) -> Self {
        Self {
            views: Views::new(peer),
            eager: BTreeSet::new(),
            lazy: BTreeSet::new(),
            seen: Lookup::new(),
            kept: VecDeque::new(),
            missing: BTreeMap::new(),
            grafting: BTreeSet::new(),
            announcing: BTreeMap::new(),
            is_gathering: false,
            timers: BTreeMap::new(),
            timers_made: 0,
            links: BTreeMap::new(),
        }
    }

    fn payload_in(message: &Message) -> usize {
        if let Message::Data { payload, .. } = message { payload.len() } else { 0 }
    }
}
