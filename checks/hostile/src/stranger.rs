use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Sends `per_second` datagrams that are nothing to `to` for `duration`, from a socket that proves nothing; says
/// how many. Half of them begin like QUIC's long header, half like its short one. Blocks; loopback only.
pub fn throw_garbage(to: SocketAddr, per_second: u32, duration: Duration) -> u64 {
    assert!(to.ip().is_loopback(), "loopback only");
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let mut noise = vec![0; 1_200];
    blake3::Hasher::new().update(b"garbage").finalize_xof().fill(&mut noise);
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < duration {
        let due = (begin.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
        while sent < due {
            let number = sent as usize;
            let length = 1 + number * 7 % 1_200;
            noise[0] = if number.is_multiple_of(2) { 0xc3 } else { 0x40 | number as u8 & 0x3f };
            noise[1..9.min(length).max(1)].rotate_left(number % 3);
            // A full buffer is the receiver's business.
            let _ = socket.send_to(&noise[..length], to);
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}
