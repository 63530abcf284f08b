use stratus_core::GroupId;
use stratus_core::testing::identity;

use super::*;
use crate::record::Draft;

fn entry(source: Place, expires_millis: u64) -> Entry {
    let record =
        Record::sign(&identity(1), &GroupId::from_bytes([7; 32]), Draft { sequence: 3, ..Draft::default() });
    Entry::new(Arc::new(record), Time::from_millis(expires_millis), source << 32, Time::ZERO)
}

fn fill(list: &mut HeardList, source: Place, places: impl IntoIterator<Item = Place>) -> Vec<Put> {
    let mut rng = Rng::from_seed(source);
    places.into_iter().map(|place| list.put(place, entry(source, 700), 0, Vec::new, &mut rng)).collect()
}

fn count_of(list: &HeardList, source: u32) -> usize {
    list.iter().filter(|(_, entry)| entry.source == source).count()
}

#[test]
fn members_are_kept_in_the_order_of_their_places() {
    let mut list = HeardList::new(16);
    assert_eq!(fill(&mut list, 3, [700, 3, 50, 700]), [Put::New, Put::New, Put::New, Put::Newer]);
    assert_eq!(list.places(), [3, 50, 700]);
    assert!(list.remove(50).is_some() && list.remove(50).is_none());
    assert_eq!(list.places(), [3, 700]);
}

#[test]
fn a_full_list_has_no_room_for_more_than_one_over_its_limit() {
    let mut list = HeardList::new(50);
    fill(&mut list, 3, 1..=700);
    assert!(list.len() <= 50 && list.places.capacity() == 51 && list.entries.capacity() == 51);
}

#[test]
fn what_does_not_move_expires() {
    let mut list = HeardList::new(16);
    let mut rng = Rng::from_seed(1);
    list.put(3, entry(1, 700), 0, Vec::new, &mut rng);
    list.put(50, entry(1, 900), 0, Vec::new, &mut rng);
    let gone: Vec<Place> = list.expire(Time::from_millis(700)).into_iter().map(|(place, _)| place).collect();
    assert_eq!((gone, list.places()), (vec![3], &[50][..]));
}

#[test]
fn a_flood_from_one_neighbor_displaces_only_itself() {
    // spec OV-5
    let mut list = HeardList::new(64);
    for source in 1..=8 {
        fill(&mut list, source, (0..7).map(|n| (1 << 63) + source * 1_000 + n));
    }
    fill(&mut list, 9, (0..400).map(|n| (1 << 63) + 4_500 + n));
    assert!((60..=64).contains(&list.len()));
    assert!(count_of(&list, 9) <= 12, "the flood holds {}", count_of(&list, 9));
    for source in 1..=8 {
        assert!(count_of(&list, source) >= 6, "source {source} lost members to the flood");
    }
}

#[test]
fn links_and_ring_neighbors_are_never_displaced() {
    let mut list = HeardList::new(16);
    let mut rng = Rng::from_seed(5);
    let linked: Place = 1 << 63;
    fill(&mut list, 1, [1, 2, 3, 4, u64::MAX, u64::MAX - 1, u64::MAX - 2, u64::MAX - 3, linked]);
    for n in 0..200 {
        list.put((1 << 62) + n, entry(2 + n, 700), 0, || vec![linked], &mut rng);
    }
    let close = [1, 2, 3, 4, linked, u64::MAX - 3, u64::MAX - 2, u64::MAX - 1, u64::MAX];
    assert!((15..=16).contains(&list.len()));
    assert!(close.iter().all(|place| list.get(*place).is_some()), "{:?}", list.places());
}

#[test]
fn a_list_of_members_worth_more_takes_nobody() {
    let mut list = HeardList::new(16);
    fill(&mut list, 1, 1..=16);
    let mut rng = Rng::from_seed(1);
    assert_eq!(list.put(1 << 63, entry(2, 700), 0, || (1..=16).collect(), &mut rng), Put::Full);
    assert_eq!(list.places(), (1..=16).collect::<Vec<_>>());
}

#[test]
fn a_lower_round_trip_counts_at_once_and_a_higher_one_slowly() {
    let mut list = HeardList::new(16);
    fill(&mut list, 1, [3]);
    let mut after = |millis| {
        list.measured(3, Duration::from_millis(millis));
        list.get(3).unwrap().rtt().unwrap().as_millis()
    };
    assert_eq!([after(80), after(30), after(110), after(40)], [80, 30, 40, 40]);
}
