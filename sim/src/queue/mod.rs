use std::collections::BTreeMap;

use stratus_core::Time;

#[cfg(test)]
mod tests;

/// Width of one bucket: 64 µs. With 10 to 50 ms of latency and 10,000 pending, about a dozen events share one.
const BUCKET_SHIFT: u32 = 6;
/// Buckets in the ring: together 262 ms, so packets land in it and most timers do not.
const BUCKETS: u64 = 4096;
/// Buckets in one coarse window; two windows fill the ring.
const WINDOW: u64 = BUCKETS / 2;

/// Events in the exact order of (time, order of scheduling).
///
/// A ring of short buckets holds what is due soon; each is sorted when it is reached. Whatever is due
/// later waits, unsorted, in coarse windows and moves into the ring one window ahead.
///
/// Cost: O(1) to schedule, O(log of a bucket) to take; a binary heap of 10^5 pending is five times slower.
#[derive(Debug)]
pub struct Queue<E> {
    ring: Vec<Vec<Entry<E>>>,
    /// The bucket that is being emptied, latest event first.
    current: Vec<Entry<E>>,
    /// Number of that bucket since time zero.
    cursor: u64,
    later: BTreeMap<u64, Vec<Entry<E>>>,
    in_ring: usize,
    len: usize,
    sequence: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    sequence: u64,
    event: E,
}

impl<E> Entry<E> {
    fn key(&self) -> (Time, u64) {
        (self.at, self.sequence)
    }
}

fn bucket_of(at: Time) -> u64 {
    at.as_micros() >> BUCKET_SHIFT
}

impl<E> Queue<E> {
    /// An empty queue at time zero.
    pub fn new() -> Self {
        let ring = std::iter::repeat_with(Vec::new).take(BUCKETS as usize).collect();
        Self { ring, current: Vec::new(), cursor: 0, later: BTreeMap::new(), in_ring: 0, len: 0, sequence: 0 }
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `event`; of equal times, the one scheduled first comes first. A time already passed counts as the present.
    pub fn schedule(&mut self, at: Time, event: E) {
        let entry = Entry { at, sequence: self.sequence, event };
        self.sequence += 1;
        self.len += 1;
        let bucket = bucket_of(at);
        if bucket <= self.cursor {
            let place = self.current.partition_point(|other| other.key() > entry.key());
            self.current.insert(place, entry);
        } else if bucket / WINDOW <= self.cursor / WINDOW + 1 {
            self.ring[(bucket % BUCKETS) as usize].push(entry);
            self.in_ring += 1;
        } else {
            self.later.entry(bucket / WINDOW).or_default().push(entry);
        }
    }

    /// Takes the first event if it is due before `end`.
    pub fn pop_before(&mut self, end: Time) -> Option<(Time, E)> {
        while self.current.is_empty() {
            if self.len == 0 || self.cursor >= bucket_of(end) {
                return None;
            }
            self.advance(bucket_of(end));
        }
        let first = self.current.pop_if(|entry| entry.at < end)?;
        self.len -= 1;
        Some((first.at, first.event))
    }

    /// Moves to the next bucket, or over a stretch in which nothing is due, but never past `last`: what is scheduled
    /// before the cursor all goes into one bucket, and that is slow.
    fn advance(&mut self, last: u64) {
        let window = self.cursor / WINDOW;
        self.cursor = match self.later.first_key_value() {
            // The ring is empty: jump to just before the window ahead of the first one that waits.
            Some((&first, _)) if self.in_ring == 0 && first > window + 1 => ((first - 1) * WINDOW).min(last),
            _ => self.cursor + 1,
        };
        if self.cursor.is_multiple_of(WINDOW) {
            self.pour(self.cursor / WINDOW + 1);
        }
        let bucket = &mut self.ring[(self.cursor % BUCKETS) as usize];
        self.in_ring -= bucket.len();
        std::mem::swap(bucket, &mut self.current);
        self.current.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.key()));
    }

    /// Spreads a coarse window over the ring.
    fn pour(&mut self, window: u64) {
        for entry in self.later.remove(&window).unwrap_or_default() {
            self.ring[(bucket_of(entry.at) % BUCKETS) as usize].push(entry);
            self.in_ring += 1;
        }
    }
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}
