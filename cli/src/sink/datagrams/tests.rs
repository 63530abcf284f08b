use bytes::Bytes;

use super::*;

/// Writes a message of so many packets, and gives the sizes of what arrived.
fn arrived(packet_size: usize, bytes: usize, is_data: bool) -> Vec<usize> {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    receiver.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let mut output = Datagrams::new(socket, receiver.local_addr().expect("bound"), packet_size);
    let pieces = vec![Bytes::from(vec![7; bytes])];
    output.send(&Unit { pieces, is_data, ..Unit::default() }).expect("sent");
    let mut buffer = [0; 65_536];
    std::iter::from_fn(|| receiver.recv(&mut buffer).ok()).collect()
}

#[test]
fn packets_travel_seven_together_and_are_never_cut() {
    assert_eq!(arrived(1_316, 188 * 17, false), [1_316, 1_316, 564]);
    assert_eq!(arrived(400, 188 * 5, false), [376, 376, 188]);
}

#[test]
fn other_bytes_fill_their_datagrams() {
    assert_eq!(arrived(400, 1_000, true), [400, 400, 200]);
}

#[test]
fn that_nobody_listens_is_no_failure() {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let mut output = Datagrams::new(socket, free, 1_316);
    for _ in 0..3 {
        let pieces = vec![Bytes::from_static(&[7; 188])];
        output.send(&Unit { pieces, ..Unit::default() }).expect("a datagram without a reader is only lost");
    }
}
