//! The groups of one connection: claimed, proven, left.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::time::Instant;

use super::{Conversation, Ending, OpenClaim};
use crate::connection::{Attached, CloseCode, Wish};
use crate::frame::Own;
use crate::group::{GroupState, LinkEvent};
use crate::link::Link;
use crate::proof::{Blinded, Claim, Proof};

/// Claims that one connection may have refused before its peer counts as guessing. Spec TR-14.
const MAX_REFUSED: u32 = 128;

impl Conversation {
    /// Answers alike for an unknown group and for a bad proof, after the same work. Spec TR-13.
    pub(super) async fn on_claim(&mut self, id: u32, blinded: Blinded, proof: Proof) -> Result<(), Ending> {
        let peer = self.connection.peer;
        let claim = Claim { exporter: &self.connection.exporter, id, claimant: peer, other: self.shared.me };
        let mut found = None;
        for group in self.shared.groups() {
            if claim.is_blinded(&group.keys.membership, &blinded) {
                found = Some(group);
            }
        }
        let key = found.as_ref().map_or([0; 32], |group| group.keys.membership);
        let is_proven = claim.is_proof(&key, &proof);
        let is_welcome = |group: &Arc<GroupState>| is_proven && !self.shared.is_expelled(group, peer);
        let Some(group) = found.filter(is_welcome) else {
            self.refused += 1;
            if self.refused > MAX_REFUSED {
                return Err(Ending::Close(CloseCode::Violation));
            }
            return self.say(Own::No { id }).await;
        };
        let answer = claim.answer(&group.keys.membership);
        self.say(Own::Yes { id, proof: answer }).await?;
        self.attach(group).await
    }

    pub(super) async fn on_yes(&mut self, id: u32, proof: Proof) -> Result<(), Ending> {
        let open = self.take_claim(id)?;
        let tag = open.group.tag();
        let claim = self.own_claim(id);
        if !claim.is_answer(&open.group.keys.membership, &proof) {
            self.shared.claim_failed(&open.group, self.connection.peer);
            return Ok(());
        }
        if open.is_cancelled {
            return self.say(Own::Leave { tag }).await;
        }
        self.attach(open.group).await?;
        self.connection.set_claims(self.claims.len());
        Ok(())
    }

    pub(super) fn on_no(&mut self, id: u32) -> Result<(), Ending> {
        let open = self.take_claim(id)?;
        self.connection.set_claims(self.claims.len());
        if !open.is_cancelled && self.connection.attached(open.group.tag()).is_none() {
            self.shared.claim_failed(&open.group, self.connection.peer);
        }
        Ok(())
    }

    fn take_claim(&mut self, id: u32) -> Result<OpenClaim, Ending> {
        self.claims.remove(&id).ok_or(Ending::Close(CloseCode::Violation))
    }

    fn own_claim(&self, id: u32) -> Claim<'_> {
        let (me, peer) = (self.shared.me, self.connection.peer);
        Claim { exporter: &self.connection.exporter, id, claimant: me, other: peer }
    }

    /// Does what the owners of groups asked for since last time.
    pub(super) async fn on_wishes(&mut self) -> Result<(), Ending> {
        for (tag, wish) in self.connection.take_wishes() {
            if wish != Wish::Claim {
                self.leave(tag).await?;
            }
            if wish != Wish::Leave {
                self.claim(tag).await?;
            }
        }
        let is_idle = self.is_current && self.connection.attached_tags().is_empty() && self.claims.is_empty();
        if is_idle && self.shared.release_if_unwanted(&self.connection) {
            return Err(Ending::Finish(CloseCode::Done));
        }
        Ok(())
    }

    async fn claim(&mut self, tag: u32) -> Result<(), Ending> {
        let is_open = self.claims.values().any(|open| open.group.tag() == tag && !open.is_cancelled);
        let Some(group) = self.shared.group(tag) else { return Ok(()) };
        if is_open || self.connection.attached(tag).is_some() {
            return Ok(());
        }
        let id = self.next_claim;
        self.next_claim = self.next_claim.wrapping_add(1);
        let claim = self.own_claim(id);
        let (blinded, proof) = (claim.blinded(&group.keys.membership), claim.proof(&group.keys.membership));
        self.claims.insert(id, OpenClaim { group, sent_at: Instant::now(), is_cancelled: false });
        self.connection.set_claims(self.claims.len());
        self.say(Own::Claim { id, blinded, proof }).await
    }

    /// After the control messages that are queued already, so that a goodbye arrives first.
    async fn leave(&mut self, tag: u32) -> Result<(), Ending> {
        for open in self.claims.values_mut().filter(|open| open.group.tag() == tag) {
            open.is_cancelled = true;
        }
        if self.detach(tag).await { self.say(Own::Leave { tag }).await } else { Ok(()) }
    }

    /// The group is proven, whoever claimed: its link goes up, once. Spec TR-12.
    async fn attach(&mut self, group: Arc<GroupState>) -> Result<(), Ending> {
        let (peer, tag) = (self.connection.peer, group.tag());
        self.stranger = None;
        self.shared.attached(&group, peer);
        if self.connection.attached(tag).is_some() {
            return Ok(());
        }
        let is_up = Arc::new(AtomicBool::new(true));
        let link = Link::new(self.connection.clone(), tag, is_up.clone());
        let is_told = self.emit(&group, LinkEvent::Up { peer, link }).await;
        self.connection.attach(Attached { group, is_up });
        // The group may have been left meanwhile; then nobody else will end this link.
        if is_told && self.shared.group(tag).is_some() { Ok(()) } else { self.leave(tag).await }
    }

    pub(super) async fn detach(&mut self, tag: u32) -> bool {
        let Some(attached) = self.connection.detach(tag) else { return false };
        self.emit(&attached.group, LinkEvent::Down { peer: self.connection.peer }).await;
        self.quiet_since = Instant::now();
        true
    }
}
