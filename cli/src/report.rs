//! What a running `publish`, `play`, `listen` or `chat` says of itself: its metrics, and the page that `stratus status` shows.

mod samples;

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use stratus::{
    Connection, ConnectionInfo, Group, GroupInfo, Neighbor, PostingInfo, RoutingStats, StreamInfo, Way,
};
use stratus_admin::{Ask, Check, Report};

use self::samples::samples;

/// What the command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It publishes.
    Publish,
    /// It plays.
    Play,
    /// It shows what is posted.
    Listen,
    /// It talks.
    Chat,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Play => "play",
            Self::Listen => "listen",
            Self::Chat => "chat",
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) connection: Connection,
    pub(crate) group: Group,
    /// What the group is called here; nothing of the groupspec.
    pub(crate) alias: String,
    pub(crate) role: Role,
    /// The stream that is published or played, if one is.
    pub(crate) stream: Option<String>,
    /// Whether the group has posts.
    pub(crate) has_posts: bool,
}

impl Watched {
    /// Reports for as long as the group is held.
    pub(crate) fn asks(self) -> Ask {
        let began = Instant::now();
        Arc::new(move || {
            let watched = self.clone();
            Box::pin(async move { watched.report(began).await })
        })
    }

    async fn report(&self, began: Instant) -> Report {
        let connection = self.connection.info();
        let info = self.group.info().await.ok();
        let ways = self.group.ways().await.unwrap_or_default();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "kind": self.role.name(),
            "uptime_seconds": began.elapsed().as_secs(),
            "peer": self.connection.peer().to_string(),
            "listen": self.connection.local_addr().to_string(),
            "connection": of_connection(&connection),
            "groups": info.iter().map(|info| self.of_group(info, &ways)).collect::<Vec<_>>(),
        });
        Report { checks: checks(info.as_ref()), samples: samples(self, &connection, info.as_ref()), status }
    }

    fn of_group(&self, info: &GroupInfo, ways: &[Way]) -> Value {
        let streams = info.streams.iter().map(|(_, stream)| self.of_stream(stream));
        let ways = ways.iter().map(|way| json!({ "what": way.what, "outcome": way.outcome }));
        json!({
            "alias": self.alias,
            "members_estimate": info.estimated_member_count,
            "joined_after_seconds": info.joined_after.map(|after| after.as_secs_f64()),
            "heard": info.overlay.heard_now,
            "ring_agreement": info.ring_agreement,
            "neighbors": info.neighbors.iter().map(of_neighbor).collect::<Vec<_>>(),
            "ways": ways.collect::<Vec<_>>(),
            "streams": streams.collect::<Vec<_>>(),
            "posts": self.has_posts.then(|| of_posts(&info.posting)),
            "routing": info.routing.as_ref().map(of_routing),
        })
    }

    fn of_stream(&self, stream: &StreamInfo) -> Value {
        let counters = &stream.counters;
        let path = |path: stratus::MulticastPath| json!({ "bytes": path.bytes, "fragments": path.fragments });
        json!({
            "name": stream.name,
            "is_ours": self.stream.as_ref() == Some(&stream.name),
            "window_bytes": stream.window_bytes,
            "missing_runs": stream.holes,
            "subscribed_neighbors": stream.subscribed_neighbors,
            "slices_pushed_to_us": stream.slices_with_parent,
            "slices_pushed_by_us": stream.children,
            "pushed_to_peers": path(counters.pushed_to_peers),
            "pushed_from_peers": path(counters.pushed_from_peers),
            "requested_by_peers": path(counters.requested_by_peers),
            "requested_from_peers": path(counters.requested_from_peers),
            "duplicates": path(counters.duplicates),
            "messages_delivered": counters.messages_delivered,
            "messages_expired": counters.messages_expired,
            "fragments_given_up": counters.fragments_given_up,
            "control_sent_bytes": counters.control_sent_bytes,
            "control_received_bytes": counters.control_received_bytes,
        })
    }
}

/// Bound, and in the group.
fn checks(info: Option<&GroupInfo>) -> Vec<Check> {
    let joined = match info {
        None => Some("the group was left".to_owned()),
        Some(info) if info.neighbors.is_empty() => Some("no neighbor".to_owned()),
        Some(_) => None,
    };
    vec![Check::new("socket", None), Check::new("joined", joined)]
}

fn of_posts(posting: &PostingInfo) -> Value {
    let refused = &posting.refused;
    json!({
        "held": posting.held,
        "held_bytes": posting.held_bytes,
        "posted": posting.posted,
        "delivered": posting.delivered,
        "duplicates": posting.duplicates,
        "refused": {
            "from_the_future": refused.from_the_future,
            "too_old": refused.too_old,
            "too_many": refused.too_many,
            "forged": refused.forged,
        },
        "sent_bytes": posting.sent.bytes,
        "received_bytes": posting.received.bytes,
        "control_sent_bytes": posting.control_sent_bytes,
        "control_received_bytes": posting.control_received_bytes,
    })
}

fn of_routing(routing: &RoutingStats) -> Value {
    json!({
        "values_kept": routing.values_now,
        "parcels_sent": routing.sent_count,
        "parcels_arrived": routing.arrived_count,
        "look_ups": routing.look_up_count,
        "questions": routing.question_count,
        "unanswered": routing.unanswered_count,
        "throttled": routing.throttled_count,
        "control_sent_bytes": routing.control_sent_bytes,
        "control_received_bytes": routing.control_received_bytes,
    })
}

fn of_neighbor(neighbor: &Neighbor) -> Value {
    json!({
        "peer": neighbor.peer.to_string()[..8],
        "reason": neighbor.reason.to_string(),
        "rtt_seconds": neighbor.rtt.map(|rtt| rtt.as_secs_f64()),
    })
}

fn of_connection(info: &ConnectionInfo) -> Value {
    let (counters, handshakes) = (&info.counters, &info.handshakes);
    json!({
        "open": counters.connections,
        "dialing": counters.dialing,
        "sent_bytes": counters.sent_bytes,
        "received_bytes": counters.received_bytes,
        "lost_packets": counters.lost_packets,
        "handshakes": { "ok": handshakes.succeeded, "failed": handshakes.failed },
        "udp_buffer_bytes": {
            "asked": info.buffers.asked,
            "receive": info.buffers.receive,
            "send": info.buffers.send,
        },
    })
}
