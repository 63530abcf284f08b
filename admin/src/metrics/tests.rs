use std::time::Duration;

use super::*;

const BOUNDS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(700)];

#[test]
fn names_say_their_unit_and_whether_they_only_grow() {
    let mut names: Vec<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CATALOGUE.len(), "a name is defined twice");
    for metric in CATALOGUE {
        assert!(metric.name.starts_with("stratus_"), "{metric:?}");
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{metric:?}");
        assert!(metric.kind != Kind::Histogram || metric.name.ends_with("_seconds"), "{metric:?}");
        let secret = ["peer_id", "address", "group_id", "ip"];
        assert!(metric.labels.iter().all(|label| !secret.contains(label)), "{metric:?}");
        assert!(metric.help.ends_with('.') && metric.help.len() > 15, "{metric:?}");
    }
}

#[test]
fn samples_are_written_as_prometheus_reads_them() {
    let mut samples = Samples::default();
    samples.count(PACKETS_LOST, &[], 0);
    samples.count(BYTES, &["show", "cam \"1\"", "rx", "push"], 700);
    let mut times = Histogram::new(&BOUNDS);
    times.observe(Duration::from_millis(3));
    times.observe(Duration::from_secs(7));
    samples.durations(DELAY, &["show", "cam"], &times);
    let text = samples.encode().unwrap();
    for line in [
        "# TYPE stratus_packets_lost_total counter",
        "stratus_packets_lost_total 0",
        r#"stratus_multicast_bytes_total{group="show",stream="cam \"1\"",direction="rx",via="push"} 700"#,
        r#"stratus_multicast_delay_seconds_bucket{group="show",stream="cam",le="0.05"} 1"#,
        r#"stratus_multicast_delay_seconds_bucket{group="show",stream="cam",le="+Inf"} 2"#,
        r#"stratus_multicast_delay_seconds_sum{group="show",stream="cam"} 7.003"#,
        "stratus_metrics_dropped_series_total 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(text.contains("process_resident_memory_bytes") && text.contains("stratus_build_info{"), "{text}");
}

#[test]
fn series_end_at_their_bound_and_what_is_left_out_is_counted() {
    let mut samples = Samples::default();
    let streams: Vec<String> = (0..MOST_SERIES).map(|number| number.to_string()).collect();
    for stream in &streams {
        samples.set(WINDOW_FILL, &["show", stream], 1.0);
    }
    assert_eq!(samples.series(), MOST_SERIES);
    let text = samples.encode().unwrap();
    assert!(text.contains("stratus_metrics_dropped_series_total 1\n"), "{text}");
    assert!(text.contains("stream=\"478\"") && !text.contains("stream=\"479\""));
}
