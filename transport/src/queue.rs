use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use stratus_core::Priority;

/// Datagrams of one link that wait for room or budget: three classes, each first in, first out, all with an
/// expiry, together bounded in bytes. Spec TR-20 to TR-22.
///
/// The QUIC library's own buffer drops the oldest silently and lets nothing expire, so it is kept small and
/// this stands in front of it.
#[derive(Debug)]
pub(crate) struct LiveQueue {
    classes: [VecDeque<Waiting>; 3],
    bytes: usize,
    most_bytes: usize,
    drops: Drops,
}

#[derive(Debug)]
struct Waiting {
    expires: Instant,
    datagram: Bytes,
}

/// Datagrams that a link never sent, by cause.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Drops {
    /// They were worth nothing any more when their turn came.
    pub expired: u64,
    /// The queue was full, and others were more urgent or newer.
    pub full: u64,
    /// They were longer than any path is sure to carry.
    pub too_long: u64,
}

fn class(priority: Priority) -> usize {
    match priority {
        Priority::Urgent => 0,
        Priority::Push => 1,
        Priority::Repair => 2,
    }
}

const PRIORITIES: [Priority; 3] = [Priority::Urgent, Priority::Push, Priority::Repair];

impl LiveQueue {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { classes: Default::default(), bytes: 0, most_bytes, drops: Drops::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn drops(&self) -> Drops {
        self.drops
    }

    pub(crate) fn count_too_long(&mut self) {
        self.drops.too_long += 1;
    }

    /// Adds a datagram; makes room by dropping the oldest of the least urgent, never anything more urgent than
    /// the newcomer. Spec TR-22.
    pub(crate) fn push(&mut self, datagram: Bytes, expires: Instant, priority: Priority) {
        let own = class(priority);
        while self.bytes + datagram.len() > self.most_bytes {
            let Some(victim) = self.classes[own..].iter_mut().rev().find_map(VecDeque::pop_front) else {
                self.drops.full += 1;
                return;
            };
            self.bytes -= victim.datagram.len();
            self.drops.full += 1;
        }
        self.bytes += datagram.len();
        self.classes[own].push_back(Waiting { expires, datagram });
    }

    /// What goes next, and how long it is; drops what has expired on the way. Spec TR-21.
    pub(crate) fn peek(&mut self, now: Instant) -> Option<(Priority, usize)> {
        for (class, priority) in self.classes.iter_mut().zip(PRIORITIES) {
            while let Some(first) = class.front() {
                if first.expires > now {
                    return Some((priority, first.datagram.len()));
                }
                self.bytes -= first.datagram.len();
                self.drops.expired += 1;
                class.pop_front();
            }
        }
        None
    }

    /// Takes what goes next.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Bytes> {
        let (priority, _) = self.peek(now)?;
        let first = self.classes[class(priority)].pop_front().expect("just seen by peek");
        self.bytes -= first.datagram.len();
        Some(first.datagram)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn datagram(mark: u8) -> Bytes {
        Bytes::from(vec![mark; 100])
    }

    fn marks(queue: &mut LiveQueue, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| queue.pop(now)).map(|datagram| datagram[0]).collect()
    }

    #[test]
    fn the_urgent_overtake_and_equals_keep_their_order() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut queue = LiveQueue::new(1_000);
        for (mark, priority) in
            [(1, Priority::Repair), (2, Priority::Push), (3, Priority::Push), (4, Priority::Urgent)]
        {
            queue.push(datagram(mark), later, priority);
        }
        assert_eq!(marks(&mut queue, now), [4, 2, 3, 1]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn what_expired_is_dropped_unsent_and_counted() {
        let now = Instant::now();
        let mut queue = LiveQueue::new(1_000);
        queue.push(datagram(1), now + Duration::from_millis(50), Priority::Push);
        queue.push(datagram(2), now + Duration::from_millis(700), Priority::Push);
        assert_eq!(marks(&mut queue, now + Duration::from_millis(50)), [2]);
        assert_eq!(queue.drops(), Drops { expired: 1, ..Drops::default() });
    }

    #[test]
    fn a_full_queue_drops_the_oldest_of_the_least_urgent_and_nothing_above_the_newcomer() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut queue = LiveQueue::new(300);
        queue.push(datagram(1), later, Priority::Push);
        queue.push(datagram(2), later, Priority::Repair);
        queue.push(datagram(3), later, Priority::Repair);
        queue.push(datagram(4), later, Priority::Urgent);
        queue.push(datagram(5), later, Priority::Push);
        queue.push(datagram(6), later, Priority::Repair);
        assert_eq!(marks(&mut queue, now), [4, 1, 5]);
        assert_eq!(queue.drops().full, 3);
    }
}
