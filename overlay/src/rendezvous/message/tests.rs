use stratus_core::{GroupAddress, Identity, Rng};

use super::*;

fn group() -> GroupId {
    GroupId::from_bytes([0x33; 32])
}

fn peer() -> PeerId {
    PeerId::from_bytes([0x50; 32])
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn registration() -> Registration {
    let place = GroupAddress::from_bytes([0x70; 32]);
    let record = Bytes::from_static(b"a record");
    Registration::sign(&Identity::from_seed([3; 32]), &[1; 32], &peer(), place, record)
}

fn client_messages() -> Vec<ClientMessage> {
    let candidates = vec![address("203.0.113.7:1935"), address("[2001:db8::7]:50")];
    vec![
        ClientMessage::Register(registration()),
        ClientMessage::Refresh { group: group() },
        ClientMessage::Leave { group: group() },
        ClientMessage::Introduce { group: group(), target: peer(), candidates },
    ]
}

fn server_messages() -> Vec<ServerMessage> {
    let observed = address("203.0.113.7:1935");
    let record = Bytes::from_static(b"a record");
    let refused = |subject, refusal| ServerMessage::Refused { subject, refusal };
    vec![
        ServerMessage::Welcome {
            group: group(),
            observed,
            refresh_every: Duration::from_secs(60),
            expires_after: Duration::from_secs(150),
            members: vec![Named { observed, record: record.clone() }],
        },
        ServerMessage::Introduced { group: group(), peer: peer(), record, candidates: vec![observed] },
        refused(Subject::Connection, Refusal::Malformed),
        refused(Subject::Group(group()), Refusal::Stranger),
        refused(Subject::Introduction { group: group(), target: peer() }, Refusal::UnknownPeer),
        ServerMessage::Goodbye,
    ]
}

/// Lower-case hex in which a run of 32 equal bytes is written `xx*32`.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|byte| *byte == first).count();
        if run >= 32 {
            text += &format!("{first:02x}*32 ");
            rest = &rest[32..];
        } else {
            text += &format!("{first:02x}");
            rest = &rest[1..];
        }
    }
    text
}

/// Committed forms of spec RV-13; a change here is another protocol.
#[test]
fn client_messages_have_their_committed_forms() {
    let forms: Vec<_> = client_messages().iter().map(|message| hex(&message.to_bytes())).collect();
    assert_eq!(
        forms,
        [
            "01ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1\
             70*32 0861207265636f7264\
             9fabafc23a6b890fc5cbc49badba6ed48ca10e96258a176db5503278e1404cdb\
             56fb5012018ca136f96d1648c1a33a1a59d4c4ca1f7537215202547533d74508",
            "0233*32 ",
            "0333*32 ",
            "0433*32 50*32 0204cb007107078f0620010db80000000000000000000000070032",
        ]
    );
}

#[test]
fn server_messages_have_their_committed_forms() {
    let forms: Vec<_> = server_messages().iter().map(|message| hex(&message.to_bytes())).collect();
    assert_eq!(
        forms,
        [
            "0133*32 04cb007107078f83d4608993700104cb007107078f0861207265636f7264",
            "0233*32 50*32 0861207265636f72640104cb007107078f",
            "030001",
            "030133*32 02",
            "030233*32 50*32 06",
            "04",
        ]
    );
}

#[test]
fn every_message_reads_back() {
    for message in client_messages() {
        assert_eq!(ClientMessage::from_bytes(message.to_bytes()), Ok(message));
    }
    for message in server_messages() {
        assert_eq!(ServerMessage::from_bytes(message.to_bytes()), Ok(message));
    }
}

#[test]
fn every_refusal_has_its_own_number_and_reads_back() {
    for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
        assert_eq!(refusal.to_bytes()[..], [index as u8 + 1]);
        assert_eq!(Refusal::from_bytes(refusal.to_bytes()), Ok(refusal));
    }
    assert_eq!(Refusal::from_bytes(Bytes::from_static(&[0])), Err(DecodeError::Unknown));
    assert_eq!(Refusal::from_bytes(Bytes::from_static(&[12])), Err(DecodeError::Unknown));
}

#[test]
fn lists_and_records_over_their_limits_are_refused_and_those_at_it_are_not() {
    let introduce = |count| ClientMessage::Introduce {
        group: group(),
        target: peer(),
        candidates: vec![address("203.0.113.7:1935"); count],
    };
    assert!(ClientMessage::from_bytes(introduce(24).to_bytes()).is_ok());
    assert_eq!(ClientMessage::from_bytes(introduce(25).to_bytes()), Err(DecodeError::TooLong));

    let welcome = |members, record, refresh_every| ServerMessage::Welcome {
        group: group(),
        observed: address("203.0.113.7:1935"),
        refresh_every,
        expires_after: Duration::from_secs(86_400),
        members: vec![
            Named { observed: address("203.0.113.7:1935"), record: vec![7; record].into() };
            members
        ],
    };
    let read = |message: ServerMessage| ServerMessage::from_bytes(message.to_bytes());
    let second = Duration::from_secs(1);
    assert!(read(welcome(64, 512, second)).is_ok());
    assert_eq!(read(welcome(65, 512, second)), Err(DecodeError::TooLong));
    assert_eq!(read(welcome(64, 513, second)), Err(DecodeError::TooLong));
    assert_eq!(read(welcome(1, 3, second / 2)), Err(DecodeError::Invalid));
    assert_eq!(read(welcome(1, 3, 86_401 * second)), Err(DecodeError::TooLong));
    // spec TR: a frame is at most 64 KiB.
    assert!(welcome(64, 512, second).wire_len() < 65_536);
}

/// Whatever decodes from damaged bytes is canonical: it encodes to those same bytes.
fn check_mutations<M: Wire>(messages: &[M], seed: u64) {
    let mut rng = Rng::from_seed(seed);
    for message in messages {
        let whole = message.to_bytes();
        for end in 0..whole.len() {
            assert!(M::from_bytes(whole.slice(..end)).is_err(), "a cut message decoded, seed {seed}");
        }
        for _ in 0..2_000 {
            let mut bytes = whole.to_vec();
            for _ in 0..=rng.below(3) {
                let place = rng.below(bytes.len() as u64) as usize;
                match rng.below(3) {
                    0 => bytes[place] = rng.next_u64() as u8,
                    1 => bytes.insert(place, rng.next_u64() as u8),
                    _ if bytes.len() > 1 => drop(bytes.remove(place)),
                    _ => {}
                }
            }
            if let Ok(read) = M::from_bytes(bytes.clone().into()) {
                assert_eq!(read.to_bytes(), bytes, "two forms of one message, seed {seed}");
            }
        }
    }
}

#[test]
fn damaged_messages_never_panic_and_never_have_two_forms() {
    check_mutations(&client_messages(), 3);
    check_mutations(&server_messages(), 50);
}
