/// Which way a figure should move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Better {
    Less,
    More,
}

/// Names of figures, wherever they stand in the results, that should be small.
const LESS: &[&str] = &[
    "auth_ratio",
    "bad_fragments",
    "bytes_of_theirs",
    "components",
    "control_ratio",
    "control_ratio_steady",
    "copies",
    "cut_off_ms",
    "duplicate_fragments",
    "eclipsed",
    "estimate_median_error",
    "exact_exchanges",
    "exact_s",
    "expired_datagrams",
    "faults",
    "given_up_fragments",
    "hops_mean",
    "hops_most",
    "hops_p99",
    "idle_media_bytes",
    "join_p50_ms",
    "join_p99_ms",
    "last_ms",
    "last_of_theirs",
    "lonely",
    "max_ms",
    "media_ratio",
    "membership_bytes_per_s",
    "neighbors_over_chance",
    "neighbors_p99",
    "overflowed",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "p99_of_theirs",
    "payload_of_theirs",
    "received_ratio",
    "recovered_s",
    "repair_p50_ms",
    "repair_p99_ms",
    "ring_s",
    "unpunished",
    "wire_bytes_per_s",
    "wire_per_payload",
];

/// Those that should be large.
const MORE: &[&str] = &[
    "complete_share",
    "continuity",
    "delivered_ratio",
    "ended_share",
    "estimate_within_10",
    "estimate_within_20",
    "exact_at_end",
    "exact_share",
    "from_first_share",
    "look_ups_reached",
    "look_ups_straight",
    "peer_share",
    "pushed_share",
    "pushed_share_steady",
];

/// Which way a figure of this path should move, if that is known. Those of rivals are not ours to improve.
pub(super) fn better(path: &str) -> Option<Better> {
    let name = path.rsplit('.').next().unwrap_or(path);
    if path.starts_with("rivals.") && !name.ends_with("_of_theirs") {
        return None;
    }
    if LESS.contains(&name) {
        return Some(Better::Less);
    }
    MORE.contains(&name).then_some(Better::More)
}
