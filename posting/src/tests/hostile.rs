//! What is refused, and who is blamed for it.

use std::sync::Arc;

use bytes::Bytes;
use stratus_core::testing::{identity, peer};
use stratus_core::{GroupId, Signature};

use super::{GROUP, Group};
use crate::{Author, Item, Message, Post};

const SECOND: u64 = 1_000_000;

#[test]
fn a_forged_post_is_not_shown_and_its_bringer_is_blamed() {
    let mut group = Group::mesh(3);
    let clock = group.clock();
    let good = Group::sign(70, clock, "true", None);
    let forged = |body: &'static str, sequence: u64, signature: Signature| {
        Arc::new(Post::of(good.author().clone(), sequence, Bytes::from_static(body.as_bytes()), signature))
    };
    let elsewhere = {
        let group = GroupId::from_bytes([8; 32]);
        let author = good.author().clone();
        Arc::new(Post::signed(&group, &identity(70), author, clock, Bytes::from_static(b"true")))
    };
    let lies = [
        forged("false", clock, *good.signature()),
        forged("true", clock + 1, *good.signature()),
        forged("true", clock, Signature([7; 64])),
        elsewhere,
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        group.say(2, 1, &Message::Posts(vec![lie]));
        assert_eq!(group.blamed(1).len(), number + 1);
    }
    assert_eq!(group.blamed(1), [(peer(2), "brought a forged post"); 4]);
    group.run(2_000);
    assert!(group.texts(1).is_empty() && group.texts(3).is_empty(), "nor passed on");
}

#[test]
fn a_post_without_the_right_is_not_shown_and_its_bringer_is_blamed() {
    // spec PO-4
    let mut group = Group::new(3, Default::default());
    let (right, wrong) = (identity(50), identity(51));
    group.authority = Some(right.clone());
    group.fill(3);
    let clock = group.clock();
    let none = Group::sign(70, clock, "no grant", None);
    let other = Group::sign(70, clock, "another key's grant", Some(&wrong));
    let lent = {
        // The grant of one sender under the key of another.
        let grant = Author::new(&GROUP, &identity(71), Some(&right)).grant;
        let author = Arc::new(Author { key: identity(70).public(), grant });
        Arc::new(Post::signed(&GROUP, &identity(70), author, clock, Bytes::from_static(b"lent grant")))
    };
    for post in [none, other, lent] {
        group.say(2, 1, &Message::Posts(vec![post]));
    }
    assert_eq!(group.blamed(1), [(peer(2), "brought a post without the right to post"); 3]);
    group.say(2, 1, &Message::Posts(vec![Group::sign(70, clock + 1, "granted", Some(&right))]));
    group.run(2_000);
    assert_eq!((group.texts(1), group.texts(3)), (vec!["granted".into()], vec!["granted".into()]));
}

#[test]
fn where_anybody_may_post_a_grant_is_none() {
    let mut group = Group::mesh(2);
    let clock = group.clock();
    group.say(2, 1, &Message::Posts(vec![Group::sign(70, clock, "pompous", Some(&identity(50)))]));
    assert!(group.texts(1).is_empty());
    assert_eq!(group.blamed(1), [(peer(2), "brought a post without the right to post")]);
}

#[test]
fn a_post_said_again_is_shown_once() {
    let mut group = Group::mesh(3);
    group.post(2, "once");
    group.run(1_000);
    let post = group.shown(1)[0].clone();
    for _ in 0..50 {
        group.say(3, 1, &Message::Posts(vec![post.clone()]));
    }
    assert_eq!(group.texts(1), ["once"]);
    assert_eq!(group.net.machine(&peer(1)).info().duplicates, 50);
    assert!(group.blamed(1).is_empty(), "fifty may be an accident");
}

#[test]
fn who_says_everything_again_and_again_is_dropped() {
    let mut group = Group::new(3, Default::default());
    group.config.useless.burst = 100;
    group.fill(2);
    group.post(2, "again");
    group.run(1_000);
    let post = group.shown(1)[0].clone();
    // 128 a second are borne besides.
    for _ in 0..400 {
        group.net.forge(
            peer(2),
            peer(1),
            &Message::Posts(vec![post.clone()]),
            stratus_core::Delivery::Control,
        );
    }
    group.run(100);
    assert_eq!(group.blamed(1)[0], (peer(2), "sent too much that is of no use"));
}

#[test]
fn a_post_from_the_future_is_refused_and_one_a_little_ahead_is_not() {
    let mut group = Group::mesh(2);
    let clock = group.clock();
    let tolerated = Group::sign(70, clock + 299 * SECOND, "a clock ahead", None);
    let future = Group::sign(70, clock + 301 * SECOND, "tomorrow", None);
    group.say(2, 1, &Message::Posts(vec![tolerated]));
    group.say(2, 1, &Message::Posts(vec![future.clone()]));
    assert_eq!(group.texts(1), ["a clock ahead"]);
    assert_eq!(group.net.machine(&peer(1)).info().refused.from_the_future, 1);
    assert!(group.blamed(1).is_empty(), "whose clock is wrong is not known");
    // Nor is it asked for when it is announced.
    let before = group.net.traffic(&peer(1)).sent_count;
    group.say(2, 1, &Message::Announce { is_news: true, items: vec![future.item()] });
    assert_eq!(group.net.traffic(&peer(1)).sent_count, before);
}

