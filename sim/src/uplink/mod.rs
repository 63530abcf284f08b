use std::collections::VecDeque;
use std::num::NonZeroU64;

use stratus_core::{Delivery, Priority, Time};

#[cfg(test)]
mod tests;

/// A member's way out: one serial server in wire bytes a second, fed from four queues.
///
/// The most urgent queue that is not empty is served first; within one, first come first served. What a queue
/// has no room for is refused. Without a rate, everything leaves at once.
#[derive(Debug)]
pub struct Uplink<T> {
    rate: Option<NonZeroU64>,
    /// When the last bit so far is out. In nanoseconds, so that rounding never adds up to a higher rate.
    free_at_nanos: u64,
    /// Bytes to be sent along with the next packet: acknowledgements and handshakes.
    debt: u64,
    queues: [Lane<T>; LANES],
    room_bytes: u64,
    /// Whether the world will call when the server is free.
    is_called: bool,
}

/// Which queue of an uplink.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Control, manifests, requests, maps.
    Urgent,
    /// Pushed fragments.
    Push,
    /// Answers to pulls, fast starts, maps and announcements.
    Repair,
    /// Objects.
    Bulk,
}

const LANES: usize = 4;

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<(T, u64)>,
    bytes: u64,
}

impl From<Delivery> for Class {
    fn from(how: Delivery) -> Self {
        match how {
            Delivery::Control | Delivery::Live { priority: Priority::Urgent, .. } => Self::Urgent,
            Delivery::Live { priority: Priority::Push, .. } => Self::Push,
            Delivery::Live { priority: Priority::Repair, .. } | Delivery::Background => Self::Repair,
            Delivery::Bulk => Self::Bulk,
        }
    }
}

impl<T> Uplink<T> {
    /// An uplink of `rate` wire bytes a second, with room for `room_bytes` in each queue.
    pub fn new(rate: Option<NonZeroU64>, room_bytes: u64) -> Self {
        let queues = std::array::from_fn(|_| Lane { waiting: VecDeque::new(), bytes: 0 });
        Self { rate, free_at_nanos: 0, debt: 0, queues, room_bytes, is_called: false }
    }

    /// The rate in wire bytes a second, if there is a limit.
    pub fn rate(&self) -> Option<NonZeroU64> {
        self.rate
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> u64 {
        self.queues.iter().map(|lane| lane.bytes).sum()
    }

    /// Puts `item` in its queue, or gives it back if there is no room.
    pub fn push(&mut self, class: Class, item: T, bytes: u64) -> Result<(), T> {
        let lane = &mut self.queues[class as usize];
        if lane.bytes + bytes > self.room_bytes {
            return Err(item);
        }
        lane.bytes += bytes;
        lane.waiting.push_back((item, bytes));
        Ok(())
    }

    /// Takes the item whose turn it is, if the server is free.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        if !self.is_free(now) {
            return None;
        }
        let lane = self.queues.iter_mut().find(|lane| !lane.waiting.is_empty())?;
        let (item, bytes) = lane.waiting.pop_front()?;
        lane.bytes -= bytes;
        Some(item)
    }

    /// Bytes that the next packet takes along.
    pub fn owe(&mut self, bytes: u64) {
        if self.rate.is_some() {
            self.debt += bytes;
        }
    }

    /// Bytes that are on their way out or owed, at `now`.
    pub fn backlog(&self, now: Time) -> u64 {
        let Some(rate) = self.rate else { return 0 };
        let nanos = self.free_at_nanos.saturating_sub(now.as_micros() * 1_000);
        self.debt + (u128::from(nanos) * u128::from(rate.get()) / 1_000_000_000) as u64
    }

    /// Sends `bytes`, and says when the last of them is out.
    pub fn occupy(&mut self, now: Time, bytes: u64) -> Time {
        let Some(rate) = self.rate else { return now };
        let now_nanos = now.as_micros() * 1_000;
        // Calls come at whole microseconds; a server with a backlog went on inside the one that just ended.
        let start = if self.free_at_nanos + 1_000 > now_nanos { self.free_at_nanos } else { now_nanos };
        let nanos = u128::from(bytes + std::mem::take(&mut self.debt)) * 1_000_000_000;
        self.free_at_nanos = start + nanos.div_ceil(u128::from(rate.get())) as u64;
        Time::from_micros(self.free_at_nanos.div_ceil(1_000))
    }

    /// When the world should call next, if something waits and no call is arranged.
    pub fn arrange_call(&mut self) -> Option<Time> {
        let is_waiting = self.queues.iter().any(|lane| !lane.waiting.is_empty());
        if self.is_called || !is_waiting {
            return None;
        }
        self.is_called = true;
        Some(Time::from_micros(self.free_at_nanos.div_ceil(1_000)))
    }

    /// The call has come.
    pub fn called(&mut self) {
        self.is_called = false;
    }

    /// Takes out everything that waits.
    pub fn clear(&mut self) -> Vec<T> {
        let items = self.queues.iter_mut().flat_map(|lane| {
            lane.bytes = 0;
            lane.waiting.drain(..).map(|(item, _)| item)
        });
        items.collect()
    }

    fn is_free(&self, now: Time) -> bool {
        self.free_at_nanos <= now.as_micros() * 1_000
    }
}
