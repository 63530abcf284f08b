//! Which of several connections with a peer is the one. Spec TR-40 to TR-45.
//!
//! Each connection begins with a hello from its dialler, and the first hello that comes back makes it the
//! pair's current connection. The peer with the smaller id decides: it answers no hello while its own is
//! unanswered, and the other answers at once. So two that dial each other at the same time end with the
//! connection that the smaller one dialled, unless its handshake was not even complete when the larger one's
//! hello came; and neither ever sees a link go up twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use stratus_core::PeerId;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::connection::Connection;
use crate::frame::Hello;

/// Everything about the peers of one endpoint that several tasks must agree on.
#[derive(Default)]
pub(crate) struct Peers {
    slots: BTreeMap<PeerId, Slot>,
    stamp: u64,
}

/// One peer.
#[derive(Default)]
pub(crate) struct Slot {
    /// The connection that both sides use.
    pub(crate) current: Option<Arc<Connection>>,
    /// Our own connection whose hello is not answered yet.
    pub(crate) greeting: Option<Arc<Connection>>,
    /// Connections of the peer's that wait until the greeting is settled.
    pub(crate) held: Vec<u64>,
    /// Addresses being tried.
    pub(crate) dialing: Option<Dialing>,
    /// Groups that want a link to the peer and have none yet.
    pub(crate) wanted: BTreeMap<u32, Want>,
}

/// A running dial.
pub(crate) struct Dialing {
    pub(crate) task: AbortHandle,
    pub(crate) more: mpsc::Sender<Vec<SocketAddr>>,
}

/// One group's interest in a peer.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) addresses: Vec<SocketAddr>,
    /// Whether a connection found ready died under it, so that it was dialled once more.
    pub(crate) is_retried: bool,
}

/// What to do with a connection whose hello has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is the current one from now on.
    Accept,
    /// Ask again when our own greeting is settled.
    Hold,
    /// Close it: the other side has, or will have, a better one with us.
    Supersede,
}

/// Whether the connection that `hello` came on becomes the current one.
///
/// A hello later than the one of the current connection, or from another life of the peer, means that the peer
/// has lost the current one: it does not dial while it has one. Spec TR-43, TR-44.
pub(crate) fn judge(is_decider: bool, current: Option<Hello>, is_greeting: bool, hello: Hello) -> Verdict {
    match current {
        Some(current) if current.instance == hello.instance && current.stamp > hello.stamp => {
            Verdict::Supersede
        }
        None if is_decider && is_greeting => Verdict::Hold,
        _ => Verdict::Accept,
    }
}

impl Peers {
    pub(crate) fn slot(&mut self, peer: PeerId) -> &mut Slot {
        self.slots.entry(peer).or_default()
    }

    pub(crate) fn get(&mut self, peer: &PeerId) -> Option<&mut Slot> {
        self.slots.get_mut(peer)
    }

    /// Forgets a peer of whom there is nothing left to know.
    pub(crate) fn tidy(&mut self, peer: &PeerId) {
        if self.slots.get(peer).is_some_and(Slot::is_empty) {
            self.slots.remove(peer);
        }
    }

    pub(crate) fn for_each(&mut self, each: impl FnMut(&mut Slot)) {
        self.slots.values_mut().for_each(each);
        self.slots.retain(|_, slot| !slot.is_empty());
    }

    pub(crate) fn dial_count(&self) -> usize {
        self.slots.values().filter(|slot| slot.dialing.is_some()).count()
    }

    pub(crate) fn connections(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.slots.values().flat_map(|slot| slot.current.iter().chain(&slot.greeting))
    }

    pub(crate) fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        !self.is_busy() && self.wanted.is_empty()
    }

    /// Whether there is a connection, or there may soon be one.
    pub(crate) fn is_busy(&self) -> bool {
        self.current.is_some() || self.greeting.is_some() || self.dialing.is_some() || !self.held.is_empty()
    }

    /// Ends a group's interest: its link if there is one, the dial if nobody else wants it. True if it had none
    /// yet and was seeking.
    pub(crate) fn unwant(&mut self, tag: u32) -> bool {
        for connection in self.current.iter().chain(&self.greeting) {
            connection.wish_leave(tag);
        }
        let was_wanted = self.wanted.remove(&tag).is_some();
        if self.wanted.is_empty() {
            self.stop_dialing();
        }
        was_wanted
    }

    pub(crate) fn stop_dialing(&mut self) {
        if let Some(dialing) = self.dialing.take() {
            dialing.task.abort();
        }
    }

    /// Makes `connection` the current one, has all wanted groups proven on it, and gives back the one before.
    pub(crate) fn install(&mut self, connection: &Arc<Connection>) -> Option<Arc<Connection>> {
        self.stop_dialing();
        for tag in self.wanted.keys() {
            connection.wish_claim(*tag);
        }
        self.current.replace(connection.clone())
    }

    /// Forgets `connection` wherever it is.
    pub(crate) fn release(&mut self, connection: &Connection) {
        self.current.take_if(|current| current.id == connection.id);
        self.greeting.take_if(|greeting| greeting.id == connection.id);
        self.held.retain(|id| *id != connection.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(instance: u64, stamp: u64) -> Hello {
        Hello { instance, stamp, observed: "127.0.0.1:7".parse().unwrap() }
    }

    #[test]
    fn the_first_connection_is_taken_by_both() {
        assert_eq!(judge(true, None, false, hello(1, 1)), Verdict::Accept);
        assert_eq!(judge(false, None, false, hello(1, 1)), Verdict::Accept);
    }

    #[test]
    fn when_both_greet_the_smaller_holds_and_the_larger_answers() {
        assert_eq!(judge(true, None, true, hello(1, 1)), Verdict::Hold);
        assert_eq!(judge(false, None, true, hello(1, 1)), Verdict::Accept);
    }

    #[test]
    fn the_losing_half_of_a_glare_comes_with_an_older_stamp() {
        assert_eq!(judge(true, Some(hello(1, 2)), false, hello(1, 1)), Verdict::Supersede);
    }

    #[test]
    fn a_peer_that_lost_its_connection_or_restarted_replaces_it() {
        assert_eq!(judge(true, Some(hello(1, 2)), false, hello(1, 3)), Verdict::Accept);
        assert_eq!(judge(true, Some(hello(1, 9)), false, hello(700, 1)), Verdict::Accept);
        assert_eq!(judge(false, Some(hello(1, 9)), true, hello(700, 1)), Verdict::Accept);
    }
}
