//! Who is let in: spec TR-1 to TR-5, TR-10 to TR-17.

use super::raw::{Raw, connect};
use super::*;
use crate::connection::CloseCode;
use crate::frame::Own;
use crate::tls::PEER_ALPN;

#[tokio::test]
async fn two_members_prove_their_group_and_exchange_both_kinds_of_message() {
    let (mut a, mut b) = pair(1).await;
    let (a_peer, b_peer) = (a.peer(), b.peer());
    a.send(b_peer, b"ordered");
    assert_eq!(b.next().await, Seen::Control(a_peer, Bytes::from_static(b"ordered")));
    b.send_live(a_peer, b"quick");
    assert_eq!(a.next().await, Seen::Datagram(b_peer, Bytes::from_static(b"quick")));
    assert_eq!(a.link(b_peer).observed_address(), Some(a.endpoint.local_addr()));
}

#[tokio::test]
async fn a_member_of_another_group_is_told_no_and_nobody_goes_up() {
    let (mut a, mut b) = (Member::new(1, 1), Member::new(2, 2));
    a.dial(&b);
    assert_eq!(a.next().await, Seen::DialFailed(b.peer(), DialError::NotMember));
    assert_eq!(b.rest().await, []);
}

#[tokio::test]
async fn a_bad_proof_and_an_unknown_group_get_the_same_answer() {
    let mut member = Member::new(1, 1);
    let mut raw = Raw::greeted(7, &member.endpoint).await;
    let Own::Claim { blinded, .. } = raw.claim(1, 50) else { unreachable!() };
    raw.say(&Own::Claim { id: 50, blinded, proof: [0; 32] }).await;
    assert_eq!(raw.hear().await, Some(Own::No { id: 50 }));
    let unknown = raw.claim(2, 51);
    raw.say(&unknown).await;
    assert_eq!(raw.hear().await, Some(Own::No { id: 51 }));
    // And the connection still serves a good claim.
    let good = raw.claim(1, 52);
    raw.say(&good).await;
    assert!(matches!(raw.hear().await, Some(Own::Yes { id: 52, .. })));
    assert_eq!(member.next().await, Seen::Up(identity(7).peer()));
}

