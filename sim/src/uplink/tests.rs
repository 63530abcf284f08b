use super::*;

fn uplink(rate: u64) -> Uplink<u32> {
    Uplink::new(NonZeroU64::new(rate), 10_000)
}

#[test]
fn a_backlog_leaves_at_the_rate_and_never_faster() {
    // 3 bytes take 4.285… µs at this rate: rounding would show.
    let mut uplink = uplink(700_000);
    let mut now = Time::ZERO;
    for _ in 0..70_000 {
        now = uplink.occupy(now, 3);
    }
    let late = now.since(Time::from_micros(300_000));
    assert!(now >= Time::from_micros(300_000) && late.as_micros() < 30, "210,000 bytes at {now}");
}

#[test]
fn an_idle_time_is_not_saved_up() {
    let mut uplink = uplink(1_000_000);
    assert_eq!(uplink.occupy(Time::from_micros(50), 700), Time::from_micros(750));
    assert_eq!(uplink.occupy(Time::from_micros(3_000), 700), Time::from_micros(3_700));
}

#[test]
fn the_urgent_go_first_and_equals_in_order() {
    let mut uplink = uplink(1_000_000);
    for (class, item) in
        [(Class::Repair, 1), (Class::Push, 2), (Class::Urgent, 3), (Class::Push, 4), (Class::Urgent, 5)]
    {
        uplink.push(class, item, 100).unwrap();
    }
    let order: Vec<u32> = std::iter::from_fn(|| uplink.pop(Time::ZERO)).collect();
    assert_eq!(order, [3, 5, 2, 4, 1]);
}

#[test]
fn nothing_is_taken_while_the_server_is_busy() {
    let mut uplink = uplink(1_000_000);
    uplink.push(Class::Push, 7, 50).unwrap();
    uplink.occupy(Time::ZERO, 50);
    assert_eq!(uplink.arrange_call(), Some(Time::from_micros(50)));
    assert_eq!(uplink.arrange_call(), None, "one call is enough");
    assert_eq!(uplink.pop(Time::from_micros(49)), None);
    assert_eq!(uplink.pop(Time::from_micros(50)), Some(7));
}

#[test]
fn a_full_queue_refuses_and_the_others_still_take() {
    let mut uplink = uplink(1_000_000);
    assert_eq!(uplink.push(Class::Push, 3, 10_000), Ok(()));
    assert_eq!(uplink.push(Class::Push, 4, 1), Err(4));
    assert_eq!(uplink.push(Class::Urgent, 5, 10_000), Ok(()));
    assert_eq!(uplink.queued_bytes(), 20_000);
    assert_eq!(uplink.clear(), [5, 3]);
}

#[test]
fn what_is_owed_takes_its_time_with_the_next_packet() {
    let mut uplink = uplink(1_000_000);
    uplink.owe(300);
    assert_eq!(uplink.occupy(Time::ZERO, 700), Time::from_micros(1_000));
    assert_eq!(uplink.occupy(Time::from_micros(1_000), 700), Time::from_micros(1_700));
}

#[test]
fn without_a_rate_everything_leaves_at_once() {
    let mut uplink = Uplink::<u32>::new(None, 10_000);
    uplink.owe(300);
    assert_eq!(uplink.occupy(Time::from_micros(7), 1_000_000), Time::from_micros(7));
}
