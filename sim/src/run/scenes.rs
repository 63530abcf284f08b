//! What groups must bear: crowds that do not watch, conferences, comings and goings, unequal members.

use super::tests::{play_complete, small};
use super::*;
use crate::scenario::{LatencyLaw, Shape};

#[test]
fn a_crowd_that_plays_nothing_carries_no_media() {
    let scenario = Scenario { members: 300, viewers: Some(20), secs: Duration::from_secs(3), ..small() };
    let results = play_complete(&scenario);
    assert_eq!((results.survivors, results.parts["idle"].members), (20, 279));
    assert_eq!(results.idle_media_bytes, 0, "media reached members that play nothing");
}

#[test]
fn sixteen_people_hear_each_other_soon_and_cheaply() {
    let link = Duration::from_millis(30);
    let scenario = Scenario {
        members: 16,
        publishers: 16,
        all_listen: true,
        rate_bits: 32_000,
        shape: Shape::Audio,
        latency: LatencyLaw::Uniform { low: link, high: link },
        lead_in: Duration::from_secs(3),
        ..small()
    };
    let results = play_complete(&scenario);
    assert_eq!(results.messages, 16 * 250);
    assert!(results.p95_ms <= 250.0, "p95 {} ms", results.p95_ms);
    assert!(results.media_ratio <= 1.6, "{} bytes of media for one of sound", results.media_ratio);
}

#[test]
fn four_publishers_of_four_streams_do_not_mix() {
    let scenario = Scenario {
        members: 12,
        publishers: 4,
        streams: 4,
        rate_bits: 500_000,
        secs: Duration::from_secs(3),
        lead_in: Duration::from_secs(1),
        ..small()
    };
    assert!(play_complete(&scenario).peer_share > 0.3);
}

#[test]
fn who_stays_misses_nothing_while_a_fifth_goes_in_a_minute() {
    let scenario =
        Scenario { churn: 0.6, rate_bits: 500_000, secs: Duration::from_secs(12), members: 60, ..small() };
    let Outcome { results, faults, .. } = run(&scenario, Options::default());
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(results.members, 60 + 7, "so many newcomers came");
    assert!(results.continuity >= 0.999, "continuity {}", results.continuity);
}

#[test]
fn strong_members_carry_five_times_what_the_others_do() {
    let strong = "0.1@20".parse().ok();
    let scenario = Scenario { strong, secs: Duration::from_secs(12), members: 80, ..small() };
    let results = play_complete(&scenario);
    let (strong, usual) = (results.parts["strong"].carried, results.parts["usual"].carried);
    assert!(strong >= 5.0 * usual, "strong members carry {strong} copies, the others {usual}");
}

#[test]
fn weak_members_slow_nobody_and_send_within_their_means() {
    // Once the trees stand: who asks whom in the first second is chance.
    let (lead_in, warm_up) = (Duration::from_secs(1), Duration::from_secs(2));
    let usual = Scenario { lead_in, warm_up, ..small() };
    let results = play_complete(&Scenario { weak: "0.15@0.3".parse().ok(), ..usual.clone() });
    assert!(results.parts["weak"].carried <= 0.3, "{:?}", results.parts);
    let (with, without) = (results.parts["usual"].p99_ms, play_complete(&usual).parts["usual"].p99_ms);
    assert!(with <= without * 1.4, "p99 of the others {with} ms with them, {without} ms without");
}

#[test]
fn a_third_may_only_receive() {
    let scenario = Scenario { download_only: 0.33, lead_in: Duration::from_secs(1), ..small() };
    let results = play_complete(&scenario);
    let receivers = results.parts["download_only"];
    assert!(receivers.members >= 20 && receivers.carried == 0.0, "{receivers:?}");
}

