//! Who decides how much may be in flight: our own controller against the QUIC library's, over a lossy path.
//!
//! `cargo run --release -p stratus-transport --features testing --example congestion`
//!
//! One link, 30 ms each way, runs of four full fragments at a constant rate, loss in both directions. Prints one
//! line per path and rate: delivered in percent, then the delay's median and 99th percentile in milliseconds.

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use stratus_core::{Identity, Priority};
use stratus_groupspec::{GroupKeys, GroupSpecifier};
use stratus_transport::testing::Conditions;
use stratus_transport::{Config, Congestion, Endpoint, GroupPort, Link, LinkEvent};

const FRAGMENT_BYTES: usize = 1_128;
const RUN: u32 = 4;
const LENGTH: Duration = Duration::from_secs(8);
/// A fragment is worth nothing after the window.
const WORTH: Duration = Duration::from_secs(8);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "loss  Mbit/s   cubic                 bbr                   live")?;
    for (loss_per_mille, kilobits) in
        [(0, 2_500), (10, 600), (10, 2_500), (50, 600), (50, 2_500), (100, 2_500)]
    {
        let measure = |congestion| tokio::spawn(measure(congestion, loss_per_mille, kilobits));
        let (cubic, bbr, live) =
            (measure(Congestion::Cubic), measure(Congestion::Bbr), measure(Congestion::Live));
        let (cubic, bbr, live) = (cubic.await??, bbr.await??, live.await??);
        let (loss, rate) = (loss_per_mille / 10, f64::from(kilobits) / 1_000.0);
        writeln!(stdout, "{loss:>3}%  {rate:>6.1}   {cubic}   {bbr}   {live}")?;
    }
    Ok(())
}

/// Sends for a while and says how it went.
async fn measure(congestion: Congestion, loss_per_mille: u32, kilobits: u32) -> Result<String> {
    let path = Conditions { loss_per_mille, delay: Duration::from_millis(30), ..Conditions::default() };
    let keys = GroupSpecifier::unnamed([1; 32]).build().keys();
    let (_a, mut a_port) = join(1, congestion, path, &keys)?;
    let (b, mut b_port) = join(2, congestion, path, &keys)?;
    a_port.dial(b.peer(), vec![b.local_addr()]);
    let link = first_link(&mut a_port).await.ok_or("the link did not come up")?;
    first_link(&mut b_port).await.ok_or("the link did not come up")?;
    let start = Instant::now();
    let receiving = tokio::spawn(receive(b_port, start));
    let sent = send(&a_port, &link, kilobits, start).await;
    let mut delays = receiving.await?;
    delays.sort_unstable();
    let at = |share: usize| delays.get((delays.len() * share / 100).min(delays.len().saturating_sub(1)));
    let (median, p99) = (at(50).copied().unwrap_or_default(), at(99).copied().unwrap_or_default());
    let delivered = delays.len() as f64 * 100.0 / f64::from(sent.max(1));
    Ok(format!("{delivered:>5.1}% {:>5} {:>5} ms", median.as_millis(), p99.as_millis()))
}

fn join(
    seed: u8,
    congestion: Congestion,
    path: Conditions,
    keys: &GroupKeys,
) -> Result<(Endpoint, GroupPort)> {
    let config = Config { congestion, ..Config::listen_on((Ipv4Addr::LOCALHOST, 0).into()) };
    let path = Conditions { seed: u64::from(seed), ..path };
    let endpoint = Endpoint::bind_over(config, &Identity::from_seed([seed; 32]), path)?;
    let port = endpoint.join(keys.clone())?;
    Ok((endpoint, port))
}

async fn first_link(port: &mut GroupPort) -> Option<Link> {
    let mut events = Vec::new();
    port.recv_many(&mut events, 1).await;
    match events.pop()? {
        LinkEvent::Up { link, .. } => Some(link),
        _ => None,
    }
}

/// Sends runs of full fragments that carry the moment of sending.
async fn send(port: &GroupPort, link: &Link, kilobits: u32, start: Instant) -> u32 {
    let run_bits = f64::from(RUN) * FRAGMENT_BYTES as f64 * 8.0;
    let mut clock =
        tokio::time::interval(Duration::from_secs_f64(run_bits / (f64::from(kilobits) * 1_000.0)));
    let mut sent = 0;
    while start.elapsed() < LENGTH {
        clock.tick().await;
        for _ in 0..RUN {
            let mut fragment = vec![0; FRAGMENT_BYTES];
            fragment[..8].copy_from_slice(&(start.elapsed().as_micros() as u64).to_be_bytes());
            link.send_live(&port.packet_from(&fragment), Instant::now() + WORTH, Priority::Push);
            sent += 1;
        }
    }
    sent
}

/// How late each fragment came.
async fn receive(mut port: GroupPort, start: Instant) -> Vec<Duration> {
    let mut delays = Vec::new();
    let mut events = Vec::new();
    let end = tokio::time::Instant::from_std(start + LENGTH + Duration::from_secs(1));
    while let Ok(1..) = tokio::time::timeout_at(end, port.recv_many(&mut events, 64)).await {
        for event in events.drain(..) {
            let LinkEvent::Datagram { bytes, .. } = event else { continue };
            let Some(sent) = bytes.first_chunk::<8>() else { continue };
            let sent = Duration::from_micros(u64::from_be_bytes(*sent));
            delays.push(start.elapsed().saturating_sub(sent));
        }
    }
    delays
}
