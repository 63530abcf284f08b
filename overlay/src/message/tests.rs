use stratus_core::testing::{identity, peer};
use stratus_core::{GroupId, Rng};

use super::*;
use crate::record::Draft;

fn record(number: u64) -> Arc<Record> {
    let draft =
        Draft { sequence: number, addresses: vec!["203.0.113.7:1935".parse().unwrap()], ..Draft::default() };
    Arc::new(Record::sign(&identity(number), &GroupId::from_bytes([7; 32]), draft))
}

/// One of each kind.
fn samples() -> Vec<Message> {
    let candidates: Vec<SocketAddr> =
        vec!["203.0.113.7:1935".parse().unwrap(), "[2001:db8::7]:5000".parse().unwrap()];
    vec![
        Message::Hello(record(3)),
        Message::Offer {
            role: Role::Start,
            members: 300,
            digests: vec![Digest { place: 700, sequence: 3 }, Digest { place: u64::MAX, sequence: 50 }],
            old: vec![Digest { place: 50, sequence: 4 }],
            missing: vec![Digest { place: 3, sequence: 7 }],
        },
        Message::Offer { role: Role::Answer, members: 0, digests: vec![], old: vec![], missing: vec![] },
        Message::Want(vec![700, 3]),
        Message::Records(vec![Aged { record: record(3), age: 50 }, Aged { record: record(4), age: 700 }]),
        Message::Ping { nonce: 0x0102_0304, is_repeated: false },
        Message::Ping { nonce: 50, is_repeated: true },
        Message::Pong { nonce: 0x0102_0304, members: 700 },
        Message::AskLeave,
        Message::Goodbye(Farewell::Leaving),
        Message::Goodbye(Farewell::Full),
        Message::Introduce { target: peer(3), candidates: candidates.clone() },
        Message::Introduced { peer: peer(3), record: Some(record(3)), candidates },
        Message::Introduced { peer: peer(4), record: None, candidates: vec![] },
        Message::NotIntroduced(peer(3)),
        Message::Observed("203.0.113.7:1935".parse().unwrap()),
        Message::Silent(50),
    ]
}

#[test]
fn every_message_reads_back() {
    // spec OV-25
    for message in samples() {
        assert_eq!(Message::from_bytes(message.to_bytes()), Ok(message.clone()), "{}", message.name());
        assert_eq!(message.wire_len(), message.to_bytes().len(), "{}", message.name());
    }
}

#[test]
fn the_bytes_of_messages_never_change() {
    // spec OV-25: the committed vectors
    let hex = |message: &Message| -> String {
        message.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let samples = samples();
    let short: Vec<String> = samples.iter().map(hex).filter(|hex| hex.len() <= 80).collect();
    let peer_hex = |number| peer(number).to_string();
    assert_eq!(
        short,
        [
            "020100000000",
            "030200000000000002bc0000000000000003",
            "050001020304",
            "050100000032",
            "0601020304853c",
            "07",
            "0801",
            "0802",
            &format!("0a{}0000", peer_hex(4)),
            &format!("0b{}", peer_hex(3)),
            "0c04cb007107078f",
            "0d0000000000000032",
        ]
    );
}

#[test]
fn broken_bytes_are_refused_or_have_one_form() {
    // spec OV-25: decoding never panics and never accepts two forms of one message
    let mut rng = Rng::from_seed(11);
    let samples: Vec<Vec<u8>> = samples().iter().map(|message| message.to_bytes().to_vec()).collect();
    let mut accepted = 0;
    for _ in 0..30_000 {
        let mut bytes = rng.pick(&samples).unwrap().clone();
        for _ in 0..=rng.below(3) {
            injure(&mut bytes, &mut rng);
        }
        if let Ok(message) = Message::from_bytes(bytes.clone().into()) {
            accepted += 1;
            assert_eq!(message.to_bytes(), bytes, "two forms of {message:?}");
        }
    }
    assert!((500..29_500).contains(&accepted), "{accepted} were accepted: the test does not test");
}

fn injure(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(bytes.len().max(1) as u64) as usize;
    match rng.below(4) {
        _ if bytes.is_empty() => bytes.push(rng.below(256) as u8),
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, rng.below(256) as u8),
        _ => bytes[at] = rng.below(256) as u8,
    }
}

#[test]
fn counts_over_their_limits_are_refused_and_those_at_them_are_not() {
    let places = |count| Message::Want((0..count).collect()).to_bytes();
    assert!(Message::from_bytes(places(40)).is_ok());
    assert_eq!(Message::from_bytes(places(41)), Err(DecodeError::TooLong));
    let digests = |count| vec![Digest { place: 3, sequence: 50 }; count];
    let offer = |offered, old, missing| {
        let (digests, old, missing) = (digests(offered), digests(old), digests(missing));
        let offer = Message::Offer { role: Role::Start, members: 7, digests, old, missing };
        Message::from_bytes(offer.to_bytes())
    };
    assert!(offer(MAX_DIGESTS, MAX_MISSING, MAX_MISSING).is_ok());
    assert_eq!(offer(MAX_DIGESTS + 1, 0, 0), Err(DecodeError::TooLong));
    assert_eq!(offer(0, MAX_MISSING + 1, 0), Err(DecodeError::TooLong));
    assert_eq!(offer(0, 0, MAX_MISSING + 1), Err(DecodeError::TooLong));
    assert_eq!(Message::from_bytes(vec![14].into()), Err(DecodeError::Unknown));
}

#[test]
fn a_digest_is_newer_like_a_serial_number() {
    let digest = |sequence| Digest { place: 3, sequence };
    assert!(digest(8).is_newer_than(digest(7)) && !digest(7).is_newer_than(digest(7)));
    assert!(digest(3).is_newer_than(digest(u32::MAX)), "after the 32 bits have wrapped");
}
