use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use quinn::SendDatagramError;
use stratus_core::Priority;
use tokio::sync::Notify;

use crate::budget::{Budget, OVERHEAD_BYTES};
use crate::queue::{Drops, LiveQueue};
use crate::settings::MAX_DATAGRAM;

/// What one datagram occupies in the QUIC library's buffer besides its payload.
const SLOT_BYTES: usize = size_of::<Bytes>();

/// The sending side of one connection's datagrams: straight into the QUIC library while there is room and
/// budget, else through our own queue. Spec TR-20 to TR-23.
#[derive(Debug)]
pub(crate) struct Live {
    quic: quinn::Connection,
    budget: Option<Arc<Budget>>,
    outbox: Mutex<Outbox>,
    work: Notify,
}

#[derive(Debug)]
struct Outbox {
    queue: LiveQueue,
    /// Bytes that the library's buffer had free when last asked, less what was given since. It can only have
    /// grown, so asking again is needed only when this runs out.
    room: usize,
}

impl Live {
    pub(crate) fn new(quic: quinn::Connection, budget: Option<Arc<Budget>>, queue_bytes: usize) -> Self {
        let outbox = Outbox { queue: LiveQueue::new(queue_bytes), room: 0 };
        Self { quic, budget, outbox: Mutex::new(outbox), work: Notify::new() }
    }

    /// Sends now or queues. Never waits, so a caller's train of datagrams stays together and leaves in few
    /// system calls.
    pub(crate) fn send(&self, datagram: Bytes, expires: Instant, priority: Priority) {
        let mut outbox = self.lock();
        if datagram.len() > MAX_DATAGRAM {
            outbox.queue.count_too_long();
            return;
        }
        if outbox.queue.is_empty()
            && outbox.has_room(&self.quic, datagram.len())
            && self.can_pay(datagram.len())
        {
            outbox.give(&self.quic, datagram);
            return;
        }
        outbox.queue.push(datagram, expires, priority);
        drop(outbox);
        self.work.notify_one();
    }

    pub(crate) fn drops(&self) -> Drops {
        self.lock().queue.drops()
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.lock().queue.bytes()
    }

    /// Empties the queue as room and budget allow, until the connection is lost.
    pub(crate) async fn pump(&self) {
        loop {
            self.work.notified().await;
            while let Some((priority, bytes)) = self.peek() {
                let result = match &self.budget {
                    None => self.burst().await,
                    Some(budget) if self.pay(budget, priority, bytes).await => {
                        self.send_paid(budget, bytes).await
                    }
                    Some(_) => Ok(()),
                };
                if result.is_err() {
                    return;
                }
            }
        }
    }

    fn can_pay(&self, bytes: usize) -> bool {
        self.budget.as_ref().is_none_or(|budget| budget.try_take(bytes + OVERHEAD_BYTES, Instant::now()))
    }

    /// Gives all that fits, then waits until one more does.
    async fn burst(&self) -> Result<(), SendDatagramError> {
        let next = {
            let mut outbox = self.lock();
            let now = Instant::now();
            loop {
                let Some((_, bytes)) = outbox.queue.peek(now) else { return Ok(()) };
                let has_room = outbox.has_room(&self.quic, bytes);
                let datagram = outbox.queue.pop(now).expect("just seen by peek");
                if !has_room {
                    outbox.room = 0;
                    break datagram;
                }
                outbox.give(&self.quic, datagram);
            }
        };
        self.quic.send_datagram_wait(next).await
    }

    /// Waits in line for the budget; false if something more urgent came meanwhile.
    async fn pay(&self, budget: &Budget, priority: Priority, bytes: usize) -> bool {
        let mut turn = std::pin::pin!(budget.take(priority, bytes + OVERHEAD_BYTES));
        loop {
            tokio::select! {
                biased;
                () = &mut turn => return true,
                () = self.work.notified() => {
                    if self.peek().is_some_and(|(best, _)| best < priority) {
                        return false;
                    }
                }
            }
        }
    }

    /// Sends the best datagram, for which `paid` bytes of payload were paid.
    async fn send_paid(&self, budget: &Budget, paid: usize) -> Result<(), SendDatagramError> {
        let datagram = self.lock().queue.pop(Instant::now());
        let Some(datagram) = datagram else {
            budget.debit(-((paid + OVERHEAD_BYTES) as i64));
            return Ok(());
        };
        budget.debit(datagram.len() as i64 - paid as i64);
        self.lock().room = 0;
        self.quic.send_datagram_wait(datagram).await
    }

    fn peek(&self) -> Option<(Priority, usize)> {
        self.lock().queue.peek(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    fn has_room(&mut self, quic: &quinn::Connection, bytes: usize) -> bool {
        if self.room < bytes + SLOT_BYTES {
            self.room = quic.datagram_send_buffer_space();
        }
        self.room >= bytes + SLOT_BYTES
    }

    fn give(&mut self, quic: &quinn::Connection, datagram: Bytes) {
        self.room -= datagram.len() + SLOT_BYTES;
        // It fails when the connection is lost, which the connection's own task reports.
        let _ = quic.send_datagram(datagram);
    }
}
