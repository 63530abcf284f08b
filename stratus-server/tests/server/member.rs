//! Members of groups as a server sees them: a real socket each, and nothing behind it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupAddress, GroupId, Identity, PeerId, RingKey, Wire};
use stratus_overlay::rendezvous::{ClientMessage, Named, Refusal, Registration, ServerMessage, Subject};
use stratus_overlay::{Draft, Record};
use stratus_transport::{Config, Consultation, Endpoint};
use tokio::time::timeout;

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The keys that members of one group derive from its groupspec.
pub(crate) struct Keys {
    pub(crate) rendezvous: Identity,
    pub(crate) ring: RingKey,
}

impl Keys {
    pub(crate) fn of(group: u8) -> Self {
        Self { rendezvous: Identity::from_seed([group; 32]), ring: RingKey::new([group; 32]) }
    }

    pub(crate) fn group(&self) -> GroupId {
        GroupId::of(&self.rendezvous.public())
    }
}

/// One peer with its own socket, consulting a server.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) endpoint: Endpoint,
    pub(crate) consultation: Consultation,
}

impl Member {
    /// Peer `number` opens a socket and consults the server.
    pub(crate) async fn consult(server: SocketAddr, number: u16) -> Self {
        let mut seed = [50; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let identity = Identity::from_seed(seed);
        let config = Config::listen_on(([127, 0, 0, 1], 0).into());
        let endpoint = Endpoint::bind(config, &identity).expect("a free port");
        let consultation = endpoint.consult(server).await.expect("the server answers");
        Self { identity, endpoint, consultation }
    }

    /// Consults the server again, on the same socket.
    pub(crate) async fn consult_again(&mut self, server: SocketAddr) {
        self.consultation = self.endpoint.consult(server).await.expect("the server answers");
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.identity.peer()
    }

    pub(crate) fn address(&self, keys: &Keys) -> GroupAddress {
        keys.ring.address(&self.peer())
    }

    pub(crate) fn record(&self, keys: &Keys) -> Bytes {
        let draft = Draft { sequence: 1, addresses: vec![self.endpoint.local_addr()], ..Draft::default() };
        Record::sign(&self.identity, &keys.group(), draft).to_bytes()
    }

    /// What this member signs for this connection.
    pub(crate) fn registration(&self, keys: &Keys) -> Registration {
        let exporter = *self.consultation.exporter();
        let (address, record) = (self.address(keys), self.record(keys));
        Registration::sign(&keys.rendezvous, &exporter, &self.peer(), address, record)
    }

    pub(crate) fn say(&mut self, message: ClientMessage) {
        self.consultation.send(message.to_bytes()).expect("the connection is open");
    }

    /// The next message of the server; `None` once it has closed.
    pub(crate) async fn hear(&mut self) -> Option<ServerMessage> {
        let frame = timeout(PATIENCE, self.consultation.recv()).await.expect("an answer in time")?;
        Some(ServerMessage::from_bytes(frame).expect("a server sends messages"))
    }

    /// Registers, and gives back whom the welcome names.
    pub(crate) async fn register(&mut self, keys: &Keys) -> Vec<Named> {
        self.say(ClientMessage::Register(self.registration(keys)));
        match self.hear().await {
            Some(ServerMessage::Welcome { group, members, .. }) if group == keys.group() => members,
            other => panic!("no welcome but {other:?}"),
        }
    }
}

/// Whom a welcome names.
pub(crate) fn peers(named: &[Named]) -> Vec<PeerId> {
    named
        .iter()
        .map(|named| Record::from_bytes(named.record.clone()).expect("a sound record").peer())
        .collect()
}

pub(crate) fn refused(keys: &Keys, refusal: Refusal) -> ServerMessage {
    ServerMessage::Refused { subject: Subject::Group(keys.group()), refusal }
}
