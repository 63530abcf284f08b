//! The library on real sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::member::{Keys, Member, PATIENCE, peers, refused};
use stratus_core::{GroupAddress, PeerId, Wire as _};
use stratus_overlay::rendezvous::{ClientMessage, Refusal, Registration, ServerMessage, Subject};
use stratus_server::{Limits, Server, ServerConfig, StartError};
use stratus_transport::BindError;
use tokio::runtime::{Builder, Runtime};

async fn start() -> Server {
    start_on(([127, 0, 0, 1], 0).into()).await
}

async fn start_on(listen: SocketAddr) -> Server {
    Server::start(ServerConfig::listen_on(listen)).await.expect("a server starts")
}

#[tokio::test]
async fn two_members_register_and_each_learns_of_the_other() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut first = Member::consult(server.local_addr(), 1).await;
    let mut second = Member::consult(server.local_addr(), 2).await;

    assert_eq!(first.register(&keys).await, []);
    let named = second.register(&keys).await;
    assert_eq!(peers(&named), [first.peer()]);
    assert_eq!(named[0].observed, first.endpoint.local_addr());
    // Registering again asks for a fresh welcome.
    assert_eq!(peers(&first.register(&keys).await), [second.peer()]);
    let stats = server.stats();
    assert_eq!((stats.connection_count, stats.group_count, stats.member_count), (2, 1, 2));
    server.shutdown().await;
}

#[tokio::test]
async fn an_introduction_tells_both_sides_from_one_request() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut asker = Member::consult(server.local_addr(), 1).await;
    let mut target = Member::consult(server.local_addr(), 2).await;
    asker.register(&keys).await;
    target.register(&keys).await;

    let (group, candidates) = (keys.group(), vec!["192.168.1.7:5000".parse().unwrap()]);
    let wanted = target.peer();
    asker.say(ClientMessage::Introduce { group, target: wanted, candidates });
    let told = |of: &Member, candidates| {
        let (peer, record) = (of.peer(), of.record(&keys));
        Some(ServerMessage::Introduced { group, peer, record, candidates })
    };
    let (asker_at, target_at) = (asker.endpoint.local_addr(), target.endpoint.local_addr());
    let to_target = told(&asker, vec!["192.168.1.7:5000".parse().unwrap(), asker_at]);
    let to_asker = told(&target, vec![target_at]);
    assert_eq!(asker.hear().await, to_asker);
    assert_eq!(target.hear().await, to_target);
    server.shutdown().await;
}

#[tokio::test]
async fn a_stranger_without_the_groups_key_is_refused_in_words() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut member = Member::consult(server.local_addr(), 1).await;
    let mut stranger = Member::consult(server.local_addr(), 2).await;
    member.register(&keys).await;

    // It overheard a member's registration, and makes one of its own with another key.
    stranger.say(ClientMessage::Register(member.registration(&keys)));
    assert_eq!(stranger.hear().await, Some(refused(&keys, Refusal::Stranger)));
    assert_eq!(Refusal::Stranger.to_string(), "not signed with the group's key for this connection");
    let other = Keys::of(5);
    let exporter = stranger.consultation.exporter();
    let (address, record) = (stranger.address(&keys), stranger.record(&keys));
    let peer = stranger.peer();
    let elsewhere = Registration::sign(&other.rendezvous, exporter, &peer, address, record);
    stranger.say(ClientMessage::Register(elsewhere));
    assert_eq!(stranger.hear().await, Some(refused(&other, Refusal::BadRecord)));
    // The group is unharmed.
    assert_eq!(server.stats().member_count, 1);
    server.shutdown().await;
}

#[tokio::test]
async fn a_registration_is_worthless_on_the_next_connection_of_the_same_peer() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut member = Member::consult(server.local_addr(), 1).await;
    let old = member.registration(&keys);
    member.consult_again(server.local_addr()).await;
    member.say(ClientMessage::Register(old));
    assert_eq!(member.hear().await, Some(refused(&keys, Refusal::Stranger)));
    assert_eq!(member.register(&keys).await, []);
    server.shutdown().await;
}

