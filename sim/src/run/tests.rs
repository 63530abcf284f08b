use super::*;
use crate::scenario::{Kill, LatencyLaw, Shape};

/// A hundred members, and a stream of five seconds.
pub(super) fn small() -> Scenario {
    Scenario {
        join_over: Duration::from_secs(1),
        settle: Duration::from_secs(4),
        secs: Duration::from_secs(5),
        ..Scenario::default()
    }
}

fn results(scenario: &Scenario) -> Results {
    run(scenario, Options::default()).results
}

/// Plays a scenario in which nobody may miss anything; says how to play it again if someone does.
pub(super) fn play_complete(scenario: &Scenario) -> Results {
    let Outcome { results, faults, .. } = run(scenario, Options::default());
    let shares =
        [results.complete_share, results.from_first_share, results.ended_share, results.delivered_ratio];
    let scenario = serde_json::to_string(scenario).unwrap();
    assert_eq!((shares, &faults[..]), ([1.0; 4], &[][..]), "{scenario}\n{results:#?}");
    results
}

#[test]
fn the_same_seed_gives_the_same_results_and_trace_and_another_seed_another_trace() {
    let scenario = |seed| Scenario { members: 40, loss: 0.01, secs: Duration::from_secs(2), seed, ..small() };
    let first = results(&scenario(3));
    assert_eq!(first, results(&scenario(3)));
    assert_ne!(first.trace_hash, results(&scenario(4)).trace_hash);
}

#[test]
fn a_hundred_members_play_every_message_from_the_first_to_the_end() {
    let results = play_complete(&Scenario { lead_in: Duration::from_secs(1), ..small() });
    assert!(results.copies <= 1.01, "{} copies", results.copies);
    assert!(results.control_ratio > 0.0 && results.auth_ratio > 0.0, "control or manifests were not counted");
}

#[test]
fn survivors_of_a_third_killed_at_once_miss_nothing() {
    let kill = Some(Kill { share: 0.33, at: Duration::from_secs(2) });
    assert_eq!(play_complete(&Scenario { kill, ..small() }).survivors, 66);
}

#[test]
fn with_two_packets_in_a_hundred_lost_nobody_misses_anything() {
    let results = play_complete(&Scenario { loss: 0.02, ..small() });
    assert!(
        results.lost_packets > 1_000 && results.pulled_fragments > 1_000,
        "nothing was lost and repaired"
    );
}

#[test]
fn where_paths_reorder_widely_it_is_learned_and_hardly_anything_comes_twice() {
    let millis = Duration::from_millis;
    let latency = LatencyLaw::Uniform { low: millis(30), high: millis(30) };
    let secs = Duration::from_secs(6);
    let wide = Scenario {
        members: 21,
        latency,
        uplink: None,
        source_uplink: None,
        jitter: millis(100),
        secs,
        ..small()
    };
    let results = play_complete(&wide);
    // A third of it came twice before anything was learned.
    assert!(results.copies <= 1.02, "{} copies", results.copies);
}

#[test]
fn datagrams_that_overtake_one_another_harm_nothing() {
    play_complete(&Scenario { jitter: Duration::from_millis(5), members: 50, ..small() });
}

#[test]
fn frames_around_the_globe_arrive_whole() {
    let scenario = Scenario { shape: Shape::Frames, latency: LatencyLaw::Coordinate, members: 50, ..small() };
    assert_eq!(play_complete(&scenario).messages, 125);
}

#[test]
fn a_run_is_one_line_whose_timing_stands_apart() {
    use crate::report::{Report, SCHEMA, Timing};
    let scenario = Scenario { members: 5, secs: Duration::from_secs(1), ..small() };
    let report = Report {
        schema: SCHEMA,
        scenario_hash: scenario.hash(),
        seed: 1,
        results: results(&scenario),
        must: Vec::new(),
        series: None,
        timing: Timing::default(),
        scenario,
    };
    let line = serde_json::to_string(&report).unwrap();
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(!line.contains('\n'));
    assert_eq!(value["schema"], 4);
    assert_eq!(value["scenario"]["latency"], "uniform:10ms..50ms");
    assert!(value["results"]["trace_hash"].as_str().is_some_and(|hash| hash.len() == 32));
    assert!(value["timing"]["wall_s"].is_number() && value["results"]["wall_s"].is_null());
}
