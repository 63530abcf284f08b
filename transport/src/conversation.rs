//! The task of one peer connection: hello, proofs, control frames, ups and downs. Spec TR-10 to TR-18.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::{Buf, Bytes};
use quinn::{ConnectionError, RecvStream, SendStream};
use stratus_core::{PeerId, Wire};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connection::{Attached, CloseCode, Connection, Wish};
use crate::error::DialError;
use crate::frame::{FrameError, FrameReader, Hello, Outgoing, Own, write_frames};
use crate::group::{GroupState, LinkEvent};
use crate::link::Link;
use crate::proof::{Blinded, Claim, Proof};
use crate::shared::{Considered, Shared};

/// Claims that one connection may have refused before its peer counts as guessing.
const MAX_REFUSED: u32 = 128;
/// How long our own frames wait for a peer that reads nothing.
const STUCK: Duration = Duration::from_secs(2);

/// Why a conversation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// We are done: what is queued should still arrive.
    Finish(CloseCode),
    /// At once.
    Close(CloseCode),
    /// The other side ended it, or the path died.
    Lost,
}

struct Conversation {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    reader: FrameReader,
    /// Whether both sides have agreed on this connection.
    is_current: bool,
    claims: BTreeMap<u32, OpenClaim>,
    next_claim: u32,
    refused: u32,
    /// Since when no group is proven here.
    quiet_since: Instant,
    /// Its place among those who have proven nothing yet.
    stranger: Option<OwnedSemaphorePermit>,
}

/// A claim of ours that awaits its answer.
struct OpenClaim {
    group: Arc<GroupState>,
    sent_at: Instant,
    is_cancelled: bool,
}

/// Runs a connection that we dialled and whose handshake is done.
pub(crate) async fn greet(shared: Arc<Shared>, quic: quinn::Connection, peer: PeerId) {
    let Some((connection, frames)) = Connection::new(&shared, quic.clone(), peer) else {
        quic.close(CloseCode::Busy.into(), b"");
        return shared.dial_ended(peer, DialError::TooMany);
    };
    let Some(hello) = shared.begin_greeting(&connection) else {
        return connection.close(CloseCode::Superseded);
    };
    let Ok((send, recv)) = quic.open_bi().await else {
        return Conversation::abandon(&shared, &connection);
    };
    let mut conversation = Conversation::new(shared, connection, recv);
    let writer = conversation.spawn_writer(send, frames);
    let first = match conversation.say(Own::Hello(hello)).await {
        Ok(()) => conversation.on_wishes().await,
        Err(ending) => Err(ending),
    };
    conversation.run(first, writer).await;
}

/// Runs a connection that came in and whose handshake is done.
pub(crate) async fn receive(shared: Arc<Shared>, quic: quinn::Connection, peer: PeerId) {
    let Some((connection, frames)) = Connection::new(&shared, quic.clone(), peer) else {
        return quic.close(CloseCode::Busy.into(), b"");
    };
    let Ok(stranger) = shared.stranger_permits.clone().try_acquire_owned() else {
        return connection.close(CloseCode::Busy);
    };
    let patience = shared.config.proof_timeout;
    let Ok(Ok((send, recv))) = timeout(patience, quic.accept_bi()).await else {
        return connection.close(CloseCode::NoGroup);
    };
    let mut conversation = Conversation::new(shared, connection, recv);
    conversation.stranger = Some(stranger);
    let Ok(Ok(Some(frame))) = timeout(patience, conversation.reader.next()).await else {
        return conversation.connection.close(CloseCode::NoGroup);
    };
    let Some(Own::Hello(hello)) = own(&frame) else {
        return conversation.connection.close(CloseCode::Violation);
    };
    conversation.connection.set_hello(hello);
    let hello = match conversation.wait_for_verdict().await {
        Ok(hello) => hello,
        Err(code) => return conversation.give_way(code),
    };
    let writer = conversation.spawn_writer(send, frames);
    let first = conversation.say(Own::Hello(hello)).await;
    conversation.run(first, writer).await;
}

impl Conversation {
    fn new(shared: Arc<Shared>, connection: Arc<Connection>, recv: RecvStream) -> Self {
        let reader = FrameReader::new(recv, shared.config.control_frame_bytes);
        let claims = BTreeMap::new();
        let quiet_since = Instant::now();
        Self {
            shared,
            connection,
            reader,
            is_current: false,
            claims,
            next_claim: 0,
            refused: 0,
            quiet_since,
            stranger: None,
        }
    }

    fn spawn_writer(&self, send: SendStream, frames: mpsc::Receiver<Outgoing>) -> JoinHandle<()> {
        let drain = self.shared.config.drain_timeout;
        tokio::spawn(write_frames(send, frames, self.shared.budget.clone(), drain))
    }

