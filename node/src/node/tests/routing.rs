//! Look-ups and kept values in a group of whole members.

use stratus_core::{GroupAddress, Rng};
use stratus_overlay::routing::{
    Command as Tell, Event as Told, Found, GetError, Got, Key, LookUpError, Message as Said, Put, PutError,
    SendResult, Value,
};

use super::*;

const COUNT: u64 = 40;
const HOUR: Duration = Duration::from_secs(3_600);

fn settled(count: u64) -> Net<Node> {
    let mut net = group(count, NetConfig::default());
    net.run_for(Duration::from_secs(8));
    net
}

/// Tells `number` something, and gives what comes of it.
fn ask(net: &mut Net<Node>, number: u64, tell: Tell) -> Told {
    net.take_events(&peer(number));
    net.command(peer(number), Command::Routing(tell));
    for _ in 0..400 {
        net.run_for(Duration::from_millis(100));
        for (_, event) in net.take_events(&peer(number)) {
            if let Event::Routing(told) = event
                && !matches!(told, Told::Arrived(_))
            {
                return told;
            }
        }
    }
    panic!("nothing came of it within 40 s");
}

fn look_up(net: &mut Net<Node>, number: u64, target: GroupAddress) -> Result<Found, LookUpError> {
    match ask(net, number, Tell::LookUp { id: 3, target }) {
        Told::LookedUp { id: 3, result } => result,
        other => panic!("{other:?}"),
    }
}

fn put(net: &mut Net<Node>, number: u64, value: &Value) -> Result<u32, PutError> {
    let put = Put { id: 50, value: value.clone(), lifetime: HOUR };
    match ask(net, number, Tell::Put(Box::new(put))) {
        Told::Stored { id: 50, result } => result,
        other => panic!("{other:?}"),
    }
}

fn get(net: &mut Net<Node>, number: u64, key: Key) -> Result<Box<Got>, GetError> {
    match ask(net, number, Tell::Get { id: 700, key }) {
        Told::Got { id: 700, result } => result,
        other => panic!("{other:?}"),
    }
}

fn content(text: &'static str) -> Value {
    Value::Content(Bytes::from_static(text.as_bytes()))
}

fn counter(sequence: u64, text: &'static str) -> Value {
    Value::signed(&identity(1_000), &GROUP, &b"counter"[..], sequence, text.as_bytes())
}

/// Members by how near they are to a place.
fn by_distance(net: &Net<Node>, place: &GroupAddress) -> Vec<PeerId> {
    let mut peers = net.peers();
    peers.sort_by_key(|peer| place.distance(&RING.address(peer)));
    peers
}

fn keepers(net: &Net<Node>, key: &Key) -> Vec<PeerId> {
    let place = RING.place_of_key(key.as_bytes());
    by_distance(net, &place)
}

/// How many of the living keep anything.
fn copies(net: &Net<Node>) -> usize {
    let kept = |peer: &PeerId| net.machine(peer).routing().expect("there is").stats().values_now;
    net.peers().iter().map(kept).sum()
}

#[test]
fn a_look_up_finds_the_members_nearest_to_any_place_and_shows_that_there_are_no_nearer_ones() {
    // spec RO-8
    let mut net = settled(COUNT);
    let mut rng = Rng::from_seed(50);
    for from in 1..=8 {
        let place = GroupAddress::from_bytes(rng.seed());
        let found = look_up(&mut net, from, place).expect("there are others");
        assert_eq!(found.members[..3], by_distance(&net, &place)[..3], "from {from}");
        assert!(found.is_proven, "{found:?}");
    }
}

#[test]
fn a_look_up_in_an_empty_group_is_refused_with_words() {
    let mut net = settled(1);
    let place = GroupAddress::from_bytes([3; 32]);
    assert_eq!(look_up(&mut net, 1, place), Err(LookUpError::Alone));
    assert_eq!(put(&mut net, 1, &content("seven")), Err(PutError::Alone));
    assert_eq!(get(&mut net, 1, content("seven").key()), Err(GetError::Alone));
}

#[test]
fn who_has_only_just_come_waits_until_its_neighbor_has_said_who_it_is() {
    // spec RO-8
    let mut net = settled(3);
    net.add("late", peer(9), node(9));
    net.run_for(Duration::from_millis(1));
    net.connect(peer(9), peer(1));
    while net.links(&peer(9)).is_empty() {
        net.run_for(Duration::from_millis(1));
    }
    let place = GroupAddress::from_bytes([3; 32]);
    let found = look_up(&mut net, 9, place).expect("it has a neighbor");
    assert_eq!(found.members[..3], by_distance(&net, &place)[..3]);
}

#[test]
fn a_look_up_goes_around_those_that_do_not_answer() {
    // spec RO-8: three of ten hear every question and answer none
    let mut net = settled(COUNT);
    let mute: Vec<PeerId> = (1..=COUNT).filter(|number| number % 10 < 3).map(peer).collect();
    let silent = mute.clone();
    net.tap(move |passing| match passing.message {
        Message::Routing(Said::Found { .. }) if silent.contains(&passing.from) => Fate::Drop,
        _ => Fate::Pass,
    });
    let mut rng = Rng::from_seed(50);
    for from in [4, 15, 26, 37] {
        let place = GroupAddress::from_bytes(rng.seed());
        let found = look_up(&mut net, from, place).expect("there are others");
        let mut honest = by_distance(&net, &place);
        honest.retain(|peer| !mute.contains(peer));
        assert_eq!(found.members[0], honest[0], "from {from}");
    }
}

