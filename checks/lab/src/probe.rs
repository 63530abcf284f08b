//! Counted packets from one host to another: shows that a path is what was asked for.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use crate::network::Host;
use crate::stamp;
use crate::trouble::Trouble;

/// Bytes of UDP payload in each packet.
const BYTES: usize = 1_000;
/// How long the receiver waits for one more.
const PATIENCE: Duration = Duration::from_secs(2);
const PORT: u16 = 7_000;
/// All packets of a probe fit into the receiver's buffer: a receiver that a busy machine holds up loses none.
const BUFFER_BYTES: usize = 32 << 20;

/// What came of the packets that were sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Probe {
    /// Packets sent.
    pub sent: u64,
    /// Different packets that came.
    pub arrived: u64,
    /// Packets that came again.
    pub doubled: u64,
    /// Packets that came after a later one.
    pub overtaken: u64,
    /// Packets that were altered, their checksum notwithstanding.
    pub altered: u64,
    /// Delays in milliseconds, in order of arrival.
    pub delays_ms: Vec<u64>,
    /// How many were lost in a row, each time.
    pub losses: Vec<u64>,
    /// From the first packet that came to the last.
    pub took: Duration,
}

impl Probe {
    /// So many of 1,000 did not come.
    pub fn lost_per_mille(&self) -> u64 {
        (self.sent - self.arrived - self.altered) * 1_000 / self.sent.max(1)
    }

    /// The delay that so many of 1,000 packets do not exceed.
    pub fn delay_ms(&self, per_mille: usize) -> u64 {
        let mut sorted = self.delays_ms.clone();
        sorted.sort_unstable();
        sorted[((sorted.len() - 1) * per_mille).div_ceil(1_000)]
    }
}

/// Sends `count` packets, `pace` apart, and sees what comes of them.
pub fn probe(from: &Host, to: &Host, count: u64, pace: Duration) -> Result<Probe, Trouble> {
    let bind = |host: &Host, port| {
        let bound = host.inside(|| UdpSocket::bind((host.address(), port)))?;
        bound.map_err(Trouble::of("cannot open a socket for a probe"))
    };
    let (sender, receiver) = (bind(from, 0)?, bind(to, PORT)?);
    let target = (to.address(), PORT);
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&receiver, BUFFER_BYTES)
        .map_err(Trouble::of("cannot widen a probe's buffer"))?;
    receiver.set_read_timeout(Some(PATIENCE)).map_err(Trouble::of("cannot wait for probes"))?;
    let heard = std::thread::scope(|scope| {
        let listening = scope.spawn(|| listen(&receiver, count));
        let began = crate::since_boot();
        for number in 0..count {
            let due = began + pace * u32::try_from(number).unwrap_or(u32::MAX);
            std::thread::sleep(due.saturating_sub(crate::since_boot()));
            // A packet that cannot be sent shows as one that is lost.
            let _ = sender.send_to(&stamp::stamped(number, crate::since_boot(), BYTES), target);
        }
        listening.join().expect("listening does not panic")
    });
    Ok(heard)
}

fn listen(socket: &UdpSocket, sent: u64) -> Probe {
    let mut probe = Probe { sent, ..Probe::default() };
    let (mut seen, mut last) = (BTreeSet::new(), None);
    let mut began = None;
    let mut buffer = [0; 2 * BYTES];
    while let Ok(length) = socket.recv(&mut buffer) {
        let Some((number, sent_at)) = stamp::read(&buffer[..length]) else {
            probe.altered += 1;
            continue;
        };
        if !seen.insert(number) {
            probe.doubled += 1;
            continue;
        }
        probe.arrived += 1;
        let now = crate::since_boot();
        probe.took = now - *began.get_or_insert(now);
        probe.overtaken += u64::from(last > Some(number));
        last = last.max(Some(number));
        probe.delays_ms.push(now.saturating_sub(sent_at).as_millis() as u64);
    }
    let all: Vec<u64> = seen.into_iter().collect();
    probe.losses = all.windows(2).map(|pair| pair[1] - pair[0] - 1).filter(|lost| *lost > 0).collect();
    probe
}