#[tokio::test]
async fn a_frame_of_garbage_ends_that_connection_and_no_other() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut member = Member::consult(server.local_addr(), 1).await;
    let mut vandal = Member::consult(server.local_addr(), 2).await;
    member.register(&keys).await;
    vandal.consultation.send(vec![0xff; 50].into()).expect("the connection is open");
    assert!(matches!(vandal.hear().await, Some(ServerMessage::Refused { refusal: Refusal::Malformed, .. })));
    assert_eq!(vandal.hear().await, None);
    assert_eq!(member.register(&keys).await, []);
    server.shutdown().await;
}

#[tokio::test]
async fn a_member_that_closes_its_connection_is_named_no_more() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut leaver = Member::consult(server.local_addr(), 1).await;
    let mut stayer = Member::consult(server.local_addr(), 2).await;
    leaver.register(&keys).await;
    assert_eq!(peers(&stayer.register(&keys).await), [leaver.peer()]);
    leaver.endpoint.close().await;
    let began = Instant::now();
    while server.stats().member_count > 1 {
        assert!(began.elapsed() < PATIENCE, "the server did not notice");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(stayer.register(&keys).await, []);
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_never_registers_is_sent_away_even_if_it_will_not_go() {
    let limits = Limits { idle_after: Duration::from_millis(200), ..Limits::default() };
    let config = ServerConfig { limits, ..ServerConfig::listen_on(([127, 0, 0, 1], 0).into()) };
    let (server, keys) = (Server::start(config).await.expect("a server starts"), Keys::of(3));
    let mut idler = Member::consult(server.local_addr(), 1).await;
    idler.say(ClientMessage::Leave { group: keys.group() });
    assert_eq!(idler.hear().await, Some(ServerMessage::Goodbye));
    assert_eq!(idler.hear().await, None);
    // It keeps its end open; the server does not.
    let began = Instant::now();
    let leave = ClientMessage::Leave { group: keys.group() };
    while idler.consultation.send(leave.to_bytes()).is_ok() {
        assert!(began.elapsed() < PATIENCE, "the connection is still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.shutdown().await;
}

#[tokio::test]
async fn of_two_connections_of_one_key_the_newer_stays_and_the_older_is_told_why() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut older = Member::consult(server.local_addr(), 1).await;
    older.register(&keys).await;
    let mut newer = Member::consult(server.local_addr(), 1).await;
    assert_eq!(newer.register(&keys).await, [], "its older self is named to nobody");
    let replaced = ServerMessage::Refused { subject: Subject::Connection, refusal: Refusal::Replaced };
    assert_eq!(older.hear().await, Some(replaced));
    assert_eq!(older.hear().await, None);
    assert_eq!(server.stats().member_count, 1);
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_over_the_limit_is_told_that_the_server_is_full() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let config = ServerConfig { limits, ..ServerConfig::listen_on(([127, 0, 0, 1], 0).into()) };
    let (server, keys) = (Server::start(config).await.expect("a server starts"), Keys::of(3));
    let mut first = Member::consult(server.local_addr(), 1).await;
    first.register(&keys).await;
    let mut second = Member::consult(server.local_addr(), 2).await;
    second.say(ClientMessage::Register(second.registration(&keys)));
    let full = ServerMessage::Refused { subject: Subject::Connection, refusal: Refusal::ServerFull };
    assert_eq!(second.hear().await, Some(full));
    assert_eq!(second.hear().await, None);
    assert_eq!(first.register(&keys).await, []);
    server.shutdown().await;
}

#[tokio::test]
async fn a_stop_says_goodbye_closes_and_is_over_within_two_seconds() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut members = Vec::new();
    for number in 0..8 {
        let mut member = Member::consult(server.local_addr(), number).await;
        member.register(&keys).await;
        members.push(member);
    }
    let began = Instant::now();
    let listen = server.local_addr();
    server.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(2), "stopping took {:?}", began.elapsed());
    for mut member in members {
        assert_eq!(member.hear().await, Some(ServerMessage::Goodbye));
        assert_eq!(member.hear().await, None);
    }
    // The port is free again.
    start_on(listen).await.shutdown().await;
}

