//! One copy out, many copies around. Spec RE-13.

use super::*;

const COUNT: u64 = 400;

fn seeded(members: u64) -> Swarm {
    let mut swarm = Swarm::meshed(members, &Config::default());
    swarm.tell(0, Command::SetFirstSeed(true));
    swarm.stock(0, 0..COUNT);
    (1..members).for_each(|member| swarm.tell(member, Command::AddWant(0..COUNT)));
    swarm
}

#[test]
fn a_first_seed_sends_each_object_once() {
    let mut swarm = seeded(9);
    let done = |swarm: &Swarm| (1..9).all(|member| swarm.has(member, COUNT as usize));
    let is_done = swarm.run_until(Time::from_millis(120_000), done);
    let held: Vec<usize> = swarm.stores.values().map(BTreeMap::len).collect();
    assert!(is_done, "{held:?}");
    let sent = swarm.machine(0).stats().sent_objects;
    assert!((COUNT..=COUNT * 102 / 100).contains(&sent), "{sent} for {COUNT}");
    assert_eq!(swarm.count(0, |event| *event == Event::Spread), 1);
    // Nobody carried it all alone.
    let most = (1..9).map(|member| swarm.machine(member).stats().sent_objects).max().expect("eight");
    assert!(most < COUNT * 3, "one gave {most} of {}", COUNT * 7);
}

#[test]
fn what_went_to_one_who_died_is_sent_again() {
    let mut swarm = seeded(4);
    swarm.run(Duration::from_millis(600));
    assert!(swarm.machine(0).stats().sent_objects > 0);
    swarm.net.kill(peer(1));
    let done = |swarm: &Swarm| (2..4).all(|member| swarm.has(member, COUNT as usize));
    assert!(swarm.run_until(Time::from_millis(180_000), done), "{:?}", swarm.machine(2).want().ranges());
}

#[test]
fn a_late_one_is_served_when_the_others_are_gone() {
    let mut swarm = seeded(3);
    swarm.net.kill(peer(2));
    assert!(swarm.run_until(Time::from_millis(60_000), |swarm| swarm.has(1, COUNT as usize)));
    swarm.run(Duration::from_secs(20));
    swarm.net.kill(peer(1));
    let config = Config::default();
    swarm.net.add("late", peer(2), Replication::new(config));
    swarm.stores.insert(peer(2), BTreeMap::new());
    swarm.net.connect(peer(2), peer(0));
    swarm.tell(2, Command::AddWant(0..COUNT));
    let end = swarm.net.now() + Duration::from_secs(60);
    assert!(swarm.run_until(end, |swarm| swarm.has(2, COUNT as usize)));
}

/// What everybody needs first, as a descriptor, is not dealt out.
#[test]
fn what_was_there_before_is_offered_to_all() {
    let mut swarm = Swarm::meshed(6, &Config::default());
    swarm.stock(0, 0..3);
    swarm.tell(0, Command::SetFirstSeed(true));
    swarm.stock(0, 3..100);
    (1..6).for_each(|member| swarm.tell(member, Command::AddWant(0..3)));
    assert!(swarm.run_until(Time::from_millis(10_000), |swarm| (1..6).all(|member| swarm.has(member, 3))));
    (1..6).for_each(|member| swarm.tell(member, Command::AddWant(3..100)));
    assert!(swarm.run_until(Time::from_millis(60_000), |swarm| (1..6).all(|member| swarm.has(member, 100))));
    let sent = swarm.machine(0).stats().sent_objects;
    assert!(sent <= 100 + 3 * 4, "{sent} objects of 100");
}
