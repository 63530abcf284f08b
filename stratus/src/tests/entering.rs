use std::time::Instant;

use stratus_core::Identity;

use super::*;
use crate::{BindError, JoinError, JoinedError, PeerId, StartError, TransportConfig};

fn connected(event: &Event) -> Option<PeerId> {
    match event {
        Event::NeighborConnect { peer, .. } => Some(*peer),
        _ => None,
    }
}

fn disconnected(event: &Event) -> Option<PeerId> {
    match event {
        Event::NeighborDisconnect { peer, .. } => Some(*peer),
        _ => None,
    }
}

/// An address at which nothing answers, and what keeps it so.
fn silence() -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind(loopback()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn members_find_each_other_through_a_server() {
    let server = server().await;
    let members = members(&at(&server), &spec(1), 4).await;
    let everyone_knows_everyone = async {
        loop {
            let counts = members.iter().map(|(_, group)| group.neighbor_count());
            if counts.min() == Some(3) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, everyone_knows_everyone).await.expect("four are a full mesh in time");
    let info = members[0].1.info().await.unwrap();
    assert_eq!((info.neighbor_count(), info.peer), (3, members[0].0.peer()));
    assert!(info.wire.sent_bytes > 0 && info.wire.undecodable == 0, "{:?}", info.wire);
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn one_living_member_in_the_groupspec_is_way_enough() {
    let first = start(Connection::builder().listen(loopback())).await;
    let spec = GroupSpecifier::new("show")
        .unwrap()
        .make_unique([1; 32])
        .capabilities(Capabilities::services())
        .add_bootstrap_peer(first.peer(), &[first.local_addr()])
        .unwrap()
        .build();
    let group = first.join(&spec).await.unwrap();
    let mut events = group.events();
    let others = members(&Connection::builder().listen(loopback()), &spec, 2).await;
    let mut seen = [until(&mut events, connected).await, until(&mut events, connected).await];
    seen.sort_unstable();
    let mut expected = [others[0].0.peer(), others[1].0.peer()];
    expected.sort_unstable();
    assert_eq!(seen, expected);
    close_all(others).await;
    first.close().await;
}

#[tokio::test]
async fn a_member_that_starts_before_the_one_it_knows_finds_it_later() {
    let (_socket, address) = silence();
    drop(_socket);
    let identity = Identity::from_seed([50; 32]);
    let spec = GroupSpecifier::new("show")
        .unwrap()
        .make_unique([1; 32])
        .capabilities(Capabilities::services())
        .add_bootstrap_peer(identity.peer(), &[address])
        .unwrap()
        .build();
    let quick = TransportConfig { attempt_timeout: Duration::from_millis(200), ..TransportConfig::default() };
    let early = start(Connection::builder().listen(loopback()).transport(quick)).await;
    let group = early.join(&spec).await.unwrap();
    let mut events = group.events();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let late = start(Connection::builder().listen(address).identity(identity)).await;
    let late_group = late.join(&spec).await.unwrap();
    group.joined(PATIENCE).await.unwrap();
    late_group.joined(PATIENCE).await.unwrap();
    assert_eq!(until(&mut events, connected).await, late.peer());
    early.close().await;
    late.close().await;
}

#[tokio::test]
async fn an_absent_server_is_named_when_time_is_up() {
    let (_socket, address) = silence();
    let spec = GroupSpecifier::new("show")
        .unwrap()
        .make_unique([1; 32])
        .capabilities(Capabilities::services())
        .add_bootstrap_peer(Identity::from_seed([7; 32]).peer(), &[address])
        .unwrap()
        .build();
    let quick = TransportConfig {
        attempt_timeout: Duration::from_millis(100),
        dial_timeout: Duration::from_millis(100),
        ..TransportConfig::default()
    };
    let builder = Connection::builder().listen(loopback()).transport(quick).server(address.to_string());
    let connection = start(builder).await;
    let group = connection.join(&spec).await.unwrap();
    let error = group.joined(Duration::from_millis(500)).await.unwrap_err();
    let peer = &Identity::from_seed([7; 32]).peer().to_string()[..8];
    assert_eq!(
        error.to_string(),
        format!(
            "no member of group \"show\" answered within 500ms; \
             tried: server {address} (no answer in time), member {peer} (no answer in time)"
        )
    );
    assert!(matches!(error, JoinedError::Timeout(timeout) if timeout.tried.len() == 2));
    connection.close().await;
}

#[tokio::test]
async fn an_empty_group_says_that_nobody_else_is_registered() {
    let server = server().await;
    let connection = start(at(&server)).await;
    let group = connection.join(&spec(1)).await.unwrap();
    let mut events = group.events();
    let named = until(&mut events, |event| match event {
        Event::ServerConnect { named, .. } => Some(*named),
        _ => None,
    });
    assert_eq!(named.await, 0);
    let error = group.joined(Duration::from_millis(100)).await.unwrap_err();
    assert!(error.to_string().ends_with("(connected, no other member is registered)"), "{error}");
    connection.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn members_of_different_groups_do_not_meet() {
    let server = server().await;
    let (one, other) = (start(at(&server)).await, start(at(&server)).await);
    let (group, other_group) = (one.join(&spec(1)).await.unwrap(), other.join(&spec(2)).await.unwrap());
    assert!(group.joined(Duration::from_millis(500)).await.is_err());
    assert_eq!(other_group.neighbor_count(), 0);
    one.close().await;
    other.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn two_groups_share_a_connection_and_a_server() {
    let server = server().await;
    let (one, other) = (start(at(&server)).await, start(at(&server)).await);
    for tag in [1, 2] {
        let (group, other_group) =
            (one.join(&spec(tag)).await.unwrap(), other.join(&spec(tag)).await.unwrap());
        group.joined(PATIENCE).await.unwrap();
        other_group.joined(PATIENCE).await.unwrap();
        if tag == 1 {
            let again = one.join(&spec(1)).await.unwrap();
            assert_eq!((again.id(), again.neighbor_count()), (group.id(), 1), "one membership, two handles");
        }
    }
    one.close().await;
    other.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn leaving_is_seen_at_once_and_the_group_can_be_joined_again() {
    let server = server().await;
    let members = members(&at(&server), &spec(1), 2).await;
    let mut events = members[0].1.events();
    let leaver = &members[1];
    let began = Instant::now();
    leaver.1.leave().await;
    assert_eq!(until(&mut events, disconnected).await, leaver.0.peer());
    assert!(began.elapsed() < Duration::from_secs(2), "took {:?}", began.elapsed());
    let again = timeout(PATIENCE, async {
        loop {
            // The port of the group is let go a moment after the goodbye.
            if let Ok(group) = leaver.0.join(&spec(1)).await {
                return group;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    again.await.unwrap().joined(PATIENCE).await.unwrap();
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn dropping_the_last_handle_leaves_the_group() {
    let server = server().await;
    let mut members = members(&at(&server), &spec(1), 2).await;
    let (connection, group) = members.pop().unwrap();
    let mut events = members[0].1.events();
    drop(group);
    assert_eq!(until(&mut events, disconnected).await, connection.peer());
    close_all(members).await;
    connection.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn closing_ends_everything_and_frees_the_port() {
    let server = server().await;
    let mut members = members(&at(&server), &spec(1), 2).await;
    let (connection, group) = members.pop().unwrap();
    let address = connection.local_addr();
    let mut events = group.events();
    connection.close().await;
    while timeout(PATIENCE, events.recv()).await.expect("the events end").is_some() {}
    assert!(group.info().await.is_err());
    assert_eq!(connection.join(&spec(1)).await.unwrap_err(), JoinError::Closed);
    drop((connection, group));
    let free = async {
        while std::net::UdpSocket::bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("the port is free");
    close_all(members).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_told_in_one_line() {
    let connection = start(Connection::builder().listen(loopback())).await;
    let address = connection.local_addr();
    let error = Connection::builder().listen(address).start().await.unwrap_err();
    assert!(matches!(error, StartError::Bind(BindError::PortInUse { .. })));
    assert_eq!(error.to_string(), format!("udp port is in use: {address}"));
    connection.close().await;
}

#[tokio::test]
async fn a_group_outlives_its_server_and_newcomers_find_it_through_the_next_one() {
    let first = server().await;
    let address = first.local_addr();
    let builder = at(&first);
    let mut members = members(&builder, &spec(1), 2).await;
    let mut events = members[0].1.events();
    first.shutdown().await;
    let why = until(&mut events, |event| match event {
        Event::ServerDisconnect { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert_eq!(why.await, "the connection was lost");
    assert_eq!(members[0].1.neighbor_count(), 1);
    let second = Server::start(ServerConfig::listen_on(address)).await.unwrap();
    let newcomer = start(builder).await;
    let group = newcomer.join(&spec(1)).await.unwrap();
    group.joined(PATIENCE).await.unwrap();
    members.push((newcomer, group));
    close_all(members).await;
    second.shutdown().await;
}
