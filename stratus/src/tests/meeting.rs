//! The client of a rendezvous server against a real one.

use stratus_core::{Identity, PeerId, Rng, Wire};
use stratus_overlay::{Draft, Record};
use stratus_transport::{Config, Endpoint};
use tokio::sync::mpsc;

use super::*;
use crate::rendezvous::{Ask, Member, Server as Client, Told};
use crate::ways::ServerState;

/// A member that a server is told of, without a node behind it.
struct Guest {
    identity: Identity,
    client: Client,
    told: mpsc::Receiver<Told>,
    _endpoint: Endpoint,
}

impl Guest {
    fn new(seed: u8, server: &Server) -> Self {
        let identity = Identity::from_seed([seed; 32]);
        let endpoint = Endpoint::bind(Config::listen_on(loopback()), &identity).unwrap();
        let keys = spec(1).keys();
        let draft = Draft { sequence: 1, addresses: vec![endpoint.local_addr()], ..Draft::default() };
        let (tell, told) = mpsc::channel(64);
        let client = Client::start(endpoint.clone(), server.local_addr().to_string(), Rng::from_seed(3));
        client.ask(Ask::Enter(Box::new(Member {
            group: keys.group_id,
            rendezvous: keys.rendezvous.clone(),
            peer: identity.peer(),
            address: keys.ring.address(&identity.peer()),
            record: Record::sign(&identity, &keys.group_id, draft).to_bytes(),
            told: tell,
        })));
        Self { identity, client, told, _endpoint: endpoint }
    }

    fn peer(&self) -> PeerId {
        self.identity.peer()
    }

    async fn next(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.expect("told in time").expect("the client runs")
    }

    /// Waits for a welcome; gives whom it names.
    async fn welcomed(&mut self) -> Vec<PeerId> {
        loop {
            if let Told::Welcome { members, .. } = self.next().await {
                let peer = |record| Record::from_bytes(record).unwrap().peer();
                return members.into_iter().map(|named| peer(named.record)).collect();
            }
        }
    }

    async fn introduced(&mut self) -> (PeerId, Vec<SocketAddr>) {
        loop {
            if let Told::Introduced { peer, candidates, .. } = self.next().await {
                return (peer, candidates);
            }
        }
    }
}

#[tokio::test]
async fn a_server_names_members_and_introduces_both_sides_at_once() {
    let server = server().await;
    let mut first = Guest::new(1, &server);
    assert_eq!(first.welcomed().await, []);
    let mut second = Guest::new(2, &server);
    assert_eq!(second.welcomed().await, [first.peer()]);
    let group = spec(1).group_id();
    let elsewhere: SocketAddr = "127.0.0.1:5000".parse().unwrap();
    second.client.ask(Ask::Introduce { group, target: first.peer(), candidates: vec![elsewhere] });
    let (peer, candidates) = first.introduced().await;
    assert_eq!(peer, second.peer());
    assert!(
        candidates.contains(&elsewhere) && candidates.contains(&second._endpoint.local_addr()),
        "{candidates:?}"
    );
    let (peer, candidates) = second.introduced().await;
    assert_eq!(peer, first.peer());
    assert_eq!(candidates, [first._endpoint.local_addr()]);
    server.shutdown().await;
}

#[tokio::test]
async fn a_member_that_asks_again_is_told_of_those_who_came_later() {
    let server = server().await;
    let mut first = Guest::new(1, &server);
    assert_eq!(first.welcomed().await, []);
    let mut second = Guest::new(2, &server);
    second.welcomed().await;
    first.client.ask(Ask::Again { group: spec(1).group_id() });
    assert_eq!(first.welcomed().await, [second.peer()]);
    server.shutdown().await;
}

#[tokio::test]
async fn who_leaves_is_named_no_more() {
    let server = server().await;
    let mut first = Guest::new(1, &server);
    first.welcomed().await;
    first.client.ask(Ask::Leave { group: spec(1).group_id() });
    let gone = async {
        while server.stats().member_count > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("taken off the list");
    assert_eq!(Guest::new(2, &server).welcomed().await, []);
    server.shutdown().await;
}

#[tokio::test]
async fn a_server_that_comes_back_finds_its_members_again() {
    let first = server().await;
    let address = first.local_addr();
    let mut guest = Guest::new(1, &first);
    guest.welcomed().await;
    first.shutdown().await;
    let second = Server::start(ServerConfig::listen_on(address)).await.unwrap();
    let mut states = Vec::new();
    loop {
        match guest.next().await {
            Told::State { state, .. } => states.push(state),
            Told::Welcome { .. } => break,
            Told::Introduced { .. } => panic!("nobody is there to be introduced to"),
        }
    }
    assert!(states.contains(&ServerState::Lost), "{states:?}");
    assert_eq!(second.stats().member_count, 1);
    second.shutdown().await;
}
