//! At the cap and one above.

use super::*;

#[test]
fn introductions_stop_at_the_rate_and_come_back_with_time() {
    // spec RV-9
    let mut room = Room::new(Config { introductions: Rate { burst: 2, per_second: 1 }, ..config() });
    room.join(1, 3);
    room.join(2, 3);
    assert_eq!(room.introduce(1, 3, 2).len(), 2);
    assert_eq!(room.introduce(1, 3, 2).len(), 2);
    assert_eq!(room.introduce(1, 3, 2), [not_introduced(1, 3, 2, Refusal::TooFast)]);
    assert_eq!(room.introduce(2, 3, 1).len(), 2, "another asker has its own bucket");
    room.pass(1);
    assert_eq!(room.introduce(1, 3, 2).len(), 2);
}

#[test]
fn a_client_that_sends_too_fast_is_refused_and_at_last_closed() {
    // spec RV-11
    let frames = Rate { burst: 3, per_second: 1 };
    let mut room = Room::new(Config { frames, strikes: 2, ..config() });
    room.join(1, 3);
    assert_eq!([room.refresh(1, 3), room.refresh(1, 3)], [[], []]);
    let too_fast = refused(1, 3, Refusal::TooFast);
    assert_eq!(room.refresh(1, 3), std::slice::from_ref(&too_fast));
    room.pass(1);
    assert_eq!(room.refresh(1, 3), []);
    assert_eq!(room.refresh(1, 3), [too_fast, Output::goodbye(1), Output::Close { connection: 1 }]);
}

#[test]
fn registrations_have_a_rate_of_their_own() {
    let registrations = Rate { burst: 2, per_second: 1 };
    let mut room = Room::new(Config { registrations, ..config() });
    room.join(1, 3);
    assert_eq!(named(&room.register(1, 3), 1), Some(vec![]));
    assert_eq!(room.register(1, 3), [refused(1, 3, Refusal::TooFast)]);
    room.pass(1);
    assert_eq!(named(&room.register(1, 3), 1), Some(vec![]));
}

/// At the limit everything works; the next is refused politely, nothing else changes, and a place that
/// becomes free is taken. Source: spec RV-10.
fn check_limit(limits: Config, filling: &[(u64, u8)], over: (u64, u8), refusal: Refusal) {
    let mut room = Room::new(limits);
    for (client, group) in filling {
        if !room.registry.peers.contains_key(&peer(*client)) {
            room.open(*client);
        }
        assert!(named(&room.register(*client, *group), *client).is_some(), "refused below the limit");
    }
    let before = room.registry.stats();
    if !room.registry.peers.contains_key(&peer(over.0)) {
        room.open(over.0);
    }
    assert_eq!(room.register(over.0, over.1), [refused(over.0, over.1, refusal)]);
    let after = room.registry.stats();
    assert_eq!((after.member_count, after.group_count), (before.member_count, before.group_count));
    assert_eq!(after.refused_count(refusal), 1);
    // Who is listed can still change its record.
    let (client, group) = filling[0];
    assert!(named(&room.register(client, group), client).is_some());
    room.say(client, ClientMessage::Leave { group: group_id(group) });
    assert!(named(&room.register(over.0, over.1), over.0).is_some(), "the free place was not taken");
}

#[test]
fn the_limits_hold_at_the_cap_and_one_above() {
    let three = [(1, 3), (2, 3), (700, 3)];
    check_limit(Config { members_per_group: 3, ..config() }, &three, (4, 3), Refusal::GroupFull);
    check_limit(Config { members: 3, ..config() }, &three, (4, 5), Refusal::ServerFull);
    check_limit(Config { groups: 2, ..config() }, &[(1, 3), (2, 5)], (4, 7), Refusal::ServerFull);
    let own = [(1, 3), (1, 5), (1, 7)];
    check_limit(Config { groups_per_connection: 3, ..config() }, &own, (1, 9), Refusal::ConnectionFull);
    // Clients 1, 2 and 4 share a /24; 700 has another.
    let network = Config { members_per_network: 2, ..config() };
    check_limit(network, &[(1, 3), (2, 5), (700, 3)], (4, 3), Refusal::NetworkFull);
}

#[test]
fn connections_over_the_cap_are_told_and_closed() {
    let mut room = Room::new(Config { connections: 2, ..config() });
    assert_eq!([room.open(1), room.open(2)], [[], []]);
    let full = Output::refused(3, Subject::Connection, Refusal::ServerFull);
    assert_eq!(room.open(3), [full, Output::Close { connection: 3 }]);
    assert_eq!(room.register(3, 3), []);
    room.give(Input::Closed { connection: 1 });
    assert_eq!(room.open(4), []);
}

/// Rates of a network at their cap and one beyond, by members who each ask little. Spec RV-16.
#[test]
fn a_network_that_asks_too_much_is_refused_without_a_strike_and_others_are_not() {
    let once = |burst| Rate { burst, per_second: 1 };
    let (registrations, introductions) = (once(3), once(2));
    let config = Config {
        network_registrations: registrations,
        network_introductions: introductions,
        strikes: 1,
        ..config()
    };
    let mut room = Room::new(config);
    let listed: Vec<bool> = (1..=4).map(|client| named(&room.join(client, 3), client).is_some()).collect();
    assert_eq!(listed, [true, true, true, false]);
    assert_eq!(room.register(4, 3), [refused(4, 3, Refusal::TooFast)]);
    assert!(named(&room.join(700, 3), 700).is_some(), "another network");
    let told = [room.introduce(1, 3, 2), room.introduce(2, 3, 3), room.introduce(3, 3, 1)];
    assert_eq!(told.map(|out| out.len()), [2, 2, 1]);
    assert_eq!(room.introduce(3, 3, 1), [not_introduced(3, 3, 1, Refusal::TooFast)]);
    assert_eq!(room.introduce(700, 3, 1).len(), 2);
    let stats = room.registry.stats();
    assert_eq!((stats.network_throttled_count, stats.introduction_limited_count), (4, 2));
    assert_eq!(stats.refused_count(Refusal::TooFast), 4);
    room.pass(1);
    assert!(named(&room.register(4, 3), 4).is_some(), "nobody was cut off");
}

#[test]
fn frames_of_a_network_are_counted_together() {
    let mut room = Room::new(Config { network_frames: Rate { burst: 4, per_second: 1 }, ..config() });
    room.join(1, 3);
    room.join(2, 3);
    assert_eq!([room.refresh(1, 3), room.refresh(2, 3)], [vec![], vec![]]);
    assert_eq!(room.refresh(1, 3), [refused(1, 3, Refusal::TooFast)]);
    assert_eq!(room.registry.stats().network_throttled_count, 1);
}
