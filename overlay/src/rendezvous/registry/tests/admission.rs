//! Who is listed, whom it hears of, who is introduced to whom.

use super::*;

#[test]
fn the_first_member_is_welcomed_alone_and_the_second_hears_of_the_first() {
    let mut room = Room::new(config());
    assert_eq!(named(&room.join(1, 3), 1), Some(vec![]));
    let welcome = room.join(2, 3);
    let expected = ServerMessage::Welcome {
        group: group_id(3),
        observed: address(2),
        refresh_every: Duration::from_secs(60),
        expires_after: Duration::from_secs(150),
        members: vec![Named { observed: address(1), record: record(1, 3) }],
    };
    assert_eq!(welcome, [Output::Send { connection: 2, message: expected }]);
}

#[test]
fn members_of_one_group_never_hear_of_another() {
    let mut room = Room::new(config());
    room.join(1, 3);
    assert_eq!(named(&room.join(2, 5), 2), Some(vec![]));
    assert_eq!(room.introduce(2, 5, 1), [not_introduced(2, 5, 1, Refusal::UnknownPeer)]);
    assert_eq!(room.introduce(2, 3, 1), [not_introduced(2, 3, 1, Refusal::NotRegistered)]);
}

#[test]
fn whoever_lacks_the_rendezvous_key_is_a_stranger() {
    // spec RV-2
    let mut room = Room::new(config());
    room.open(1);
    let honest = registration(1, 3, 1);
    let forged = Registration::sign(&identity(1), &exporter(1), &peer(1), honest.address(), record(1, 3));
    // Its own key: a group of its own, in which the record is not valid.
    let own_group = Subject::Group(forged.group());
    let told = room.say(1, ClientMessage::Register(forged));
    assert_eq!(told, [Output::refused(1, own_group, Refusal::BadRecord)]);
    // The group's public key over somebody else's signature.
    let mut bytes = honest.to_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = Registration::from_bytes(bytes.into()).unwrap();
    assert_eq!(room.say(1, ClientMessage::Register(damaged)), [refused(1, 3, Refusal::Stranger)]);
    assert_eq!(room.registry.stats().member_count, 0);
}

#[test]
fn a_registration_replayed_from_another_connection_is_refused() {
    // spec RV-3
    let mut room = Room::new(config());
    room.join(1, 3);
    let overheard = ClientMessage::Register(registration(1, 3, 1));
    // By another peer, and by the same peer on a later connection.
    room.open(2);
    assert_eq!(room.say(2, overheard.clone()), [refused(2, 3, Refusal::Stranger)]);
    room.open_as(1, 9);
    assert_eq!(room.say(9, overheard), [refused(9, 3, Refusal::Stranger)]);
}

#[test]
fn a_record_of_another_peer_of_another_group_or_of_nothing_is_refused() {
    let mut room = Room::new(config());
    room.open(1);
    let old = registration(1, 3, 1);
    for wrong in [record(2, 3), record(1, 5), Bytes::from_static(b"no record"), Bytes::new()] {
        let signed = Registration::sign(&key_of(3), &exporter(1), &peer(1), old.address(), wrong);
        assert_eq!(room.say(1, ClientMessage::Register(signed)), [refused(1, 3, Refusal::BadRecord)]);
    }
}

#[test]
fn a_member_that_registers_again_is_listed_once_with_its_newest_record() {
    let mut room = Room::new(config());
    room.join(1, 3);
    let draft = Draft { sequence: 50, ..Draft::default() };
    let newer = Record::sign(&identity(1), &group_id(3), draft).to_bytes();
    let place = registration(1, 3, 1).address();
    let again = Registration::sign(&key_of(3), &exporter(1), &peer(1), place, newer.clone());
    assert_eq!(named(&room.say(1, ClientMessage::Register(again)), 1), Some(vec![]));
    let told = room.join(2, 3);
    let [Output::Send { message: ServerMessage::Welcome { members, .. }, .. }] = &told[..] else {
        panic!("no welcome: {told:?}")
    };
    assert_eq!(members.iter().map(|named| &named.record).collect::<Vec<_>>(), [&newer]);
    assert_eq!(room.registry.stats().renewed_count, 1);
}

#[test]
fn both_sides_of_an_introduction_are_told_in_the_same_turn() {
    // spec RV-8
    let mut room = Room::new(config());
    room.join(1, 3);
    room.join(2, 3);
    let to = |connection, other: u64, candidates: [&str; 3]| {
        let candidates = candidates.iter().filter(|text| !text.is_empty()).map(|text| text.parse().unwrap());
        let message = ServerMessage::Introduced {
            group: group_id(3),
            peer: peer(other),
            record: record(other, 3),
            candidates: candidates.collect(),
        };
        Output::Send { connection, message }
    };
    assert_eq!(
        room.introduce(1, 3, 2),
        [
            to(1, 2, ["203.0.0.2:5000", "192.168.1.2:5000", ""]),
            to(2, 1, ["203.0.0.1:5000", "192.168.1.77:7000", "192.168.1.1:5000"]),
        ]
    );
    assert_eq!(room.registry.stats().introduced_count, 1);
}

#[test]
fn an_unknown_target_oneself_and_a_member_that_left_are_answered() {
    let mut room = Room::new(config());
    room.join(1, 3);
    room.join(2, 3);
    room.say(2, ClientMessage::Leave { group: group_id(3) });
    for target in [1, 2, 700] {
        let told = room.introduce(1, 3, target);
        assert_eq!(told, [not_introduced(1, 3, target, Refusal::UnknownPeer)]);
    }
}

#[test]
fn a_record_of_the_largest_size_is_listed_and_a_larger_one_cannot_be_written() {
    let mut room = Room::new(config());
    let addresses = (1..=8u16).map(|n| format!("[2001:db8::{n}]:5000").parse().unwrap()).collect();
    let servers = (1..=2u16).map(|n| format!("[2001:db8:7::{n}]:1935").parse().unwrap()).collect();
    let introducers = (3..=5).collect();
    let draft = Draft { sequence: u64::MAX, addresses, servers, introducers };
    let largest = Record::sign(&identity(1), &group_id(3), draft).to_bytes();
    assert!(largest.len() <= MAX_RECORD);
    room.open(1);
    let place = registration(1, 3, 1).address();
    let signed = Registration::sign(&key_of(3), &exporter(1), &peer(1), place, largest);
    assert_eq!(named(&room.say(1, ClientMessage::Register(signed)), 1), Some(vec![]));
}
