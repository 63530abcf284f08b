use std::num::NonZeroU64;
use std::time::Duration;

use stratus_core::{Cx, Input, Lookup, Machine, Output, PeerId, Rng, Time, drive};

use crate::latency::Latency;
use crate::queue::Queue;
use crate::slab::Slab;
use crate::trace::{Kind, Trace};
use crate::uplink::Uplink;
use crate::verify::MemoVerify;

mod links;
#[cfg(test)]
mod tests;
mod traffic;
mod weather;

use links::Links;
pub use traffic::{Content, Head, Packet};
use weather::Downlink;
pub use weather::{Rule, Trouble};

/// What the world can drive: a machine that hears links, messages and commands.
pub trait Member:
    Machine<Input = Input<Self::Message, Self::Command>, Output = Output<Self::Message, Self::Event>>
{
    /// What travels between members.
    type Message;
    /// What its owner may ask of it.
    type Command;
    /// What it tells its owner.
    type Event;

    /// Whether a member that answers nothing of its own will would pass this over; links live on.
    fn may_be_ignored(message: &Self::Message) -> bool {
        let _ = message;
        false
    }

    /// How the owner tells it that a link could not be opened.
    fn connect_failed(peer: PeerId) -> Self::Command;

    /// Encoded bytes of a message, which is never encoded.
    fn length_of(message: &Self::Message) -> usize;
}

/// Who looks on: a scenario that keeps the score.
pub trait Watch<M: Member> {
    /// A packet has left its sender's uplink.
    fn sent(&mut self, now: Time, packet: &Packet<M::Message>) {
        let _ = (now, packet);
    }

    /// A packet was lost on the way; its last byte left at `sent_at`.
    fn lost(&mut self, sent_at: Time, packet: &Packet<M::Message>) {
        let _ = (sent_at, packet);
    }

    /// A packet is about to be handed to a living receiver over a link that is up.
    fn arrived(&mut self, now: Time, packet: &Packet<M::Message>) {
        let _ = (now, packet);
    }

    /// A member is about to take an input, or to be woken.
    fn turn_begins(&mut self, now: Time, member: u32, input: Option<&M::Input>) {
        let _ = (now, member, input);
    }

    /// It has; nothing of what it asks for is done yet.
    fn turn_ends(&mut self, member: u32, machine: &M, outputs: &[M::Output]) {
        let _ = (member, machine, outputs);
    }

    /// What a member asks for, before it is done: a hostile one asks for something else than its machine.
    fn tamper(&mut self, member: u32, outputs: &mut Vec<M::Output>) {
        let _ = (member, outputs);
    }

    /// A member tells its owner something. The two numbers answered go into the trace.
    fn event(&mut self, now: Time, member: u32, event: M::Event) -> (u64, u64);
}

/// What the world between the members is like.
#[derive(Clone, Debug)]
pub struct Config {
    /// Travel times.
    pub latency: Latency,
    /// Packets lost in a million. A lost datagram is gone; anything reliable comes a round trip later.
    pub loss_ppm: u32,
    /// Packets lost in a row, in the mean; 1: each on its own.
    pub burst: u32,
    /// Trouble on some links.
    pub rules: Vec<Rule>,
    /// Datagrams take up to this much longer, each on its own, so that they overtake one another.
    pub jitter: Duration,
    /// How long a dial to nobody takes to fail.
    pub dial_timeout: Duration,
    /// How long the transport takes to see that a peer is gone that said nothing.
    pub idle_timeout: Duration,
    /// Links a member accepts; a dial to one that has as many fails.
    pub most_links: usize,
    /// Room in each of a member's three sending queues, in wire bytes.
    pub queue_bytes: u64,
}

impl Config {
    /// A world without loss or jitter.
    pub fn new(latency: Latency) -> Self {
        Self {
            latency,
            loss_ppm: 0,
            burst: 1,
            rules: Vec::new(),
            jitter: Duration::ZERO,
            dial_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            most_links: 256,
            queue_bytes: 1 << 20,
        }
    }
}

/// What the world counted about itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Packets lost on the way.
    pub lost_packets: u64,
    /// Datagrams dropped unsent because they had expired.
    pub expired: u64,
    /// Messages dropped unsent because the queue was full.
    pub overflowed: u64,
    /// Messages to peers without a link.
    pub unlinked: u64,
    /// Datagrams longer than any path carries.
    pub oversized: u64,
    /// Dials that came to nothing.
    pub dials_failed: u64,
    /// Times that a member's deadline was not later than the moment it was woken at.
    pub stuck: u64,
}

