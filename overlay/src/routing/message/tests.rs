use super::*;

fn at(first: u8) -> GroupAddress {
    let mut bytes = [0; 32];
    bytes[0] = first;
    GroupAddress::from_bytes(bytes)
}

/// One of each kind.
pub(in crate::routing) fn samples() -> Vec<Message> {
    let parcel = |to, hops| Parcel { hops, origin: at(3), to, payload: Bytes::from_static(b"seven") };
    vec![
        Message::Mode(ReceiveMode::Exact),
        Message::Mode(ReceiveMode::Nearest),
        Message::Parcel(parcel(None, 1)),
        Message::Parcel(parcel(Some(at(50)), MAX_HOPS)),
    ]
}

#[test]
fn every_message_reads_back() {
    // spec RO-7
    for message in samples() {
        assert_eq!(Message::from_bytes(message.to_bytes()), Ok(message.clone()), "{}", message.name());
        assert_eq!(message.wire_len(), message.to_bytes().len(), "{}", message.name());
    }
}

#[test]
fn the_bytes_of_parcels_never_change() {
    let hex = |message: &Message| -> String {
        message.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (origin, to) = (format!("03{}", "00".repeat(31)), format!("32{}", "00".repeat(31)));
    let samples = samples();
    assert_eq!(hex(&samples[0]), "0100");
    assert_eq!(hex(&samples[1]), "0101");
    assert_eq!(hex(&samples[2]), format!("0201{origin}0005736576656e"));
    assert_eq!(hex(&samples[3]), format!("0220{origin}01{to}05736576656e"));
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
