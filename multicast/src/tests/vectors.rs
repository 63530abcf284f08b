//! Committed wire forms: a change here is another wire version (docs/protocol.md).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{identity, peer};
use stratus_core::{BitSet, DecodeError, DirectVerify, GroupId, Rng, Wire};

use crate::message::{Start, StartAnswer, Subscriber};
use crate::{
    Announcement, Availability, End, Kind, Manifest, Message, Parameters, PieceEntry, PieceFlags, PushAnswer,
    PushRequest, PushStop, Reliability, SampleAccess, SliceStamp, StreamAlias, StreamId, Want,
};

const STREAM: StreamAlias = StreamAlias(0x0102_0304);
const GROUP: GroupId = GroupId::from_bytes([9; 32]);

fn announcement() -> Announcement {
    let (key, authority) = (identity(1), identity(2));
    let stream = StreamId(key.public());
    let parameters = Parameters {
        slices: 8,
        window_duration: Duration::from_secs(8),
        fetch_period: Duration::from_millis(150),
        availability_update_period: Duration::from_millis(100),
        availability_send_to_all: true,
        expected_rate: 250_000,
        reliability: Reliability { audio: Some(Duration::from_millis(300)), video: None, data: None },
        sample_access: SampleAccess { audio: true, video: false },
    };
    let grant = Announcement::grant(&GROUP, &stream, "cam", &authority);
    let mut draft =
        Announcement::unsigned(stream, peer(3), "cam".to_owned(), 1_790_000_000_000, parameters, Some(grant));
    draft.sequence = 1;
    draft.end = Some(End { runs: 300, fragments: 900 });
    draft.signed(&GROUP, &key)
}

fn manifest() -> Manifest {
    let flags = PieceFlags { is_start: true, is_end: false, is_key: true, kind: Kind::Video };
    let last = PieceFlags { is_start: false, is_end: true, is_key: false, kind: Kind::Video };
    let pieces = vec![
        PieceEntry::Hashed { flags, digest: [0xab; 16] },
        PieceEntry::Inline { flags: last, payload: Bytes::from_static(b"end") },
    ];
    Manifest::signed(&identity(1), 300, 900, Duration::from_micros(4_000_000), [0xcd; 16], pieces)
}

fn map() -> Availability {
    let mut map = Availability::of_held(300, [true, true, false, true].into_iter());
    map.free = BitSet::from_bits(0b11);
    map.home_free = BitSet::from_bits(0b111);
    map.inner = BitSet::from_bits(0b1);
    map.stamps = vec![SliceStamp { slice: 2, run: 303, age: Duration::from_millis(5), hops: 2 }];
    map
}