    /// Waits until the pair's connection is settled, and takes this one if it wins; gives our answer. Spec TR-42.
    async fn wait_for_verdict(&mut self) -> Result<Hello, CloseCode> {
        loop {
            match self.shared.consider(&self.connection) {
                Considered::Accepted { replaced, answer } => {
                    self.become_current(replaced).await;
                    return Ok(answer);
                }
                Considered::Held { until } => {
                    let mut settled = until.settled.subscribe();
                    drop(until);
                    tokio::select! {
                        _ = settled.wait_for(|is_settled| *is_settled) => {}
                        _ = self.connection.quic.closed() => return Err(CloseCode::Done),
                    }
                }
                Considered::Superseded => return Err(CloseCode::Superseded),
            }
        }
    }

    /// Another connection is better, or this one died while it was held.
    fn give_way(self, code: CloseCode) {
        self.connection.close(code);
        self.shared.release(&self.connection);
        self.shared.connection_ended(self.connection.peer, false, DialError::Closed);
    }

    /// Closes the connection that this one takes the place of, and waits until its `Down`s are told.
    async fn become_current(&mut self, replaced: Option<Arc<Connection>>) {
        if let Some(replaced) = replaced {
            replaced.close(CloseCode::Replaced);
            let mut over = replaced.over.subscribe();
            drop(replaced);
            let _ = over.wait_for(|is_over| *is_over).await;
        }
        self.is_current = true;
        self.quiet_since = Instant::now();
    }

    async fn run(mut self, first: Result<(), Ending>, writer: JoinHandle<()>) {
        let (reading, pumping) = (self.connection.clone(), self.connection.clone());
        let reading = tokio::spawn(async move { reading.read_datagrams().await });
        let pumping = tokio::spawn(async move { pumping.live.pump().await });
        let ending = match first {
            Ok(()) => self.talk().await,
            Err(ending) => ending,
        };
        self.end(ending, writer).await;
        reading.abort();
        pumping.abort();
    }

    async fn talk(&mut self) -> Ending {
        loop {
            let deadline = self.deadline();
            let step = tokio::select! {
                biased;
                () = self.shared.going_down() => Err(Ending::Finish(CloseCode::Shutdown)),
                () = self.connection.wake.notified() => self.on_wishes().await,
                frame = self.reader.next() => match frame {
                    Ok(Some(frame)) => self.on_frame(frame).await,
                    Ok(None) => Err(Ending::Finish(CloseCode::Done)),
                    Err(FrameError::Violation) => Err(Ending::Close(CloseCode::Violation)),
                    Err(FrameError::Lost) => Err(Ending::Lost),
                },
                () = sleep_until(deadline) => self.on_deadline(deadline),
            };
            if let Err(ending) = step {
                return ending;
            }
        }
    }

    /// When patience ends: with an unanswered hello or claim, or with a connection that serves no group.
    fn deadline(&self) -> Instant {
        let patience = self.shared.config.proof_timeout;
        if !self.is_current {
            // The decider gives up first, and can then still answer the other's hello. Spec TR-45.
            let share = if self.shared.me < self.connection.peer { 1 } else { 2 };
            return self.quiet_since + patience * share;
        }
        let claim = self.claims.values().map(|claim| claim.sent_at + patience).min();
        let quiet = self.connection.attached_tags().is_empty().then(|| self.quiet_since + patience);
        let far = Instant::now() + Duration::from_secs(3_600);
        claim.into_iter().chain(quiet).min().unwrap_or(far)
    }

    fn on_deadline(&self, deadline: Instant) -> Result<(), Ending> {
        let is_stale = deadline <= Instant::now();
        if is_stale { Err(Ending::Close(CloseCode::NoGroup)) } else { Ok(()) }
    }

    async fn on_frame(&mut self, mut frame: Bytes) -> Result<(), Ending> {
        let Some(tag) = frame.first_chunk::<4>().map(|tag| u32::from_be_bytes(*tag)) else {
            return Err(Ending::Close(CloseCode::Violation));
        };
        if tag == 0 {
            let own = own(&frame).ok_or(Ending::Close(CloseCode::Violation))?;
            return self.on_own(own).await;
        }
        if let Some(attached) = self.connection.attached(tag) {
            frame.advance(4);
            let event = LinkEvent::Control { peer: self.connection.peer, bytes: frame };
            self.emit(&attached.group, event).await;
        }
        Ok(())
    }

    async fn on_own(&mut self, own: Own) -> Result<(), Ending> {
        match own {
            Own::Hello(hello) if !self.is_current => self.on_hello(hello).await,
            Own::Claim { id, blinded, proof } if self.is_current => self.on_claim(id, blinded, proof).await,
            Own::Yes { id, proof } if self.is_current => self.on_yes(id, proof).await,
            Own::No { id } if self.is_current => self.on_no(id),
            Own::Leave { tag } if self.is_current => {
                self.detach(tag).await;
                Ok(())
            }
            _ => Err(Ending::Close(CloseCode::Violation)),
        }
    }