#[test]
fn a_recorded_member_does_the_same_again() {
    use stratus_node::journal::Replay;
    for member in [0, 7] {
        let scenario = Scenario { members: 20, loss: 0.02, secs: Duration::from_secs(3), ..small() };
        let options = Options { journal_of: Some(member), ..Options::default() };
        let journal = run(&scenario, options).journal;
        let mut replay = Replay::new(journal.into()).expect("a journal");
        while let Some(step) = replay.step().expect("whole steps") {
            assert_eq!(step, Ok(()), "member {member}");
        }
        assert!(replay.steps() > 1_000 && replay.rest() == 0, "{} steps", replay.steps());
    }
}

/// Forty members, a small stream of six seconds.
fn troubled() -> Scenario {
    Scenario { members: 40, rate_bits: 500_000, secs: Duration::from_secs(6), ..small() }
}

/// What came of it, with nothing wrong in it.
fn borne(scenario: &Scenario) -> Results {
    let Outcome { results, faults, .. } = run(scenario, Options::default());
    let scenario = serde_json::to_string(scenario).unwrap();
    assert_eq!(faults, Vec::<String>::new(), "{scenario}");
    assert!(results.continuity >= 0.999, "continuity {} of {scenario}", results.continuity);
    results
}

#[test]
fn bursts_crooked_links_and_narrow_ways_in_are_borne() {
    let bursts = borne(&Scenario { loss: 0.03, burst: 10, ..troubled() });
    assert!(bursts.repair_p99_ms > 20.0 && bursts.repair_p99_ms < 2_000.0, "{}", bursts.repair_p99_ms);
    borne(&Scenario { one_way: "0.3@0.3".parse().ok(), ..troubled() });
    borne(&Scenario { asymmetry: Duration::from_millis(40), downlink: Some(1.5), ..troubled() });
}

#[test]
fn members_that_stop_for_a_while_go_on_and_others_miss_nothing() {
    let freeze = "0.25@1s+3s".parse().ok();
    let results = borne(&Scenario { freeze, ..troubled() });
    assert_eq!(results.complete_share, 1.0, "{results:#?}");
}

#[test]
fn a_crowd_that_comes_at_once_plays_soon() {
    let crowd = "4@1s+2s".parse().ok();
    let results = borne(&Scenario { crowd, uplink: None, source_uplink: None, ..troubled() });
    assert_eq!((results.members, results.joined), (40 + 4 * 39, 4 * 39));
    assert!(results.join_p50_ms > 60.0 && results.join_p99_ms < 500.0, "{results:#?}");
}

#[test]
fn a_stretch_of_the_ring_or_a_region_may_die() {
    use crate::scenario::Victims;
    let kill = "0.3@2s".parse().ok();
    let arc = Scenario { kill, victims: Victims::Arc, ..troubled() };
    let region = Scenario { latency: LatencyLaw::Coordinate, victims: Victims::Region, ..arc.clone() };
    assert_eq!((borne(&arc).survivors, borne(&region).survivors), (27, 27));
}

#[test]
fn polluters_are_found_out_and_freeloaders_left_behind() {
    let polluted = borne(&Scenario { polluters: 0.2, uplink: Some(4.0), ..troubled() });
    let hostile = polluted.hostile.expect("there are some");
    assert!(hostile.bad_fragments > 0 && hostile.accusations > 0, "{hostile:?}");
    assert!(hostile.cut_off_ms <= 1_000.0 && hostile.unpunished == 0, "{hostile:?}");
    let freeloaded = borne(&Scenario { freeloaders: 0.2, uplink: Some(4.0), ..troubled() });
    assert_eq!(freeloaded.parts["freeloader"].carried, 0.0);
}

#[test]
fn those_who_tell_of_nobody_but_their_own_kind_surround_nobody() {
    let scenario =
        Scenario { members: 60, publishers: 0, sybils: 0.3, settle: Duration::from_secs(15), ..small() };
    let hostile = run(&scenario, Options::default()).results.hostile.expect("there are some");
    assert!((10..30).contains(&hostile.members) && hostile.eclipsed == 0, "{hostile:?}");
}
