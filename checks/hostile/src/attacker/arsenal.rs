//! What an attacker says, behavior by behavior.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, Identity, Wire};
use stratus_multicast::{self as multicast, PushStop, Want};
use stratus_node::Message;
use stratus_overlay::{self as overlay, Draft, Record};

use super::Attacker;
use crate::behavior::Behavior;
use crate::craft;

impl Attacker {
    /// The next hostile message, and whether it goes as control; `None` while it lacks what it needs.
    pub(crate) fn hostile(&mut self) -> Option<(bool, Bytes)> {
        use multicast::Message as Say;
        self.turn += 1;
        let turn = self.turn;
        let announcement = self.announcement.clone()?;
        let stream = announcement.stream.alias();
        let own = |message: &Say| craft::multicast(message);
        Some(match self.behavior {
            Behavior::ForgeFragments => {
                let payload = Bytes::from(vec![turn as u8; 1_128]);
                // Some ahead of their manifest, so that they are not there already.
                let (run, position) = (self.newest() - 1 + turn % 8, (turn / 8 % 8) as u32);
                (
                    false,
                    own(&Say::Fragment { stream, is_repair: turn.is_multiple_of(2), run, position, payload }),
                )
            }
            Behavior::ForgeManifests => {
                let manifest = craft::forged_manifest(self.manifest.as_deref()?, self.newest() + turn % 9)?;
                (false, own(&Say::Manifest { stream, is_repair: turn.is_multiple_of(2), hops: 0, manifest }))
            }
            Behavior::ForgeAnnouncements => {
                let announcement = craft::forged_announcement(&announcement);
                (true, own(&Say::Announce { announcement, age: Duration::ZERO, subscribers: Vec::new() }))
            }
            Behavior::ForgeMaps if turn.is_multiple_of(50) => {
                (false, Bytes::from_static(&[2, 4, 1, 2, 3, 4, 9]))
            }
            Behavior::ForgeMaps => (false, craft::boast(stream, announcement.parameters.slices, 1 << 40)),
            Behavior::Starve => return None,
            // Fragments that everybody has, as if they were pushed.
            Behavior::StarveAlive => {
                let is_fragment = |bytes: &Bytes| bytes.starts_with(&[2, 15]);
                let fragments: Vec<_> =
                    self.recorded.iter().filter(|(_, bytes)| is_fragment(bytes)).collect();
                let (_, fragment) = fragments.get(turn as usize % fragments.len().max(1))?;
                (false, [&[2, 14], &fragment[2..]].concat().into())
            }
            Behavior::Replay => {
                let at = turn as usize % self.recorded.len().max(1);
                self.recorded.get(at)?.clone()
            }
            Behavior::FloodGossip => (true, self.gossip(turn / 8)),
            Behavior::FloodPulls => {
                let newest = self.newest();
                let want = |back| Want {
                    run: newest.saturating_sub(back),
                    manifest: true,
                    positions: BitSet::first(32),
                };
                (false, own(&Say::Pull { stream, wants: (0..64).map(want).collect() }))
            }
            Behavior::FloodMaps => {
                (false, craft::boast(stream, announcement.parameters.slices, self.newest() + 9))
            }
            Behavior::FloodMasks => (true, own(&self.mask(turn, stream))),
            Behavior::FloodStreams => {
                let key = Identity::from_seed([turn.to_be_bytes(); 4].concat().try_into().ok()?);
                let announcement = craft::own_announcement(&key, &self.spec.group_id(), self.peer())?;
                (true, own(&Say::Announce { announcement, age: Duration::ZERO, subscribers: Vec::new() }))
            }
            Behavior::FloodPings => {
                let nonce = turn as u32;
                (true, Message::Overlay(overlay::Message::Ping { nonce, is_repeated: true }).to_bytes())
            }
            Behavior::FloodResets => return None,
        })
    }

    /// Records of members that do not exist. Each is said several times, since signing is slow.
    fn gossip(&mut self, turn: u64) -> Bytes {
        if let Some((of, bytes)) = &self.gossiped
            && *of == turn
        {
            return bytes.clone();
        }
        let identity = Identity::from_seed([turn.to_be_bytes(); 4].concat().try_into().unwrap_or([7; 32]));
        let draft = Draft { sequence: turn, addresses: vec![self.address()], ..Draft::default() };
        let record = Arc::new(Record::sign(&identity, &self.spec.group_id(), draft));
        let aged = overlay::Aged { record, age: 0 };
        let bytes = Message::Overlay(overlay::Message::Records(vec![aged; 40])).to_bytes();
        self.gossiped = Some((turn, bytes.clone()));
        bytes
    }

    /// One of the messages that carry sets of slices.
    fn mask(&self, turn: u64, stream: multicast::StreamAlias) -> multicast::Message {
        use multicast::Message as Say;
        let slices = BitSet::first(1 + (turn % 64) as u32);
        match turn % 4 {
            0 => Say::Interest {
                stream,
                is_on: turn.is_multiple_of(8),
                asks_for_others: true,
                record: Bytes::new(),
            },
            1 => Say::PushStop(PushStop { stream, slices, from_run: turn, is_from_parent: turn % 8 == 1 }),
            2 => Say::Start { stream },
            _ => Say::PushRequest(multicast::PushRequest { stream, slices, home: slices, from_run: 0 }),
        }
    }
}
