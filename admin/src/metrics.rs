//! Every metric by name, and the only place that knows the `prometheus` crate.
//!
//! Names follow Prometheus' own guide: one prefix, base units as suffix, `_total` for what only grows, no rates. A `group`
//! is the local alias, a `stream` the name that was published or played here; no label ever holds a peer, an address
//! or an id.

use std::collections::BTreeMap;

use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{self, MetricFamily, MetricType};
use prometheus::{Encoder as _, TextEncoder};
use stratus_core::Histogram;

/// The content type of what [`Samples::encode`] makes.
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;
/// Most series of one program, those of the process aside: a scrape stays small whatever happens.
pub const MOST_SERIES: usize = 480;
/// Most streams of one group that are told apart.
pub const MOST_STREAMS: usize = 16;

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations by class.
    Histogram,
}

/// A metric: its name is a promise to whoever keeps dashboards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// As exported.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! catalogue {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// Every metric that is exported, those of the process aside.
        pub const CATALOGUE: &[Metric] = &[$($constant),*];
    };
}

catalogue! {
    BUILD_INFO: Gauge "stratus_build_info" ["version", "revision"] "What was built; always 1.";
    CONNECTIONS: Gauge "stratus_connections" ["state"] "Connections with peers: open, or being dialled.";
    HANDSHAKES: Counter "stratus_handshakes_total" ["result"] "QUIC handshakes, both directions, with peers and servers.";
    HANDSHAKE_SECONDS: Histogram "stratus_handshake_seconds" [] "How long handshakes took that were begun here and finished.";
    CONNECTION_RTT: Histogram "stratus_connection_rtt_seconds" [] "Round trip of each link when it came up.";
    PACKETS_LOST: Counter "stratus_packets_lost_total" [] "Packets to peers that QUIC holds for lost.";
    UDP_BUFFER: Gauge "stratus_udp_buffer_bytes" ["direction", "kind"] "Kernel buffer of the UDP socket, asked for and granted.";
    CONTROL_BYTES: Counter "stratus_control_bytes_total" ["direction", "peer"] "Bytes of messages that carry no media.";
    MEMBERS: Gauge "stratus_group_members_estimate" ["group"] "Members of the group, as far as can be told from here.";
    NEIGHBORS: Gauge "stratus_neighbors" ["group", "reason"] "Members to which there is a link, by why it is there.";
    NEIGHBORS_TARGET: Gauge "stratus_neighbors_target" ["group"] "Links that a member of a group of this size has: 2 log2 n + 13, everybody in a small group.";
    RING_AGREEMENT: Gauge "stratus_ring_agreement_ratio" ["group"] "Share of the nearest members on the ring with whom both sides keep a link; absent while none is known.";
    EXCHANGES: Counter "stratus_gossip_exchanges_total" ["group", "side", "result"] "Exchanges of news about members, by who began them; refused: the neighbor began too many.";
    NEIGHBOR_CHANGES: Counter "stratus_neighbor_changes_total" ["group", "change", "cause"] "Links that came and went, by why.";
    HEARD: Gauge "stratus_heard_list_entries" ["group"] "Members known by their records.";
    JOINED: Gauge "stratus_joined_seconds" ["group"] "Time from entering the group to the first neighbor; absent before.";
    BYTES: Counter "stratus_multicast_bytes_total" ["group", "stream", "direction", "via"] "Payload bytes of a stream, by direction and way.";
    FRAGMENTS: Counter "stratus_multicast_fragments_total" ["group", "stream", "direction", "via"] "Fragments of a stream, by direction and way.";
    DUPLICATES: Counter "stratus_multicast_duplicates_total" ["group", "stream", "via"] "Fragments that came although they were held already.";
    MESSAGES: Counter "stratus_multicast_messages_total" ["group", "stream", "result"] "Messages of a stream that is played: delivered whole, or expired, as far as expired ones were seen.";
    DELAY: Histogram "stratus_multicast_delay_seconds" ["group", "stream"] "How much later than the quickest of the last minutes each message came.";
    WINDOW_FILL: Gauge "stratus_multicast_window_fill_ratio" ["group", "stream"] "Share of the runs in the window that are held.";
    PUSH_SLICES: Gauge "stratus_multicast_push_slices" ["group", "stream", "direction"] "Slices of the stream that are pushed to us, and by us to others.";
    FETCHES: Counter "stratus_multicast_fetches_total" ["group", "stream", "result"] "Requests for runs that were sent.";
    POSTS: Counter "stratus_posts_total" ["group", "result"] "Posts: posted here, delivered from others, duplicate, or refused and why.";
    POSTS_HELD: Gauge "stratus_posts_held" ["group"] "Posts held for those who come late.";
    POSTS_HELD_BYTES: Gauge "stratus_posts_held_bytes" ["group"] "Bytes of the posts held, with what signs them.";
    POSTING_BYTES: Counter "stratus_posting_bytes_total" ["group", "direction", "kind"] "Bytes of messages about posts: data bring posts, control announces, asks and compares.";
    ROUTING_BYTES: Counter "stratus_routing_bytes_total" ["group", "direction", "kind"] "Bytes of directed routing: data is sent to places and neighbors, control looks members up, keeps and reads values.";
    ROUTING_QUESTIONS: Counter "stratus_routing_questions_total" ["group", "result"] "Members asked in look-ups and to keep values: asked, and of those slow and unanswered.";
    ROUTING_THROTTLED: Counter "stratus_routing_throttled_total" ["group"] "Parcels and questions of neighbors dropped because there were too many.";
    VALUES: Gauge "stratus_dht_values" ["group"] "Values kept here for the group.";
    SERVER_PEERS: Gauge "stratus_server_peers" [] "Clients connected to the rendezvous server.";
    SERVER_GROUPS: Gauge "stratus_server_groups" [] "Groups with a registered member.";
    SERVER_REGISTRATIONS: Gauge "stratus_server_registrations" [] "Registrations alive, over all groups.";
    SERVER_BOOTSTRAPS: Counter "stratus_server_bootstraps_total" ["result"] "Registrations: first ones, renewed ones, refused ones.";
    SERVER_INTRODUCTIONS: Counter "stratus_server_introductions_total" ["scope", "result"] "Introductions asked for.";
    SERVER_INTRODUCTION: Histogram "stratus_server_introduction_seconds" [] "From the arrival of a request to both sides being told.";
    SERVER_REFUSED: Counter "stratus_server_refused_total" ["reason"] "Requests refused, by reason.";
    SERVER_THROTTLED: Counter "stratus_server_network_throttled_total" [] "Requests refused because their network asked too much.";
    DROPPED: Counter "stratus_metrics_dropped_series_total" [] "Series left out of this scrape because there were too many.";
}

