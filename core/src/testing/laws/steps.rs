use std::time::Duration;

use bytes::Bytes;

use super::run::{Message, Run};
use super::{Fault, Subject};
use crate::{Input, PeerId, Rng, Wire};

/// The random steps: links that come and go, messages good, repeated and broken, commands, time.
impl<S: Subject> Run<'_, S> {
    pub(super) fn step(&mut self) -> Result<(), Fault> {
        self.label("closing".to_owned());
        self.close_asked()?;
        match self.rng.below(100) {
            _ if self.connected.is_empty() => self.connect(),
            0..10 => self.connect(),
            10..15 => self.lose(),
            15..50 => self.hear(),
            50..55 => self.hear_echo(),
            55..65 => self.hear_garbage(),
            65..78 => self.command(),
            78..80 => self.spurious_wake(),
            80..84 => self.oversleep(),
            _ => self.sleep(),
        }
    }

    /// A link comes up, half of the time one that was asked for; or a dial fails.
    fn connect(&mut self) -> Result<(), Fault> {
        let wanted = self.wanted.pop_first().filter(|_| self.rng.chance(1, 2));
        let peers = &self.peers;
        let peer = wanted.unwrap_or_else(|| *self.rng.pick(peers).expect("a subject has peers"));
        if self.connected.contains(&peer) {
            return Ok(());
        }
        let failure = self.subject.connect_failed(peer).filter(|_| wanted.is_some() && self.rng.chance(1, 3));
        if let Some(command) = failure {
            self.label(format!("no answer from {peer:?}"));
            return self.turn(Input::Command(command));
        }
        self.label(format!("connected {peer:?}"));
        self.connected.insert(peer);
        self.turn(Input::Connected(peer))
    }

    fn lose(&mut self) -> Result<(), Fault> {
        let peer = self.neighbor();
        self.label(format!("disconnected {peer:?}"));
        self.disconnected(peer)
    }

    fn hear(&mut self) -> Result<(), Fault> {
        let from = self.neighbor();
        let message = self.subject.message(&self.machine, from, self.now, &mut self.rng);
        self.receive(from, message)
    }

    /// Something the machine itself said, from whomever.
    fn hear_echo(&mut self) -> Result<(), Fault> {
        let Some(bytes) = self.something_sent() else { return self.hear() };
        self.receive_bytes(bytes)
    }

    /// Bytes that were a message, or never were one; law 3.
    fn hear_garbage(&mut self) -> Result<(), Fault> {
        let mut bytes = match self.rng.below(4) {
            0 => random_bytes(&mut self.rng),
            1 => self.something_sent().unwrap_or_default().to_vec(),
            _ => {
                let from = self.neighbor();
                self.subject.message(&self.machine, from, self.now, &mut self.rng).to_bytes().to_vec()
            }
        };
        mutate(&mut bytes, &mut self.rng);
        self.label(format!("garbage {bytes:02x?}"));
        self.receive_bytes(bytes.into())
    }

    fn command(&mut self) -> Result<(), Fault> {
        self.label("command".to_owned());
        match self.subject.command(&self.machine, self.now, &mut self.rng) {
            Some(command) => self.turn(Input::Command(command)),
            None => Ok(()),
        }
    }

    fn spurious_wake(&mut self) -> Result<(), Fault> {
        self.label("a wake with nothing due".to_owned());
        self.wake()
    }

    /// The host is late.
    fn oversleep(&mut self) -> Result<(), Fault> {
        let late = self.some_time();
        self.now += late;
        self.label(format!("a late wake at {}", self.now));
        self.wake()
    }

    fn sleep(&mut self) -> Result<(), Fault> {
        let duration = self.some_time();
        self.label(format!("a wait of {duration:?}"));
        self.wait(duration)
    }

    /// 1 µs to 32 s, short and long ones as often.
    fn some_time(&mut self) -> Duration {
        let scale = self.rng.below(25);
        Duration::from_micros((1 << scale) + self.rng.below(1 << scale))
    }

    fn receive_bytes(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let from = self.neighbor();
        match Message::<S>::from_bytes(bytes.clone()) {
            Ok(message) if message.to_bytes() == bytes => self.receive(from, message),
            Ok(message) => Err((3, format!("two forms of one message: {message:?} from {bytes:02x?}"))),
            Err(_) => Ok(()),
        }
    }

    fn receive(&mut self, from: PeerId, message: Message<S>) -> Result<(), Fault> {
        self.label(format!("{from:?} says {message:?}"));
        self.turn(Input::Received { from, message })
    }

    fn neighbor(&mut self) -> PeerId {
        let connected: Vec<PeerId> = self.connected.iter().copied().collect();
        *self.rng.pick(&connected).expect("steps begin with a link")
    }

    fn something_sent(&mut self) -> Option<Bytes> {
        let sent: Vec<Bytes> = self.sent.iter().cloned().collect();
        self.rng.pick(&sent).cloned()
    }
}

fn random_bytes(rng: &mut Rng) -> Vec<u8> {
    let scale = rng.below(11);
    let mut bytes = vec![0; rng.below(1 << scale) as usize];
    rng.fill(&mut bytes);
    bytes
}

/// One to four small injuries: a bit, a byte, a cut, an addition, a repetition.
fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        let len = bytes.len() as u64;
        let at = rng.below(len.max(1)) as usize;
        match rng.below(5) {
            _ if bytes.is_empty() => bytes.push(rng.below(256) as u8),
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5) as usize],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.below(256) as u8),
            _ => bytes.extend_from_within(at..),
        }
    }
}
