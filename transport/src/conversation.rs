//! The task of one peer connection: hello, proofs, control frames, ups and downs. Spec TR-10 to TR-18.

mod ending;
mod groups;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes};
use quinn::{RecvStream, SendStream};
use stratus_core::{PeerId, Wire};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::bulk;
use crate::connection::{CloseCode, Connection};
use crate::error::DialError;
use crate::frame::{FrameError, FrameReader, Hello, Outgoing, Own, write_frames};
use crate::group::{GroupState, LinkEvent};
use crate::intake::{Arrival, Place};
use crate::shared::{Considered, Shared};

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
    /// Reads the other side's stream of bulk, once there is one.
    bulk: Option<JoinHandle<()>>,
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
    if shared.is_expelled_everywhere(peer) {
        // Not worth a hello.
        return connection.close(CloseCode::Busy);
    }
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
            bulk: None,
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
        let bulk = self.bulk.take();
        self.end(ending, writer).await;
        reading.abort();
        pumping.abort();
        if let Some(bulk) = bulk {
            bulk.abort();
        }
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
                Ok(stream) = self.connection.quic.accept_uni(), if self.bulk.is_none() => {
                    let limits = (self.shared.config.bulk_frame_bytes, self.shared.config.inbound_bulk);
                    self.bulk = Some(tokio::spawn(bulk::read(self.connection.clone(), stream, limits)));
                    Ok(())
                }
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
            let frames = 1 + frame.len() as u64 / 1_000;
            self.connection.share.delivered.fetch_add(frames, Ordering::Relaxed);
            self.emit_control(&attached.group, frame).await;
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

    /// Waits while the owner has as many frames of this connection unread as one may have: that holds up nobody
    /// else. Spec TR-54.
    async fn emit_control(&self, group: &GroupState, bytes: Bytes) {
        let permit = tokio::select! {
            biased;
            permit = self.connection.control_places.clone().acquire_owned() => permit.ok(),
            _ = self.connection.quic.closed() => None,
            () = self.shared.going_down() => None,
        };
        if let Some(permit) = permit {
            let event = LinkEvent::Control { peer: self.connection.peer, bytes };
            self.emit(group, Arrival { event, _place: Some(Place::Control { _permit: permit }) }).await;
        }
    }

    /// Waits while the owner's port is full: that is the back-pressure of control. False if nobody listens.
    async fn emit(&self, group: &GroupState, event: impl Into<Arrival>) -> bool {
        tokio::select! {
            biased;
            sent = group.events.send(event.into()) => sent.is_ok(),
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