/// A deterministic world of members, links between them, and time.
///
/// One thread, one queue of happenings in the exact order of (time, order of scheduling), every draw from the
/// seed: the same seed and the same calls give the same [`Trace`].
pub struct World<M: Member, W: Watch<M>> {
    /// Who looks on.
    pub watch: W,
    config: Config,
    now: Time,
    queue: Queue<Happening>,
    seats: Vec<Seat<M>>,
    numbers: Lookup<PeerId, u32>,
    packets: Slab<Packet<M::Message>>,
    /// Loss and jitter.
    chance: Rng,
    /// From which each member's own stream is forked.
    origin: Rng,
    verify: MemoVerify,
    trace: Trace,
    totals: Totals,
    next_link: u32,
    /// Until when members on different sides cannot reach each other.
    cut_until: Option<Time>,
    /// Outputs of the turn in progress; kept to reuse its memory.
    outputs: Vec<M::Output>,
}

/// What waits in the queue.
enum Happening {
    Wake(u32),
    UplinkFree(u32),
    /// It is at its receiver's way in.
    Knock(u32),
    Arrive(u32),
    Dialled {
        from: u32,
        to: u32,
        /// How often the first packet has been sent again.
        again: u32,
    },
    DialFailed {
        from: u32,
        to: u32,
    },
    DialledNobody {
        from: u32,
        peer: Box<PeerId>,
    },
    LinkGone {
        member: u32,
        peer: u32,
        link: u32,
    },
}

/// A member's place in the world.
struct Seat<M> {
    peer: PeerId,
    machine: M,
    rng: Rng,
    life: Life,
    links: Links,
    uplink: Uplink<u32>,
    downlink: Downlink,
    /// Until when it does nothing and hears nothing.
    frozen_until: Time,
    /// When the queue will wake it, if it will.
    armed: Option<Time>,
    sent_bytes: u64,
    /// Whether it is on the far side of a partition.
    is_apart: bool,
    /// Whether it passes over what it may.
    is_deaf: bool,
}

/// ```text
/// Alive ──leave──► Leaving (its queues drain, it hears nothing)
///   └────kill────► Gone
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Alive,
    Leaving,
    Gone,
}

impl<M: Member, W: Watch<M>> World<M, W> {
    /// An empty world at time zero, whose trace keeps `trace_lines` events as text.
    pub fn new(config: Config, seed: u64, trace_lines: u64, watch: W) -> Self {
        let mut origin = Rng::from_seed(seed);
        Self {
            watch,
            config,
            now: Time::ZERO,
            queue: Queue::new(),
            seats: Vec::new(),
            numbers: Lookup::new(),
            packets: Slab::new(),
            chance: origin.fork("network"),
            origin,
            verify: MemoVerify::new(),
            trace: Trace::new(trace_lines),
            totals: Totals::default(),
            next_link: 0,
            cut_until: None,
            outputs: Vec::new(),
        }
    }

    /// Adds a member whose uplink carries `rate` wire bytes a second; answers its number.
    pub fn join(&mut self, peer: PeerId, machine: M, rate: Option<NonZeroU64>) -> u32 {
        let number = u32::try_from(self.seats.len()).expect("fewer than 2^32 members");
        let seat = Seat {
            peer,
            machine,
            rng: self.origin.fork("member"),
            life: Life::Alive,
            links: Links::default(),
            uplink: Uplink::new(rate, self.config.queue_bytes),
            downlink: Downlink::new(None),
            frozen_until: Time::ZERO,
            armed: None,
            sent_bytes: 0,
            is_apart: false,
            is_deaf: false,
        };
        self.seats.push(seat);
        assert!(self.numbers.insert(peer, number).is_none(), "a peer joined twice");
        self.trace.add(self.now, number, Kind::Join, 0, 0);
        self.arm(number, self.now);
        number
    }

    /// Gives a living member a command, and does what it asks for.
    pub fn command(&mut self, member: u32, command: M::Command) {
        if self.is_awake(member) {
            self.trace.add(self.now, member, Kind::Command, 0, 0);
            self.turn(member, Some(Input::Command(command)));
        }
    }

