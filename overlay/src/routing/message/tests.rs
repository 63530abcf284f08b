use stratus_core::GroupId;
use stratus_core::testing::identity;

use super::*;
use crate::record::Draft;

fn at(first: u8) -> GroupAddress {
    let mut bytes = [0; 32];
    bytes[0] = first;
    GroupAddress::from_bytes(bytes)
}

/// One of each kind.
pub(in crate::routing) fn samples() -> Vec<Message> {
    let content = Value::Content(Bytes::from_static(b"fifty"));
    let parcel = |to, hops| Parcel { hops, origin: at(3), to, payload: Bytes::from_static(b"seven") };
    vec![
        Message::Mode(ReceiveMode::Exact),
        Message::Mode(ReceiveMode::Nearest),
        Message::Parcel(parcel(None, 1)),
        Message::Parcel(parcel(Some(at(50)), MAX_HOPS)),
        Message::Find { nonce: 3, target: 700 },
        Message::Found { nonce: 3, records: vec![record(3), record(50)] },
        Message::Fetch { nonce: 3, key: key() },
        Message::Fetched { nonce: 3, value: Some(content.clone()), records: vec![record(7)] },
        Message::Fetched { nonce: 3, value: None, records: vec![] },
        Message::Keep { nonce: 3, lifetime: 86_400, value: content },
        Message::Reply { nonce: 3, reply: Reply::Kept },
        Message::Reply { nonce: 3, reply: Reply::Older(700) },
        Message::Reply { nonce: 3, reply: Reply::NoRoom },
        Message::Reply { nonce: 3, reply: Reply::TooFast },
        Message::Reply { nonce: 3, reply: Reply::Invalid },
        Message::Offer { nonce: 3, offered: vec![Offered { key: key(), sequence: 50 }] },
        Message::Wish { nonce: 3, keys: vec![key()] },
    ]
}

fn key() -> Key {
    Key::from_bytes([9; 32])
}

fn record(number: u64) -> Arc<Record> {
    Arc::new(Record::sign(&identity(number), &GroupId::from_bytes([7; 32]), Draft::default()))
}

#[test]
fn every_message_reads_back() {
    // spec RO-7, RO-9, DH-7
    for message in samples() {
        assert_eq!(Message::from_bytes(message.to_bytes()), Ok(message.clone()), "{}", message.name());
        assert_eq!(message.wire_len(), message.to_bytes().len(), "{}", message.name());
    }
}

#[test]
fn the_bytes_of_messages_never_change() {
    // spec RO-7, RO-9, DH-7
    let hex = |message: &Message| -> String {
        message.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (origin, to) = (format!("03{}", "00".repeat(31)), format!("32{}", "00".repeat(31)));
    let samples = samples();
    assert_eq!(hex(&samples[0]), "0100");
    assert_eq!(hex(&samples[1]), "0101");
    assert_eq!(hex(&samples[2]), format!("0201{origin}0005736576656e"));
    assert_eq!(hex(&samples[3]), format!("0220{origin}01{to}05736576656e"));
    let key = "09".repeat(32);
    let short: Vec<String> = samples[4..].iter().map(hex).filter(|text| text.len() <= 80).collect();
    assert_eq!(
        short,
        [
            "030000000300000000000002bc".to_owned(),
            format!("0500000003{key}"),
            "06000000030000".to_owned(),
            "070000000385a30000056669667479".to_owned(),
            "080000000300".to_owned(),
            "0800000003018 53c".replace(' ', ""),
            "080000000302".to_owned(),
            "080000000303".to_owned(),
            "080000000304".to_owned(),
            format!("090000000301{key}32"),
            format!("0a0000000301{key}"),
        ]
    );
}

#[test]
fn a_parcel_at_its_limits_is_read_and_over_them_is_not() {
    // spec RO-4, RO-5
    let parcel = |hops, length| {
        let payload = vec![7; length].into();
        Message::Parcel(Parcel { hops, origin: at(3), to: None, payload }).to_bytes()
    };
    assert!(Message::from_bytes(parcel(MAX_HOPS, MAX_PAYLOAD)).is_ok());
    assert_eq!(Message::from_bytes(parcel(MAX_HOPS + 1, 3)), Err(DecodeError::Invalid));
    assert_eq!(Message::from_bytes(parcel(0, 3)), Err(DecodeError::Invalid));
    assert_eq!(Message::from_bytes(parcel(1, MAX_PAYLOAD + 1)), Err(DecodeError::TooLong));
    assert_eq!(Message::from_bytes(vec![1, 2].into()), Err(DecodeError::Unknown));
}

#[test]
fn lists_at_their_limits_are_read_and_longer_ones_are_not() {
    // spec RO-9, DH-7
    let found = |count| Message::Found { nonce: 3, records: vec![record(3); count] };
    let offer =
        |count| Message::Offer { nonce: 3, offered: vec![Offered { key: key(), sequence: 7 }; count] };
    let keep = |lifetime| {
        let value = Value::Content(Bytes::from_static(b"fifty"));
        Message::Keep { nonce: 3, lifetime, value }
    };
    for message in [found(MAX_FOUND), offer(MAX_OFFERED), keep(86_400)] {
        assert_eq!(Message::from_bytes(message.to_bytes()), Ok(message));
    }
    for message in [found(MAX_FOUND + 1), offer(MAX_OFFERED + 1), keep(86_401)] {
        assert_eq!(Message::from_bytes(message.to_bytes()), Err(DecodeError::TooLong));
    }
}
