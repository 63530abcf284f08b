use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::playback::Played;

/// Items that may wait for a slow player.
const MOST_ITEMS: usize = 4_096;
/// Bytes that may wait for a slow player: 100 s at 2.5 Mbit/s, or eight of the largest messages.
pub(crate) const MOST_BYTES: usize = 32 << 20;

/// The way of a stream's messages to the application: bounded in items and bytes. What does not fit is dropped,
/// and the player is told how much.
pub(crate) fn mailbox(most_bytes: usize) -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(MOST_ITEMS);
    let waiting = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox { sender, waiting: waiting.clone(), most_bytes, missed: 0 };
    (outbox, Inbox { receiver, waiting })
}

#[derive(Debug)]
pub(crate) struct Outbox {
    sender: mpsc::Sender<Played>,
    waiting: Arc<AtomicUsize>,
    most_bytes: usize,
    /// Messages dropped and not told yet.
    missed: u64,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Played>,
    waiting: Arc<AtomicUsize>,
}

impl Outbox {
    /// Puts an item, or drops it if there is no room. Never waits.
    pub(crate) fn put(&mut self, played: Played) {
        let bytes = played.len();
        let has_bytes = self.waiting.load(Ordering::Relaxed) + bytes <= self.most_bytes;
        // Two places: one for the item, one for the word that others are missing.
        if !has_bytes || self.sender.capacity() < 2 {
            self.missed += 1;
            return;
        }
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            let _ = self.sender.try_send(Played::Lagged { missed });
        }
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let _ = self.sender.try_send(played);
    }
}

impl Inbox {
    pub(crate) async fn take(&mut self) -> Option<Played> {
        let played = self.receiver.recv().await?;
        self.waiting.fetch_sub(played.len(), Ordering::Relaxed);
        Some(played)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use stratus_multicast::{Kind, StreamMessage};

    use super::*;

    fn message(index: u64, length: usize) -> Played {
        Played::Message(StreamMessage {
            index,
            kind: Kind::Data,
            is_key: true,
            published_at: Duration::ZERO,
            pieces: vec![Bytes::from(vec![7; length])],
        })
    }

    #[tokio::test]
    async fn a_slow_player_is_told_how_much_it_missed() {
        let (mut outbox, mut inbox) = mailbox(100);
        for index in 0..5 {
            outbox.put(message(index, 40));
        }
        assert_eq!(inbox.take().await, Some(message(0, 40)));
        outbox.put(message(5, 40));
        assert_eq!(inbox.take().await, Some(message(1, 40)));
        assert_eq!(inbox.take().await, Some(Played::Lagged { missed: 3 }));
        assert_eq!(inbox.take().await, Some(message(5, 40)));
        drop(outbox);
        assert_eq!(inbox.take().await, None);
    }

    #[tokio::test]
    async fn messages_without_bytes_are_bounded_by_their_number() {
        let (mut outbox, mut inbox) = mailbox(100);
        for index in 0..10_000 {
            outbox.put(message(index, 0));
        }
        for index in 0..MOST_ITEMS as u64 - 1 {
            assert_eq!(inbox.take().await, Some(message(index, 0)));
        }
        outbox.put(message(10_000, 0));
        assert_eq!(inbox.take().await, Some(Played::Lagged { missed: 10_000 - (MOST_ITEMS as u64 - 1) }));
    }
}