#[test]
fn a_stop_does_not_wait_for_a_client_that_is_deaf() {
    let (here, there) =
        (Runtime::new().unwrap(), Builder::new_current_thread().enable_all().build().unwrap());
    let server = here.block_on(start());
    let member = there.block_on(async {
        let mut member = Member::consult(server.local_addr(), 1).await;
        member.register(&Keys::of(3)).await;
        member
    });
    // From here on nothing runs that could acknowledge anything.
    let began = Instant::now();
    here.block_on(server.shutdown());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "stopping took {took:?}");
    there.block_on(async { drop(member) });
}

#[tokio::test]
async fn a_server_that_lost_everything_is_whole_again_once_its_members_have_registered() {
    let keys = Keys::of(3);
    let server = start().await;
    let listen = server.local_addr();
    let mut first = Member::consult(listen, 1).await;
    let mut second = Member::consult(listen, 2).await;
    first.register(&keys).await;
    second.register(&keys).await;
    server.shutdown().await;
    let server = start_on(listen).await;
    assert_eq!(server.stats().member_count, 0);

    first.consult_again(listen).await;
    second.consult_again(listen).await;
    assert_eq!(first.register(&keys).await, []);
    assert_eq!(peers(&second.register(&keys).await), [first.peer()]);
    server.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_told_as_such() {
    let server = start().await;
    let error = Server::start(ServerConfig::listen_on(server.local_addr())).await.err();
    assert!(
        matches!(&error, Some(StartError::Bind(BindError::PortInUse { address })) if *address == server.local_addr()),
        "{error:?}"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn limits_that_make_no_sense_do_not_start() {
    let limits = Limits { random_members: 700, ..Limits::default() };
    let config = ServerConfig { limits, ..ServerConfig::listen_on(([127, 0, 0, 1], 0).into()) };
    let error = Server::start(config).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "limits: 2 × ring_neighbors + random_members must lie in 1 … 64");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_members_get_ring_correct_welcomes() {
    let (server, keys) = (start().await, Keys::of(3));
    let mut ring: BTreeMap<GroupAddress, PeerId> = BTreeMap::new();
    let mut members = Vec::new();
    for number in 0..200 {
        let mut member = Member::consult(server.local_addr(), number).await;
        let heard = peers(&member.register(&keys).await);
        ring.insert(member.address(&keys), member.peer());
        check_welcome(&heard, &member, &keys, &ring);
        members.push(member);
    }
    assert_eq!(server.stats().member_count, 200);
    server.shutdown().await;
}

/// Six ring neighbors first, in turn clockwise and counterclockwise; then 20 others; nobody twice, never the
/// asker. A smaller group is named whole.
fn check_welcome(heard: &[PeerId], asker: &Member, keys: &Keys, ring: &BTreeMap<GroupAddress, PeerId>) {
    let others = ring.len() - 1;
    assert_eq!(heard.len(), others.min(26));
    let mut distinct = heard.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), heard.len(), "somebody is named twice");
    assert!(!heard.contains(&asker.peer()), "the asker is named to itself");
    assert!(heard.iter().all(|peer| ring.values().any(|listed| listed == peer)));
    if others < 6 {
        return;
    }
    let here = asker.address(keys);
    let mut clockwise: Vec<_> = ring.iter().filter(|(address, _)| **address != here).collect();
    clockwise.sort_by_key(|(address, _)| here.clockwise_to(address));
    let expected: Vec<_> =
        (0..3).flat_map(|step| [*clockwise[step].1, *clockwise[others - 1 - step].1]).collect();
    assert_eq!(heard[..6], expected);
}
