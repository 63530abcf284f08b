//! What the owner may ask, and what it is told.

use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{identity, peer};

use super::Group;
use crate::{Event, MAX_BODY, PostError};

fn failures(group: &Group, number: u64) -> Vec<PostError> {
    let why = |event: &Event| match event {
        Event::PostFailed { why, .. } => Some(*why),
        _ => None,
    };
    group.net.events(&peer(number)).iter().filter_map(|(_, event)| why(event)).collect()
}

#[test]
fn a_body_at_the_limit_is_posted_and_one_over_it_is_not() {
    // spec PO-1
    let mut group = Group::mesh(2);
    group.post_with(1, Bytes::from(vec![7; MAX_BODY]), None);
    group.post_with(1, Bytes::from(vec![7; MAX_BODY + 1]), None);
    group.run(1_000);
    assert_eq!(group.shown(2).len(), 1);
    assert_eq!(group.shown(2)[0].body().len(), MAX_BODY);
    assert_eq!(failures(&group, 1), [PostError::TooLong]);
}

#[test]
fn a_reader_cannot_post() {
    let mut group = Group::new(3, Default::default());
    group.authority = Some(identity(50));
    group.fill(2);
    group.post_with(1, Bytes::from_static(b"no right"), None);
    group.post_with(1, Bytes::from_static(b"another group's"), Some(identity(51)));
    group.post(1, "with the right");
    group.run(1_000);
    assert_eq!(failures(&group, 1), [PostError::NotAuthorized; 2]);
    assert_eq!(group.texts(2), ["with the right"]);
}

/// Waits for the next interval in which posts are counted.
fn begin_interval(group: &mut Group) {
    let into = group.clock() % 10_000_000;
    group.run((10_000_000 - into) / 1_000);
}

#[test]
fn who_posts_too_fast_is_told_how_long_to_wait() {
    // spec PO-7
    let mut group = Group::new(3, Default::default());
    group.config.max_posts_per_interval = 3;
    group.fill(2);
    begin_interval(&mut group);
    (0..4).for_each(|number| group.post(1, &format!("post {number}")));
    let [PostError::TooFast { wait }] = failures(&group, 1)[..] else { panic!("one is too many") };
    assert!(wait > Duration::from_secs(9) && wait <= Duration::from_secs(10), "{wait:?}");
    group.net.run_for(wait);
    group.post(1, "post 3");
    group.run(1_000);
    assert_eq!(group.texts(2), ["post 0", "post 1", "post 2", "post 3"]);
}

#[test]
fn who_posts_too_many_long_ones_may_still_post_short_ones() {
    // spec PO-7
    let mut group = Group::new(3, Default::default());
    group.config.max_long_posts_per_interval = 3;
    group.fill(2);
    begin_interval(&mut group);
    let long = Bytes::from(vec![b'x'; 1_025]);
    (0..4).for_each(|_| group.post_with(1, long.clone(), None));
    assert!(matches!(failures(&group, 1)[..], [PostError::TooFast { .. }]), "one is too many");
    group.post_with(1, long.slice(1..), None);
    group.run(1_000);
    assert_eq!((failures(&group, 1).len(), group.shown(2).len()), (1, 4));
}

#[test]
fn a_clock_that_is_set_back_gives_no_sequence_twice() {
    let mut group = Group::mesh(2);
    group.post(1, "before");
    group.net.command(peer(1), crate::Command::SetClock(group.clock() - 60_000_000));
    group.post(1, "after");
    group.run(1_000);
    let sequences: Vec<u64> = group.shown(2).iter().map(|post| post.sequence()).collect();
    assert_eq!(group.texts(2), ["before", "after"]);
    assert!(sequences[0] < sequences[1]);
}