#[test]
fn a_value_is_kept_three_times_and_found_from_everywhere() {
    // spec DH-1, DH-3
    let mut net = settled(COUNT);
    let value = content("seven");
    assert_eq!(put(&mut net, 3, &value), Ok(3));
    assert_eq!(copies(&net), 3);
    for from in [1, 9, 22, 40] {
        assert_eq!(get(&mut net, from, value.key()).map(|got| got.value), Ok(value.clone()), "from {from}");
    }
    let nothing = get(&mut net, 9, content("fifty").key());
    assert_eq!(nothing, Err(GetError::NotFound { is_proven: true }));
}

#[test]
fn a_later_sequence_replaces_and_an_older_one_is_refused() {
    // spec DH-4
    let mut net = settled(COUNT);
    let key = counter(1, "").key();
    assert_eq!(put(&mut net, 3, &counter(1, "one")), Ok(3));
    assert_eq!(put(&mut net, 9, &counter(2, "two")), Ok(3));
    assert_eq!(put(&mut net, 3, &counter(1, "one")), Err(PutError::Older { kept: 2 }));
    assert_eq!(put(&mut net, 3, &counter(2, "other")), Err(PutError::Older { kept: 2 }));
    let got = get(&mut net, 22, key).expect("it is kept");
    assert_eq!((got.value, got.copies), (counter(2, "two"), 3));
}

#[test]
fn what_nobody_signed_is_not_put() {
    // spec DH-2
    let mut net = settled(3);
    let Value::Signed(signed) = counter(1, "one") else { panic!("signed") };
    let forged = Value::Signed(Box::new(stratus_overlay::routing::Signed { sequence: 9, ..*signed }));
    assert_eq!(put(&mut net, 1, &forged), Err(PutError::Invalid));
    let long = Value::Content(vec![7; stratus_overlay::routing::MAX_VALUE + 1].into());
    assert_eq!(put(&mut net, 1, &long), Err(PutError::Invalid));
}

#[test]
fn a_value_outlives_all_who_kept_it_first() {
    // spec DH-5
    let mut net = settled(COUNT);
    let value = content("seven");
    assert_eq!(put(&mut net, 3, &value), Ok(3));
    let first: Vec<PeerId> = keepers(&net, &value.key())[..3].to_vec();
    for keeper in first {
        net.kill(keeper);
        net.run_for(Duration::from_secs(15));
    }
    let asker = *keepers(&net, &value.key()).last().expect("somebody");
    let number = (1..=COUNT).find(|number| peer(*number) == asker).expect("a member");
    assert_eq!(get(&mut net, number, value.key()).map(|got| got.value), Ok(value.clone()));
    assert!(copies(&net) >= 3, "{} copies", copies(&net));
}

#[test]
fn a_member_that_comes_nearer_is_handed_what_it_should_keep() {
    // spec DH-5: the one that should keep it first was away
    let value = content("seven");
    let place = RING.place_of_key(value.key().as_bytes());
    let nearest = (1..=12).min_by_key(|number| place.distance(&RING.address(&peer(*number)))).expect("one");
    let mut net = settled(11 + 1);
    net.stop(peer(nearest));
    net.run_for(Duration::from_secs(5));
    let other = if nearest == 1 { 2 } else { 1 };
    assert_eq!(put(&mut net, other, &value), Ok(3));
    net.add("back", peer(nearest), node(nearest));
    net.run_for(Duration::from_millis(1));
    bootstrap(&mut net, nearest, [other].into_iter());
    net.run_for(Duration::from_secs(10));
    let stats = net.machine(&peer(nearest)).routing().expect("there is").stats();
    assert_eq!(stats.values_now, 1);
}

#[test]
fn a_parcel_for_one_member_alone_reaches_it_or_nobody() {
    // spec RO-10
    let mut net = settled(COUNT);
    let send = |net: &mut Net<Node>, to| {
        let payload = Bytes::from_static(b"for you");
        match ask(net, 3, Tell::SendExactly { id: 9, to, payload }) {
            Told::Sent { id: 9, result } => result,
            other => panic!("{other:?}"),
        }
    };
    let far = (1..=COUNT).map(peer).find(|to| *to != peer(3) && !net.links(&peer(3)).contains(to));
    let far = far.expect("not everybody is a neighbor");
    assert_eq!(send(&mut net, RING.address(&far)), SendResult::Sent);
    net.run_for(Duration::from_millis(200));
    let heard = net.take_events(&far).into_iter().filter(|(_, event)| {
        matches!(event, Event::Routing(Told::Arrived(parcel)) if parcel.payload == b"for you"[..])
    });
    assert_eq!(heard.count(), 1);
    assert_eq!(send(&mut net, GroupAddress::from_bytes([9; 32])), SendResult::NoRoute);
}
