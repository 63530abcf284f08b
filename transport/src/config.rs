use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What an endpoint may use, and how patient it is.
///
/// Every bound is explicit, because the QUIC library's own defaults are made for one trusted server, not for
/// hundreds of strangers: its receive window, for one, has no limit.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the one UDP socket listens. Port 0 lets the system choose. Default: any IPv4 address, any port.
    pub listen: SocketAddr,
    /// Upload budget of the whole endpoint in wire bytes per second; what is over it waits in the queues, by
    /// priority and fair over the links. `None` (default): the links send as fast as their paths take it.
    pub max_upload: Option<u64>,
    /// Peer connections at once, both directions. Each costs up to about 3 MiB when it is abused, 40 KiB idle.
    /// Default 512.
    pub max_connections: usize,
    /// Connections of those who dialled us and have proven no group yet, out of `max_connections`. Fewer leave
    /// more room for our own dials under attack, and make a crowd of newcomers try again. Default 128.
    pub max_strangers: usize,
    /// Connections to the rendezvous service at once, when this endpoint serves one. Default 8,192.
    pub max_service_connections: usize,
    /// Groups joined at once. Proofs are tried against each, so it bounds work per stranger. Default 64.
    pub max_groups: usize,
    /// Handshakes of strangers at once; above it their packets are dropped, and they try again. Default 128.
    pub max_handshakes: usize,
    /// Handshakes above which a stranger first has to show that it receives at its address. Default 64.
    pub retry_above: usize,
    /// Handshakes at once from one IP address. Default 64: a household or a test bench behind one address.
    pub max_handshakes_per_address: usize,
    /// Peers dialled at once. Default 64.
    pub max_dials: usize,
    /// Candidate addresses of one peer that are tried; the rest is ignored. Default 24.
    pub max_candidates: usize,
    /// Attempts to one peer that may be under way together. Default 6.
    pub attempts_at_once: usize,
    /// Pause before the next candidate is tried while earlier ones are silent. Shorter joins faster where the
    /// first address is dead, longer sends fewer needless handshakes. Default 100 ms.
    pub attempt_interval: Duration,
    /// How long one attempt may take. Default 3 s: the fourth Initial leaves after 2.1 s.
    pub attempt_timeout: Duration,
    /// How long a whole dial may take. Default 8 s.
    pub dial_timeout: Duration,
    /// How long a connection may live without a proven group, and how long a greeting may stay unanswered.
    /// Default 5 s.
    pub proof_timeout: Duration,
    /// How long closing waits for queued control messages to arrive. Default 1 s.
    pub drain_timeout: Duration,
    /// Assumed round trip before the first measurement; a lost first packet costs three times this.
    /// Default 100 ms, the library's own is 333.
    pub initial_rtt: Duration,
    /// A quiet connection sends something this often, which also keeps NAT bindings. Default 8 s.
    pub keep_alive: Duration,
    /// A connection from which nothing came for so long is dead. Default 20 s.
    pub idle_timeout: Duration,
    /// Largest control frame. A longer one is a protocol violation. Default 64 KiB.
    pub control_frame_bytes: usize,
    /// Control frames of one connection that may wait to be sent; a neighbor that is so far behind is told by
    /// `Full`. Default 512.
    pub control_queue_frames: usize,
    /// Bytes of datagrams of one link that may wait in our own queue. Default 512 KiB: 1.6 s at 2.5 Mbit/s.
    pub live_queue_bytes: usize,
    /// Events that may wait for the owner of a group. Beyond it datagrams are dropped and counted, control
    /// waits. Default 8,192: 9 MB of full datagrams at most.
    pub inbound_events: usize,
    /// Datagrams of one connection among them; what is over is dropped and counted, so that no neighbor alone can
    /// fill a port. Default 2,048, a quarter.
    pub inbound_share: usize,
    /// Control frames of one connection among them; more wait on its own stream. Default 256.
    pub inbound_control: usize,
    /// Largest frame of bulk. A longer one is a protocol violation. Default 64 KiB and 64 bytes: an object.
    pub bulk_frame_bytes: usize,
    /// Frames of bulk of one link that may wait to be sent; the next is refused. Default 32: 2 MiB.
    pub bulk_queue_frames: usize,
    /// Frames of bulk of one connection that may wait for the owner of a group; more wait on their own stream.
    /// Default 8: 512 KiB.
    pub inbound_bulk: usize,
    /// UDP datagrams that one peer may send in a second; twice in a row more, and its connection is closed and its
    /// owner told. Those that bring bulk do not count: whoever reads it sets its pace. Default 20,000: 180 Mbit/s of
    /// full ones.
    pub max_inbound_datagrams: u64,
    /// Peers kept out of a group that are remembered. Default 4,096, about 60 bytes each.
    pub max_expelled: usize,
    /// The library's own buffer of datagrams to send, kept small because nothing in it expires. Default 64 KiB,
    /// a run of 32 full fragments with its manifest.
    pub datagram_buffer_bytes: usize,
    /// Datagrams received but not read yet, per connection. Default 256 KiB.
    pub datagram_receive_bytes: usize,
    /// What all streams of a connection may hold unread. Default 1 MiB.
    pub receive_window: u32,
    /// What one stream may hold unread. Default 256 KiB, four of the largest frames.
    pub stream_window: u32,
    /// Stream bytes sent but not acknowledged, per connection. Default 1 MiB.
    pub send_window: u64,
    /// Kernel buffer asked for, each direction; the system may grant less, which is told once. Default 4 MiB.
    pub socket_buffer_bytes: usize,
    /// Largest frame a client of the rendezvous service may send. Default 4 KiB.
    pub service_frame_bytes: usize,
    /// Frames per second that one client of the service may send; more wait. Default 50, with a burst of 100.
    pub service_frames_per_second: u32,
    /// Largest UDP payload that is tried on a path, for bulk: fragments of streams stay small whatever the path carries.
    /// Larger packets cost less processor time a byte, and break up trains of fragments that leave with other things.
    /// Default 1,200, which every path carries: nothing is tried. Most 6,500: ten of them, a train, fit one system call.
    pub largest_packet: u16,
    /// Who decides how much may be in flight. Default [`Congestion::Live`].
    pub congestion: Congestion,
}

