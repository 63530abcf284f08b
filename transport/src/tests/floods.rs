//! Who is thrown out, and stays out: spec TR-55, TR-56.

use super::raw::Raw;
use super::*;
use crate::connection::CloseCode;
use crate::testing::{RawFrames, RudeMember};

#[tokio::test]
async fn who_is_expelled_is_down_at_once_and_out_until_its_time_is_over() {
    let (mut a, mut b) = pair(1).await;
    let (a_peer, b_peer) = (a.peer(), b.peer());
    b.port.expel(a_peer, 8 * QUIET);
    assert_eq!((a.next().await, b.next().await), (Seen::Down(b_peer), Seen::Down(a_peer)));
    let out_until = Instant::now() + 8 * QUIET;
    a.dial(&b);
    // Refused after the handshake, as it is out of all groups here.
    assert!(matches!(a.next().await, Seen::DialFailed(peer, _) if peer == b_peer));
    assert_eq!(b.rest().await, []);
    tokio::time::sleep(out_until.saturating_duration_since(Instant::now())).await;
    a.dial(&b);
    assert_eq!((a.next().await, b.next().await), (Seen::Up(b_peer), Seen::Up(a_peer)));
}

#[tokio::test]
async fn who_is_expelled_from_one_group_keeps_the_other() {
    let (mut a, mut b) = pair(1).await;
    let (mut a2, mut b2) = (Member::on(a.endpoint.clone(), 2), Member::on(b.endpoint.clone(), 2));
    let (a_peer, b_peer) = (a.peer(), b.peer());
    a2.dial(&b2);
    assert_eq!((a2.next().await, b2.next().await), (Seen::Up(b_peer), Seen::Up(a_peer)));
    b.port.expel(a_peer, PATIENCE);
    assert_eq!((a.next().await, b.next().await), (Seen::Down(b_peer), Seen::Down(a_peer)));
    a.dial(&b);
    assert_eq!(a.next().await, Seen::DialFailed(b_peer, DialError::NotMember));
    a2.send(b_peer, b"still here");
    assert_eq!(b2.next().await, Seen::Control(a_peer, Bytes::from_static(b"still here")));
}

#[tokio::test]
async fn who_sends_more_than_anyone_could_want_is_told_of_and_cut_off() {
    let mut member = Member::with(Config { max_inbound_datagrams: 400, ..config() }, 1, 1);
    let raw = Raw::proven(7, 1, &member.endpoint).await;
    let attacker = identity(7).peer();
    assert_eq!(member.next().await, Seen::Up(attacker));
    let datagram = Bytes::from([&keys(1).tag.to_be_bytes()[..], &[7; 1_000]].concat());
    let flood = async {
        // About 1,000 a second; far below the default limit.
        while raw.quic.send_datagram(datagram.clone()).is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, flood).await.expect("it was cut off");
    assert!(raw.is_closed_with(CloseCode::Violation).await);
    let mut seen = member.rest().await;
    seen.retain(|event| !matches!(event, Seen::Datagram(..)));
    assert_eq!(seen, [Seen::Flooded(attacker), Seen::Down(attacker)]);
}

/// A member that is alone with one that sends `frames`, packet after packet; says how that ended.
async fn bombarded(seed: u8, pause: Duration, frames: RawFrames) -> (String, Vec<Seen>) {
    let mut member = Member::new(1, 1);
    let (identity, to) = (identity(seed), member.endpoint.local_addr());
    let rude = RudeMember::enter(&identity, &keys(1), to).await.expect("a member");
    assert_eq!(member.next().await, Seen::Up(rude.peer()));
    let bombard = async {
        while rude.send_frames(&frames).await {
            tokio::time::sleep(pause).await;
        }
        rude.end().await
    };
    let ending = timeout(PATIENCE, bombard).await.expect("it was cut off");
    (ending, member.rest().await)
}

#[tokio::test]
async fn frames_that_bring_nothing_cut_their_sender_off() {
    // A hundred packets a second, each with hundreds of them: far below any limit of packets.
    let pause = Duration::from_millis(10);
    let peer = identity(7).peer();
    let floods = [
        RawFrames::full_of(|number| RawFrames::reset_stream(2 + 4 * (number % 4))),
        RawFrames::full_of(|_| RawFrames::streams_blocked(4)),
        RawFrames::full_of(RawFrames::path_challenge),
        RawFrames::full_of(|_| RawFrames::stream(2, 0, b"")),
        RawFrames::full_of(|_| RawFrames::ping()),
    ];
    let running: Vec<_> = floods.map(|frames| tokio::spawn(bombarded(7, pause, frames))).into();
    for task in running {
        let (ending, seen) = task.await.unwrap();
        assert_eq!(seen, [Seen::Flooded(peer), Seen::Down(peer)], "{ending}");
    }
}

#[tokio::test]
async fn one_frame_over_what_quic_was_allowed_ends_the_connection_at_once() {
    let window = u64::from(Config::default().stream_window);
    for (frame, reason) in [
        (RawFrames::stream(2 + 4 * 4, 0, b"a fifth stream"), "stream limit"),
        (RawFrames::stream(2, window, b"7"), "data limits"),
        (RawFrames::crypto(16 << 10, b"7"), "CRYPTO"),
    ] {
        let (ending, seen) = bombarded(7, QUIET, frame).await;
        assert_eq!(seen, [Seen::Down(identity(7).peer())], "{ending}");
        assert!(ending.contains(reason), "{ending}");
    }
}

#[tokio::test]
async fn at_the_limits_of_quic_all_is_borne() {
    let mut member = Member::new(1, 1);
    let to = member.endpoint.local_addr();
    let rude = RudeMember::enter(&identity(7), &keys(1), to).await.expect("a member");
    assert_eq!(member.next().await, Seen::Up(rude.peer()));
    let window = u64::from(Config::default().stream_window);
    for frame in [
        RawFrames::stream(2 + 4 * 3, 0, b"the fourth stream"),
        RawFrames::stream(2, window - 1, b"7"),
        RawFrames::crypto((16 << 10) - 1, b"7"),
    ] {
        assert!(rude.send_frames(&frame).await);
    }
    tokio::time::sleep(QUIET).await;
    assert_eq!(rude.ended(), None);
    assert!(rude.send_datagram(b"still here").await);
    assert_eq!(member.next().await, Seen::Datagram(rude.peer(), Bytes::from_static(b"still here")));
}
