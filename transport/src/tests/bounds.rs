//! What a peer can make us keep: each at its limit, and one more. Spec TR-6, TR-8, TR-17, TR-26, TR-54.

use quinn::SendStream;

use super::raw::Raw;
use super::*;
use crate::{JoinError, ServiceEvent};

/// Whether `stream` takes these bytes now; `false` if it still waits for room after a while.
async fn takes(stream: &mut SendStream, bytes: &[u8]) -> bool {
    timeout(QUIET, stream.write_all(bytes)).await.is_ok_and(|written| written.is_ok())
}

#[tokio::test]
async fn groups_of_an_endpoint_end_at_their_limit() {
    let endpoint = Endpoint::bind(Config { max_groups: 2, ..config() }, &identity(1)).unwrap();
    let ports = [endpoint.join(keys(1)).unwrap(), endpoint.join(keys(2)).unwrap()];
    assert_eq!(endpoint.join(keys(3)).unwrap_err(), JoinError::TooManyGroups);
    drop(ports);
    assert!(endpoint.join(keys(3)).is_ok());
}

#[tokio::test]
async fn peers_dialled_at_once_end_at_their_limit() {
    let mut a = Member::with(Config { max_dials: 2, ..config() }, 1, 1);
    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    for seed in [7, 8, 9] {
        a.port.dial(identity(seed).peer(), vec![silent.local_addr().unwrap()]);
    }
    assert_eq!(a.endpoint.counters().dialing, 2);
    assert_eq!(a.next().await, Seen::DialFailed(identity(9).peer(), DialError::TooMany));
}

#[tokio::test]
async fn addresses_tried_together_end_at_their_limit() {
    let patient = Config { attempts_at_once: 2, attempt_timeout: PATIENCE, ..config() };
    let a = Member::with(patient, 1, 1);
    let silent: Vec<_> = (0..3).map(|_| std::net::UdpSocket::bind(loopback()).unwrap()).collect();
    let addresses = silent.iter().map(|socket| socket.local_addr().unwrap()).collect();
    a.port.dial(identity(9).peer(), addresses);
    tokio::time::sleep(4 * QUIET).await;
    let is_tried = |socket: &std::net::UdpSocket| {
        socket.set_nonblocking(true).unwrap();
        socket.recv(&mut [0; 2_000]).is_ok()
    };
    assert_eq!(silent.iter().map(is_tried).collect::<Vec<_>>(), [true, true, false]);
}

#[tokio::test]
async fn clients_of_the_service_end_at_their_limit() {
    let server = Endpoint::bind(Config { max_service_connections: 1, ..config() }, &identity(50)).unwrap();
    let mut events = server.serve();
    let members = [Member::new(1, 1), Member::new(2, 1)];
    let first = members[0].endpoint.consult(server.local_addr()).await.unwrap();
    first.send(Bytes::from_static(b"hello")).unwrap();
    let opened = timeout(PATIENCE, events.recv()).await.expect("in time");
    assert!(matches!(opened, Some(ServiceEvent::Opened { .. })));
    match members[1].endpoint.consult(server.local_addr()).await {
        Err(_) => {}
        Ok(mut second) => {
            // Turned away after the handshake.
            let _ = second.send(Bytes::from_static(b"hello"));
            assert_eq!(timeout(PATIENCE, second.recv()).await.expect("told in time"), None);
        }
    }
    assert_eq!(server.counters().service_clients, 1);
}

#[tokio::test]
async fn streams_that_a_peer_opens_end_at_their_limit() {
    let member = Member::new(1, 1);
    let raw = Raw::proven(7, 1, &member.endpoint).await;
    let mut opened = Vec::new();
    for _ in 0..4 {
        opened.push(timeout(PATIENCE, raw.quic.open_uni()).await.expect("within the limit").unwrap());
    }
    assert!(timeout(QUIET, raw.quic.open_uni()).await.is_err(), "a fifth");
    // Control is the first of those that go both ways.
    let mut both = Vec::new();
    for _ in 0..3 {
        both.push(timeout(PATIENCE, raw.quic.open_bi()).await.expect("within the limit").unwrap());
    }
    assert!(timeout(QUIET, raw.quic.open_bi()).await.is_err(), "a fifth");
    // The first one way is for objects (spec TR-60), and read. Nobody reads the others, so ending them gives no room for more
    // than one, which is not read either.
    for stream in &mut opened {
        stream.reset(7_u32.into()).unwrap();
    }
    let mut one_more = timeout(PATIENCE, raw.quic.open_uni()).await.expect("room for the first").unwrap();
    one_more.reset(7_u32.into()).unwrap();
    assert!(timeout(QUIET, raw.quic.open_uni()).await.is_err(), "a reset makes room");
}

#[tokio::test]
async fn what_streams_hold_unread_ends_at_the_window_of_each_and_of_all() {
    let member =
        Member::with(Config { stream_window: 64 << 10, receive_window: 256 << 10, ..config() }, 1, 1);
    let mut raw = Raw::new(7, &member.endpoint).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = raw.quic.open_uni().await.unwrap();
        assert!(takes(&mut stream, &[7; 64 << 10]).await, "at the limit of one stream");
        assert!(!takes(&mut stream, &[7]).await, "one byte over it");
        streams.push(stream);
    }
    assert!(!takes(&mut raw.send, &[7]).await, "one byte over the limit of all");
}

#[tokio::test]
async fn an_unread_port_holds_as_many_frames_of_one_peer_as_its_share_and_not_one_more() {
    let member = Member::with(Config { inbound_control: 3, ..config() }, 1, 1);
    let mut raw = Raw::proven(7, 1, &member.endpoint).await;
    let mut member = member;
    assert_eq!(member.next().await, Seen::Up(identity(7).peer()));
    for mark in 0..4 {
        raw.say_frame(&[&keys(1).tag.to_be_bytes()[..], &[mark]].concat()).await;
    }
    let filled = async {
        while member.port.events.len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, filled).await.expect("three come");
    tokio::time::sleep(QUIET).await;
    assert_eq!(member.port.events.len(), 3, "the fourth waits on its stream");
    for mark in 0..4 {
        assert_eq!(member.next().await, Seen::Control(identity(7).peer(), Bytes::from(vec![mark])));
    }
}

#[tokio::test]
async fn an_unread_port_holds_as_many_datagrams_as_it_has_places_and_not_one_more() {
    let mut member = Member::with(Config { inbound_events: 16, ..config() }, 1, 1);
    let raw = Raw::proven(7, 1, &member.endpoint).await;
    assert_eq!(member.next().await, Seen::Up(identity(7).peer()));
    for (count, expected) in [(16, (16, 0)), (1, (16, 1))] {
        for _ in 0..count {
            raw.quic.send_datagram(keys(1).tag.to_be_bytes().to_vec().into()).unwrap();
        }
        let settled = async {
            while (member.port.events.len(), member.port.dropped()) != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, settled).await.expect("as many as there are places");
    }
}
