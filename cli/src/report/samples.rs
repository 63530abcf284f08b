use stratus::{Arrival, ConnectionInfo, Departure, GroupInfo, PostingInfo, Reason, RoutingStats, StreamInfo};
use stratus_admin::metrics::{self, MOST_STREAMS, Samples};
use stratus_admin::transport;

use super::Watched;

/// Everything that is counted, under the group's alias and the stream's name.
pub(super) fn samples(watched: &Watched, connection: &ConnectionInfo, info: Option<&GroupInfo>) -> Samples {
    let mut samples = Samples::default();
    transport::endpoint(&mut samples, &connection.counters, &connection.handshakes, connection.buffers);
    samples.count(metrics::CONTROL_BYTES, &["tx", "server"], connection.counters.asked_bytes);
    samples.count(metrics::CONTROL_BYTES, &["rx", "server"], connection.counters.told_bytes);
    let Some(info) = info else { return samples };
    let controls = info.streams.iter().map(|(_, stream)| stream.counters);
    let (sent, received) = controls.fold((0, 0), |(sent, received), counters| {
        (sent + counters.control_sent_bytes, received + counters.control_received_bytes)
    });
    let (posting, routing) = (&info.posting, info.routing.unwrap_or_default());
    let sent = sent + posting.control_sent_bytes + routing.control_sent_bytes;
    let received = received + posting.control_received_bytes + routing.control_received_bytes;
    samples.count(metrics::CONTROL_BYTES, &["tx", "peer"], sent + info.overlay_sent_bytes);
    samples.count(metrics::CONTROL_BYTES, &["rx", "peer"], received + info.overlay_received_bytes);
    samples.durations(metrics::CONNECTION_RTT, &[], &info.round_trips);
    overlay(&mut samples, &watched.alias, info);
    if let Some(stream) = &watched.stream {
        of_stream(&mut samples, [&watched.alias, stream], info.stream(stream));
    }
    if watched.has_posts {
        posts(&mut samples, &watched.alias, &info.posting);
    }
    if let Some(routing) = &info.routing {
        routes(&mut samples, &watched.alias, routing);
    }
    for (name, delays) in info.delays.iter().take(MOST_STREAMS) {
        samples.durations(metrics::DELAY, &[&watched.alias, name], delays);
    }
    samples
}

fn overlay(samples: &mut Samples, group: &str, info: &GroupInfo) {
    let members = info.estimated_member_count;
    samples.set(metrics::MEMBERS, &[group], members as f64);
    let reasons = [
        ("ring", &[Reason::Ring][..]),
        ("finger", &[Reason::Shortcut]),
        ("latency", &[Reason::Near]),
        ("random", &[Reason::Random]),
        ("inbound", &[Reason::Incoming]),
        ("asked", &[Reason::Pinned, Reason::Added]),
    ];
    for (name, reasons) in reasons {
        let count = info.neighbors.iter().filter(|neighbor| reasons.contains(&neighbor.reason)).count();
        samples.set(metrics::NEIGHBORS, &[group, name], count as f64);
    }
    let target = (2.0 * (members.max(1) as f64).log2() + 13.0).min(members.saturating_sub(1) as f64);
    samples.set(metrics::NEIGHBORS_TARGET, &[group], target);
    let (agreed, nearest) = info.ring_agreement;
    if nearest > 0 {
        samples.set(metrics::RING_AGREEMENT, &[group], agreed as f64 / nearest as f64);
    }
    changes(samples, group, info);
    samples.set(metrics::HEARD, &[group], info.overlay.heard_now as f64);
    if let Some(after) = info.joined_after {
        samples.set(metrics::JOINED, &[group], after.as_secs_f64());
    }
}

/// What happened in the overlay so far.
fn changes(samples: &mut Samples, group: &str, info: &GroupInfo) {
    let counted = &info.overlay;
    let exchanges = [
        ("started", "ok", counted.exchange_count),
        ("answered", "ok", counted.exchange_answered_count),
        ("answered", "refused", counted.exchange_refused_count),
    ];
    for (side, result, total) in exchanges {
        samples.count(metrics::EXCHANGES, &[group, side, result], total);
    }
    for why in Arrival::ALL {
        let total = counted.changes.arrived(why);
        samples.count(metrics::NEIGHBOR_CHANGES, &[group, "connect", why.name()], total);
    }
    for why in Departure::ALL {
        let total = counted.changes.departed(why);
        samples.count(metrics::NEIGHBOR_CHANGES, &[group, "disconnect", why.name()], total);
    }
}

