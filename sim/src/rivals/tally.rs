use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Lookup, Time};

use super::Rival;
use crate::histogram::Histogram;
use crate::last::Lasts;
use crate::world::{Content, Packet, Watch};

/// Looks on while others play, and counts what [`Score`](crate::score::Score) counts of ours.
pub(super) struct Tally {
    /// Number of each payload by where it lies.
    numbers: Lookup<usize, u32>,
    written: Vec<Time>,
    /// Messages written before this do not count for delay.
    warm_at: Time,
    window: Duration,
    pub(super) is_streaming: bool,
    pub(super) delays: Histogram,
    pub(super) lasts: Lasts,
    /// First deliveries within the window, and all of them.
    pub(super) in_window: u64,
    pub(super) delivered: u64,
    /// Received since the stream began: all, and payload.
    pub(super) received_bytes: u64,
    pub(super) payload_bytes: u64,
}

impl Tally {
    pub(super) fn new(warm_at: Time, window: Duration) -> Self {
        Self {
            numbers: Lookup::new(),
            written: Vec::new(),
            warm_at,
            window,
            is_streaming: false,
            delays: Histogram::new(),
            lasts: Lasts::default(),
            in_window: 0,
            delivered: 0,
            received_bytes: 0,
            payload_bytes: 0,
        }
    }

    /// The next payload is written.
    pub(super) fn write(&mut self, at: Time, payload: &Bytes) {
        self.numbers.insert(payload.as_ptr() as usize, self.written.len() as u32);
        self.written.push(at);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.len() as u64
    }
}

impl<M: Rival> Watch<M> for Tally {
    fn arrived(&mut self, _: Time, packet: &Packet<M::Message>) {
        let (true, Content::Message(message)) = (self.is_streaming, &packet.content) else { return };
        self.received_bytes += u64::from(packet.head.length);
        self.payload_bytes += M::payload_in(message) as u64;
    }

    fn event(&mut self, now: Time, _: u32, payload: Bytes) -> (u64, u64) {
        let number =
            *self.numbers.get(&(payload.as_ptr() as usize)).expect("payloads are shared, not copied");
        let at = self.written[number as usize];
        let delay = now.since(at);
        self.delivered += 1;
        self.in_window += u64::from(delay <= self.window);
        if at >= self.warm_at {
            self.delays.add(delay);
            self.lasts.add(number, delay);
        }
        (u64::from(number), 0)
    }
}
