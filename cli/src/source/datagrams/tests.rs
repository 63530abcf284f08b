use super::*;

const CLIP: &[u8] = include_bytes!("../../../assets/testclip.ts");

/// Two packets in RTP, with these first two bytes, something between and something behind.
fn rtp(first: u8, second: u8, between: &[u8], behind: &[u8]) -> Vec<u8> {
    [&[first, second], &[0; 10][..], between, &CLIP[..376], behind].concat()
}

#[test]
fn packets_are_found_bare_and_in_rtp() {
    assert_eq!(packets(&CLIP[..1_316]), Some(0..1_316));
    assert_eq!(packets(&rtp(0x80, 33, &[], &[])), Some(12..388));
    assert_eq!(packets(&rtp(0x80, 0x80 | 33, &[], &[])), Some(12..388), "the marker says nothing");
    assert_eq!(packets(&rtp(0x82, 33, &[7; 8], &[])), Some(20..396), "two sources");
    assert_eq!(packets(&rtp(0x90, 33, &[9, 9, 0, 1, 7, 7, 7, 7], &[])), Some(20..396), "an extension");
    assert_eq!(packets(&rtp(0xa0, 33, &[], &[0, 0, 3])), Some(12..388), "padding");
}

#[test]
fn anything_else_is_no_packet() {
    assert_eq!(packets(&[]), None);
    assert_eq!(packets(&CLIP[..187]), None, "half a packet");
    assert_eq!(packets(&CLIP[1..189]), None, "without its first byte");
    assert_eq!(packets(&rtp(0x80, 96, &[], &[])), None, "another payload");
    assert_eq!(packets(&rtp(0x40, 33, &[], &[])), None, "another version");
    assert_eq!(packets(&rtp(0xa0, 33, &[], &[255])), None, "padding that is more than there is of it");
    assert_eq!(packets(&[0x80, 33]), None, "a header that is cut");
    assert_eq!(packets(&[0xb0, 33, 0]), None, "a header that is cut");
}

#[test]
fn datagrams_of_others_are_dropped_and_packets_come_out_bare() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let to = socket.local_addr().expect("bound");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let stranger = UdpSocket::bind("127.0.0.2:0").expect("all of 127 is ours");
    let console = Console::new(crate::console::Verbosity::Quiet);
    let from = Some([127, 0, 0, 1].into());
    let mut input = Datagrams::new(socket, &Place::Standard, from, true, console).expect("a socket");
    stranger.send_to(&CLIP[..188], to).expect("sent");
    sender.send_to(b"who is there", to).expect("sent");
    sender.send_to(&rtp(0x80, 33, &[], &[]), to).expect("sent");
    let mut buffer = [0; 2_048];
    let got: Vec<Got> = (0..3).map(|_| input.next(&mut buffer).expect("a socket")).collect();
    assert_eq!(got, [Got::Bytes(0), Got::Bytes(0), Got::Bytes(376)]);
    assert_eq!(buffer[..376], CLIP[..376]);
}
