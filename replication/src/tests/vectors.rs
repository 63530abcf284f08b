//! Each message in its committed form. Spec RE-3.

use stratus_core::{DecodeError, Wire};

use super::*;
use crate::{Denied, Load, MOST_IDS, MOST_OBJECT_BYTES, MOST_OBJECTS, Message, ObjectSet, Want};

fn form(message: Message, bytes: &[u8]) {
    assert_eq!(&message.to_bytes()[..], bytes, "{message:?}");
    assert_eq!(message.wire_len(), bytes.len());
    assert_eq!(Message::from_bytes(Bytes::copy_from_slice(bytes)), Ok(message));
}

#[test]
fn messages_have_their_committed_forms() {
    let set = ObjectSet::of(0..128);
    let encoded = [1, 0, 2, 0];
    form(
        Message::Have { is_scarce: true, load: Load { uploads: 7, pace: 6 }, set: set.clone() },
        &[&[1, 1, 7, 6][..], &encoded].concat(),
    );
    form(
        Message::Gained { load: Load { uploads: 3, pace: 0 }, set: set.clone() },
        &[&[2, 3, 0][..], &encoded].concat(),
    );
    form(Message::Lost(set), &[&[3][..], &encoded].concat());
    let wants = vec![Want { id: 50, index: 300 }];
    form(Message::Ask { done: vec![3, 200], wants }, &[4, 2, 3, 0x81, 0x48, 1, 50, 0x82, 0x2c]);
    let payload = Bytes::from_static(b"xyz");
    form(
        Message::Object { id: 50, index: 300, load: Load { uploads: 9, pace: 255 }, payload },
        &[5, 50, 0x82, 0x2c, 9, 255, b'x', b'y', b'z'],
    );
    form(
        Message::Deny { why: Denied::Busy, load: Load { uploads: 20, pace: 1 }, ids: vec![7] },
        &[6, 1, 20, 1, 1, 7],
    );
    form(Message::Cancel(vec![7, 8]), &[7, 2, 7, 8]);
}

#[test]
fn an_object_can_be_sent_without_being_copied() {
    let message = Message::Object {
        id: 50,
        index: 300,
        load: Load { uploads: 9, pace: 255 },
        payload: Bytes::from_static(b"xyz"),
    };
    let (head, payload) = message.split().expect("an object");
    assert_eq!([&head[..], &payload[..]].concat(), message.to_bytes());
    assert_eq!(Message::Cancel(vec![]).split(), None);
}

#[test]
fn what_is_too_long_or_out_of_range_is_refused() {
    let object = |bytes: usize, index: u64| {
        let payload = vec![7; bytes].into();
        Message::from_bytes(Message::Object { id: 0, index, load: Load::default(), payload }.to_bytes())
            .map(drop)
    };
    assert_eq!(object(MOST_OBJECT_BYTES, MOST_OBJECTS - 1), Ok(()));
    assert_eq!(object(MOST_OBJECT_BYTES + 1, 0), Err(DecodeError::TooLong));
    assert_eq!(object(1, MOST_OBJECTS), Err(DecodeError::Number));
    let ask = |count: usize, index: u64| {
        let wants = vec![Want { id: 7, index }; count];
        Message::from_bytes(Message::Ask { done: vec![], wants }.to_bytes()).map(drop)
    };
    assert_eq!(ask(MOST_IDS, 0), Ok(()));
    assert_eq!(ask(MOST_IDS + 1, 0), Err(DecodeError::TooLong));
    assert_eq!(ask(1, MOST_OBJECTS), Err(DecodeError::Number));
    assert_eq!(Message::from_bytes(vec![6, 5, 0, 0, 0].into()), Err(DecodeError::Unknown));
    assert_eq!(Message::from_bytes(vec![8].into()), Err(DecodeError::Unknown));
}
