//! Several servers, one, none; and members that answer only whom they called.

use std::time::Instant;

use super::*;
use crate::Conditions;

async fn neighbor_count(group: &Group, wanted: usize) {
    let reached = async {
        while group.neighbor_count() != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("as many neighbors in time");
}

/// A server of the same address would let it in again, so it is bound to nothing from here on.
async fn dead(server: Server) -> (std::net::UdpSocket, String) {
    let address = server.local_addr();
    server.shutdown().await;
    (std::net::UdpSocket::bind(address).unwrap(), address.to_string())
}

// spec RV-14
#[tokio::test]
async fn behind_firewalls_members_meet_through_a_server_long_before_a_dial_gives_up() {
    let server = server().await;
    let walled = Conditions { is_walled: true, ..Conditions::default() };
    let builder = at(&server).conditions(walled);
    let first = start(builder.clone()).await;
    let group = first.join(&spec(1)).await.unwrap();
    let mut events = group.events();
    let is_registered = |event: &Event| matches!(event, Event::ServerConnect { .. }).then_some(());
    until(&mut events, is_registered).await;
    let second = start(builder).await;
    let began = Instant::now();
    let newcomer = second.join(&spec(1)).await.unwrap();
    newcomer.joined(PATIENCE).await.unwrap();
    // Unasked, the second would try for 3 s, the attempt's time-out, before it asked anybody.
    let took = began.elapsed();
    assert!(took < Duration::from_millis(2_000), "took {took:?}");
    assert!(took > Duration::from_millis(300), "a firewall that lets everybody in: {took:?}");
    first.close().await;
    second.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn members_register_at_every_server_and_any_one_of_them_is_enough() {
    let (one, other) = (server().await, server().await);
    let both = at(&one).server(other.local_addr().to_string());
    let mut members = members(&both, &spec(1), 2).await;
    let everywhere = async {
        while (one.stats().member_count, other.stats().member_count) != (2, 2) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, everywhere).await.expect("both members at both servers");
    let (_silence, _) = dead(one).await;
    assert_eq!(members[0].1.neighbor_count(), 1);
    let newcomer = start(both).await;
    let group = newcomer.join(&spec(1)).await.unwrap();
    neighbor_count(&group, 2).await;
    members.push((newcomer, group));
    let (_silence, _) = dead(other).await;
    neighbor_count(&members[1].1, 2).await;
    close_all(members).await;
}

#[tokio::test]
async fn with_every_server_dead_an_old_member_comes_back_and_a_newcomer_is_shown_the_door() {
    // spec RV-15
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    let mut members = members(&at(&server), &spec(1), 2).await;
    let remembering = at(&server).member_cache(folder.path());
    let old = start(remembering.clone()).await;
    let group = old.join(&spec(1)).await.unwrap();
    neighbor_count(&group, 2).await;
    old.close().await;
    let (_silence, _) = dead(server).await;
    let again = start(remembering).await;
    let group = again.join(&spec(1)).await.unwrap();
    group.joined(PATIENCE).await.unwrap();
    neighbor_count(&group, 2).await;
    members.push((again, group));
    let host = &members[0].0;
    let shown = Connection::builder().listen(loopback()).bootstrap_peer(host.peer(), host.local_addr());
    let newcomer = start(shown).await;
    let group = newcomer.join(&spec(1)).await.unwrap();
    neighbor_count(&group, 3).await;
    members.push((newcomer, group));
    let stranger = start(Connection::builder().listen(loopback())).await;
    let group = stranger.join(&spec(1)).await.unwrap();
    assert!(group.joined(Duration::from_millis(300)).await.is_err(), "there is no way in");
    close_all(members).await;
    stranger.close().await;
}
