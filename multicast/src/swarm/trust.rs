//! Who is to blame when something does not match: the neighbor that brought it, or the publisher that signed two
//! histories (spec MC-7, MC-21).

use std::sync::Arc;
use std::time::Duration;

use stratus_core::{BitSet, Delivery, Digest, PeerId, Priority, Time};

use super::{Swarm, Turn};
use crate::message::Want;
use crate::{Event, Manifest, Message};

/// A suspect that shows no manifest of its own for this long forged what it sent.
const PATIENCE: Duration = Duration::from_millis(800);
/// It is asked again after this: datagrams are lost.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// A neighbor sent a fragment that our verified manifest of its run does not bear out. Perhaps the publisher gave it
/// another manifest: it is asked for the one it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspicion {
    run: u64,
    what: &'static str,
    since: Time,
    asked_at: Time,
}

impl Swarm {
    /// A fragment does not match. Who gave us the manifest that it fails is to blame at once; others are first asked
    /// for theirs.
    pub(super) fn suspect(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, run: u64, what: &'static str) {
        if self.neighbors.get(&from).is_some_and(|neighbor| neighbor.gave.contains(&run)) {
            self.misbehaved(turn, from, what);
            return;
        }
        let now = turn.cx.now;
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        if neighbor.suspicion.is_none() {
            neighbor.suspicion = Some(Suspicion { run, what, since: now, asked_at: now });
            self.ask_for_manifest(turn, from, run);
        }
    }

    fn ask_for_manifest(&mut self, turn: &mut Turn<'_, '_>, from: PeerId, run: u64) {
        let wants = vec![Want { run, manifest: true, positions: BitSet::EMPTY }];
        self.send_urgent(turn, from, Message::Pull { stream: self.alias, wants });
    }

    /// Asks suspects again, and blames those that had time enough.
    pub(super) fn judge_suspects(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let suspects: Vec<(PeerId, Suspicion)> =
            self.neighbors.iter().filter_map(|(peer, n)| n.suspicion.map(|it| (*peer, it))).collect();
        for (peer, suspicion) in suspects {
            if now.since(suspicion.since) >= PATIENCE {
                self.misbehaved(turn, peer, suspicion.what);
                self.acquit(&peer);
            } else if now.since(suspicion.asked_at) >= ASK_AGAIN {
                self.ask_for_manifest(turn, peer, suspicion.run);
                if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                    neighbor.suspicion = Some(Suspicion { asked_at: now, ..suspicion });
                }
            }
        }
    }

    fn acquit(&mut self, peer: &PeerId) {
        if let Some(neighbor) = self.neighbors.get_mut(peer) {
            neighbor.suspicion = None;
        }
    }

    /// A manifest came for a run that has a verified one. If it says the same, a suspect has convicted itself; if it
    /// says something else and is signed, the publisher has.
    pub(super) fn on_second_manifest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        known: &Arc<Manifest>,
        second: &Arc<Manifest>,
    ) {
        if known.says_the_same(second) {
            let suspicion = self.neighbors.get(&from).and_then(|neighbor| neighbor.suspicion);
            if let Some(Suspicion { what, .. }) = suspicion.filter(|suspicion| suspicion.run == known.run) {
                self.misbehaved(turn, from, what);
                self.acquit(&from);
            }
        } else if second.is_authentic(turn.cx.verify, &self.announcement.stream) {
            self.condemn(turn, known, second);
        } else {
            self.misbehaved(turn, from, "a manifest that the stream's key did not sign");
        }
    }

    /// The verified manifest beside `manifest` that belongs to another history, if there is one.
    pub(super) fn rival(&self, manifest: &Manifest, link: Digest) -> Option<Arc<Manifest>> {
        let before = manifest.run.checked_sub(1).and_then(|run| self.window.get(run));
        let rival_before = before.filter(|before| before.link != manifest.previous);
        let after = self.window.get(manifest.run + 1).and_then(|place| place.manifest.as_ref());
        let rival_before = rival_before.and_then(|before| before.manifest.as_ref());
        rival_before.or_else(|| after.filter(|after| after.previous != link)).cloned()
    }

    /// The stream's key signed two histories: nothing more of it is played or moved on. Neighbors get both halves of
    /// the proof, so that nobody goes on with either.
    pub(super) fn condemn(&mut self, turn: &mut Turn<'_, '_>, one: &Arc<Manifest>, other: &Arc<Manifest>) {
        if std::mem::replace(&mut self.life.is_condemned, true) {
            return;
        }
        let (stream, name) = (self.announcement.stream, self.announcement.name.clone());
        turn.event(Event::Equivocated { stream, name });
        self.player = None;
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for peer in peers {
            for manifest in [one, other] {
                let how = Delivery::live(turn.cx.now, PATIENCE, Priority::Repair);
                let manifest = manifest.clone();
                let message =
                    Message::Manifest { stream: self.alias, is_repair: true, hops: u8::MAX, manifest };
                self.send(turn, peer, message, how);
            }
        }
    }

    /// Whether its publisher signed two histories and we have yet to leave it.
    pub(crate) fn must_be_left(&self) -> bool {
        self.is_subscribed() && self.life.is_condemned
    }
}
