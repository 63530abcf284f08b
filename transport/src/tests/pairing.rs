//! One connection per pair of peers, whatever happens: spec TR-18, TR-40 to TR-48.

use super::*;
use crate::BindError;
use crate::connection::CloseCode;
use crate::testing::Conditions;

/// Both dial at the same time; each must see one `Up` and nothing else.
async fn glare(round: u8, conditions: Option<Conditions>) {
    let bind = |seed: u8| match conditions {
        None => Endpoint::bind(config(), &identity(seed)).unwrap(),
        Some(conditions) => {
            let conditions = Conditions { seed: u64::from(seed), ..conditions };
            Endpoint::bind_over(config(), &identity(seed), conditions).unwrap()
        }
    };
    let (mut a, mut b) = (Member::on(bind(2 * round), 1), Member::on(bind(2 * round + 1), 1));
    let (a_peer, b_peer) = (a.peer(), b.peer());
    a.dial(&b);
    b.dial(&a);
    assert_eq!((a.next().await, b.next().await), (Seen::Up(b_peer), Seen::Up(a_peer)), "round {round}");
    a.send(b_peer, b"from a");
    b.send(a_peer, b"from b");
    assert_eq!(a.rest().await, [Seen::Control(b_peer, Bytes::from_static(b"from b"))], "round {round}");
    assert_eq!(b.rest().await, [Seen::Control(a_peer, Bytes::from_static(b"from a"))], "round {round}");
    assert_eq!((a.endpoint.counters().connections, b.endpoint.counters().connections), (1, 1));
}

