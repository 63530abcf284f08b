//! How often maps come: often where something is wrong, seldom where nothing is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use stratus_core::testing::{Fate, NetConfig, peer};
use stratus_core::{Delivery, Priority, Time};

use super::Group;
use crate::{Availability, Message, StreamId};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A publisher 0 and 11 viewers, three seconds into a stream; `upload` is each one's budget.
fn running(upload: Option<u64>) -> (Group, StreamId) {
    let mut group = Group::new(31, NetConfig::with_latency(MS(10)));
    group.config.upload = upload;
    group.mesh(12);
    (1..12).for_each(|number| group.subscribe(number, "cam"));
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(500));
    group.write(0, 1_128, MS(4), Duration::from_secs(3));
    (group, stream)
}

/// Counts the maps that pass from now on.
fn count_maps(group: &mut Group) -> Rc<Cell<usize>> {
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    group.net.tap(move |passing| {
        seen.set(seen.get() + usize::from(matches!(passing.message, Message::Map { .. })));
        Fate::Pass
    });
    count
}

/// Maps a second and member, in the fourth second of a stream and in its fifteenth.
fn pace(upload: Option<u64>) -> [f64; 2] {
    let (mut group, _) = running(upload);
    let count = count_maps(&mut group);
    [MS(0), Duration::from_secs(10)].map(|later| {
        group.write(0, 1_128, MS(4), later);
        count.set(0);
        group.write(0, 1_128, MS(4), Duration::from_secs(1));
        count.get() as f64 / 12.0
    })
}

#[test]
fn where_nothing_goes_wrong_maps_become_seldom_unless_uploads_are_limited() {
    let [early, late] = pace(None);
    assert!(early >= 5.0 && (1.0..=4.5).contains(&late), "{early} and {late} a second");
    let [_, late] = pace(Some(2_000_000));
    assert!(late >= 8.0, "{late} a second with a limited upload");
}

#[test]
fn who_loses_its_parents_in_calm_hears_from_the_others_at_once_and_has_new_ones_within_a_second() {
    let (mut group, stream) = running(None);
    group.write(0, 1_128, MS(4), Duration::from_secs(10));
    let asked: Rc<RefCell<Vec<(Time, bool)>>> = Rc::default();
    let seen = asked.clone();
    group.net.tap(move |passing| {
        if let Message::Map { map, .. } = passing.message {
            seen.borrow_mut().push((passing.at, map.asks));
        }
        Fate::Pass
    });
    for number in 1..4 {
        group.net.kill(peer(number));
    }
    group.write(0, 1_128, MS(4), Duration::from_secs(1));
    let lacking = (4..12).map(|number| {
        let info = group.net.machine(&peer(number)).stream(&stream).expect("known");
        8 - info.slices_with_parent
    });
    assert_eq!(lacking.sum::<usize>(), 0, "slices without a parent after a second");
    let questions = asked.borrow().iter().filter(|(_, asks)| *asks).count();
    let answers = asked.borrow().len() - questions;
    assert!(questions >= 8 && answers >= questions / 2, "{questions} questions, {answers} other maps");
    group.unpublish(0);
    group.net.run_for(Duration::from_secs(12));
    assert!((4..12).all(|number| group.received(number) == group.sent(0)), "something is missing");
}

#[test]
fn who_asks_again_and_again_is_answered_once_a_period() {
    let (mut group, stream) = running(None);
    group.write(0, 1_128, MS(4), Duration::from_secs(10));
    let answers = Rc::new(Cell::new(0));
    let seen = answers.clone();
    group.net.tap(move |passing| {
        let is_answer = matches!(passing.message, Message::Map { .. }) && passing.from == peer(2);
        seen.set(seen.get() + usize::from(is_answer && passing.to == peer(3)));
        Fate::Pass
    });
    for _ in 0..100 {
        let mut map = Availability::of_held(0, [true].into_iter());
        map.asks = true;
        let how = Delivery::live(group.net.now(), MS(500), Priority::Urgent);
        group.net.forge(peer(3), peer(2), &Message::Map { stream: stream.alias(), map }, how);
        group.net.run_for(MS(10));
    }
    assert!((8..=13).contains(&answers.get()), "{} answers in a second", answers.get());
}
