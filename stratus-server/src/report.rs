//! What a running server says of itself to its operator.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use stratus_admin::metrics::{self, Samples};
use stratus_admin::{Ask, Check, Report, transport};
use stratus_server::{Figures, Refusal, Stats, Watch};

/// Reports for as long as the server runs.
pub(crate) fn asks(watch: Watch) -> Ask {
    let began = Instant::now();
    Arc::new(move || {
        let watch = watch.clone();
        Box::pin(async move { report(&watch, watch.figures().await, began) })
    })
}

fn report(watch: &Watch, figures: Option<Figures>, began: Instant) -> Report {
    let trouble = figures.is_none().then(|| "the server's loop has ended".to_owned());
    let checks = vec![Check::new("socket", None), Check::new("registry", trouble)];
    let mut samples = Samples::default();
    if let Some(figures) = &figures {
        samples.durations(metrics::SERVER_INTRODUCTION, &[], &figures.introductions);
    }
    let stats = figures.map(|figures| figures.registry).unwrap_or_default();
    let (counters, handshakes, buffers) = (watch.counters(), watch.handshakes(), watch.buffers());
    transport::endpoint(&mut samples, &counters, &handshakes, buffers);
    registry(&mut samples, &stats);
    let refused: serde_json::Map<_, _> = Refusal::ALL
        .into_iter()
        .map(|why| (why.name().to_owned(), stats.refused_count(why).into()))
        .collect();
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "kind": "server",
        "uptime_seconds": began.elapsed().as_secs(),
        "listen": watch.local_addr().to_string(),
        "connections": stats.connection_count,
        "groups": stats.group_count,
        "registrations": stats.member_count,
        "introduced": stats.introduced_count,
        "refused": refused,
        "network_throttled": stats.network_throttled_count,
        "handshakes": { "ok": handshakes.succeeded, "failed": handshakes.failed, "ignored": handshakes.ignored },
        "udp_buffer_bytes": { "asked": buffers.asked, "receive": buffers.receive, "send": buffers.send },
    });
    Report { checks, samples, status }
}

/// The figures of the registry.
fn registry(samples: &mut Samples, stats: &Stats) {
    samples.set(metrics::SERVER_PEERS, &[], stats.connection_count as f64);
    samples.set(metrics::SERVER_GROUPS, &[], stats.group_count as f64);
    samples.set(metrics::SERVER_REGISTRATIONS, &[], stats.member_count as f64);
    let turned_away = [
        Refusal::Stranger,
        Refusal::BadRecord,
        Refusal::ConnectionFull,
        Refusal::GroupFull,
        Refusal::NetworkFull,
        Refusal::ServerFull,
    ];
    let refused = turned_away.into_iter().map(|why| stats.refused_count(why)).sum();
    let bootstraps =
        [("first", stats.registered_count), ("renewed", stats.renewed_count), ("refused", refused)];
    for (result, total) in bootstraps {
        samples.count(metrics::SERVER_BOOTSTRAPS, &[result], total);
    }
    let introductions = [
        ("delivered", stats.introduced_count),
        ("absent", stats.refused_count(Refusal::UnknownPeer)),
        ("limited", stats.introduction_limited_count),
    ];
    for (result, total) in introductions {
        samples.count(metrics::SERVER_INTRODUCTIONS, &["local", result], total);
    }
    for why in Refusal::ALL {
        samples.count(metrics::SERVER_REFUSED, &[why.name()], stats.refused_count(why));
    }
    samples.count(metrics::SERVER_THROTTLED, &[], stats.network_throttled_count);
}