async fn many_glares(conditions: Option<Conditions>) {
    let rounds: Vec<_> = (0..24).map(|round| tokio::spawn(glare(round, conditions))).collect();
    for round in rounds {
        round.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_dial_each_other_get_one_link_that_never_flaps() {
    many_glares(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_flap_when_packets_take_their_time_and_overtake() {
    let (delay, jitter) = (Duration::from_millis(10), Duration::from_millis(20));
    many_glares(Some(Conditions { delay, jitter, ..Conditions::default() })).await;
}

/// Two seeds, the first of which has the smaller peer id.
fn by_id(one: u8, other: u8) -> (u8, u8) {
    if identity(one).peer() < identity(other).peer() { (one, other) } else { (other, one) }
}

#[tokio::test]
async fn the_smaller_answers_no_hello_while_its_own_is_unanswered_and_takes_the_other_if_it_fails() {
    let (smaller, larger) = by_id(1, 2);
    let patience = Duration::from_millis(400);
    let mut member = Member::with(Config { proof_timeout: patience, ..config() }, smaller, 1);
    // spec TR-42, TR-45: the larger one completes the handshake of the dial, and then says nothing on it.
    member.port.dial(identity(larger).peer(), vec![super::raw::silent_listener(larger)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    let mut raw = super::raw::Raw::proven(larger, 1, &member.endpoint).await;
    assert!(started.elapsed() > Duration::from_millis(150), "answered after {:?}", started.elapsed());
    assert_eq!(member.next().await, Seen::Up(identity(larger).peer()));
    assert_eq!(member.rest().await, []);
    raw.send.finish().unwrap();
}

#[tokio::test]
async fn the_larger_answers_a_hello_at_once_whatever_it_has_under_way() {
    let (smaller, larger) = by_id(1, 2);
    let mut member = Member::new(larger, 1);
    member.port.dial(identity(smaller).peer(), vec![super::raw::silent_listener(smaller)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    let _raw = super::raw::Raw::proven(smaller, 1, &member.endpoint).await;
    assert!(started.elapsed() < Duration::from_secs(1), "answered after {:?}", started.elapsed());
    assert_eq!(member.next().await, Seen::Up(identity(smaller).peer()));
}

#[tokio::test]
async fn a_restarted_peer_replaces_its_old_connection() {
    let (mut a, b) = pair(1).await;
    let b_peer = b.peer();
    // The old life is still there and says nothing: what a crash looks like from afar.
    let mut again = Member::new(2, 1);
    again.dial(&a);
    assert_eq!(again.next().await, Seen::Up(a.peer()));
    assert_eq!((a.next().await, a.next().await), (Seen::Down(b_peer), Seen::Up(b_peer)));
    again.send(a.peer(), b"second life");
    assert_eq!(a.next().await, Seen::Control(b_peer, Bytes::from_static(b"second life")));
    assert_eq!(a.endpoint.counters().connections, 1);
    drop(b);
}

#[tokio::test]
async fn a_killed_peer_is_down_after_the_idle_timeout() {
    let impatient = Config {
        idle_timeout: Duration::from_millis(600),
        keep_alive: Duration::from_millis(200),
        ..config()
    };
    let mut a = Member::with(impatient, 1, 1);
    let address = a.endpoint.local_addr();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let victim = runtime.spawn(async move {
        let mut b = Member::new(2, 1);
        b.port.dial(identity(1).peer(), vec![address]);
        assert!(matches!(b.next().await, Seen::Up(_)));
        b
    });
    let b = victim.await.unwrap();
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(a.within(Duration::from_millis(900)).await, None, "keep-alives hold a quiet link");
    runtime.shutdown_background();
    assert_eq!(a.next().await, Seen::Down(b.peer()));
}

#[tokio::test]
async fn closing_lets_what_is_queued_arrive_first() {
    let (a, mut b) = pair(1).await;
    let a_peer = a.peer();
    for n in 0..100 {
        a.send(b.peer(), &[n; 2_000]);
    }
    a.endpoint.close().await;
    for n in 0..100 {
        assert_eq!(b.next().await, Seen::Control(a_peer, Bytes::from(vec![n; 2_000])));
    }
    assert_eq!(b.next().await, Seen::Down(a_peer));
}

#[tokio::test]
async fn a_goodbye_sent_just_before_disconnecting_arrives() {
    let (mut a, mut b) = pair(1).await;
    let (a_peer, b_peer) = (a.peer(), b.peer());
    a.send(b_peer, b"goodbye");
    a.port.disconnect(b_peer);
    assert_eq!(b.next().await, Seen::Control(a_peer, Bytes::from_static(b"goodbye")));
    assert_eq!((a.next().await, b.next().await), (Seen::Down(b_peer), Seen::Down(a_peer)));
    // And they may meet again at once.
    b.dial(&a);
    assert_eq!((a.next().await, b.next().await), (Seen::Up(b_peer), Seen::Up(a_peer)));
    assert_eq!((a.rest().await, b.rest().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_dial_right_after_a_disconnect_is_not_lost() {
    let (mut a, mut b) = pair(1).await;
    let (a_peer, b_peer) = (a.peer(), b.peer());
    a.port.disconnect(b_peer);
    a.dial(&b);
    assert_eq!((a.next().await, a.next().await), (Seen::Down(b_peer), Seen::Up(b_peer)));
    assert_eq!((b.next().await, b.next().await), (Seen::Down(a_peer), Seen::Up(a_peer)));
    a.send(b_peer, b"again");
    assert_eq!(b.next().await, Seen::Control(a_peer, Bytes::from_static(b"again")));
}

#[tokio::test]
async fn strangers_leave_room_for_our_own_dials() {
    let mut a = Member::with(Config { max_connections: 2, max_strangers: 1, ..config() }, 1, 1);
    let stranger = super::raw::Raw::greeted(7, &a.endpoint).await;
    let turned_away = super::raw::Raw::new(8, &a.endpoint).await;
    assert!(turned_away.is_closed_with(CloseCode::Busy).await);
    let b = Member::new(2, 1);
    a.dial(&b);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    drop(stranger);
}

#[tokio::test]
async fn a_dead_address_costs_little_when_another_lives() {
    let (mut a, b) = (Member::new(1, 1), Member::new(2, 1));
    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    let started = Instant::now();
    a.port.dial(b.peer(), vec![silent.local_addr().unwrap(), b.endpoint.local_addr()]);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn addresses_told_later_are_tried_as_well() {
    let (mut a, b) = (Member::new(1, 1), Member::new(2, 1));
    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    a.port.dial(b.peer(), vec![silent.local_addr().unwrap()]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    a.dial(&b);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
}

#[tokio::test]
async fn a_dial_fails_once_with_the_most_telling_reason() {
    let quick = Config { attempt_timeout: Duration::from_millis(300), ..config() };
    let (mut a, b) = (Member::with(quick, 1, 1), Member::new(2, 1));
    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    let silent_address = silent.local_addr().unwrap();
    let wanted = identity(9).peer();
    a.port.dial(wanted, vec![silent_address]);
    assert_eq!(a.next().await, Seen::DialFailed(wanted, DialError::TimedOut));
    a.port.dial(wanted, vec![silent_address, b.endpoint.local_addr()]);
    assert_eq!(a.next().await, Seen::DialFailed(wanted, DialError::WrongPeer));
    a.port.dial(wanted, vec!["0.0.0.0:0".parse().unwrap()]);
    assert_eq!(a.next().await, Seen::DialFailed(wanted, DialError::NoAddress));
    a.port.dial(a.peer(), vec![silent_address]);
    assert_eq!(a.next().await, Seen::DialFailed(a.peer(), DialError::Oneself));
    a.port.dial(wanted, vec![silent_address]);
    a.port.disconnect(wanted);
    assert_eq!(a.next().await, Seen::DialFailed(wanted, DialError::Cancelled));
    assert_eq!(a.rest().await, []);
}

#[tokio::test]
async fn a_connection_above_the_limit_is_turned_away() {
    let mut a = Member::with(Config { max_connections: 1, ..config() }, 1, 1);
    let (mut b, mut c) = (Member::new(2, 1), Member::new(3, 1));
    b.dial(&a);
    assert_eq!(a.next().await, Seen::Up(b.peer()));
    assert_eq!(b.next().await, Seen::Up(a.peer()));
    c.dial(&a);
    assert_eq!(c.next().await, Seen::DialFailed(a.peer(), DialError::TooMany));
    a.dial(&c);
    assert_eq!(a.next().await, Seen::DialFailed(c.peer(), DialError::TooMany));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let endpoint = Endpoint::bind(config(), &identity(1)).unwrap();
    let address = endpoint.local_addr();
    let error = Endpoint::bind(Config::listen_on(address), &identity(2)).unwrap_err();
    assert!(matches!(error, BindError::PortInUse { .. }));
    assert_eq!(error.to_string(), format!("udp port is in use: {address}"));
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    let error = Endpoint::bind(Config::listen_on("192.0.2.7:0".parse().unwrap()), &identity(1)).unwrap_err();
    assert_eq!(error.to_string(), "no such local address: 192.0.2.7:0");
}

#[tokio::test]
async fn a_closed_port_can_be_bound_again() {
    let endpoint = Endpoint::bind(config(), &identity(1)).unwrap();
    let address = endpoint.local_addr();
    endpoint.close().await;
    drop(endpoint);
    let reopened = async {
        while Endpoint::bind(Config::listen_on(address), &identity(1)).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, reopened).await.expect("the socket was let go");
}