fn posts(samples: &mut Samples, group: &str, posting: &PostingInfo) {
    let refused = &posting.refused;
    let results = [
        ("posted", posting.posted),
        ("delivered", posting.delivered),
        ("duplicate", posting.duplicates),
        ("refused_future", refused.from_the_future),
        ("refused_old", refused.too_old),
        ("refused_many", refused.too_many),
        ("refused_forged", refused.forged),
    ];
    for (result, total) in results {
        samples.count(metrics::POSTS, &[group, result], total);
    }
    samples.set(metrics::POSTS_HELD, &[group], posting.held as f64);
    samples.set(metrics::POSTS_HELD_BYTES, &[group], posting.held_bytes as f64);
    let bytes = [
        ("tx", "data", posting.sent.bytes),
        ("tx", "control", posting.control_sent_bytes),
        ("rx", "data", posting.received.bytes),
        ("rx", "control", posting.control_received_bytes),
    ];
    for (direction, kind, total) in bytes {
        samples.count(metrics::POSTING_BYTES, &[group, direction, kind], total);
    }
}

fn routes(samples: &mut Samples, group: &str, routing: &RoutingStats) {
    let bytes = [
        ("tx", "data", routing.sent_bytes),
        ("tx", "control", routing.control_sent_bytes),
        ("rx", "data", routing.arrived_bytes),
        ("rx", "control", routing.control_received_bytes),
    ];
    for (direction, kind, total) in bytes {
        samples.count(metrics::ROUTING_BYTES, &[group, direction, kind], total);
    }
    let questions = [
        ("asked", routing.question_count),
        ("slow", routing.slow_count),
        ("unanswered", routing.unanswered_count),
    ];
    for (result, total) in questions {
        samples.count(metrics::ROUTING_QUESTIONS, &[group, result], total);
    }
    samples.count(metrics::ROUTING_THROTTLED, &[group], routing.throttled_count);
    samples.set(metrics::VALUES, &[group], routing.values_now as f64);
}

/// A stream that is waited for has its counters already, at 0.
fn of_stream(samples: &mut Samples, [group, name]: [&str; 2], stream: Option<&StreamInfo>) {
    let counters = stream.map(|stream| stream.counters).unwrap_or_default();
    let (pushed_to_us, pushed_by_us) =
        stream.map_or((0, 0), |stream| (stream.slices_with_parent, stream.children));
    let paths = [
        ("tx", "push", counters.pushed_to_peers),
        ("tx", "pull", counters.requested_by_peers),
        ("rx", "push", counters.pushed_from_peers),
        ("rx", "pull", counters.requested_from_peers),
    ];
    for (direction, via, path) in paths {
        samples.count(metrics::BYTES, &[group, name, direction, via], path.bytes);
        samples.count(metrics::FRAGMENTS, &[group, name, direction, via], path.fragments);
    }
    samples.count(metrics::DUPLICATES, &[group, name, "peer"], counters.duplicates.fragments);
    samples.count(metrics::MESSAGES, &[group, name, "delivered"], counters.messages_delivered);
    samples.count(metrics::MESSAGES, &[group, name, "expired"], counters.messages_expired);
    samples.count(metrics::FETCHES, &[group, name, "sent"], counters.pulls_sent);
    if let Some(stream) = stream.filter(|stream| stream.window_runs > 0) {
        let missing = stream.holes.min(stream.window_runs) as f64;
        samples.set(metrics::WINDOW_FILL, &[group, name], 1.0 - missing / stream.window_runs as f64);
    }
    samples.set(metrics::PUSH_SLICES, &[group, name, "rx"], pushed_to_us as f64);
    samples.set(metrics::PUSH_SLICES, &[group, name, "tx"], pushed_by_us as f64);
}