    /// The member vanishes without a word. Its peers' transports notice when their idle timeout ends.
    pub fn kill(&mut self, member: u32) {
        self.trace.add(self.now, member, Kind::Kill, 0, 0);
        let (seat, gone_at) = (&mut self.seats[member as usize], self.now + self.config.idle_timeout);
        seat.life = Life::Gone;
        for packet in seat.uplink.clear() {
            self.packets.take(packet);
        }
        for link in seat.links.clear() {
            self.queue.schedule(
                gone_at,
                Happening::LinkGone { member: link.peer, peer: member, link: link.number },
            );
        }
    }

    /// The member leaves in order: takes a last command, says what that makes it say, and closes its links.
    pub fn leave(&mut self, member: u32, last: M::Command) {
        self.command(member, last);
        self.trace.add(self.now, member, Kind::Leave, 0, 0);
        for link in self.seats[member as usize].links.clear() {
            self.send_close(member, link.peer, link.number);
        }
        self.seats[member as usize].life = Life::Leaving;
    }

    /// From now on no more than so many wire bytes a second come in to a member.
    pub fn limit_downlink(&mut self, member: u32, rate: NonZeroU64) {
        self.seats[member as usize].downlink = Downlink::new(Some(rate));
    }

    /// The member stops for a while, as a process that is not run: it says nothing, and hears afterwards what came to it.
    /// If that is long enough, its peers' transports take it for gone, and so does its own.
    pub fn freeze(&mut self, member: u32, until: Time) {
        self.trace.add(self.now, member, Kind::Freeze, until.as_micros(), 0);
        self.seats[member as usize].frozen_until = until;
        let given_up_at = self.now + self.config.idle_timeout;
        if until <= given_up_at {
            return;
        }
        let links: Vec<(u32, u32)> = self.seats[member as usize].links.numbers().collect();
        for (peer, link) in links {
            self.queue.schedule(given_up_at, Happening::LinkGone { member: peer, peer: member, link });
            self.queue.schedule(until, Happening::LinkGone { member, peer, link });
        }
    }

    /// Until when a member does nothing, if it does not.
    fn frozen_until(&self, member: u32) -> Option<Time> {
        let until = self.seats[member as usize].frozen_until;
        (until > self.now).then_some(until)
    }

    /// Whether it lives and is run.
    fn is_awake(&self, member: u32) -> bool {
        self.is_alive(member) && self.frozen_until(member).is_none()
    }

    /// Cuts `apart` off from all others until a moment: datagrams between the sides are lost, what is reliable comes
    /// after it, dials come to nothing.
    ///
    /// Links across are not ended here: members notice by themselves, long before the transport would.
    pub fn part(&mut self, apart: &[u32], until: Time) {
        self.seats.iter_mut().for_each(|seat| seat.is_apart = false);
        apart.iter().for_each(|member| self.seats[*member as usize].is_apart = true);
        self.cut_until = Some(until);
    }

    /// From now on the member hears nothing that it may ignore.
    pub fn deafen(&mut self, member: u32) {
        self.seats[member as usize].is_deaf = true;
    }

    /// Whether it hears nothing that it may ignore.
    pub fn is_deaf(&self, member: u32) -> bool {
        self.seats[member as usize].is_deaf
    }

    /// The number of a member.
    pub fn number_of(&self, peer: &PeerId) -> Option<u32> {
        self.numbers.get(peer).copied()
    }

    /// Until when two members cannot reach each other, if they cannot.
    fn cut_until(&self, a: u32, b: u32) -> Option<Time> {
        let until = self.cut_until.filter(|until| self.now < *until)?;
        (self.seats[a as usize].is_apart != self.seats[b as usize].is_apart).then_some(until)
    }

    /// Lets everything happen that is due before `end`; then it is `end`.
    pub fn run_until(&mut self, end: Time) {
        while let Some((at, happening)) = self.queue.pop_before(end) {
            self.now = at;
            self.happen(happening);
        }
        self.now = self.now.max(end);
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many members ever joined.
    pub fn member_count(&self) -> u32 {
        self.seats.len() as u32
    }

    /// Whether `member` was neither killed nor left.
    pub fn is_alive(&self, member: u32) -> bool {
        self.seats[member as usize].life == Life::Alive
    }

    /// A member's machine, to look at.
    pub fn machine(&self, member: u32) -> &M {
        &self.seats[member as usize].machine
    }

    /// From which a member's chance began.
    pub fn entropy(&self, member: u32) -> [u8; 32] {
        self.seats[member as usize].rng.entropy()
    }

    /// Wire bytes a member has sent.
    pub fn sent_bytes(&self, member: u32) -> u64 {
        self.seats[member as usize].sent_bytes
    }

    /// How many links a member has.
    pub fn link_count(&self, member: u32) -> usize {
        self.seats[member as usize].links.len()
    }

    /// Appends those to whom a member has an open link, by number.
    pub fn open_links(&self, member: u32, into: &mut Vec<u32>) {
        self.seats[member as usize].links.open_peers(into);
    }

    /// Whether a member has an open link to `other`.
    pub fn has_link(&self, member: u32, other: u32) -> bool {
        self.seats[member as usize].links.open(other).is_some()
    }

    /// Packets that wait or travel.
    pub fn packet_count(&self) -> usize {
        self.packets.len()
    }

    /// What the world counted about itself.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.trace.count()
    }

