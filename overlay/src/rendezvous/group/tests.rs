use super::*;

fn peer(id: u8) -> PeerId {
    PeerId::from_bytes([id; 32])
}

/// A group whose member `id` sits at `id` on the ring and comes from `ip(id)`.
fn group_of(ids: impl IntoIterator<Item = u8>, ip: impl Fn(u8) -> [u8; 4]) -> Group {
    let mut group = Group::default();
    for id in ids {
        let place = GroupAddress::from_bytes([id; 32]);
        let member = Member::new(id.into(), place, (ip(id), 5_000).into(), &Bytes::new(), Time::ZERO);
        group.insert(peer(id), member);
    }
    group
}

fn one_network(id: u8) -> [u8; 4] {
    [203, 0, 113, id]
}

fn named(group: &Group, asker: u8, ring_neighbors: usize, random_members: usize, seed: u64) -> Vec<u8> {
    let config = Config { ring_neighbors, random_members, ..Config::default() };
    let members = group.introduce(&peer(asker), &config, &mut Rng::from_seed(seed));
    members.iter().map(|member| member.connection as u8).collect()
}

#[test]
fn ring_neighbors_come_nearest_first_from_both_sides() {
    let group = group_of([10, 20, 30, 40, 50, 60, 70, 80], one_network);
    // who asks, whom it hears of
    let table = [
        (40, [50, 30, 60, 20, 70, 10]),
        (10, [20, 80, 30, 70, 40, 60]),
        (80, [10, 70, 20, 60, 30, 50]),
        (60, [70, 50, 80, 40, 10, 30]),
    ];
    for (asker, expected) in table {
        assert_eq!(named(&group, asker, 3, 0, 7), expected, "asked by {asker}");
    }
}

#[test]
fn a_small_group_is_named_whole_and_once_without_the_asker() {
    for size in 1..=27 {
        let group = group_of(1..=size, one_network);
        let mut heard = named(&group, 1, 3, 20, u64::from(size));
        heard.sort_unstable();
        assert_eq!(heard, (2..=size).collect::<Vec<_>>(), "a group of {size}");
    }
}

#[test]
fn a_large_group_is_named_by_six_neighbors_and_twenty_others() {
    let group = group_of(0..=199, one_network);
    for seed in 0..50 {
        let mut heard = named(&group, 100, 3, 20, seed);
        assert_eq!(heard[..6], [101, 99, 102, 98, 103, 97], "seed {seed}");
        assert!(!heard.contains(&100), "the asker was named, seed {seed}");
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard.len(), 26, "seed {seed}");
    }
}

#[test]
fn chance_reaches_every_member_about_as_often() {
    let group = group_of(0..=199, one_network);
    let mut counts = [0; 200];
    for seed in 0..1_000 {
        for id in &named(&group, 100, 3, 20, seed)[6..] {
            counts[usize::from(*id)] += 1;
        }
    }
    // 1,000 welcomes of 20 over 193 members: 104 each, standard deviation 10.
    let others = |id: &usize| !(97..=103).contains(id);
    let extremes: Vec<_> = (0..200).filter(others).filter(|id| !(54..=154).contains(&counts[*id])).collect();
    assert_eq!(extremes, [0; 0], "named too often or too rarely: {counts:?}");
}

#[test]
fn random_members_come_from_many_sites_while_there_are_many() {
    // 160 of 200 share one /24; the other 40 have one each.
    let ip = |id| if id < 160 { [203, 0, 113, id] } else { [198, 51, id, 1] };
    let group = group_of(0..=199, ip);
    for seed in 0..50 {
        let heard = named(&group, 100, 0, 20, seed);
        let crowd = heard.iter().filter(|id| **id < 160).count();
        // Of about 81 drawn, 16 are loners: they and two of the crowd go first.
        assert_eq!(heard.len(), 20);
        assert!(crowd <= 14, "{crowd} of one site, seed {seed}");
        let first = heard.iter().take(6).filter(|id| **id < 160).count();
        assert!(first <= 2, "{first} of the first six from one site, seed {seed}");
    }
}

#[test]
fn two_members_that_state_one_address_both_stay_on_the_ring() {
    let mut group = group_of([10, 20, 30], one_network);
    let place = GroupAddress::from_bytes([20; 32]);
    let member = Member::new(99, place, ([203, 0, 113, 99], 5_000).into(), &Bytes::new(), Time::ZERO);
    group.insert(peer(99), member);
    assert_eq!(named(&group, 10, 1, 0, 7), [20, 30]);
    assert_eq!(named(&group, 20, 1, 0, 7), [99, 10]);
}

#[test]
fn members_that_leave_are_named_no_more_and_the_rest_still_are() {
    let mut group = group_of(1..=9, one_network);
    for id in [9, 1, 5] {
        assert!(group.remove(&peer(id)).is_some());
        assert!(group.remove(&peer(id)).is_none());
    }
    let mut heard = named(&group, 2, 1, 20, 7);
    heard.sort_unstable();
    assert_eq!(heard, [3, 4, 6, 7, 8]);
    assert_eq!(group.len(), 6);
}

#[test]
fn a_record_does_not_keep_the_frame_alive_that_brought_it() {
    let frame = Bytes::from(vec![7; 60_000]);
    let place = GroupAddress::from_bytes([1; 32]);
    let member = Member::new(1, place, ([203, 0, 113, 1], 5_000).into(), &frame.slice(100..200), Time::ZERO);
    assert_ne!(member.record.as_ptr(), frame[100..].as_ptr());
    assert_eq!(member.record, frame.slice(100..200));
}
