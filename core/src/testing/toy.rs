//! A small machine that keeps the laws, and can be told to break one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{
    Cx, Deadline, DecodeError, Delivery, Input, Machine, Output, PeerId, Priority, Reader, Timers, Wire,
    Writer,
};

/// Links that the toy keeps at most.
pub(super) const MOST_NEIGHBORS: usize = 5;
const BEAT: Duration = Duration::from_secs(1);

/// Beats each second on every link, tells its owner whom it hears.
#[derive(Default)]
pub(super) struct Toy {
    pub(super) neighbors: BTreeMap<PeerId, u64>,
    pub(super) hoard: Vec<u64>,
    timers: Timers,
    fault: Option<Fault>,
}

/// The one thing that a toy does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    DependsOnTheProcess,
    StaysDue,
    ActsWhenNothingIsDue,
    PanicsAtLargeNumbers,
    AnswersStrangers,
    SendsWhatDoesNotReadBack,
    SaysTooMuch,
    Hoards,
    RemembersTheGone,
    CountsTheGone,
    Chatters,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ToyMessage {
    Beat(u64),
    Say(u64),
    /// Encodes, and is refused when decoded: a fault of its own.
    Broken,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ToyCommand {
    Dial(PeerId),
    Drop(PeerId),
    Say(u64),
    NoAnswer(PeerId),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ToyEvent {
    Heard(PeerId, u64),
    NoAnswer(PeerId),
    Total(u64),
}

type Outputs = Vec<Output<ToyMessage, ToyEvent>>;

static PROCESS_COUNT: AtomicU64 = AtomicU64::new(0);

impl Toy {
    pub(super) fn with_fault(fault: Option<Fault>) -> Self {
        Self { fault, ..Self::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn connected(&mut self, cx: &Cx<'_>, peer: PeerId, out: &mut Outputs) {
        if self.neighbors.len() == MOST_NEIGHBORS {
            return out.push(Output::Disconnect(peer));
        }
        self.neighbors.insert(peer, 0);
        self.timers.set_sooner("beat", cx.now + BEAT);
    }

    fn disconnected(&mut self, peer: PeerId, out: &mut Outputs) {
        if !self.has(Fault::RemembersTheGone) {
            self.neighbors.remove(&peer);
        }
        if self.neighbors.is_empty() {
            self.timers.clear("beat");
        }
        if self.has(Fault::CountsTheGone) {
            self.hoard = vec![self.hoard.first().map_or(1, |count| count + 1)];
            if self.hoard[0].is_multiple_of(2) {
                out.push(Output::Event(ToyEvent::Total(self.hoard[0])));
            }
        }
    }

    fn received(&mut self, from: PeerId, message: &ToyMessage, out: &mut Outputs) {
        let ToyMessage::Say(number) = message else { return };
        assert!(!self.has(Fault::PanicsAtLargeNumbers) || *number < 700, "a number that nobody says");
        if self.has(Fault::Hoards) {
            self.hoard.push(*number);
        }
        match self.neighbors.get_mut(&from) {
            Some(last) => *last = *number,
            None => return,
        }
        let salt = if self.has(Fault::DependsOnTheProcess) {
            PROCESS_COUNT.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        out.push(Output::Event(ToyEvent::Heard(from, number.wrapping_add(salt))));
    }

    fn command(&mut self, command: ToyCommand, out: &mut Outputs) {
        match command {
            ToyCommand::Dial(peer) if self.has(Fault::AnswersStrangers) => {
                self.send(peer, ToyMessage::Say(1), Delivery::Control, out);
            }
            ToyCommand::Dial(peer) => out.push(Output::Connect(peer)),
            ToyCommand::Drop(peer) if self.neighbors.contains_key(&peer) => {
                out.push(Output::Disconnect(peer))
            }
            ToyCommand::Drop(_) => {}
            ToyCommand::NoAnswer(peer) => out.push(Output::Event(ToyEvent::NoAnswer(peer))),
            ToyCommand::Say(number) => {
                let copies = if self.has(Fault::SaysTooMuch) { 20 } else { 1 };
                let broken = self.has(Fault::SendsWhatDoesNotReadBack);
                let message = if broken { ToyMessage::Broken } else { ToyMessage::Say(number) };
                for _ in 0..copies {
                    for peer in self.neighbors.keys() {
                        self.send(*peer, message.clone(), Delivery::Control, out);
                    }
                }
            }
        }
    }

    fn beat(&mut self, cx: &Cx<'_>, out: &mut Outputs) {
        let how = Delivery::live(cx.now, BEAT, Priority::Urgent);
        for peer in self.neighbors.keys() {
            self.send(*peer, ToyMessage::Beat(cx.now.as_micros()), how, out);
        }
        let every = if self.has(Fault::Chatters) { BEAT / 500 } else { BEAT };
        self.timers.set("beat", cx.now + every);
    }

    fn send(&self, to: PeerId, message: ToyMessage, how: Delivery, out: &mut Outputs) {
        out.push(Output::Send { to, message, how });
    }
}

impl Machine for Toy {
    type Input = Input<ToyMessage, ToyCommand>;
    type Output = Output<ToyMessage, ToyEvent>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Outputs) {
        match input {
            Input::Connected(peer) => self.connected(cx, peer, out),
            Input::Disconnected(peer) => self.disconnected(peer, out),
            Input::Received { from, message } => self.received(from, &message, out),
            Input::Command(command) => self.command(command, out),
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Outputs) {
        if self.has(Fault::ActsWhenNothingIsDue) {
            out.push(Output::Event(ToyEvent::Total(0)));
        }
        while self.timers.pop_due(cx.now).is_some() {
            self.beat(cx, out);
            if self.has(Fault::StaysDue) {
                return self.timers.set("beat", cx.now);
            }
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }
}

impl Wire for ToyMessage {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Beat(number) => {
                writer.u8(1);
                writer.u64(*number);
            }
            Self::Say(number) => {
                writer.u8(2);
                writer.u64(*number);
            }
            Self::Broken => writer.u8(3),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            1 => Ok(Self::Beat(reader.u64()?)),
            2 => Ok(Self::Say(reader.u64()?)),
            _ => Err(DecodeError::Unknown),
        }
    }
}
