//! What every program with a socket counts.

use stratus_transport::{Buffers, EndpointCounters, HandshakeCounters};

use crate::metrics::{self, Samples};

/// The figures of an endpoint.
pub fn endpoint(
    samples: &mut Samples,
    counters: &EndpointCounters,
    handshakes: &HandshakeCounters,
    buffers: Buffers,
) {
    samples.set(metrics::CONNECTIONS, &["open"], counters.connections as f64);
    samples.set(metrics::CONNECTIONS, &["dialing"], counters.dialing as f64);
    samples.count(metrics::PACKETS_LOST, &[], counters.lost_packets);
    let results = [
        ("ok", handshakes.succeeded),
        ("failed", handshakes.failed),
        ("retried", handshakes.retried),
        ("ignored", handshakes.ignored),
    ];
    for (result, total) in results {
        samples.count(metrics::HANDSHAKES, &[result], total);
    }
    samples.durations(metrics::HANDSHAKE_SECONDS, &[], &handshakes.times);
    let sizes = [
        ("rx", "asked", buffers.asked),
        ("rx", "granted", buffers.receive),
        ("tx", "asked", buffers.asked),
        ("tx", "granted", buffers.send),
    ];
    for (direction, kind, bytes) in sizes {
        samples.set(metrics::UDP_BUFFER, &[direction, kind], bytes as f64);
    }
}
