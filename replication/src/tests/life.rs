use super::*;
use crate::Strategy;

const MINUTE: Time = Time::from_millis(60_000);

/// spec RE-3, RE-4: the whole life of a fetch.
#[test]
fn objects_reach_everybody_who_wants_them_and_each_comes_once() {
    let mut swarm = Swarm::meshed(6, &Config::default());
    swarm.stock(0, 3..203);
    (1..6).for_each(|member| swarm.tell(member, Command::AddWant(0..1_000)));
    assert!(swarm.run_until(MINUTE, |swarm| (1..6).all(|member| swarm.has(member, 200))));
    swarm.run(Duration::from_secs(2));
    for member in 1..6 {
        let machine = swarm.machine(member);
        assert_eq!(machine.stats().duplicate_bytes, 0);
        assert_eq!(machine.want().ranges(), [0..3, 203..1_000], "what came is not wanted any more");
        assert_eq!(*machine.have(), crate::ObjectSet::of(3..203));
        // Those whom a busy member refused were notified of more than once.
        assert!(swarm.count(member, |event| matches!(event, Event::SendNotify { .. })) >= 200);
        assert_eq!(swarm.count(member, |event| matches!(event, Event::Result { .. })), 200);
    }
    let sent: u64 = (1..6).map(|member| swarm.machine(member).stats().sent_objects).sum();
    assert!(sent > 300, "members gave each other only {sent} of 1000");
}

#[test]
fn the_lowest_come_first_if_so_wanted() {
    let mut swarm = Swarm::meshed(2, &Config { max_requests: 1, ..Config::default() });
    swarm.tell(1, Command::SetStrategy(Strategy::LowestFirst));
    swarm.stock(0, 0..30);
    swarm.tell(1, Command::AddWant(5..25));
    assert!(swarm.run_until(MINUTE, |swarm| swarm.has(1, 20)));
    let order: Vec<u64> = swarm
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Result { index, .. } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(order, (5..25).collect::<Vec<_>>());
}

/// spec RE-4: what one neighbor alone has is asked for before what all have.
#[test]
fn the_rarest_come_first() {
    let mut swarm = Swarm::meshed(4, &Config { max_requests: 2, ..Config::default() });
    for member in [0, 1, 2] {
        swarm.stock(member, 0..60);
    }
    swarm.stock(2, 60..64);
    swarm.run(Duration::from_millis(500));
    swarm.tell(3, Command::AddWant(0..64));
    // The third holder is asked for what it alone has as soon as it is asked for anything.
    assert!(swarm.run_until(MINUTE, |swarm| swarm.has(3, 64)));
    let from_third: Vec<u64> = swarm
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Result { index, peer: from, .. } if *from == peer(2) => Some(*index),
            _ => None,
        })
        .collect();
    assert!(from_third.len() >= 4, "{from_third:?}");
    assert!(from_third[..4].iter().all(|index| *index >= 60), "{from_third:?}");
}

#[test]
fn what_is_denied_is_asked_for_again_once_it_is_offered_again() {
    let mut swarm = Swarm::meshed(2, &Config::default());
    // Offered and not there: the application denies it.
    swarm.tell(0, Command::AddHave(7..8));
    swarm.tell(1, Command::AddWant(7..8));
    swarm.run(Duration::from_secs(3));
    let failed = |event: &Event| *event == Event::Failed { index: 7 };
    assert_eq!((swarm.count(1, failed), swarm.has(1, 0)), (1, true));
    swarm.tell(0, Command::RemoveHave(7..8));
    swarm.stock(0, 7..8);
    swarm.run(Duration::from_secs(3));
    assert!(swarm.has(1, 1));
}

#[test]
fn what_is_no_longer_wanted_or_offered_does_not_come() {
    let mut swarm = Swarm::meshed(2, &Config::default());
    swarm.tell(1, Command::AddWant(0..50));
    swarm.tell(1, Command::RemoveWant(10..50));
    swarm.stock(0, 0..50);
    swarm.tell(0, Command::RemoveHave(0..5));
    swarm.run(Duration::from_secs(3));
    let held: Vec<u64> = swarm.stores[&peer(1)].keys().copied().collect();
    assert_eq!(held, (5..10).collect::<Vec<_>>());
}

/// A want that is taken back while it is asked for is taken back from the holder as well.
#[test]
fn a_request_is_taken_back_and_what_comes_all_the_same_is_counted() {
    let mut swarm = Swarm::meshed(2, &Config::default());
    swarm.stock(0, 0..8);
    swarm.run(Duration::from_millis(500));
    swarm.tell(1, Command::AddWant(0..8));
    swarm.tell(1, Command::RemoveWant(0..8));
    swarm.run(Duration::from_secs(3));
    let stats = swarm.machine(1).stats();
    assert_eq!((stats.received_objects, swarm.has(1, 0)), (0, true));
    assert!(swarm.machine(0).sizes()[0].1 == 0, "no upload is left");
}

/// spec RE-8: a holder that says nothing is not waited for, and nothing comes twice.
#[test]
fn a_holder_that_answers_nothing_is_passed_by() {
    let mut swarm = Swarm::meshed(3, &Config::default());
    swarm.mute = Some(peer(0));
    swarm.stock(0, 0..40);
    swarm.stock(1, 0..40);
    swarm.tell(2, Command::AddWant(0..40));
    assert!(swarm.run_until(MINUTE, |swarm| swarm.has(2, 40)));
    assert!(swarm.net.now() < Time::from_millis(20_000), "it took {}", swarm.net.now());
    assert_eq!(swarm.machine(2).stats().duplicate_bytes, 0);
}

/// A member that dies takes nothing with it.
#[test]
fn what_a_dead_holder_owed_comes_from_another() {
    let mut swarm = Swarm::meshed(4, &Config::default());
    swarm.stock(0, 0..300);
    swarm.stock(1, 0..300);
    (2..4).for_each(|member| swarm.tell(member, Command::AddWant(0..300)));
    swarm.run(Duration::from_millis(400));
    assert!(!swarm.has(2, 300));
    swarm.net.kill(peer(0));
    assert!(swarm.run_until(MINUTE, |swarm| swarm.has(2, 300) && swarm.has(3, 300)));
}
