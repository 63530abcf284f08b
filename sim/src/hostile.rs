use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Lookup, PeerId, Time};
use stratus_multicast as multicast;
use stratus_node::{Message, Output};
use stratus_overlay as overlay;

use crate::cast::Part;

/// Who breaks the rules, and what became of it. A hostile member is an honest one whose words are changed on their way
/// out: it knows all that members know.
#[derive(Debug, Default)]
pub(crate) struct Hostile {
    peers: Lookup<PeerId, u32>,
    /// Where they sit on the ring.
    places: Vec<u64>,
    /// Since when an honest member has had wrong bytes from a hostile one that it has not accused.
    suffered: Lookup<(u32, u32), Time>,
    /// Wrong fragments that came to honest members.
    pub(crate) bad_fragments: u64,
    pub(crate) accusations: u64,
    /// The longest that it took from the first wrong fragment to the accusation.
    pub(crate) slowest: Duration,
}

impl Hostile {
    /// One more of them.
    pub(crate) fn add(&mut self, member: u32, peer: PeerId, place: u64) {
        self.peers.insert(peer, member);
        self.places.push(place);
    }

    /// How many honest members have had wrong bytes from whom they never accused.
    pub(crate) fn unpunished(&self) -> usize {
        self.suffered.len()
    }

    /// Something came to an honest member from a hostile one; `is_bad`: nobody published it.
    pub(crate) fn came(&mut self, now: Time, member: u32, from: u32, is_bad: bool) {
        if is_bad {
            self.bad_fragments += 1;
            if self.suffered.get(&(member, from)).is_none() {
                self.suffered.insert((member, from), now);
            }
        }
    }

    /// A member accuses another; answers whether it was right to.
    pub(crate) fn accused(&mut self, now: Time, member: u32, peer: &PeerId) -> bool {
        let Some(&from) = self.peers.get(peer) else { return false };
        self.accusations += 1;
        if let Some(since) = self.suffered.remove(&(member, from)) {
            self.slowest = self.slowest.max(now.since(since));
        }
        true
    }

    /// Changes what a member of a hostile part says.
    pub(crate) fn tamper(&self, part: Part, outputs: &mut Vec<Output>) {
        match part {
            Part::Freeloader => outputs.retain(|output| !is_media(output)),
            Part::Polluter => outputs.iter_mut().for_each(pollute),
            Part::Sybil => outputs.iter_mut().for_each(|output| self.promote(output)),
            _ => {}
        }
    }

    /// Tells of its own kind alone.
    fn promote(&self, output: &mut Output) {
        let Output::Send { message: Message::Overlay(message), .. } = output else { return };
        match message {
            overlay::Message::Offer { digests, .. } => {
                digests.retain(|digest| self.places.contains(&digest.place));
            }
            overlay::Message::Records(records) => {
                records.retain(|aged| self.peers.get(&aged.record.peer()).is_some());
            }
            _ => {}
        }
    }
}

fn is_media(output: &Output) -> bool {
    let Output::Send { message: Message::Multicast(message), .. } = output else { return false };
    matches!(message, multicast::Message::Fragment { .. } | multicast::Message::Manifest { .. })
}

/// Turns the last byte of each fragment over.
fn pollute(output: &mut Output) {
    let Output::Send { message: Message::Multicast(message), .. } = output else { return };
    if let multicast::Message::Fragment { payload, .. } = message {
        let mut bytes = payload.to_vec();
        if let Some(last) = bytes.last_mut() {
            *last = !*last;
        }
        *payload = Bytes::from(bytes);
    }
}