/// Who decides how much may be in flight on a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// Our own: a window that follows the upload budget (spec TR-30).
    Live,
    /// The QUIC library's Cubic, for comparison: unusable for live video on a lossy path.
    Cubic,
    /// The QUIC library's BBR, for comparison.
    Bbr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, 0).into(),
            max_upload: None,
            max_connections: 512,
            max_strangers: 128,
            max_service_connections: 8_192,
            max_groups: 64,
            max_handshakes: 128,
            retry_above: 64,
            max_handshakes_per_address: 64,
            max_dials: 64,
            max_candidates: 24,
            attempts_at_once: 6,
            attempt_interval: Duration::from_millis(100),
            attempt_timeout: Duration::from_secs(3),
            dial_timeout: Duration::from_secs(8),
            proof_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(1),
            initial_rtt: Duration::from_millis(100),
            keep_alive: Duration::from_secs(8),
            idle_timeout: Duration::from_secs(20),
            control_frame_bytes: 64 << 10,
            control_queue_frames: 512,
            live_queue_bytes: 512 << 10,
            inbound_events: 8_192,
            inbound_share: 2_048,
            inbound_control: 256,
            bulk_frame_bytes: (64 << 10) + 64,
            bulk_queue_frames: 32,
            inbound_bulk: 8,
            max_inbound_datagrams: 20_000,
            max_expelled: 4_096,
            datagram_buffer_bytes: 64 << 10,
            datagram_receive_bytes: 256 << 10,
            receive_window: 1 << 20,
            stream_window: 256 << 10,
            send_window: 1 << 20,
            socket_buffer_bytes: 4 << 20,
            service_frame_bytes: 4 << 10,
            service_frames_per_second: 50,
            largest_packet: 1_200,
            congestion: Congestion::Live,
        }
    }
}

impl Config {
    /// The defaults, listening on `listen`.
    pub fn listen_on(listen: SocketAddr) -> Self {
        Self { listen, ..Self::default() }
    }

    /// Says in words what does not fit together.
    pub fn validate(&self) -> Result<(), &'static str> {
        let rules = [
            (self.keep_alive < self.idle_timeout / 2, "keep_alive must be under half of idle_timeout"),
            (self.max_upload.is_none_or(|rate| rate >= 8 << 10), "max_upload must be at least 8 KiB/s"),
            (self.control_frame_bytes >= 1 << 10, "control_frame_bytes must be at least 1 KiB"),
            (
                self.control_frame_bytes <= self.stream_window as usize,
                "a control frame must fit stream_window",
            ),
            (self.stream_window <= self.receive_window, "stream_window must fit receive_window"),
            (self.datagram_buffer_bytes >= 16 << 10, "datagram_buffer_bytes must be at least 16 KiB"),
            (self.live_queue_bytes >= 16 << 10, "live_queue_bytes must be at least 16 KiB"),
            (self.inbound_events >= 16 && self.control_queue_frames >= 16, "queues must hold at least 16"),
            (self.inbound_share > 0 && self.inbound_control > 0, "shares of a queue must be at least 1"),
            (self.bulk_frame_bytes >= 1 << 10, "bulk_frame_bytes must be at least 1 KiB"),
            (self.bulk_queue_frames > 0 && self.inbound_bulk > 0, "queues of bulk must hold at least 1"),
            ((1_200..=6_500).contains(&self.largest_packet), "largest_packet must be 1,200 to 6,500"),
            (self.max_expelled > 0, "max_expelled must be at least 1"),
            (self.attempts_at_once > 0 && self.max_candidates > 0, "a dial needs at least one attempt"),
            (self.max_strangers > 0, "max_strangers must be at least 1"),
            (self.max_groups > 0 && self.max_connections > 0, "at least one group and one connection"),
            (self.service_frames_per_second > 0, "service_frames_per_second must be at least 1"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_contradiction_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let contradiction = Config { keep_alive: Duration::from_secs(15), ..Config::default() };
        assert_eq!(contradiction.validate(), Err("keep_alive must be under half of idle_timeout"));
    }
}
