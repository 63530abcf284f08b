//! Carries what hosts send: late, twice, in another order, damaged, or not at all.
//!
//! One thread for all hosts. A packet costs it a read and a write; ten thousand a second are a tenth of a core.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use stratus_core::Rng;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

use crate::namespace::Namespace;
use crate::packet;
use crate::path::Path;
use crate::trouble::Trouble;

/// Longest packet; jumbo frames do not occur.
const PACKET_BYTES: usize = 2_048;
/// Packets taken at once before those that are due go out.
const BATCH: usize = 64;
/// How finely sent bytes are counted.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// What one host sends, and what shall happen to it.
pub(crate) struct Lane<'a> {
    pub(crate) host: usize,
    pub(crate) namespace: &'a Namespace,
    pub(crate) interface: &'static str,
    pub(crate) path: Path,
}

/// What happened to what one host sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Packets it sent.
    pub packets: u64,
    /// Their bytes, IP headers included.
    pub bytes: u64,
    /// Packets lost in bursts.
    pub lost: u64,
    /// Packets that came twice.
    pub doubled: u64,
    /// Packets with a changed bit.
    pub changed: u64,
    /// Packets that the kernel would not take back.
    pub refused: u64,
    /// How much later than planned the latest packet left.
    pub most_late: Duration,
    /// Bytes sent in each tick of 10 ms since the lab was built.
    pub ticks: Vec<u64>,
}

impl Tally {
    /// Most bytes sent in any second, to the tick.
    pub fn fullest_second(&self) -> u64 {
        let ticks = (Duration::from_secs(1).as_millis() / TICK.as_millis()) as usize;
        self.ticks.windows(ticks).map(|window| window.iter().sum()).max().unwrap_or(self.bytes)
    }
}

/// What all carriers share.
#[derive(Debug)]
struct Shared {
    tallies: Vec<Tally>,
    /// What is left of the present burst of losses, by receiver.
    bursts: BTreeMap<Ipv4Addr, u64>,
}

/// The thread that carries packets. It ends on drop.
#[derive(Debug)]
pub(crate) struct Forwarder {
    shared: Arc<Mutex<Shared>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Takes over the interfaces of the lanes, in the namespaces of `hosts` hosts.
    pub(crate) fn start(lanes: Vec<Lane<'_>>, hosts: usize) -> Result<Self, Trouble> {
        let built = Builder::new_current_thread().enable_all().build();
        let runtime = built.map_err(Trouble::of("cannot start the forwarder"))?;
        let shared = Shared { tallies: vec![Tally::default(); hosts], bursts: BTreeMap::new() };
        let shared = Arc::new(Mutex::new(shared));
        let began = Instant::now();
        for lane in lanes {
            let tun = open(&runtime, &lane)?;
            let carrier = Carrier {
                host: lane.host,
                path: lane.path,
                rng: Rng::from_seed(lane.host as u64),
                queue: BinaryHeap::new(),
                last_due: began,
                count: 0,
                shared: shared.clone(),
                began,
            };
            runtime.spawn(carrier.run(tun));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("forwarder".into()).spawn(move || {
            // Dropping the other end ends it as well.
            let _ = runtime.block_on(stopped);
        });
        let thread = thread.map_err(Trouble::of("cannot start the forwarder"))?;
        Ok(Self { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// What happened to what this host sent.
    pub(crate) fn tally(&self, host: usize) -> Tally {
        lock(&self.shared).tallies[host].clone()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed, and shows as packets that never came.
            let _ = thread.join();
        }
    }
}

fn open(runtime: &Runtime, lane: &Lane<'_>) -> Result<Tun, Trouble> {
    let opened = lane.namespace.inside(|| {
        let _within = runtime.enter();
        Tun::builder().name(lane.interface).build()
    })?;
    let hint = "the lab needs /dev/net/tun";
    let mut queues =
        opened.map_err(|error| Trouble::new("cannot open a tun device").tried(error).hint(hint))?;
    queues.pop().ok_or_else(|| Trouble::new("a tun device without a queue").hint(hint))
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries what one host sends.
struct Carrier {
    host: usize,
    path: Path,
    rng: Rng,
    queue: BinaryHeap<Reverse<Waiting>>,
    last_due: Instant,
    count: u64,
    shared: Arc<Mutex<Shared>>,
    began: Instant,
}

/// A packet on its way. The earliest goes first, and of equals the one that came first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    due: Instant,
    number: u64,
    packet: Vec<u8>,
}

impl Carrier {
    async fn run(mut self, tun: Tun) {
        let mut buffer = [0; PACKET_BYTES];
        loop {
            let due = self.queue.peek().map(|Reverse(waiting)| waiting.due);
            let next = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = next => self.deliver(&tun),
                received = tun.recv(&mut buffer) => match received {
                    Ok(length) => self.take(&tun, &mut buffer, length),
                    // The namespace is gone, and the lab with it.
                    Err(_) => return,
                },
            }
        }
    }

    fn take(&mut self, tun: &Tun, buffer: &mut [u8], first: usize) {
        let now = Instant::now();
        self.admit(&buffer[..first], now);
        for _ in 1..BATCH {
            let Ok(length) = tun.try_recv(buffer) else { return };
            self.admit(&buffer[..length], now);
        }
    }

    fn admit(&mut self, packet: &[u8], now: Instant) {
        let Some(udp) = packet::udp(packet) else { return };
        let fate = {
            let mut shared = lock(&self.shared);
            let burst = shared.bursts.entry(udp.to).or_default();
            let fate = self.path.fate(udp.payload.len(), burst, &mut self.rng);
            let tally = &mut shared.tallies[self.host];
            let tick = ((now - self.began).as_millis() / TICK.as_millis()) as usize;
            if tally.ticks.len() <= tick {
                tally.ticks.resize(tick + 1, 0);
            }
            tally.ticks[tick] += packet.len() as u64;
            tally.packets += 1;
            tally.bytes += packet.len() as u64;
            tally.lost += u64::from(fate.is_lost);
            if fate.is_lost {
                return;
            }
            tally.doubled += u64::from(fate.is_doubled);
            tally.changed += u64::from(fate.changed_bit.is_some());
            fate
        };
        let mut packet = packet.to_vec();
        if let Some(bit) = fate.changed_bit {
            packet::change(&mut packet, bit);
        }
        let mut due = now + self.path.delay + fate.extra;
        if self.path.reorder.is_zero() {
            due = due.max(self.last_due);
            self.last_due = due;
        }
        if fate.is_doubled {
            self.push(due, packet.clone());
        }
        self.push(due, packet);
    }

    fn push(&mut self, due: Instant, packet: Vec<u8>) {
        self.count += 1;
        self.queue.push(Reverse(Waiting { due, number: self.count, packet }));
    }

    fn deliver(&mut self, tun: &Tun) {
        let now = Instant::now();
        let (mut refused, mut most_late) = (0, Duration::ZERO);
        while let Some(Reverse(waiting)) = self.queue.peek()
            && waiting.due <= now
        {
            most_late = most_late.max(now - waiting.due);
            refused += u64::from(tun.try_send(&waiting.packet).is_err());
            self.queue.pop();
        }
        let tally = &mut lock(&self.shared).tallies[self.host];
        tally.refused += refused;
        tally.most_late = tally.most_late.max(most_late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_second_is_found_wherever_it_begins() {
        let mut ticks = vec![10; 300];
        ticks[150..250].fill(70);
        let tally = Tally { ticks, ..Tally::default() };
        assert_eq!(tally.fullest_second(), 7_000);
    }
}
