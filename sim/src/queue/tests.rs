use std::time::Duration;

use stratus_core::Rng;

use super::*;

fn drain(queue: &mut Queue<u64>) -> Vec<(Time, u64)> {
    std::iter::from_fn(|| queue.pop_before(Time::from_micros(u64::MAX))).collect()
}

#[test]
fn equal_times_come_in_the_order_of_scheduling() {
    let mut queue = Queue::new();
    let (soon, late) = (Time::from_micros(3), Time::from_millis(70_000));
    for (at, event) in [(late, 1), (soon, 2), (late, 3), (soon, 4)] {
        queue.schedule(at, event);
    }
    assert_eq!(drain(&mut queue), [(soon, 2), (soon, 4), (late, 1), (late, 3)]);
    assert!(queue.is_empty());
}

#[test]
fn nothing_comes_at_or_after_the_end_asked_for() {
    let mut queue = Queue::new();
    queue.schedule(Time::from_micros(50), 0);
    assert_eq!(queue.pop_before(Time::from_micros(50)), None);
    assert_eq!(queue.pop_before(Time::from_micros(51)), Some((Time::from_micros(50), 0)));
}

#[test]
fn an_event_for_the_bucket_being_emptied_takes_its_place_in_it() {
    let mut queue = Queue::new();
    queue.schedule(Time::from_micros(1_000), 0);
    queue.schedule(Time::from_micros(1_010), 1);
    assert_eq!(queue.pop_before(Time::from_millis(9)), Some((Time::from_micros(1_000), 0)));
    queue.schedule(Time::from_micros(1_005), 2);
    queue.schedule(Time::from_micros(1_000), 3);
    let order: Vec<u64> = drain(&mut queue).into_iter().map(|(_, event)| event).collect();
    assert_eq!(order, [3, 2, 1]);
}

#[test]
fn random_schedules_come_in_the_order_of_a_plain_sort() {
    let mut rng = Rng::from_seed(41);
    let mut queue = Queue::new();
    let mut expected = BTreeMap::new();
    let mut taken = Vec::new();
    let mut now = Time::ZERO;
    for number in 0..20_000u64 {
        let ahead = match rng.below(10) {
            0 => rng.below(60_000_000),
            1..=3 => rng.below(300_000),
            _ => rng.below(50_000),
        };
        let at = now + Duration::from_micros(ahead);
        queue.schedule(at, number);
        expected.insert((at, number), ());
        if rng.chance(2, 5)
            && let Some((at, event)) = queue.pop_before(now + Duration::from_millis(rng.below(20_000)))
        {
            assert!(at >= now, "time went back from {now} to {at}");
            assert_eq!(expected.pop_first().map(|(key, ())| key), Some((at, event)));
            now = at;
            taken.push(event);
        }
    }
    assert!(taken.len() > 3_000, "only {} were taken along the way", taken.len());
    let rest: Vec<(Time, u64)> = expected.into_keys().collect();
    assert_eq!(drain(&mut queue), rest);
}

#[test]
fn a_stretch_without_events_does_not_carry_the_cursor_past_the_end_asked_for() {
    let mut queue = Queue::new();
    queue.schedule(Time::from_millis(700_000), 700);
    assert_eq!(queue.pop_before(Time::from_millis(3)), None);
    assert!(queue.cursor <= bucket_of(Time::from_millis(3)), "later events would share one bucket");
    queue.schedule(Time::from_millis(50), 50);
    queue.schedule(Time::from_millis(8), 8);
    let mut order = Vec::new();
    while let Some((_, event)) = queue.pop_before(Time::from_millis(1_000_000)) {
        order.push(event);
    }
    assert_eq!(order, [8, 50, 700]);
}
