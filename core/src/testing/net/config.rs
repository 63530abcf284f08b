use std::time::Duration;

use crate::{Delivery, PeerId, Time};

/// What the made-up network does to messages.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// Shortest and longest one-way latency; each pair of nodes has one of its own for good. 10 to 50 ms, as between homes
    /// of one continent.
    pub latency: (Duration, Duration),
    /// Added to each message, from nothing to this: datagrams overtake each other, control waits its turn. None.
    pub jitter: Duration,
    /// Datagrams lost, out of 1,000. None.
    pub lost_per_mille: u64,
    /// Datagrams that arrive twice, out of 1,000. None.
    pub doubled_per_mille: u64,
    /// How long a link to a killed or cut-off node looks alive. 10 s, about what QUIC is given.
    pub idle_timeout: Duration,
    /// How long a dial to nobody lasts. 5 s.
    pub dial_timeout: Duration,
    /// Largest datagram that a machine may send; a larger one fails the test. 1,162 bytes less the group tag.
    pub live_bytes_limit: usize,
    /// Largest control message that a machine may send; a larger one fails the test. 64 KiB less the group tag.
    pub control_bytes_limit: usize,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            latency: (Duration::from_millis(10), Duration::from_millis(50)),
            jitter: Duration::ZERO,
            lost_per_mille: 0,
            doubled_per_mille: 0,
            idle_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(5),
            live_bytes_limit: 1_162 - 4,
            control_bytes_limit: 65_536 - 4,
        }
    }
}

impl NetConfig {
    /// The default with one latency for every pair, so that traces have round numbers.
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency: (latency, latency), ..Self::default() }
    }
}

/// A message on its way out, as a tap sees it.
#[derive(Debug)]
pub struct Passing<'a, Msg> {
    /// When it is sent.
    pub at: Time,
    /// Who sends it.
    pub from: PeerId,
    /// Who should get it.
    pub to: PeerId,
    /// What it says.
    pub message: &'a Msg,
    /// How it travels.
    pub how: Delivery,
}

/// What a tap decides about a message.
#[derive(Clone, Debug)]
pub enum Fate<Msg> {
    /// It goes on.
    Pass,
    /// It is lost, even if it was control.
    Drop,
    /// Another goes on in its place.
    Replace(Msg),
}

/// What one node sent and received, in messages and their encoded bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Bytes handed to the network.
    pub sent_bytes: u64,
    /// Messages handed to the network.
    pub sent_count: u64,
    /// Bytes that arrived.
    pub received_bytes: u64,
    /// Messages that arrived.
    pub received_count: u64,
}
