use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::time::{Sleep, sleep_until};

use crate::connection::lock;

/// IPv4 or IPv6 and UDP headers of one packet.
const HEADERS: [u64; 2] = [28, 48];
/// The largest packet, headers included.
const PACKET: u64 = 1_248;

/// A socket that never sends more than an upload limit allows: whatever leaves is counted here, with every header,
/// handshakes, acknowledgements and retransmissions included. Spec TR-27.
///
/// The [`Budget`](crate::budget::Budget) above decides what goes first and normally leaves nothing to be held
/// back; this is the promise behind it. Segmentation offload is off, so a train costs a call for each datagram.
pub(crate) struct MeteredSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    meter: Arc<Mutex<Meter>>,
}

/// Tokens in wire bytes. Whoever finds some may send one packet and leave a debt of less than that packet.
#[derive(Debug)]
struct Meter {
    rate: u64,
    most: i64,
    tokens: i64,
    filled_at: Instant,
}

/// The rate and the burst that together stay within a hundredth of `limit` in any second, the debt of one packet
/// included.
fn plan(limit: u64) -> (u64, u64) {
    // A timer's error must not set the rate: a packet, or what passes in 5 ms.
    let burst = PACKET.max(limit / 200);
    let rate = (limit + limit / 100).saturating_sub(burst + PACKET);
    (rate.clamp(limit / 2, limit), burst)
}

/// What can be sent in the long run under `limit`: what those above should plan with.
pub(crate) fn sustained(limit: u64) -> u64 {
    plan(limit).0
}

impl Meter {
    fn new(limit: u64, now: Instant) -> Self {
        let (rate, burst) = plan(limit);
        let most = i64::try_from(burst).unwrap_or(i64::MAX);
        Self { rate, most, tokens: most, filled_at: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_micros();
        let earned = u64::try_from(passed * u128::from(self.rate) / 1_000_000).unwrap_or(u64::MAX);
        // The moment moves only when something was earned, or rounding would eat slow limits.
        if earned > 0 {
            self.tokens = self.tokens.saturating_add_unsigned(earned).min(self.most);
            self.filled_at = now;
        }
    }

    fn try_take(&mut self, bytes: u64, now: Instant) -> bool {
        self.fill(now);
        let is_free = self.tokens > 0;
        if is_free {
            self.tokens = self.tokens.saturating_sub_unsigned(bytes);
        }
        is_free
    }

    /// How long until something may be sent.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.fill(now);
        let missing = u64::try_from(1 - self.tokens).ok().filter(|missing| *missing > 0)?;
        Some(Duration::from_micros(missing * 1_000_000 / self.rate + 1))
    }
}

impl MeteredSocket {
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>, limit: u64) -> Self {
        Self { inner, meter: Arc::new(Mutex::new(Meter::new(limit, Instant::now()))) }
    }
}

/// What a transmit weighs on the wire.
pub(crate) fn wire_bytes(transmit: &Transmit<'_>) -> u64 {
    let length = transmit.contents.len();
    let packets = length.div_ceil(transmit.segment_size.unwrap_or(length).max(1)).max(1) as u64;
    length as u64 + packets * HEADERS[usize::from(transmit.destination.ip().to_canonical().is_ipv6())]
}

impl AsyncUdpSocket for MeteredSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        let inner = self.inner.clone().create_io_poller();
        Box::pin(MeteredPoller { inner, meter: self.meter.clone(), alarm: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut meter = lock(&self.meter);
        let bytes = wire_bytes(transmit);
        if !meter.try_take(bytes, Instant::now()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let sent = self.inner.try_send(transmit);
        if sent.is_err() {
            meter.tokens = meter.tokens.saturating_add_unsigned(bytes);
        }
        sent
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

    fn max_transmit_segments(&self) -> usize {
        1
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl fmt::Debug for MeteredSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeteredSocket({:?})", lock(&self.meter))
    }
}

/// Wakes one connection when the meter lets something pass.
#[derive(Debug)]
struct MeteredPoller {
    inner: Pin<Box<dyn UdpPoller>>,
    meter: Arc<Mutex<Meter>>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl UdpPoller for MeteredPoller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let wait = lock(&self.meter).wait(Instant::now());
            let Some(wait) = wait else { return self.inner.as_mut().poll_writable(cx) };
            let due = tokio::time::Instant::now() + wait;
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            alarm.as_mut().reset(due);
            ready!(alarm.as_mut().poll(cx));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that leaves in any second when there is always something to send, over ten seconds.
    fn fullest_second(limit: u64, packet: u64) -> (u64, u64) {
        let start = Instant::now();
        let mut meter = Meter::new(limit, start);
        // Bytes that had left before each tick.
        let mut before: Vec<u64> = vec![0];
        for tick in 0..20_000 {
            let now = start + Duration::from_micros(500) * tick;
            let mut sent = before[before.len() - 1];
            // A burst after each pause as well.
            while tick % 6_000 < 5_000 && meter.try_take(packet, now) {
                sent += packet;
            }
            before.push(sent);
        }
        let second = |from: usize| before[(from + 2_000).min(20_000)] - before[from];
        let fullest = (0..20_000).map(second).max().expect("there are ticks");
        (fullest, second(2_000))
    }

    #[test]
    fn no_second_exceeds_the_limit_by_more_than_a_hundredth() {
        for limit in [20_000, 37_500, 250_000, 1_000_000, 12_500_000] {
            for packet in [100, 1_228, PACKET] {
                let (fullest, usual) = fullest_second(limit, packet);
                assert!(fullest <= limit + limit / 100, "{fullest} of {limit} in packets of {packet}");
                assert!(usual >= sustained(limit) * 9 / 10, "only {usual} of {limit} in packets of {packet}");
            }
        }
    }

    #[test]
    fn an_empty_meter_says_when_to_come_back() {
        let start = Instant::now();
        let mut meter = Meter::new(1_000_000, start);
        while meter.try_take(1_228, start) {}
        let wait = meter.wait(start).expect("nothing may be sent");
        assert!(!meter.try_take(1_228, start + wait / 2));
        assert!(meter.wait(start + wait).is_none());
        assert!(meter.try_take(1_228, start + wait));
    }
}
