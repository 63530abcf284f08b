use super::crowd::Walk;
use super::*;

/// Members at equal distances, linked with so many on each side and with whoever is half a ring away.
struct Made {
    count: u32,
    each: u32,
    dead: Vec<u32>,
    cut: Vec<(u32, u32)>,
}

impl Made {
    fn new(count: u32, each: u32) -> Self {
        Self { count, each, dead: Vec::new(), cut: Vec::new() }
    }
}

impl Group for Made {
    fn member_count(&self) -> u32 {
        self.count
    }
    fn is_alive(&self, member: u32) -> bool {
        !self.dead.contains(&member)
    }
    fn is_expected(&self, member: u32) -> bool {
        member != 3
    }
    fn place(&self, member: u32) -> u64 {
        u64::from(member) * (u64::MAX / u64::from(self.count))
    }
    fn links(&self, member: u32, into: &mut Vec<u32>) {
        into.extend((0..self.count).filter(|other| self.has_link(member, *other)));
    }
    fn has_link(&self, member: u32, other: u32) -> bool {
        let apart = member.abs_diff(other);
        let apart = apart.min(self.count - apart);
        let is_made = (1..=self.each).contains(&apart) || apart == self.count / 2;
        is_made && !self.cut.iter().any(|(a, b)| [(member, other), (other, member)].contains(&(*a, *b)))
    }
    fn estimate(&self, member: u32) -> u64 {
        u64::from(self.count + member)
    }
    fn exchanges(&self) -> u64 {
        u64::from(self.count) * 3
    }
}

fn count(made: &Made) -> (usize, usize, u32) {
    let crowd = Crowd::of(made);
    (crowd.right_successors(), crowd.right_count(3), crowd.components())
}

#[test]
fn a_link_that_is_missing_makes_all_wrong_who_should_have_it() {
    assert_eq!(count(&Made::new(20, 3)), (20, 20, 1));
    assert_eq!(count(&Made { cut: vec![(5, 6)], ..Made::new(20, 3) }), (19, 18, 1));
    assert_eq!(count(&Made::new(20, 2)), (20, 0, 1));
}

#[test]
fn who_dies_is_no_neighbor_any_more_and_a_gap_of_the_dead_splits() {
    // 7 is dead: six of its neighbors now need someone further away.
    assert_eq!(count(&Made { dead: vec![7], ..Made::new(20, 3) }), (19, 13, 1));
    let halves = Made { dead: vec![0, 1, 2, 10, 11, 12], each: 2, ..Made::new(20, 3) };
    let cut = (3..10).map(|member| (member, member + 10)).collect();
    assert_eq!(count(&Made { cut, ..halves }).2, 2);
}

#[test]
fn who_knows_nobody_is_missed_unless_it_has_only_just_come() {
    let alone = |member: u32| (0..20).map(move |other| (member, other)).collect();
    let lonely = Made { cut: alone(7), ..Made::new(20, 3) };
    assert_eq!((count(&lonely), Crowd::of(&lonely).lonely()), ((18, 13, 2), 1));
    let newcomer = Made { cut: alone(3), ..Made::new(20, 3) };
    assert_eq!((count(&newcomer), Crowd::of(&newcomer).lonely()), ((19, 13, 1), 0));
}

#[test]
fn look_ups_walk_round_the_dead_and_say_so() {
    let mut made = Made::new(100, 3);
    let walk = |made: &Made, to| Crowd::of(made).walk(0, made.place(to));
    assert_eq!(walk(&made, 9), Walk { hops: 3, reached: true, dead_ends: 0 });
    made.dead = vec![3];
    assert_eq!(walk(&made, 9), Walk { hops: 4, reached: true, dead_ends: 1 });
    made.dead = vec![4, 5, 6];
    assert!(!walk(&made, 9).reached, "three in a row are dead, and there is no way over them");
}

#[test]
fn the_times_are_those_of_the_first_count_at_which_it_held() {
    let at = Time::from_millis;
    let mut census = Census::new(Rng::from_seed(3), at(1_000), Some(at(5_000)));
    let (whole, broken) = (Made::new(50, 3), Made { cut: vec![(5, 6)], ..Made::new(50, 3) });
    for (now, made) in [(500, &whole), (1_500, &broken), (2_000, &whole), (5_500, &broken), (7_000, &whole)] {
        census.count(at(now), made, now >= 5_000);
    }
    let results = census.results(&whole);
    assert_eq!((results.ring_s, results.exact_s, results.recovered_s), (Some(1.0), Some(1.0), Some(2.0)));
    assert_eq!((results.exact_share, results.look_ups), (0.98, 256));
    assert_eq!((results.estimate_within_20, results.exact_exchanges), (0.22, 3.0));
    assert_eq!(results.members, 50);
}