#[test]
fn a_sender_over_its_rate_is_heard_as_far_as_it_goes_and_blamed_if_it_is_the_bringer() {
    // spec PO-7
    let mut group = Group::new(3, Default::default());
    group.config.max_posts_per_interval = 3;
    group.fill(3);
    let begin = group.clock() / 10_000_000 * 10_000_000;
    let posts: Vec<_> = (0..4).map(|at| Group::sign(70, begin + at, &format!("{at}"), None)).collect();
    group.say(2, 1, &Message::Posts(posts[..3].to_vec()));
    group.say(2, 1, &Message::Posts(vec![posts[3].clone()]));
    assert_eq!(group.texts(1), ["0", "1", "2"]);
    assert_eq!(group.net.machine(&peer(1)).info().refused.too_many, 1);
    assert!(group.blamed(1).is_empty(), "who brings it may have known of fewer");
    // What was refused is not asked for again.
    let before = group.net.traffic(&peer(1)).sent_count;
    group.say(2, 1, &Message::Announce { is_news: true, items: vec![posts[3].item()] });
    assert_eq!(group.net.traffic(&peer(1)).sent_count, before);
    let own: Vec<_> = (0..4).map(|at| Group::sign(3, begin + at, &format!("own {at}"), None)).collect();
    group.say(3, 1, &Message::Posts(own));
    assert_eq!(group.blamed(1), [(peer(3), "posted more than a member may")]);
}

#[test]
fn of_too_many_posts_all_members_keep_the_same_whatever_came_first() {
    let mut group = Group::new(3, Default::default());
    group.config.max_posts_per_interval = 3;
    group.fill(3);
    let begin = group.clock() / 10_000_000 * 10_000_000;
    let posts: Vec<_> = (0..6).map(|at| Group::sign(70, begin + at, &format!("{at}"), None)).collect();
    // The late ones to member 1, the early ones to member 3.
    group.say(2, 1, &Message::Posts(posts[3..].to_vec()));
    group.say(2, 3, &Message::Posts(posts[..3].to_vec()));
    group.run(30_000);
    for number in 1..=3 {
        assert_eq!(group.size(number, "posts"), 3, "member {number}");
    }
    let held = |number: u64| {
        let machine = group.net.machine(&peer(number));
        posts.iter().filter(|post| machine.history.has(&post.item())).count()
    };
    assert_eq!([held(1), held(2), held(3)], [3, 3, 3]);
    let is_early = |number: u64| {
        posts[..3].iter().all(|post| group.net.machine(&peer(number)).history.has(&post.item()))
    };
    assert!((1..=3).all(is_early), "the earliest are kept");
}

#[test]
fn of_too_many_long_posts_the_earliest_are_kept_whatever_came_first() {
    // spec PO-7: short ones are let pass
    let mut group = Group::new(3, Default::default());
    group.config.max_posts_per_interval = 7;
    group.config.max_long_posts_per_interval = 3;
    group.fill(3);
    let begin = group.clock() / 10_000_000 * 10_000_000;
    let (short, long) = ("x".repeat(1_024), "x".repeat(1_025));
    // Long at even places: 0 2 4 | 6 8, of all of which seven are 0 1 2 3 4 5 7.
    let body = |at: u64| if at.is_multiple_of(2) { &long } else { &short };
    let posts: Vec<_> = (0..10).map(|at| Group::sign(70, begin + at, body(at), None)).collect();
    let from_the_end = posts.iter().rev().cloned().collect::<Vec<_>>();
    for post in from_the_end {
        group.say(2, 1, &Message::Posts(vec![post]));
    }
    group.say(2, 3, &Message::Posts(posts.clone()));
    group.run(30_000);
    let held = |number: u64| {
        let history = &group.net.machine(&peer(number)).history;
        (0..10).filter(|at| history.has(&posts[*at].item())).collect::<Vec<_>>()
    };
    assert_eq!(
        [held(1), held(2), held(3)],
        [vec![0, 1, 2, 3, 4, 5, 7], vec![0, 1, 2, 3, 4, 5, 7], vec![0, 1, 2, 3, 4, 5, 7]]
    );
}

#[test]
fn what_is_announced_and_never_given_is_asked_of_others() {
    let mut group = Group::mesh(3);
    let clock = group.clock();
    let post = Group::sign(70, clock, "held back", None);
    let announce = Message::Announce { is_news: true, items: vec![post.item()] };
    group.say(2, 1, &announce);
    group.say(3, 1, &announce);
    // Both lack it, and say so: it is no longer wanted.
    group.run(500);
    assert_eq!(group.size(1, "wanted posts"), 0);
    let nobody = Message::Announce { is_news: true, items: vec![Item { sequence: clock, tag: 3 }] };
    group.net.tap(|passing| match passing.message {
        Message::Lack { .. } => stratus_core::testing::Fate::Drop,
        _ => stratus_core::testing::Fate::Pass,
    });
    group.say(2, 1, &nobody);
    assert_eq!(group.size(1, "wanted posts"), 1);
    group.run(1_000);
    assert_eq!(group.size(1, "wanted posts"), 0, "who is silent is given up");
    assert_eq!(group.net.machine(&peer(1)).info().pulls_failed, 1);
}
