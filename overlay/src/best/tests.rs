use stratus_core::Rng;

use super::*;

/// Sixteenths of the ring.
const fn sixteenth(number: u64) -> Place {
    number << 60
}

fn places(choices: &BestList) -> Vec<(Place, Reason)> {
    choices.iter().map(|choice| (choice.place, choice.reason)).collect()
}

#[test]
fn the_exact_list_of_a_fixed_set() {
    // spec OV-8, RG-2. 32 members, evenly spread; the center is number 0, places in 32nds.
    let all: Vec<Place> = (0..32u64).map(|number| number << 59).collect();
    let near: Vec<Place> = [20, 1, 21, 22, 23, 24, 25, 26].map(|number: u64| number << 59).to_vec();
    let best = standard(&View { center: 0, known: &all[1..], near: &near, members: 32, chance: 0 });
    let numbers: Vec<(u64, Reason)> = best.iter().map(|choice| (choice.place >> 59, choice.reason)).collect();
    use Reason::{Near, Random, Ring, Shortcut};
    let random = numbers.last().unwrap().0;
    assert_eq!(
        numbers,
        [
            (1, Ring),
            (31, Ring),
            (2, Ring),
            (30, Ring),
            (3, Ring),
            (29, Ring),
            (16, Shortcut),
            (8, Shortcut),
            (4, Shortcut),
            (20, Near),
            (21, Near),
            (22, Near),
            (23, Near),
            (24, Near),
            (25, Near),
            (random, Random),
        ]
    );
    assert!(![0, 1, 2, 3, 4, 8, 16, 20, 21, 22, 23, 24, 25, 29, 30, 31].contains(&random));
}

#[test]
fn another_center_has_its_own_list_from_the_same_knowledge() {
    let known: Vec<Place> = (0..16).filter(|number| *number != 5).map(sixteenth).collect();
    let best = standard(&View { center: sixteenth(5), known: &known, near: &[], members: 16, chance: 9 });
    let ring: Vec<Place> = places(&best).iter().take(6).map(|(place, _)| *place >> 60).collect();
    assert_eq!(ring, [6, 4, 7, 3, 8, 2]);
}

#[test]
fn all_of_a_few_are_chosen() {
    for count in 0..=6u64 {
        let known: Vec<Place> = (1..=count).map(sixteenth).collect();
        let view = View { center: 0, known: &known, near: &[], members: count + 1, chance: 1 };
        assert_eq!(standard(&view).len() as u64, count);
    }
}

#[test]
fn chance_decides_only_the_random_choice_and_reaches_everybody_else() {
    let known: Vec<Place> = (1..16).map(sixteenth).collect();
    let near = [4, 5, 6, 7, 9, 10].map(sixteenth);
    let mut seen = std::collections::BTreeSet::new();
    let mut rng = Rng::from_seed(3);
    for _ in 0..100 {
        let members = 2;
        let view = View { center: 0, known: &known, near: &near, members, chance: rng.next_u64() };
        let best = places(&standard(&view));
        let (random, rest) = best.split_last().unwrap();
        assert_eq!(rest.len(), 13, "3 + 3 of the ring, a half, six near");
        assert_eq!(random.1, Reason::Random);
        seen.insert(random.0 >> 60);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [11, 12]);
}

#[test]
fn while_latencies_are_unknown_any_are_near_and_both_ends_agree() {
    let all: Vec<Place> = (0..64u64).map(|number| number << 58).collect();
    let near_of = |center: Place| -> Vec<Place> {
        let known: Vec<Place> = all.iter().copied().filter(|place| *place != center).collect();
        let best = standard(&View { center, known: &known, near: &[], members: 64, chance: 3 });
        best.iter().filter(|choice| choice.reason == Reason::Near).map(|choice| choice.place).collect()
    };
    let lists: Vec<Vec<Place>> = all.iter().map(|center| near_of(*center)).collect();
    assert!(lists.iter().all(|list| list.len() == NEAR_COUNT));
    let is_mutual = |center: usize, other: &Place| lists[(other >> 58) as usize].contains(&all[center]);
    let mutual =
        lists.iter().enumerate().flat_map(|(center, list)| list.iter().filter(move |o| is_mutual(center, o)));
    assert!(mutual.count() >= 64 * NEAR_COUNT / 2, "most choices are mutual");
}

/// Mean number of links in a group of `size` that knows itself, with latencies of a plane.
fn mean_links(size: u64, seed: u64) -> f64 {
    let mut rng = Rng::from_seed(seed);
    let mut members: Vec<(Place, i64, i64)> =
        (0..size).map(|_| (rng.next_u64(), rng.below(1 << 20) as i64, rng.below(1 << 20) as i64)).collect();
    members.sort_unstable();
    let all: Vec<Place> = members.iter().map(|member| member.0).collect();
    let mut links = std::collections::BTreeSet::new();
    for (center, x, y) in &members {
        let known: Vec<Place> = all.iter().copied().filter(|place| place != center).collect();
        let mut near: Vec<(i64, Place)> =
            members.iter().map(|(place, a, b)| ((a - x).pow(2) + (b - y).pow(2), *place)).collect();
        near.sort_unstable();
        let near: Vec<Place> = near.into_iter().skip(1).take(12).map(|(_, place)| place).collect();
        let view =
            View { center: *center, known: &known, near: &near, members: size, chance: rng.next_u64() };
        links.extend(
            standard(&view).iter().map(|choice| (choice.place.min(*center), choice.place.max(*center))),
        );
    }
    2.0 * links.len() as f64 / size as f64
}

#[test]
fn links_are_about_twice_the_logarithm_and_13() {
    // spec OV-9, RG-8
    for (size, expected) in [(16, 15.0), (256, 29.0), (4_096, 37.0)] {
        let mean = mean_links(size, 7);
        assert!((mean - expected).abs() <= 4.0, "{mean} links at {size} members, expected {expected}");
    }
}
