//! Who comes late learns what was said before, and what it costs.

use std::time::Duration;

use stratus_core::testing::peer;

use super::Group;
use crate::{Config, Message};

/// A group of three in which `posts` were posted by many that have left.
fn with_history(posts: u64) -> Group {
    let mut group = Group::new(5, Default::default());
    group.fill(3);
    let clock = group.clock();
    let post = |number: u64| {
        let text = format!("line {number} of a chat that went on for hours");
        Group::sign(1_000 + number % 200, clock - 3_600_000_000 + number * 300_000, &text, None)
    };
    let all: Vec<_> = (0..posts).map(post).collect();
    for some in all.chunks(200) {
        group.say(2, 1, &Message::Posts(some.to_vec()));
    }
    group.run(60_000);
    group
}

#[test]
fn a_newcomer_has_ten_thousand_posts_in_three_seconds_for_less_than_they_weigh() {
    let mut group = with_history(10_000);
    for number in 1..=3 {
        assert_eq!(group.size(number, "posts"), 10_000, "member {number}");
    }
    let weight = group.size(1, "bytes of posts") as u64;
    group.add(4);
    for other in 1..=3 {
        group.link(4, other);
    }
    group.run(3_000);
    let received = group.net.traffic(&peer(4)).received_bytes;
    assert_eq!(group.shown(4).len(), 10_000);
    assert!(received * 10 < weight * 12, "{received} bytes for a history of {weight}");
    assert_eq!(group.net.machine(&peer(4)).info().duplicates, 0);
    // And it goes quiet: nobody tells it again.
    group.run(20_000);
    let more = group.net.traffic(&peer(4)).received_bytes - received;
    assert!(more < 20_000, "{more} bytes more when all was said");
}

#[test]
fn who_slept_pays_for_what_it_missed_and_not_for_the_rest() {
    let mut group = with_history(2_000);
    let sleeper = peer(3);
    group.net.partition(&[&[sleeper]]);
    group.run(20_000);
    for number in 0..30 {
        group.post(1, &format!("missed {number}"));
    }
    group.run(3_000);
    group.net.heal();
    let before = group.net.traffic(&sleeper).received_bytes;
    group.link(3, 1);
    group.link(3, 2);
    group.run(3_000);
    let missed = group.texts(3).iter().filter(|text| text.starts_with("missed")).count();
    let received = group.net.traffic(&sleeper).received_bytes - before;
    assert_eq!(missed, 30);
    // 30 posts of about 80 bytes, compared with a history of 300 kB.
    assert!(received < 12_000, "{received} bytes for what was missed");
}

#[test]
fn two_histories_that_differ_in_a_few_old_posts_become_one() {
    let mut group = with_history(3_000);
    let clock = group.clock();
    group.net.partition(&[&[peer(1)], &[peer(2)]]);
    group.run(15_000);
    // Old posts that came by another way, in the middle of the history: some here, some there.
    for number in 0..7 {
        let moment = clock - 3_000_000_000 + number * 77_000_000 + 5;
        let post = Group::sign(2_000 + number, moment, "from elsewhere", None);
        let to = 1 + number % 2;
        group.net.heal();
        group.link(3, to);
        group.run(200);
        group.say(3, to, &Message::Posts(vec![post]));
    }
    group.link(1, 2);
    group.run(90_000);
    for number in 1..=2 {
        assert_eq!(group.size(number, "posts"), 3_007, "member {number}");
    }
}

#[test]
fn what_is_older_than_the_history_is_let_go_of_and_never_comes_back() {
    // spec PO-8
    let mut group = Group::new(5, Default::default());
    group.config = Config { history_duration: Duration::from_secs(60), ..Config::default() };
    group.fill(2);
    group.post(1, "soon forgotten");
    group.run(1_000);
    let post = group.shown(2)[0].clone();
    assert_eq!([group.size(1, "posts"), group.size(2, "posts")], [1, 1]);
    group.run(62_000);
    assert_eq!([group.size(1, "posts"), group.size(2, "posts")], [0, 0]);
    assert_eq!(group.size(2, "senders"), 0, "and its sender with it");
    group.say(1, 2, &Message::Posts(vec![post]));
    assert_eq!(group.texts(2), ["soon forgotten"], "shown once");
    assert!(group.blamed(2).is_empty(), "clocks differ: it is nobody's guilt");
}
