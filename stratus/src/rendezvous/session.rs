use std::net::SocketAddr;
use std::time::Duration;

use stratus_core::{GroupId, Wire};
use stratus_overlay::rendezvous::{ClientMessage, Refusal, ServerMessage, Subject};
use stratus_transport::Consultation;
use tokio::time::{Instant, sleep_until};

use super::{Ask, Client, Told};
use crate::ways::ServerState;

/// Pause before a registration that the server refused for want of room is tried again.
const ROOM: Duration = Duration::from_secs(30);
/// Refreshes before the server has said how often.
const UNTOLD: Duration = Duration::from_secs(60);

/// One live connection to a server.
pub(super) struct Session<'a> {
    client: &'a mut Client,
    at: SocketAddr,
    consultation: Consultation,
    refresh_every: Duration,
    refresh_at: Instant,
    /// The connection as a whole was refused.
    refused: Option<Refusal>,
}

/// How a session ended.
pub(super) enum Ended {
    /// There is nobody left to be registered.
    Finished,
    /// The server went away.
    Lost,
    /// The server sent us away.
    Refused(Refusal),
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a mut Client, at: SocketAddr, consultation: Consultation) -> Self {
        let now = Instant::now();
        for entered in client.members.values_mut() {
            entered.register_at = Some(now);
            entered.last_at = None;
        }
        Self { client, at, consultation, refresh_every: UNTOLD, refresh_at: now + UNTOLD, refused: None }
    }

    pub(super) async fn run(mut self) -> Ended {
        self.client.tell_all(&ServerState::Connected).await;
        loop {
            self.register_due();
            let due = self.due();
            tokio::select! {
                ask = self.client.asks.recv(), if !self.client.is_closed => self.ask(ask),
                frame = self.consultation.recv() => {
                    // What cannot be read is as good as nothing: a server of another version.
                    let message = frame.and_then(|frame| ServerMessage::from_bytes(frame).ok());
                    match message {
                        None | Some(ServerMessage::Goodbye) => return self.gone(),
                        Some(message) => self.message(message).await,
                    }
                }
                () = sleep_until(due) => self.refresh_due(),
            }
            if self.client.members.is_empty() {
                self.consultation.finish().await;
                return Ended::Finished;
            }
        }
    }

    fn gone(self) -> Ended {
        self.refused.map_or(Ended::Lost, Ended::Refused)
    }

    fn due(&self) -> Instant {
        let registrations = self.client.members.values().filter_map(|entered| entered.register_at);
        registrations.chain([self.refresh_at]).min().expect("at least the refresh")
    }

    fn send(&self, message: &ClientMessage) {
        // A server that takes nothing any more is found out by the connection.
        let _ = self.consultation.send(message.to_bytes());
    }

    fn register_due(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for entered in self.client.members.values_mut() {
            if entered.register_at.is_some_and(|at| at <= now) {
                entered.register_at = None;
                entered.last_at = Some(now);
                due.push(ClientMessage::Register(entered.registration(self.consultation.exporter())));
            }
        }
        for message in due {
            self.send(&message);
        }
    }

    fn refresh_due(&mut self) {
        let now = Instant::now();
        if self.refresh_at > now {
            return;
        }
        self.refresh_at = now + self.client.rng.jitter(self.refresh_every);
        for group in self.client.members.keys() {
            self.send(&ClientMessage::Refresh { group: *group });
        }
    }

    fn ask(&mut self, ask: Option<Ask>) {
        match ask {
            Some(Ask::Introduce { group, target, candidates }) => {
                self.send(&ClientMessage::Introduce { group, target, candidates });
            }
            Some(Ask::Leave { group }) => {
                self.send(&ClientMessage::Leave { group });
                self.client.note(Some(Ask::Leave { group }));
            }
            None => {
                for group in self.client.members.keys() {
                    self.send(&ClientMessage::Leave { group: *group });
                }
                self.client.note(None);
            }
            other => self.client.note(other),
        }
    }

    async fn message(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Welcome { group, observed, refresh_every, members, .. } => {
                self.refresh_every = refresh_every.max(Duration::from_secs(1));
                self.refresh_at = Instant::now() + self.client.rng.jitter(self.refresh_every);
                let state = ServerState::Registered { at: self.at, named: members.len() };
                let server = self.client.name.clone();
                self.tell(&group, Told::Welcome { server: server.clone(), observed, members }).await;
                self.tell(&group, Told::State { server, state }).await;
            }
            ServerMessage::Introduced { group, peer, record, candidates } => {
                self.tell(&group, Told::Introduced { peer, record, candidates }).await;
            }
            ServerMessage::Refused { subject, refusal } => self.refusal(subject, refusal).await,
            ServerMessage::Goodbye => {}
        }
    }

    async fn refusal(&mut self, subject: Subject, refusal: Refusal) {
        tracing::debug!(server = self.client.name, ?subject, %refusal, "refused");
        match subject {
            Subject::Connection => self.refused = Some(refusal),
            // Whoever wanted to meet that member tries elsewhere by itself.
            Subject::Introduction { .. } => {}
            Subject::Group(group) => {
                let Some(entered) = self.client.members.get_mut(&group) else { return };
                let pause = match refusal {
                    Refusal::NotRegistered | Refusal::TooFast => Duration::from_secs(1),
                    _ => ROOM,
                };
                entered.register_in(self.client.rng.jitter(pause));
                if !matches!(refusal, Refusal::NotRegistered | Refusal::TooFast) {
                    let server = self.client.name.clone();
                    self.tell(&group, Told::State { server, state: ServerState::Refused(refusal) }).await;
                }
            }
        }
    }

    async fn tell(&self, group: &GroupId, told: Told) {
        if let Some(entered) = self.client.members.get(group) {
            // A group that is gone says `Leave`.
            let _ = entered.member.told.send(told).await;
        }
    }
}
