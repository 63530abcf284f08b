use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::PeerId;
use tokio::time::Instant;

/// Members for whom a server was asked, or may soon be asked, to introduce us.
const MOST_SOUGHT: usize = 256;
/// Head start of a dial before the servers are asked as well: most members answer sooner. Behind a firewall that lets in
/// only what was called for, nobody ever answers unasked, and each moment here is waited for. Spec RV-14.
pub(super) const HEAD_START: Duration = Duration::from_millis(300);
/// Pause before a server is asked for the same introduction again.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Whom we are on the way to, and for whom servers were asked.
#[derive(Debug, Default)]
pub(super) struct Seeking {
    /// Dialled, and when to ask the servers for help.
    ask_at: BTreeMap<PeerId, Instant>,
    asked: BTreeMap<PeerId, Instant>,
}

impl Seeking {
    /// A member is dialled that a server may know.
    pub(super) fn dialling(&mut self, peer: PeerId, now: Instant) {
        if self.ask_at.len() < MOST_SOUGHT && !self.was_asked(&peer, now) {
            self.ask_at.entry(peer).or_insert(now + HEAD_START);
        }
    }

    /// The member is linked, or no longer wanted.
    pub(super) fn done(&mut self, peer: &PeerId) {
        self.ask_at.remove(peer);
    }

    /// When a server is to be asked next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.ask_at.values().min().copied()
    }

    /// For whom servers are to be asked at `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<PeerId> {
        let due: Vec<PeerId> =
            self.ask_at.iter().filter(|(_, at)| **at <= now).map(|(peer, _)| *peer).collect();
        due.into_iter().filter(|peer| self.ask(*peer, now)).collect()
    }

    /// True if servers are to be asked for this member: not within [`ASK_AGAIN`] of the last time.
    pub(super) fn ask(&mut self, peer: PeerId, now: Instant) -> bool {
        self.ask_at.remove(&peer);
        self.asked.retain(|_, at| *at + ASK_AGAIN > now);
        if self.asked.contains_key(&peer) || self.asked.len() >= MOST_SOUGHT {
            return false;
        }
        self.asked.insert(peer, now);
        true
    }

    fn was_asked(&self, peer: &PeerId, now: Instant) -> bool {
        self.asked.get(peer).is_some_and(|at| *at + ASK_AGAIN > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> PeerId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(id)
    }

    #[test]
    fn servers_are_asked_after_a_head_start_and_not_again_for_a_while() {
        let (mut seeking, now) = (Seeking::default(), Instant::now());
        seeking.dialling(peer(3), now);
        assert_eq!(seeking.due(), Some(now + HEAD_START));
        assert_eq!(seeking.take_due(now + HEAD_START - Duration::from_millis(1)), []);
        assert_eq!(seeking.take_due(now + HEAD_START), [peer(3)]);
        seeking.dialling(peer(3), now + ASK_AGAIN);
        assert_eq!((seeking.due(), seeking.ask(peer(3), now + ASK_AGAIN)), (None, false));
        assert!(seeking.ask(peer(3), now + HEAD_START + ASK_AGAIN));
    }

    #[test]
    fn nobody_is_asked_for_who_answered_in_time() {
        let (mut seeking, now) = (Seeking::default(), Instant::now());
        seeking.dialling(peer(3), now);
        seeking.done(&peer(3));
        assert_eq!((seeking.due(), seeking.take_due(now + ASK_AGAIN)), (None, vec![]));
    }

    #[test]
    fn both_tables_end_at_their_bound() {
        let (mut seeking, now) = (Seeking::default(), Instant::now());
        (0..=MOST_SOUGHT as u16).for_each(|number| seeking.dialling(peer(number), now));
        assert_eq!(seeking.ask_at.len(), MOST_SOUGHT);
        assert_eq!(seeking.take_due(now + HEAD_START).len(), MOST_SOUGHT);
        assert!(!seeking.ask(peer(700), now + HEAD_START));
        assert!(seeking.ask(peer(700), now + HEAD_START + ASK_AGAIN));
    }
}
