//! Posts reach everybody once.

use std::collections::BTreeSet;
use std::time::Duration;

use stratus_core::testing::{NetConfig, peer};

use super::Group;
use crate::{Event, PostId};

#[test]
fn a_post_reaches_everybody_once_and_nobody_pulls_it_twice() {
    let mut group = Group::new(3, NetConfig::default());
    group.scatter(60, 8, 5);
    for number in [1, 20, 40] {
        group.post(number, &format!("hello from {number}"));
        group.run(300);
    }
    group.run(3_000);
    let others = |own: u64| [1, 20, 40].into_iter().filter(move |number| *number != own);
    for number in 1..=60 {
        let mut texts = group.texts(number);
        texts.sort();
        let mut expected: Vec<String> = others(number).map(|by| format!("hello from {by}")).collect();
        expected.sort();
        assert_eq!(texts, expected, "member {number}");
        assert_eq!(group.net.machine(&peer(number)).info().duplicates, 0, "member {number}");
        assert_eq!(group.net.machine(&peer(number)).info().received.posts, expected.len() as u64);
    }
}

#[test]
fn equal_texts_are_two_posts() {
    // spec PO-2
    let mut group = Group::mesh(3);
    group.post(1, "yes");
    group.post(1, "yes");
    group.post(2, "yes");
    group.run(1_000);
    assert_eq!(group.texts(3), ["yes"; 3]);
    let ids: BTreeSet<PostId> = group.shown(3).iter().map(|post| post.id()).collect();
    assert_eq!(ids.len(), 3);
    let posts = group.shown(3);
    let sequences: Vec<u64> =
        posts.iter().filter(|post| post.sender() == peer(1)).map(|post| post.sequence()).collect();
    assert!(sequences[0] < sequences[1], "two posts of one moment have two sequences: {sequences:?}");
}

#[test]
fn a_line_comes_within_three_ways_to_each_neighbor() {
    // Announced, asked for, given: three one-way latencies of 20 ms.
    let mut group = Group::new(3, NetConfig::with_latency(Duration::from_millis(20)));
    group.fill(3);
    let posted_at = group.net.now();
    group.post(1, "quick");
    group.run(500);
    for number in [2, 3] {
        let events = group.net.events(&peer(number));
        let (at, _) =
            events.iter().find(|(_, event)| matches!(event, Event::Post(_))).expect("the post came");
        assert_eq!(at.since(posted_at), Duration::from_millis(60));
    }
}

#[test]
fn what_is_posted_alone_waits_for_the_first_neighbor() {
    let mut group = Group::new(3, NetConfig::default());
    group.add(1);
    group.post(1, "anybody there");
    group.run(5_000);
    assert_eq!(group.size(1, "posts nobody was told of"), 1);
    group.add(2);
    group.link(2, 1);
    group.run(400);
    assert_eq!(group.texts(2), ["anybody there"]);
    assert_eq!(group.size(1, "posts nobody was told of"), 0);
    let taken = |(_, event): &&(_, Event)| matches!(event, Event::Taken(_));
    assert_eq!(group.net.events(&peer(1)).iter().filter(taken).count(), 1, "the poster hears of it once");
}

#[test]
fn who_dies_with_what_it_announced_is_replaced() {
    // Everybody learns of the post from whoever is killed before it gives it to anybody but 2.
    let mut group = Group::new(3, NetConfig::with_latency(Duration::from_millis(20)));
    for number in 1..=4 {
        group.add(number);
    }
    for (a, b) in [(1, 2), (1, 3), (1, 4), (2, 3), (3, 4)] {
        group.link(a, b);
    }
    group.run(1_000);
    group.post(1, "last words");
    // Announced at 20 ms, asked for at 40 ms: those who ask hear nothing more, except one.
    group.net.block_dials(peer(1), peer(3));
    group.run(30);
    group.net.tap(|passing| {
        let is_late = passing.from == peer(1) && passing.to != peer(2);
        if is_late { stratus_core::testing::Fate::Drop } else { stratus_core::testing::Fate::Pass }
    });
    group.run(45);
    group.net.kill(peer(1));
    group.run(3_000);
    for number in 2..=4 {
        assert_eq!(group.texts(number), ["last words"], "member {number}");
    }
}

#[test]
fn a_group_that_comes_and_goes_loses_nothing_that_was_passed_on_once() {
    let mut group = Group::new(11, NetConfig::default());
    group.scatter(40, 8, 6);
    for round in 0..20u64 {
        group.post(1 + round % 5, &format!("post {round}"));
        group.run(250);
        // Not those who post: what nobody has taken dies with its sender.
        if round % 2 == 0 {
            group.net.kill(peer(6 + round));
        }
    }
    group.run(4_000);
    for number in (1..=40).filter(|number| group.net.is_alive(&peer(*number))) {
        let own = if number <= 5 { 4 } else { 0 };
        let texts: BTreeSet<String> = group.texts(number).into_iter().collect();
        assert_eq!((texts.len(), group.texts(number).len()), (20 - own, 20 - own), "member {number}");
    }
}
