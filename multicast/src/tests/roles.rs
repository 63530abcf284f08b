//! Members that give nothing, and members that can give much.

use std::time::Duration;

use stratus_core::testing::{NetConfig, peer};

use super::Group;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Eight subscribers of a publisher; those numbered `receivers` only receive.
fn played(seed: u64, net: NetConfig, receivers: std::ops::Range<u64>) -> Group {
    let mut group = Group::new(seed, net);
    // The publisher can send three copies, headers and manifests included: the members must carry the rest.
    group.config.upload = Some(240_000);
    for number in 0..9 {
        group.config.download_only = receivers.contains(&number);
        group.add(number);
    }
    for a in 0..9 {
        (a + 1..9).for_each(|b| group.link(a, b));
    }
    group.net.run_for(MS(300));
    (1..9).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    // 50,000 bytes a second.
    group.write(0, 500, MS(10), Duration::from_secs(4));
    group.unpublish(0);
    group.net.run_for(Duration::from_secs(2));
    for number in 1..9 {
        assert!(group.received(number) == group.sent(0), "member {number} misses something");
    }
    for number in receivers {
        let counters = group.counters(number, &stream);
        assert_eq!((counters.sent_bytes(), counters.manifests_sent_bytes), (0, 0), "member {number} sent");
    }
    group
}

#[test]
fn a_member_that_only_receives_sends_no_payload_and_gets_everything() {
    let group = played(41, NetConfig::with_latency(MS(20)), 5..9);
    let stream = Group::stream(0);
    let carried: u64 = (1..5).map(|number| group.counters(number, &stream).sent_bytes()).sum();
    assert!(carried > 0, "the other members carry");
    assert!(group.net.machine(&peer(5)).stream(&stream).is_some_and(|info| info.children == 0));
}

#[test]
fn it_gets_everything_on_a_lossy_path_too_and_nobody_waits_for_its_repairs() {
    let group = played(42, NetConfig { lost_per_mille: 50, ..NetConfig::with_latency(MS(20)) }, 6..9);
    let refusals: u64 = (6..9).map(|number| group.counters(number, &Group::stream(0)).refusals_sent).sum();
    assert_eq!(refusals, 0, "nobody asked those that show nothing");
}

#[test]
fn what_it_publishes_itself_it_sends() {
    let mut group = Group::new(43, NetConfig::with_latency(MS(20)));
    group.config.download_only = true;
    group.mesh(3);
    (1..3).for_each(|number| group.subscribe(number, "cam"));
    group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 500, MS(10), Duration::from_secs(1));
    group.net.run_for(MS(300));
    assert!(group.received(1) == group.sent(0) && group.received(2) == group.sent(0));
}
