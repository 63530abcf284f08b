use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{identity, peer};
use stratus_core::{GroupAddress, GroupId, Wire};
use stratus_groupspec::GroupSpecifier;
use stratus_overlay::rendezvous::{ClientMessage, Named, Refusal, Registration, ServerMessage, Subject};
use stratus_overlay::{Draft, Record};

use crate::life::GROUP;

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// As text, and as the bytes behind the prefix, which is what the entry point makes text of.
pub(super) fn groupspecs() -> Vec<Vec<u8>> {
    let plain = GroupSpecifier::new("show").expect("a name").build();
    let full = GroupSpecifier::new("show")
        .expect("a name")
        .make_unique([7; 32])
        .publish_key_seed([3; 32])
        .posting_key_seed([50; 32])
        .add_bootstrap_peer(peer(1), &[address(1_935), address(1_936)])
        .and_then(|specifier| specifier.add_server("rv.example:1935"))
        .expect("good hints")
        .build();
    let texts = [plain, full].map(|spec| spec.to_string_with_authorizations().to_string());
    let behind = texts.clone().map(|text| {
        let hex = text.trim_start_matches("G:").as_bytes().to_vec();
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
        hex.chunks(2).map(|pair| digit(pair[0]) << 4 | pair.get(1).map_or(0, |low| digit(*low))).collect()
    });
    texts.map(String::into_bytes).into_iter().chain(behind).collect()
}

fn record() -> Bytes {
    let draft = Draft {
        sequence: 7,
        addresses: vec![address(50), ([203, 0, 113, 7], 1_935).into()],
        servers: vec![address(1_935)],
        introducers: vec![2],
    };
    Record::sign(&identity(1), &GROUP, draft).to_bytes()
}

fn group() -> GroupId {
    GroupId::of(&identity(3).public())
}

pub(super) fn client_messages() -> Vec<Vec<u8>> {
    let place = GroupAddress::from_bytes([7; 32]);
    let registration = Registration::sign(&identity(3), &[50; 32], &peer(1), place, record());
    let candidates = vec![address(50), "[2001:db8::7]:1935".parse().expect("an address")];
    let messages = [
        ClientMessage::Register(registration),
        ClientMessage::Refresh { group: group() },
        ClientMessage::Leave { group: group() },
        ClientMessage::Introduce { group: group(), target: peer(2), candidates },
    ];
    messages.iter().map(|message| message.to_bytes().to_vec()).collect()
}

pub(super) fn server_messages() -> Vec<Vec<u8>> {
    let named = Named { observed: address(50), record: record() };
    let messages = [
        ServerMessage::Welcome {
            group: group(),
            observed: address(50),
            refresh_every: Duration::from_secs(60),
            expires_after: Duration::from_secs(150),
            members: vec![named; 3],
        },
        ServerMessage::Introduced {
            group: group(),
            peer: peer(2),
            record: record(),
            candidates: vec![address(50)],
        },
        ServerMessage::Refused { subject: Subject::Connection, refusal: Refusal::NotRegistered },
        ServerMessage::Goodbye,
    ];
    messages.iter().map(|message| message.to_bytes().to_vec()).collect()
}

/// Tables of one program, a key unit, a clock, and a unit that is none; the first byte is the size of a read.
pub(super) fn transport_stream() -> Vec<u8> {
    let packet = |head: &[u8]| {
        let mut bytes = [0xff; 188];
        bytes[..head.len()].copy_from_slice(head);
        bytes
    };
    // Section, its length, its number, one program, checksum left as ffmpeg writes it.
    let programs =
        [0x47, 0x40, 0, 0x10, 0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0x2a, 0xb1, 0x04, 0xb2];
    let streams = [
        0x47, 0x50, 0, 0x10, 0, 2, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0, 0x1b, 0xe1, 0, 0xf0, 0,
        0x15, 0xbd, 0x4d, 0x56,
    ];
    let key = [0x47, 0x41, 0, 0x30, 7, 0x50, 0, 0, 7, 50, 0x7e, 0, 0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5];
    let more = [0x47, 0x01, 0, 0x11];
    let unit = [0x47, 0x41, 0, 0x12, 0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5];
    let packets = [packet(&programs), packet(&streams), packet(&key), packet(&more), packet(&unit)];
    [&[187][..], &packets.concat(), &packets.concat()].concat()
}

/// One of each kind.
pub(super) fn replication_messages() -> Vec<Vec<u8>> {
    use stratus_replication::{Denied, Load, Message, ObjectSet, Want};
    let mut set = ObjectSet::of(60..900);
    set.insert(1 << 40);
    let messages = [
        Message::Have { is_scarce: true, load: Load { uploads: 7, pace: 6 }, set: set.clone() },
        Message::Gained { load: Load { uploads: 3, pace: 0 }, set: set.clone() },
        Message::Lost(set),
        Message::Ask { done: vec![3, 700], wants: vec![Want { id: 50, index: 1 << 40 }] },
        Message::Object {
            id: 50,
            index: 3,
            load: Load { uploads: 9, pace: 255 },
            payload: vec![7; 50].into(),
        },
        Message::Deny { why: Denied::NotOffered, load: Load { uploads: 20, pace: 1 }, ids: vec![7] },
        Message::Cancel(vec![7, 8]),
    ];
    messages.iter().map(|message| stratus_core::Wire::to_bytes(message).to_vec()).collect()
}

/// The root of a small set, or its only page.
pub(super) fn set_heads(index: usize) -> Vec<Vec<u8>> {
    let mut builder = stratus_replication::set::SetBuilder::new("holiday", "video/mp4");
    builder.add("a/long.mp4", 70_000, vec![[1; 32], [2; 32]]);
    builder.add("b/copy.mp4", 70_000, vec![[1; 32], [2; 32]]);
    builder.add("empty", 0, Vec::new());
    let set = builder.finish().expect("nothing in it lies");
    vec![set.heads()[index].to_vec()]
}
