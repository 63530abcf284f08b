//! How registrations, connections and the registry itself end.

use super::*;

#[test]
fn a_member_that_refreshes_stays_and_one_that_does_not_expires_after_150_s() {
    // spec RV-7
    let mut room = Room::new(config());
    room.join(1, 3);
    room.join(2, 3);
    room.pass(149);
    assert_eq!(room.refresh(1, 3), []);
    assert_eq!(room.registry.stats().member_count, 2);
    assert_eq!(room.pass(1), []);
    assert_eq!(room.registry.stats().member_count, 1);
    assert_eq!(room.refresh(2, 3), [refused(2, 3, Refusal::NotRegistered)]);
    assert_eq!(named(&room.register(2, 3), 2), Some(vec![peer(1)]), "and may come back");
}

#[test]
fn a_connection_without_registration_is_closed_after_10_s() {
    let mut room = Room::new(config());
    room.open(1);
    room.join(2, 3);
    assert_eq!(room.pass(9), []);
    assert_eq!(room.pass(1), [Output::goodbye(1), Output::Close { connection: 1 }]);
    room.say(2, ClientMessage::Leave { group: group_id(3) });
    assert_eq!(room.pass(10), [Output::goodbye(2), Output::Close { connection: 2 }]);
    assert_eq!(room.registry.stats().connection_count, 0);
}

#[test]
fn a_closed_connection_leaves_no_trace_and_closing_twice_is_as_once() {
    let mut room = Room::new(config());
    room.join(1, 3);
    room.register(1, 5);
    room.open(2);
    let told = room.give_all(Input::Closed { connection: 1 });
    let gone = |group| Output::Event(Event::Unregistered { group: group_id(group), peer: peer(1) });
    assert!(told == [gone(3), gone(5)] || told == [gone(5), gone(3)], "{told:?}");
    assert_eq!(room.give_all(Input::Closed { connection: 1 }), []);
    room.give(Input::Closed { connection: 2 });
    let fresh = Registry::new(config());
    let bare = |registry: &Registry| {
        let Registry { connections, peers, idle, listings, introducer, .. } = registry;
        format!("{connections:?} {peers:?} {idle:?} {listings:?} {introducer:?}")
    };
    assert_eq!(bare(&room.registry), bare(&fresh));
}

#[test]
fn a_newer_connection_of_a_peer_takes_the_place_of_the_older() {
    // spec RV-4
    let mut room = Room::new(config());
    room.join(1, 3);
    let replaced = Output::refused(1, Subject::Connection, Refusal::Replaced);
    assert_eq!(room.open_as(1, 9), [replaced, Output::Close { connection: 1 }]);
    assert_eq!(room.registry.stats().member_count, 0);
    assert_eq!(room.register(1, 3), [], "frames under way on the old one are nobody's");
    assert_eq!(named(&room.say(9, ClientMessage::Register(registration(1, 3, 9))), 9), Some(vec![]));
    assert_eq!(room.give_all(Input::Closed { connection: 1 }), []);
    assert_eq!(room.registry.stats().member_count, 1, "the old one's end does not touch the new");
}

#[test]
fn garbage_is_refused_and_its_connection_closed() {
    let mut room = Room::new(config());
    room.join(1, 3);
    let refused = Output::refused(1, Subject::Connection, Refusal::Malformed);
    assert_eq!(room.give(Input::Garbled { connection: 1 }), [refused, Output::Close { connection: 1 }]);
    assert_eq!(room.give(Input::Garbled { connection: 1 }), []);
    assert_eq!(room.registry.stats().member_count, 0);
}

#[test]
fn stopping_says_goodbye_to_everybody_and_takes_nobody_new() {
    let mut room = Room::new(config());
    room.join(1, 3);
    room.open(2);
    let goodbyes = [1, 2].map(|connection| [Output::goodbye(connection), Output::Close { connection }]);
    assert_eq!(room.give(Input::Stop), goodbyes.concat());
    let full = Output::refused(3, Subject::Connection, Refusal::ServerFull);
    assert_eq!(room.open(3), [full, Output::Close { connection: 3 }]);
    assert_eq!(room.registry.deadline(), None);
}

#[test]
fn a_registry_that_lost_its_state_is_as_good_once_its_members_are_back() {
    // spec RV-12
    let mut room = Room::new(config());
    for client in 1..=40 {
        room.join(client, 3);
    }
    room.registry = Registry::new(config());
    assert_eq!(room.refresh(1, 3), [], "its connection died with the old one");
    for client in 1..=40 {
        room.open_as(client, 100 + client);
        let again = registration(client, 3, 100 + client);
        let heard = named(&room.say(100 + client, ClientMessage::Register(again)), 100 + client);
        assert_eq!(heard.map(|heard| heard.len() as u64), Some((client - 1).min(26)));
    }
    assert_eq!(room.registry.stats().member_count, 40);
}
