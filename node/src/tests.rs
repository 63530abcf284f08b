use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Net, NetConfig, identity, peer};
use stratus_core::{Delivery, GroupId, Identity, PeerId, Priority, RingKey, Wire};
use stratus_multicast::{
    self as multicast, Kind, Overrides, Parameters, Piece, PieceFlags, Publish, StreamId,
};
use stratus_overlay as overlay;

use crate::{Command, Config, Event, Message, Node, Services, Setup};

mod replay;

fn node(number: u64) -> Node {
    let setup = Setup {
        identity: identity(number),
        group: GroupId::from_bytes([7; 32]),
        ring: RingKey::new([3; 32]),
        publish_authority: None,
        services: Services::default(),
        posting_authority: None,
    };
    Node::new(Config::default(), setup)
}

fn bootstrap(net: &Net<Node>, from: u64) -> Command {
    let record = net.machine(&peer(from)).overlay().own_record().clone();
    Command::Overlay(overlay::Command::Bootstrap(vec![record]))
}

/// `count` nodes, each of which knows the first one's record and nothing else.
fn group(seed: u64, count: u64) -> Net<Node> {
    let config =
        NetConfig { latency: (Duration::from_millis(5), Duration::from_millis(25)), ..NetConfig::default() };
    let mut net = Net::new(seed, config)
        .telling_failed_dials(|peer| Command::Overlay(overlay::Command::ConnectFailed(peer)));
    (0..count).for_each(|number| net.add(&format!("n{number}"), peer(number), node(number)));
    for number in 1..count {
        let command = bootstrap(&net, 0);
        net.command(peer(number), command);
    }
    net
}

fn multicast_events(net: &Net<Node>, of: &PeerId) -> Vec<multicast::Event> {
    let events = net.events(of).iter();
    events
        .filter_map(|(_, event)| match event {
            Event::Multicast(event) => Some(event.clone()),
            _ => None,
        })
        .collect()
}

fn payloads(net: &Net<Node>, of: &PeerId) -> Vec<Bytes> {
    let of_message = |event| match event {
        multicast::Event::Message { message, .. } => Some(message.payload()),
        _ => None,
    };
    multicast_events(net, of).into_iter().filter_map(of_message).collect()
}

fn publish(net: &mut Net<Node>, by: &PeerId) -> StreamId {
    let key = identity(1_000);
    let parameters = Parameters::from(&multicast::Config::default());
    let stream = StreamId(key.public());
    let wanted = Publish {
        key,
        name: "cam".to_owned(),
        began: 1,
        authorization: None,
        parameters,
        wishes: Overrides::default(),
    };
    net.command(*by, Command::Multicast(multicast::Command::Publish(Box::new(wanted))));
    stream
}

fn write(net: &mut Net<Node>, by: &PeerId, stream: StreamId, count: u64) -> Vec<Bytes> {
    let begin = net.now();
    let mut written = Vec::new();
    for number in 0..count {
        let payload = Bytes::from(vec![number as u8; 1_128]);
        written.push(payload.clone());
        let flags = PieceFlags { is_start: true, is_end: true, is_key: true, kind: Kind::Data };
        let piece = Piece { payload, flags, flush: false };
        let command = Command::Multicast(multicast::Command::Write { stream, piece });
        net.command_at(begin + Duration::from_millis(5 * number), *by, command);
    }
    net.run_for(Duration::from_millis(5 * count));
    written
}

fn subscribe(net: &mut Net<Node>, of: &PeerId) {
    net.command(*of, Command::Multicast(multicast::Command::Subscribe { name: "cam".to_owned() }));
}

#[test]
fn members_that_know_one_member_find_each_other_and_all_get_the_stream() {
    let mut net = group(1, 30);
    net.run_for(Duration::from_secs(2));
    (1..30).for_each(|number| subscribe(&mut net, &peer(number)));
    let stream = publish(&mut net, &peer(0));
    net.run_for(Duration::from_millis(700));
    let written = write(&mut net, &peer(0), stream, 400);
    net.run_for(Duration::from_secs(1));
    for number in 1..30 {
        assert!(payloads(&net, &peer(number)) == written, "member {number} differs");
    }
}

#[test]
fn few_subscribers_in_a_larger_group_link_up_and_only_they_relay() {
    let mut net = group(2, 60);
    net.run_for(Duration::from_secs(3));
    let viewers: Vec<PeerId> = (20..32).map(peer).collect();
    viewers.iter().for_each(|viewer| subscribe(&mut net, viewer));
    let stream = publish(&mut net, &peer(0));
    net.run_for(Duration::from_secs(3));
    let written = write(&mut net, &peer(0), stream, 400);
    net.run_for(Duration::from_secs(1));
    for viewer in &viewers {
        assert!(payloads(&net, viewer) == written, "{viewer:?} differs");
        let info = net.machine(viewer).multicast().stream(&stream).expect("known");
        assert!(info.subscribed_neighbors >= 8, "{viewer:?} has {} links", info.subscribed_neighbors);
    }
    for number in (1..20).chain(32..60) {
        let info = net.machine(&peer(number)).multicast().stream(&stream).expect("announced to all");
        let moved = info.counters.sent_bytes() + info.counters.received_bytes();
        assert_eq!(moved, 0, "bystander {number} carried payload");
    }
}

#[test]
fn whoever_forges_is_reported_banned_and_disconnected() {
    let mut net = group(3, 4);
    net.run_for(Duration::from_secs(2));
    (1..4).for_each(|number| subscribe(&mut net, &peer(number)));
    let stream = publish(&mut net, &peer(0));
    net.run_for(Duration::from_secs(1));
    write(&mut net, &peer(0), stream, 50);
    let forged = forged_manifest(&identity(2), stream);
    let how = Delivery::live(net.now(), Duration::from_secs(1), Priority::Urgent);
    net.forge(peer(2), peer(1), &Message::Multicast(forged), how);
    net.run_for(Duration::from_secs(1));
    let blamed: Vec<PeerId> = multicast_events(&net, &peer(1))
        .into_iter()
        .filter_map(|event| match event {
            multicast::Event::Misbehaved { peer, .. } => Some(peer),
            _ => None,
        })
        .collect();
    assert_eq!(blamed, [peer(2)]);
    let neighbors = net.machine(&peer(1)).overlay().neighbors();
    assert!(neighbors.iter().all(|neighbor| neighbor.peer != peer(2)), "the forger is still a neighbor");
}

/// A manifest of the far future, signed with a key that is not the stream's.
fn forged_manifest(forger: &Identity, stream: StreamId) -> multicast::Message {
    use stratus_core::Writer;
    let mut writer = Writer::new();
    writer.varint(5_000);
    writer.varint(20_000);
    writer.varint(9_000_000);
    writer.raw(&[0; 16]);
    writer.u8(1);
    writer.u8(0b111);
    writer.raw(&[7; 16]);
    writer.raw(&forger.sign(b"not what it should be").0);
    let manifest = multicast::Manifest::from_bytes(writer.finish()).expect("well formed");
    let manifest = std::sync::Arc::new(manifest);
    multicast::Message::Manifest { stream: stream.alias(), is_repair: false, hops: 0, manifest }
}

#[test]
fn the_layer_byte_is_all_that_a_node_adds() {
    let message = multicast::Message::Start { stream: multicast::StreamAlias(0x0102_0304) };
    let wrapped = Message::Multicast(message.clone());
    assert_eq!(wrapped.to_bytes()[..], [&[2], &message.to_bytes()[..]].concat());
    assert_eq!(Message::from_bytes(Bytes::from_static(&[9])), Err(stratus_core::DecodeError::Unknown));
}
