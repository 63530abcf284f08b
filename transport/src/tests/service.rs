//! The carrier of the rendezvous protocol: spec TR-50 to TR-53.

use tokio::sync::mpsc;

use super::*;
use crate::ServiceEvent;

async fn next(events: &mut mpsc::Receiver<ServiceEvent>) -> ServiceEvent {
    timeout(PATIENCE, events.recv()).await.expect("an event in time").expect("the service runs")
}

/// What a client says next, and which.
async fn next_frame(events: &mut mpsc::Receiver<ServiceEvent>) -> (u64, Bytes) {
    match next(events).await {
        ServiceEvent::Frame { id, bytes, .. } => (id, bytes),
        event => panic!("a frame is expected: {event:?}"),
    }
}

fn server() -> (Endpoint, mpsc::Receiver<ServiceEvent>) {
    let endpoint = Endpoint::bind(config(), &identity(50)).unwrap();
    let events = endpoint.serve();
    (endpoint, events)
}

#[tokio::test]
async fn a_client_and_the_service_talk_over_the_sockets_of_the_peers() {
    let (server, mut events) = server();
    let member = Member::new(1, 1);
    let mut consultation = member.endpoint.consult(server.local_addr()).await.unwrap();
    assert_eq!(consultation.server(), server.peer());
    consultation.send(Bytes::from_static(b"who is there")).unwrap();
    let ServiceEvent::Opened { id, peer, address, exporter } = next(&mut events).await else {
        panic!("not opened first")
    };
    assert_eq!((peer, address), (member.peer(), member.endpoint.local_addr()));
    assert_eq!(&exporter, consultation.exporter());
    assert_eq!(next_frame(&mut events).await, (id, Bytes::from_static(b"who is there")));
    server.service_send(id, Bytes::from_static(b"nobody"));
    assert_eq!(consultation.recv().await, Some(Bytes::from_static(b"nobody")));
    consultation.send(Bytes::from_static(b"bye")).unwrap();
    consultation.finish().await;
    assert_eq!(next_frame(&mut events).await, (id, Bytes::from_static(b"bye")));
    assert_eq!(next(&mut events).await, ServiceEvent::Closed { id });
}

#[tokio::test]
async fn a_dismissed_client_gets_the_last_word_and_is_closed() {
    let (server, mut events) = server();
    let member = Member::new(1, 1);
    let mut consultation = member.endpoint.consult(server.local_addr()).await.unwrap();
    consultation.send(Bytes::from_static(b"hello")).unwrap();
    let ServiceEvent::Opened { id, .. } = next(&mut events).await else { panic!("not opened first") };
    server.service_send(id, Bytes::from_static(b"refused"));
    server.service_close(id);
    assert_eq!(consultation.recv().await, Some(Bytes::from_static(b"refused")));
    assert_eq!(consultation.recv().await, None);
    assert_eq!(server.counters().service_clients, 0);
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_the_client() {
    let (server, mut events) = server();
    let member = Member::new(1, 1);
    let mut consultation = member.endpoint.consult(server.local_addr()).await.unwrap();
    consultation.send(Bytes::from(vec![7; 4_096])).unwrap();
    let ServiceEvent::Opened { id, .. } = next(&mut events).await else { panic!("not opened first") };
    assert_eq!(next_frame(&mut events).await, (id, Bytes::from(vec![7; 4_096])));
    consultation.send(Bytes::from(vec![7; 4_097])).unwrap();
    assert_eq!(next(&mut events).await, ServiceEvent::Closed { id });
    assert_eq!(consultation.recv().await, None);
}

#[tokio::test]
async fn who_serves_nothing_is_the_wrong_protocol_and_who_is_absent_is_silent() {
    let member = Member::new(1, 1);
    let other = Member::new(2, 1);
    let error = member.endpoint.consult(other.endpoint.local_addr()).await.unwrap_err();
    assert_eq!(error, DialError::WrongProtocol);
    let quick = Config { dial_timeout: Duration::from_millis(200), ..config() };
    let impatient = Endpoint::bind(quick, &identity(3)).unwrap();
    let silent = std::net::UdpSocket::bind(loopback()).unwrap();
    let error = impatient.consult(silent.local_addr().unwrap()).await.unwrap_err();
    assert_eq!(error, DialError::TimedOut);
}

#[tokio::test]
async fn a_service_that_goes_away_tells_its_clients() {
    let (server, mut events) = server();
    let member = Member::new(1, 1);
    let mut consultation = member.endpoint.consult(server.local_addr()).await.unwrap();
    consultation.send(Bytes::from_static(b"hello")).unwrap();
    assert!(matches!(next(&mut events).await, ServiceEvent::Opened { .. }));
    server.close().await;
    assert_eq!(timeout(PATIENCE, consultation.recv()).await.expect("told in time"), None);
}