#[tokio::test]
async fn a_proof_captured_on_one_connection_is_refused_on_the_next() {
    let mut member = Member::new(1, 1);
    let mut first = Raw::greeted(7, &member.endpoint).await;
    let captured = first.claim(1, 3);
    first.say(&captured).await;
    assert!(matches!(first.hear().await, Some(Own::Yes { .. })));
    assert_eq!(member.next().await, Seen::Up(identity(7).peer()));
    drop(first);
    assert_eq!(member.next().await, Seen::Down(identity(7).peer()));
    let mut second = Raw::greeted(7, &member.endpoint).await;
    second.say(&captured).await;
    assert_eq!(second.hear().await, Some(Own::No { id: 3 }));
    assert_eq!(member.rest().await, []);
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused_in_the_handshake() {
    let member = Member::new(1, 1);
    for alpn in [&b"stratus/2"[..], b"stratus-rv/1", b"h3"] {
        let error = connect(7, &member.endpoint, alpn, None).await.unwrap_err();
        assert_eq!(DialError::of_connection(&error), DialError::WrongProtocol, "{error}");
    }
}

#[tokio::test]
async fn another_key_than_the_expected_one_is_refused_in_the_handshake() {
    let member = Member::new(1, 1);
    let error = connect(7, &member.endpoint, PEER_ALPN, Some(identity(9).peer())).await.unwrap_err();
    assert_eq!(DialError::of_connection(&error), DialError::WrongPeer, "{error}");
}

#[tokio::test]
async fn a_stranger_who_proves_nothing_is_closed_in_time() {
    let patience = Duration::from_millis(200);
    let member = Member::with(Config { proof_timeout: patience, ..config() }, 1, 1);
    let silent = Raw::new(7, &member.endpoint).await;
    let greeted = Raw::greeted(8, &member.endpoint).await;
    assert!(silent.is_closed_with(CloseCode::NoGroup).await);
    assert!(greeted.is_closed_with(CloseCode::NoGroup).await);
}

#[tokio::test]
async fn who_guesses_at_groups_is_closed() {
    let member = Member::new(1, 1);
    let mut raw = Raw::greeted(7, &member.endpoint).await;
    for id in 0..129 {
        raw.say(&Own::Claim { id, blinded: [7; 16], proof: [7; 32] }).await;
    }
    assert!(raw.is_closed_with(CloseCode::Violation).await);
}

#[tokio::test]
async fn a_control_frame_over_the_limit_is_refused_at_both_ends() {
    let limit = Config { control_frame_bytes: 8 << 10, ..config() };
    let mut member = Member::with(limit, 1, 1);
    let mut raw = Raw::proven(7, 1, &member.endpoint).await;
    let stranger = identity(7).peer();
    assert_eq!(member.next().await, Seen::Up(stranger));
    let mut frame = vec![7; 8 << 10];
    frame[..4].copy_from_slice(&keys(1).tag.to_be_bytes());
    raw.say_frame(&frame).await;
    assert_eq!(member.next().await, Seen::Control(stranger, Bytes::from(vec![7; (8 << 10) - 4])));
    let packet = member.port.packet_from(&vec![7; (8 << 10) - 3]);
    assert_eq!(member.link(stranger).send_control(&packet), Err(crate::SendError::TooLong));
    frame.push(7);
    raw.say_frame(&frame).await;
    assert!(raw.is_closed_with(CloseCode::Violation).await);
    assert_eq!(member.next().await, Seen::Down(stranger));
}

#[tokio::test]
async fn nonsense_on_the_control_stream_ends_the_connection() {
    let mut member = Member::new(1, 1);
    let mut raw = Raw::proven(7, 1, &member.endpoint).await;
    assert_eq!(member.next().await, Seen::Up(identity(7).peer()));
    raw.say_frame(&[0, 0, 0, 0, 99]).await;
    assert!(raw.is_closed_with(CloseCode::Violation).await);
    assert_eq!(member.next().await, Seen::Down(identity(7).peer()));
}

#[tokio::test]
async fn datagrams_of_an_unknown_group_are_ignored_and_counted() {
    let mut member = Member::new(1, 1);
    let raw = Raw::proven(7, 1, &member.endpoint).await;
    let stranger = identity(7).peer();
    assert_eq!(member.next().await, Seen::Up(stranger));
    raw.quic.send_datagram(Bytes::from_static(b"\0\0\0\x07lost")).unwrap();
    raw.quic.send_datagram(Bytes::from_static(b"abc")).unwrap();
    let known = [&keys(1).tag.to_be_bytes()[..], b"found"].concat();
    raw.quic.send_datagram(known.into()).unwrap();
    assert_eq!(member.next().await, Seen::Datagram(stranger, Bytes::from_static(b"found")));
    assert_eq!(member.endpoint.counters().unknown_datagrams, 2);
}

#[tokio::test]
async fn two_groups_share_one_connection_and_end_apart() {
    let (mut a, mut b) = pair(1).await;
    let mut a2 = Member::on(a.endpoint.clone(), 2);
    let mut b2 = Member::on(b.endpoint.clone(), 2);
    let (a_peer, b_peer) = (a.peer(), b.peer());
    b2.dial(&a2);
    assert_eq!(b2.next().await, Seen::Up(a_peer));
    assert_eq!(a2.next().await, Seen::Up(b_peer));
    assert_eq!((a.endpoint.counters().connections, b.endpoint.counters().connections), (1, 1));
    a.port.disconnect(b_peer);
    assert_eq!((a.next().await, b.next().await), (Seen::Down(b_peer), Seen::Down(a_peer)));
    a2.send(b_peer, b"still here");
    assert_eq!(b2.next().await, Seen::Control(a_peer, Bytes::from_static(b"still here")));
}

#[tokio::test]
async fn a_refused_group_does_not_disturb_another_on_the_same_connection() {
    let (mut a, mut b) = pair(1).await;
    let mut stranger = Member::on(a.endpoint.clone(), 2);
    let (a_peer, b_peer) = (a.peer(), b.peer());
    stranger.dial(&b);
    assert_eq!(stranger.next().await, Seen::DialFailed(b_peer, DialError::NotMember));
    a.send(b_peer, b"undisturbed");
    assert_eq!(b.next().await, Seen::Control(a_peer, Bytes::from_static(b"undisturbed")));
    assert_eq!(a.rest().await, []);
}

#[tokio::test]
async fn a_group_is_joined_once_per_endpoint_and_again_after_leaving() {
    let endpoint = Endpoint::bind(config(), &identity(1)).unwrap();
    let port = endpoint.join(keys(1)).unwrap();
    assert_eq!(endpoint.join(keys(1)).unwrap_err(), crate::JoinError::AlreadyJoined);
    drop(port);
    assert!(endpoint.join(keys(1)).is_ok());
}

#[tokio::test]
async fn leaving_a_group_takes_its_links_down_at_the_other_side() {
    let (a, mut b) = pair(1).await;
    let a_peer = a.peer();
    drop(a.port);
    assert_eq!(b.next().await, Seen::Down(a_peer));
}