fn messages() -> Vec<Message> {
    let stream = STREAM;
    let slices = BitSet::from_bits(0b1001);
    let subscriber = Subscriber { peer: peer(3), record: Bytes::from_static(b"rec") };
    vec![
        Message::Announce {
            announcement: Arc::new(announcement()),
            age: Duration::from_secs(200),
            subscribers: vec![subscriber.clone()],
        },
        Message::Interest { stream, is_on: true, asks_for_others: true, record: Bytes::from_static(b"rec") },
        Message::Subscribers { stream, subscribers: vec![subscriber] },
        Message::Map { stream, map: map() },
        Message::PushRequest(PushRequest { stream, slices, home: BitSet::single(0), from_run: 300 }),
        Message::PushAnswer(PushAnswer {
            stream,
            accepted: slices,
            hops: vec![0, 3],
            refused: BitSet::single(1),
            from_run: 300,
            free: BitSet::EMPTY,
        }),
        Message::PushStop(PushStop { stream, slices, from_run: 300, is_from_parent: true }),
        Message::Pull {
            stream,
            wants: vec![Want { run: 300, manifest: true, positions: BitSet::first(32) }],
        },
        Message::Refuse { stream, is_busy: true, runs: vec![300, 301] },
        Message::Start { stream },
        Message::StartAnswer(StartAnswer { stream, start: Start::Refused }),
        Message::StartAnswer(StartAnswer { stream, start: Start::Offered { from: 200, next: 300 } }),
        Message::Manifest { stream, is_repair: false, hops: 2, manifest: Arc::new(manifest()) },
        Message::Fragment {
            stream,
            is_repair: true,
            run: 300,
            position: 31,
            payload: Bytes::from_static(b"payload"),
        },
        Message::Seek { name: "cam".to_owned(), record: Bytes::from_static(b"rec") },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_wire_forms_are_the_committed_ones_and_read_back() {
    let written: String = messages().iter().map(|message| hex(&message.to_bytes()) + "\n").collect();
    assert!(written == include_str!("vectors.txt"), "the wire form changed:\n{written}");
    for message in messages() {
        assert_eq!(Message::from_bytes(message.to_bytes()), Ok(message.clone()));
        assert_eq!(message.wire_len(), message.to_bytes().len());
    }
}

#[test]
fn what_is_signed_is_authentic_and_any_changed_bit_is_not() {
    let authority = identity(2).public();
    let stream = StreamId(identity(1).public());
    assert!(announcement().is_authentic(&DirectVerify, &GROUP, Some(&authority)));
    assert!(manifest().is_authentic(&DirectVerify, &stream));
    let changed = |bytes: &Bytes, bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Bytes::from(bytes)
    };
    let bytes = announcement().to_bytes();
    for bit in 0..bytes.len() * 8 {
        if let Ok(forged) = Announcement::from_bytes(changed(&bytes, bit)) {
            assert!(!forged.is_authentic(&DirectVerify, &GROUP, Some(&authority)), "bit {bit}");
        }
    }
    let bytes = manifest().to_bytes();
    for bit in 0..bytes.len() * 8 {
        if let Ok(forged) = Manifest::from_bytes(changed(&bytes, bit)) {
            assert!(!forged.is_authentic(&DirectVerify, &stream), "bit {bit}");
        }
    }
}

#[test]
fn mutated_and_cut_messages_never_panic_and_have_one_form_only() {
    let mut rng = Rng::from_seed(4);
    for message in messages() {
        let bytes = message.to_bytes();
        for _ in 0..3_000 {
            let mut mutated = bytes.to_vec();
            mutated.truncate(1 + rng.below(bytes.len() as u64) as usize);
            let at = rng.below(mutated.len() as u64) as usize;
            mutated[at] = rng.next_u64() as u8;
            if let Ok(read) = Message::from_bytes(mutated.clone().into()) {
                assert_eq!(read.to_bytes(), mutated, "{read:?}");
            }
        }
    }
    assert_eq!(Message::from_bytes(Bytes::from_static(&[99, 1, 2, 3, 4])), Err(DecodeError::Unknown));
}

#[test]
fn every_message_fits_its_datagram() {
    // 1,162 bytes less the group tag and the layer byte (spec TR).
    let room = 1_162 - 5;
    let flags = PieceFlags::default();
    let mut pieces = vec![PieceEntry::Inline { flags, payload: Bytes::from(vec![1; 480]) }];
    pieces.resize(32, PieceEntry::Hashed { flags, digest: [1; 16] });
    let far = 1 << 40;
    let manifest =
        Arc::new(Manifest::signed(&identity(1), far, far, Duration::from_micros(far), [0xcd; 16], pieces));
    let largest = Message::Manifest { stream: STREAM, is_repair: false, hops: 9, manifest };
    assert!(largest.wire_len() <= room, "{}", largest.wire_len());
    let payload = Bytes::from(vec![1; 1_128]);
    let fragment = Message::Fragment { stream: STREAM, is_repair: false, run: far, position: 31, payload };
    assert!(fragment.wire_len() <= room, "{}", fragment.wire_len());
    let want = Want { run: far, manifest: true, positions: BitSet::first(32) };
    let pull = Message::Pull { stream: STREAM, wants: vec![want; 64] };
    assert!(pull.wire_len() <= room, "{}", pull.wire_len());
    let mut map = Availability::of_held(far, "##.".repeat(40).chars().map(|c| c == '#'));
    (map.free, map.home_free, map.inner) = (BitSet::first(64), BitSet::first(64), BitSet::first(64));
    let stamp = |slice| SliceStamp { slice, run: far, age: SliceStamp::NEVER, hops: 9 };
    map.stamps = (0..64).map(stamp).collect();
    let map = Message::Map { stream: STREAM, map };
    assert!(map.wire_len() <= room, "{}", map.wire_len());
}
