//! The upload limit, as the wire sees it: spec TR-27.

use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::*;
use crate::connection::lock;
use crate::meter::wire_bytes;

/// A socket that notes when how much left it.
#[derive(Debug)]
struct Recorder {
    inner: Arc<dyn AsyncUdpSocket>,
    sent: Arc<Mutex<Vec<(Instant, u64)>>>,
}

impl AsyncUdpSocket for Recorder {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        lock(&self.sent).push((Instant::now(), wire_bytes(transmit)));
        self.inner.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

#[tokio::test]
async fn no_second_carries_more_than_the_limit_whatever_is_sent() {
    const LIMIT: u64 = 200_000;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let limited = Config { max_upload: Some(LIMIT), ..config() };
    let recorder = |inner| -> Arc<dyn AsyncUdpSocket> { Arc::new(Recorder { inner, sent: sent.clone() }) };
    let mut a = Member::on(Endpoint::bind_wrapped(limited, &identity(1), recorder).unwrap(), 1);
    // Handshakes at both ends, control in long frames, datagrams of each size: far more than fits.
    let mut others = Vec::new();
    for seed in 2..6 {
        let mut other = Member::new(seed, 1);
        other.dial(&a);
        assert_eq!(a.next().await, Seen::Up(other.peer()));
        assert_eq!(other.next().await, Seen::Up(a.peer()));
        others.push(other);
    }
    let peers: Vec<PeerId> = others.iter().map(Member::peer).collect();
    let begin = Instant::now();
    let mut round = 0;
    while begin.elapsed() < Duration::from_millis(3_200) {
        for peer in &peers {
            a.send(*peer, &[7; 3_000]);
            for length in [50, 700, 1_128] {
                a.send_live(*peer, &vec![3; length]);
            }
        }
        round += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let sent = lock(&sent).clone();
    let second = |from: Instant| {
        let within = sent.iter().filter(|(at, _)| *at >= from && *at < from + Duration::from_secs(1));
        within.map(|(_, bytes)| bytes).sum::<u64>()
    };
    let fullest = sent.iter().map(|(at, _)| second(*at)).max().expect("something was sent");
    // One packet may be noted late, when the thread is interrupted between the meter and the note.
    assert!(fullest <= LIMIT + LIMIT / 100 + 1_248, "{fullest} bytes in one second, {round} rounds");
    assert!(fullest >= LIMIT * 9 / 10, "{fullest}: the limit was not even reached");
}