/// What a program counts at one moment.
#[derive(Debug)]
pub struct Samples {
    families: BTreeMap<&'static str, (Metric, Vec<proto::Metric>)>,
    series: usize,
    dropped: u64,
}

impl Default for Samples {
    fn default() -> Self {
        let mut samples = Self { families: BTreeMap::new(), series: 0, dropped: 0 };
        let revision = option_env!("STRATUS_REVISION").unwrap_or("unknown");
        samples.set(BUILD_INFO, &[env!("CARGO_PKG_VERSION"), revision], 1.0);
        samples
    }
}

impl Samples {
    /// A counter's total, with its labels in order.
    pub fn count(&mut self, metric: Metric, labels: &[&str], total: u64) {
        assert_eq!(metric.kind, Kind::Counter, "{} is no counter", metric.name);
        let mut counter = proto::Counter::default();
        counter.set_value(total as f64);
        self.push(metric, labels, 1, |sample| sample.set_counter(counter));
    }

    /// A gauge's value, with its labels in order.
    pub fn set(&mut self, metric: Metric, labels: &[&str], value: f64) {
        assert_eq!(metric.kind, Kind::Gauge, "{} is no gauge", metric.name);
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        self.push(metric, labels, 1, |sample| sample.set_gauge(gauge));
    }

    /// A histogram, with its labels in order.
    pub fn durations(&mut self, metric: Metric, labels: &[&str], durations: &Histogram) {
        assert_eq!(metric.kind, Kind::Histogram, "{} is no histogram", metric.name);
        let buckets: Vec<proto::Bucket> = durations
            .cumulative()
            .map(|(bound, count)| {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound.as_secs_f64());
                bucket.set_cumulative_count(count);
                bucket
            })
            .collect();
        let mut histogram = proto::Histogram::default();
        histogram.set_sample_count(durations.count());
        histogram.set_sample_sum(durations.sum().as_secs_f64());
        // One for "+Inf", one for the sum, one for the count.
        let series = buckets.len() + 3;
        histogram.set_bucket(buckets);
        self.push(metric, labels, series, |sample| sample.set_histogram(histogram));
    }

    /// How many series there are, those of the process aside.
    pub fn series(&self) -> usize {
        self.series
    }

    fn push(
        &mut self,
        metric: Metric,
        labels: &[&str],
        series: usize,
        fill: impl FnOnce(&mut proto::Metric),
    ) {
        assert_eq!(
            metric.labels.len(),
            labels.len(),
            "the labels of {} are {:?}",
            metric.name,
            metric.labels
        );
        if self.series + series > MOST_SERIES {
            self.dropped += series as u64;
            return;
        }
        self.series += series;
        let pairs = metric.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut sample = proto::Metric::from_label(pairs.collect());
        fill(&mut sample);
        self.families.entry(metric.name).or_insert_with(|| (metric, Vec::new())).1.push(sample);
    }

    /// The text that Prometheus reads, with the figures of this process.
    pub fn encode(mut self) -> Result<String, String> {
        let dropped = self.dropped;
        self.series = 0;
        self.count(DROPPED, &[], dropped);
        let mut families: Vec<MetricFamily> =
            self.families.into_values().map(|(metric, samples)| family(metric, samples)).collect();
        families.extend(ProcessCollector::for_self().collect());
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).map_err(|error| error.to_string())?;
        String::from_utf8(text).map_err(|error| error.to_string())
    }
}

fn family(metric: Metric, samples: Vec<proto::Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(samples);
    family
}

#[cfg(test)]
mod tests;
