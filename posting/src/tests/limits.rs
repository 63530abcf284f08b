//! What strangers could make us keep: each at its limit, and one more.

use stratus_core::DecodeError;
use stratus_core::Wire as _;
use stratus_core::testing::peer;

use super::Group;
use crate::message::{MAX_ITEMS, MAX_POSTS, MAX_SUMMARIES};
use crate::{Config, Item, Listing, MAX_BODY, Message, Stretch, Summary};

/// Items of nobody's posts, some time ago.
fn items(group: &Group, count: usize) -> Vec<Item> {
    let from = group.clock() - 3_600_000_000;
    (0..count as u64).map(|number| Item { sequence: from + number, tag: number }).collect()
}

/// Members 1 and 2, of which the second says nothing of its own.
fn pair(change: impl FnOnce(&mut Config)) -> Group {
    let mut group = Group::new(3, Default::default());
    change(&mut group.config);
    group.fill(2);
    group.net.tap(|passing| {
        let is_ours = passing.from == peer(2) && matches!(passing.message, Message::Lack { .. });
        if is_ours { stratus_core::testing::Fate::Drop } else { stratus_core::testing::Fate::Pass }
    });
    group
}

#[test]
fn posts_end_at_their_limit_and_the_oldest_go() {
    let mut group = pair(|config| config.max_posts = 64);
    let clock = group.clock();
    let post = |number: u64| Group::sign(100 + number, clock - 1_000_000 + number, "short", None);
    group.say(2, 1, &Message::Posts((0..64).map(post).collect()));
    assert_eq!(group.size(1, "posts"), 64);
    group.say(2, 1, &Message::Posts(vec![post(64)]));
    // One more than fits lets go of a thirty-second besides.
    assert_eq!(group.size(1, "posts"), 62);
    let machine = group.net.machine(&peer(1));
    assert!(machine.history.has(&post(64).item()) && !machine.history.has(&post(0).item()));
    group.say(2, 1, &Message::Posts(vec![post(0)]));
    assert_eq!(group.shown(1).len(), 65, "what went does not come again");
}

#[test]
fn bytes_of_posts_end_at_their_limit() {
    let mut group = pair(|config| config.max_history_bytes = 32 << 10);
    let clock = group.clock();
    let body = "x".repeat(8_000);
    let post = |number: u64| Group::sign(100 + number, clock - 1_000_000 + number, &body, None);
    for number in 0..4 {
        group.say(2, 1, &Message::Posts(vec![post(number)]));
    }
    assert_eq!(group.size(1, "posts"), 4);
    assert!(group.size(1, "bytes of posts") <= 32 << 10);
    group.say(2, 1, &Message::Posts(vec![post(4)]));
    assert_eq!(group.size(1, "posts"), 3);
}

#[test]
fn wanted_posts_end_at_their_limits() {
    let mut group = pair(|config| {
        config.max_wanted = 50;
        config.max_wanted_per_neighbor = 30;
        config.max_asked = 7;
    });
    let items = items(&group, 31);
    group.net.forge(
        peer(2),
        peer(1),
        &Message::Announce { is_news: false, items },
        stratus_core::Delivery::Control,
    );
    group.run(50);
    assert_eq!(group.size(1, "wanted posts"), 30, "one neighbor");
    assert_eq!(group.size(1, "posts asked of a neighbor"), 7);
    group.add(3);
    group.link(3, 1);
    group.run(200);
    let more: Vec<Item> = (0..31).map(|number| Item { sequence: group.clock(), tag: 900 + number }).collect();
    group.net.forge(
        peer(3),
        peer(1),
        &Message::Announce { is_news: false, items: more },
        stratus_core::Delivery::Control,
    );
    group.run(50);
    assert_eq!(group.size(1, "wanted posts"), 50, "all together");
}

#[test]
fn neighbors_end_at_their_limit() {
    let mut group = Group::new(3, Default::default());
    group.config.max_neighbors = 3;
    group.fill(4);
    assert_eq!(group.size(1, "posting neighbors"), 3);
    group.add(5);
    group.link(5, 1);
    group.run(500);
    assert_eq!(group.size(1, "posting neighbors"), 3);
}

#[test]
fn refused_posts_end_at_their_limit() {
    let mut group = pair(|config| {
        config.max_refused = 5;
        config.max_posts_per_interval = 1;
    });
    let begin = group.clock() / 10_000_000 * 10_000_000;
    let post = |at: u64| Group::sign(70, begin + at, "too many", None);
    group.say(2, 1, &Message::Posts((0..6).map(post).collect()));
    assert_eq!(group.size(1, "refused posts"), 5);
    group.say(2, 1, &Message::Posts(vec![post(6)]));
    assert_eq!(group.size(1, "refused posts"), 5);
}