    /// The other side has chosen the connection that we dialled. Spec TR-41.
    async fn on_hello(&mut self, hello: Hello) -> Result<(), Ending> {
        self.connection.set_hello(hello);
        let Considered::Accepted { replaced, .. } = self.shared.consider(&self.connection) else {
            return Err(Ending::Close(CloseCode::Superseded));
        };
        self.become_current(replaced).await;
        Ok(())
    }

    /// Answers alike for an unknown group and for a bad proof, after the same work. Spec TR-13.
    async fn on_claim(&mut self, id: u32, blinded: Blinded, proof: Proof) -> Result<(), Ending> {
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
        let Some(group) = found.filter(|_| is_proven) else {
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

    async fn on_yes(&mut self, id: u32, proof: Proof) -> Result<(), Ending> {
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

    fn on_no(&mut self, id: u32) -> Result<(), Ending> {
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
    async fn on_wishes(&mut self) -> Result<(), Ending> {
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

    async fn detach(&mut self, tag: u32) -> bool {
        let Some(attached) = self.connection.detach(tag) else { return false };
        self.emit(&attached.group, LinkEvent::Down { peer: self.connection.peer }).await;
        self.quiet_since = Instant::now();
        true
    }

    /// Waits while the owner's port is full: that is the back-pressure of control. False if nobody listens.
    async fn emit(&self, group: &GroupState, event: LinkEvent) -> bool {
        tokio::select! {
            biased;
            sent = group.events.send(event) => sent.is_ok(),
            () = self.shared.going_down() => false,
        }
    }

    async fn say(&self, own: Own) -> Result<(), Ending> {
        let frame = Outgoing::Frame(own.to_frame());
        match timeout(STUCK, self.connection.control.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Lost),
            Err(_) => Err(Ending::Close(CloseCode::Violation)),
        }
    }

    async fn end(mut self, ending: Ending, writer: JoinHandle<()>) {
        // Asked before we close as well, which overwrites the reason.
        let (failure, may_retry) = (self.failure(ending), self.is_current || self.is_superseded());
        tracing::debug!(peer = ?self.connection.peer, ?ending, "connection over");
        self.shared.release(&self.connection);
        self.connection.settled.send_replace(true);
        for tag in self.connection.attached_tags() {
            self.detach(tag).await;
        }
        match ending {
            Ending::Finish(code) => {
                let finish = timeout(STUCK, self.connection.control.send(Outgoing::Finish)).await;
                if matches!(finish, Ok(Ok(()))) {
                    let _ = timeout(2 * self.shared.config.drain_timeout, writer).await;
                }
                self.connection.close(code);
            }
            Ending::Close(code) => self.connection.close(code),
            Ending::Lost => self.connection.close(CloseCode::Done),
        }
        self.shared.count_ended(&self.connection);
        self.connection.bury();
        self.shared.connection_ended(self.connection.peer, may_retry, failure);
    }

    /// Whether the other side preferred another connection.
    fn is_superseded(&self) -> bool {
        matches!(self.connection.quic.close_reason(), Some(ConnectionError::ApplicationClosed(close))
            if close.error_code == CloseCode::Superseded.into())
    }

    /// A connection that broke before it said anything.
    fn abandon(shared: &Arc<Shared>, connection: &Arc<Connection>) {
        shared.release(connection);
        connection.bury();
        shared.connection_ended(connection.peer, false, DialError::Closed);
    }

    /// What a dial that hoped for this connection is told.
    fn failure(&self, ending: Ending) -> DialError {
        match (ending, self.connection.quic.close_reason()) {
            (Ending::Close(CloseCode::NoGroup), _) => DialError::TimedOut,
            (Ending::Lost, Some(ConnectionError::ApplicationClosed(close)))
                if close.error_code == CloseCode::Busy.into() =>
            {
                DialError::TooMany
            }
            (Ending::Lost, Some(error)) => DialError::of_connection(&error),
            _ => DialError::Closed,
        }
    }
}

impl Drop for Conversation {
    /// However the task ended, even by a panic, nobody waits for it.
    fn drop(&mut self) {
        self.shared.release(&self.connection);
        self.connection.close(CloseCode::Done);
        self.connection.bury();
    }
}

/// The transport's own frame in `frame`, if it is one.
fn own(frame: &Bytes) -> Option<Own> {
    let (tag, _) = frame.split_first_chunk::<4>()?;
    (*tag == [0; 4]).then(|| Own::from_bytes(frame.slice(4..)).ok())?
}