    /// Everything that happened.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// The world's memory of signatures and digests.
    pub fn verify(&self) -> &MemoVerify {
        &self.verify
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake(member) => self.wake(member),
            Happening::UplinkFree(member) => self.uplink_free(member),
            Happening::Knock(packet) => self.knock(packet),
            Happening::Arrive(packet) => self.arrive(packet),
            Happening::Dialled { from, to, again } => self.dialled(from, to, again),
            Happening::DialFailed { from, to } => self.dial_failed(from, to),
            Happening::DialledNobody { from, peer } => self.dial_came_to_nothing(from, *peer),
            Happening::LinkGone { member, peer, link } => self.link_gone(member, peer, link),
        }
    }

    fn wake(&mut self, member: u32) {
        let frozen_until = self.frozen_until(member);
        let seat = &mut self.seats[member as usize];
        // A wake-up that was overtaken by a sooner one, or that nobody lives to hear.
        if seat.armed != Some(self.now) || seat.life != Life::Alive {
            return;
        }
        seat.armed = None;
        if let Some(thaws_at) = frozen_until {
            seat.armed = Some(thaws_at);
            return self.queue.schedule(thaws_at, Happening::Wake(member));
        }
        match seat.machine.deadline() {
            Some(deadline) if deadline.at <= self.now => {
                self.trace.add(self.now, member, Kind::Wake, 0, 0);
                self.turn(member, None);
            }
            _ => self.arm(member, self.now),
        }
    }

    /// One turn of one machine: an input, or else whatever is due; then what it asks for.
    fn turn(&mut self, member: u32, input: Option<M::Input>) {
        let seat = &mut self.seats[member as usize];
        let mut outputs = std::mem::take(&mut self.outputs);
        self.watch.turn_begins(self.now, member, input.as_ref());
        let mut cx = Cx { now: self.now, rng: &mut seat.rng, verify: &self.verify };
        match input {
            Some(input) => drive(&mut seat.machine, &mut cx, input, &mut outputs),
            None => seat.machine.wake(&mut cx, &mut outputs),
        }
        self.watch.turn_ends(member, &seat.machine, &outputs);
        self.watch.tamper(member, &mut outputs);
        if seat.machine.deadline().is_some_and(|deadline| deadline.at <= self.now) {
            // Law 2 is broken: go on, a little later, rather than for ever at this moment.
            self.totals.stuck += 1;
            self.arm(member, self.now + Duration::from_millis(1));
        } else {
            self.arm(member, self.now);
        }
        for output in outputs.drain(..) {
            self.apply(member, output);
        }
        self.outputs = outputs;
    }

    fn apply(&mut self, member: u32, output: M::Output) {
        match output {
            Output::Connect(peer) => self.dial(member, peer),
            Output::Disconnect(peer) => self.disconnect(member, peer),
            Output::Send { to, message, how } => self.send(member, to, message, how),
            Output::Event(event) => {
                let (a, b) = self.watch.event(self.now, member, event);
                self.trace.add(self.now, member, Kind::Event, a, b);
            }
        }
    }

    /// Sees to it that the queue wakes the member by its deadline, but not before `earliest`. One that moves
    /// later is looked at again when the sooner one comes, so a deadline costs one place in the queue however
    /// often it moves.
    fn arm(&mut self, member: u32, earliest: Time) {
        let seat = &mut self.seats[member as usize];
        let Some(deadline) = seat.machine.deadline() else { return };
        let at = deadline.at.max(earliest);
        if seat.armed.is_none_or(|armed| at < armed) {
            seat.armed = Some(at);
            self.queue.schedule(at, Happening::Wake(member));
        }
    }
}