#[test]
fn who_asks_for_too_much_is_not_given_it() {
    let mut group = pair(|config| config.given.burst = 20);
    let body = "x".repeat(8_000);
    let clock = group.clock();
    let posts: Vec<_> = (0..3).map(|number| Group::sign(100 + number, clock + number, &body, None)).collect();
    let items = |range: std::ops::Range<usize>| posts[range].iter().map(|post| post.item()).collect();
    group.say(2, 1, &Message::Posts(posts.clone()));
    group.run(1_000);
    let given = |group: &Group| group.net.machine(&peer(1)).info().sent.posts;
    let before = given(&group);
    // 16 KiB at once, then 512 KiB a second: the bucket is full again after the wait.
    group.net.forge(peer(2), peer(1), &Message::Pull { items: items(0..2) }, stratus_core::Delivery::Control);
    group.net.forge(peer(2), peer(1), &Message::Pull { items: items(0..2) }, stratus_core::Delivery::Control);
    group.run(100);
    assert_eq!(given(&group) - before, 2, "the second request is too much");
}

#[test]
fn messages_and_comparisons_over_their_rates_are_not_heard() {
    let mut group = pair(|config| {
        config.messages.burst = 10;
        config.comparisons.burst = 10;
        config.messages.per_second = 1;
        config.comparisons.per_second = 1;
    });
    group.run(20_000);
    let sent = |group: &Group| group.net.traffic(&peer(1)).sent_count;
    let before = sent(&group);
    let foreign = Summary { stretch: Stretch::ALL, count: 3, fingerprint: [7; 16] };
    let compare = Message::Compare { is_answer: true, summaries: vec![foreign] };
    for _ in 0..11 {
        group.net.forge(peer(2), peer(1), &compare, stratus_core::Delivery::Control);
    }
    group.run(60);
    assert_eq!(sent(&group) - before, 10, "each comparison has one answer, the eleventh none");
    let before = sent(&group);
    let pull = Message::Pull { items: vec![Item { sequence: 3, tag: 5 }] };
    for _ in 0..11 {
        group.net.forge(peer(2), peer(1), &pull, stratus_core::Delivery::Control);
    }
    group.run(60);
    assert_eq!(sent(&group) - before, 10, "each request has one answer, the eleventh none");
}

#[test]
fn lists_on_the_wire_end_at_their_limits() {
    let item = |number: u64| Item { sequence: 1 + number, tag: number };
    let lists = |count: usize| {
        let items: Vec<Item> = (0..count as u64).map(item).collect();
        let listing = Listing { stretch: Stretch::ALL, items: items.clone() };
        [Message::Pull { items }, Message::Holds(vec![listing])]
    };
    assert!(lists(MAX_ITEMS).iter().all(|message| Message::from_bytes(message.to_bytes()).is_ok()));
    let too_long = |message: &Message| Message::from_bytes(message.to_bytes()) == Err(DecodeError::TooLong);
    assert!(lists(MAX_ITEMS + 1).iter().all(too_long));
    let summaries = |count: u64| {
        let part = |number| Summary {
            stretch: Stretch { from: item(number), to: item(number + 1) },
            count: 3,
            fingerprint: [7; 16],
        };
        Message::Compare { is_answer: false, summaries: (0..count).map(part).collect() }
    };
    let most = MAX_SUMMARIES as u64;
    assert!(Message::from_bytes(summaries(most).to_bytes()).is_ok() && too_long(&summaries(most + 1)));
    let posts = |count: u64, size: usize| {
        let body = "x".repeat(size);
        Message::Posts((0..count).map(|number| Group::sign(3, 1 + number, &body, None)).collect())
    };
    let most = MAX_POSTS as u64;
    assert!(Message::from_bytes(posts(most, 1).to_bytes()).is_ok() && too_long(&posts(most + 1, 1)));
    assert!(Message::from_bytes(posts(1, MAX_BODY).to_bytes()).is_ok() && too_long(&posts(1, MAX_BODY + 1)));
}

#[test]
fn settings_that_cannot_work_are_named() {
    assert_eq!(Config::default().validate(), Ok(()));
    let faulty = [
        Config { max_posts: 0, ..Config::default() },
        Config { max_history_bytes: 0, ..Config::default() },
        Config { announce_interval: std::time::Duration::ZERO, ..Config::default() },
        Config { idle_exchange_interval: std::time::Duration::from_millis(500), ..Config::default() },
    ];
    let named = ["max_posts", "max_history_bytes", "announce_interval", "idle_exchange_interval"];
    for (config, field) in faulty.into_iter().zip(named) {
        let why = config.validate().expect_err("it cannot work");
        assert!(why.starts_with(&format!("{field} must be ")), "{why}");
    }
}
