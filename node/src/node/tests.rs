//! Whole members over the made-up network: where the layers meet.

use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Fate, Net, NetConfig, identity, peer};
use stratus_core::{Delivery, GroupId, PeerId, RingKey, Time, Wire as _};
use stratus_multicast::{Kind, Overrides, Parameters, Piece, PieceFlags, Publish, StreamId, Subscriber};
use stratus_overlay::{Draft, Record};

use super::*;

mod routing;

pub(super) const GROUP: GroupId = GroupId::from_bytes([7; 32]);
const RING: RingKey = RingKey::new([3; 32]);
const PUBLISHER: u64 = 1;

fn setup(number: u64) -> Setup {
    Setup {
        identity: identity(number),
        group: GROUP,
        ring: RING,
        publish_authority: None,
        services: Services { posting: true, routing: true, replication: true },
        posting_authority: None,
    }
}

pub(super) fn node(number: u64) -> Node {
    Node::new(Config::default(), setup(number))
}

pub(super) fn stream() -> StreamId {
    StreamId(identity(1_000).public())
}

fn tell(net: &mut Net<Node>, number: u64, command: multicast::Command) {
    net.command(peer(number), Command::Multicast(command));
}

/// Member `number` says something to all.
pub(super) fn post(net: &mut Net<Node>, number: u64, text: &str) {
    let body = Bytes::copy_from_slice(text.as_bytes());
    let draft = posting::Draft { token: 3, body, authorization: None };
    net.command(peer(number), posting::Command::Post(Box::new(draft)).into());
}

fn texts(net: &Net<Node>, number: u64) -> Vec<Bytes> {
    let text = |event: &Event| match event {
        Event::Posting(posting::Event::Post(post)) => Some(post.body().clone()),
        _ => None,
    };
    net.events(&peer(number)).iter().filter_map(|(_, event)| text(event)).collect()
}

fn record_of(net: &Net<Node>, number: u64) -> Record {
    net.machine(&peer(number)).overlay().own_record().clone()
}

fn bootstrap(net: &mut Net<Node>, number: u64, others: impl Iterator<Item = u64>) {
    let records = others.map(|other| record_of(net, other)).collect();
    net.command(peer(number), Command::Overlay(overlay::Command::Bootstrap(records)));
}

/// Members 1 to `count`, joined one after another.
pub(super) fn group(count: u64, config: NetConfig) -> Net<Node> {
    let mut net = Net::new(1, config)
        .untraced()
        .telling_failed_dials(|peer| Command::Overlay(overlay::Command::ConnectFailed(peer)));
    for number in 1..=count {
        net.add(&format!("n{number}"), peer(number), node(number));
    }
    net.run_for(Duration::from_millis(1));
    for number in 2..=count {
        bootstrap(&mut net, number, number.saturating_sub(10).max(1)..number);
    }
    net.run_for(Duration::from_secs(2));
    net
}

/// Number 1 publishes "cam", the others play it.
pub(super) fn on_air(net: &mut Net<Node>, viewers: impl Iterator<Item = u64>) {
    let wanted = Publish {
        key: identity(1_000),
        name: "cam".to_owned(),
        began: 1,
        authorization: None,
        parameters: Parameters::from(&multicast::Config::default()),
        wishes: Overrides::default(),
    };
    tell(net, PUBLISHER, multicast::Command::Publish(Box::new(wanted)));
    for number in viewers {
        tell(net, number, multicast::Command::Subscribe { name: "cam".to_owned() });
    }
    net.run_for(Duration::from_secs(1));
}

/// `count` messages of 1,000 bytes, one each 20 ms.
pub(super) fn write(net: &mut Net<Node>, count: u64) {
    for number in 0..count {
        let flags = PieceFlags { is_start: true, is_end: true, is_key: true, kind: Kind::Data };
        let piece = Piece { payload: Bytes::from(vec![number as u8; 1_000]), flags, flush: false };
        tell(net, PUBLISHER, multicast::Command::Write { stream: stream(), piece });
        net.run_for(Duration::from_millis(20));
    }
}

fn messages(net: &Net<Node>, number: u64) -> usize {
    let is_message = |event: &Event| matches!(event, Event::Multicast(multicast::Event::Message { .. }));
    net.events(&peer(number)).iter().filter(|(_, event)| is_message(event)).count()
}

fn misdeeds(net: &Net<Node>, number: u64) -> Vec<PeerId> {
    let by = |event: &Event| match event {
        Event::Overlay(overlay::Event::Misbehaved { peer, .. })
        | Event::Multicast(multicast::Event::Misbehaved { peer, .. })
        | Event::Posting(posting::Event::Misbehaved { peer, .. }) => Some(*peer),
        _ => None,
    };
    net.events(&peer(number)).iter().filter_map(|(_, event)| by(event)).collect()
}

fn pin_count(net: &Net<Node>, number: u64) -> usize {
    let sizes = net.machine(&peer(number)).overlay().sizes();
    sizes.into_iter().find(|(name, ..)| *name == "pins").expect("the overlay has pins").1
}

#[test]
fn a_stream_survives_loss_and_the_death_of_a_third() {
    let config = NetConfig { lost_per_mille: 20, ..NetConfig::default() };
    let mut net = group(15, config);
    on_air(&mut net, 2..=15);
    write(&mut net, 50);
    for number in [3, 6, 9, 12, 15] {
        net.kill(peer(number));
    }
    write(&mut net, 250);
    net.run_for(Duration::from_secs(10));
    let living = (2..=15).filter(|number| number % 3 != 0);
    let counts: Vec<usize> = living.map(|number| messages(&net, number)).collect();
    assert_eq!(counts, [300; 9]);
}

#[test]
fn the_overlay_hears_of_subscribers_from_the_stream() {
    // `SubscriberHeard` → `HearRecord`
    let mut net = group(3, NetConfig::default());
    on_air(&mut net, 2..=2);
    let record = Record::sign(&identity(50), &GROUP, Draft { sequence: 3, ..Draft::default() });
    let subscribers = vec![Subscriber { peer: peer(50), record: record.to_bytes() }];
    let message = multicast::Message::Subscribers { stream: stream().alias(), subscribers };
    net.forge(peer(1), peer(2), &Message::Multicast(message), Delivery::Control);
    net.run_for(Duration::from_millis(60));
    assert!(net.machine(&peer(2)).overlay().has_heard_of(&peer(50)));
    assert!(!net.machine(&peer(3)).overlay().has_heard_of(&peer(50)));
}

#[test]
fn links_that_a_stream_needs_are_pinned_until_it_does_not() {
    // `Want` → `Pin`, `Release` → `Unpin`
    let mut net = group(6, NetConfig::default());
    on_air(&mut net, 2..=6);
    write(&mut net, 50);
    assert!((1..=5).contains(&pin_count(&net, 2)));
    tell(&mut net, 2, multicast::Command::Unsubscribe { name: "cam".to_owned() });
    net.run_for(Duration::from_secs(1));
    assert_eq!(pin_count(&net, 2), 0);
}

#[test]
fn who_forges_a_fragment_is_dropped_by_the_overlay_and_kept_out() {
    // `Misbehaved` of multicast → `Ban`
    let mut net = group(8, NetConfig::default());
    on_air(&mut net, 2..=8);
    write(&mut net, 50);
    let liar = peer(3);
    net.tap(move |passing| match passing.message {
        Message::Multicast(multicast::Message::Fragment { stream, is_repair, run, position, .. })
            if passing.from == liar =>
        {
            let payload = Bytes::from_static(b"not what was signed");
            let (stream, run) = (*stream, *run);
            let forged = multicast::Message::Fragment {
                stream,
                is_repair: *is_repair,
                run,
                position: *position,
                payload,
            };
            Fate::Replace(Message::Multicast(forged))
        }
        _ => Fate::Pass,
    });
    write(&mut net, 100);
    net.run_for(Duration::from_secs(3));
    let victims: Vec<u64> = (1..=8).filter(|number| misdeeds(&net, *number).contains(&liar)).collect();
    assert!(!victims.is_empty(), "someone was lied to");
    for number in victims {
        assert_eq!(misdeeds(&net, number), [liar], "nobody else was blamed by {number}");
        assert!(!net.links(&peer(number)).contains(&liar));
    }
    let counts: Vec<usize> = (2..=8).filter(|n| *n != 3).map(|number| messages(&net, number)).collect();
    assert_eq!(counts, [150; 6], "and nothing is missing");
}

#[test]
fn who_lies_in_the_overlay_is_dropped_as_well() {
    let mut net = group(5, NetConfig::default());
    let foreign = Record::sign(&identity(50), &GROUP, Draft::default());
    let hello = Message::Overlay(overlay::Message::Hello(foreign.into()));
    net.forge(peer(3), peer(2), &hello, Delivery::Control);
    net.run_for(Duration::from_secs(20));
    assert_eq!(misdeeds(&net, 2), [peer(3)]);
    assert!(!net.links(&peer(2)).contains(&peer(3)));
}

#[test]
fn what_is_meant_for_the_other_layer_stays_inside() {
    let mut net = group(6, NetConfig::default());
    on_air(&mut net, 2..=6);
    write(&mut net, 20);
    let is_inner = |event: &Event| {
        matches!(
            event,
            Event::Overlay(overlay::Event::Rtt { .. })
                | Event::Multicast(
                    multicast::Event::SubscriberHeard { .. }
                        | multicast::Event::Want(_)
                        | multicast::Event::Release(_)
                )
        )
    };
    assert!((1..=6).all(|n| net.events(&peer(n)).iter().all(|(_, event)| !is_inner(event))));
}

#[test]
fn the_layer_that_is_due_first_sets_the_deadline() {
    let mut net = group(2, NetConfig::default());
    on_air(&mut net, 2..=2);
    let machine = net.machine(&peer(2));
    let posting = machine.posting().and_then(|posting| posting.deadline());
    let layers = [machine.overlay().deadline(), machine.multicast().deadline(), posting];
    assert_eq!(machine.deadline(), layers.into_iter().flatten().min());
    assert!(machine.deadline().is_some_and(|deadline| deadline.at > Time::ZERO));
}

#[test]
fn posts_reach_all_members_while_some_die() {
    // spec PO-5
    let mut net = group(15, NetConfig { lost_per_mille: 20, ..NetConfig::default() });
    for number in [2, 7] {
        post(&mut net, number, &format!("from {number}"));
        net.run_for(Duration::from_millis(500));
    }
    for number in [3, 6, 9] {
        net.kill(peer(number));
    }
    post(&mut net, 10, "after the fall");
    net.run_for(Duration::from_secs(4));
    let all = [b"from 2".to_vec(), b"from 7".to_vec(), b"after the fall".to_vec()];
    for number in (1..=15).filter(|number| net.is_alive(&peer(*number)) && ![2, 7, 10].contains(number)) {
        assert_eq!(texts(&net, number), all, "member {number}");
    }
}

#[test]
fn who_brings_a_forged_post_is_dropped_by_the_overlay_and_kept_out() {
    // `Misbehaved` of posting → `Ban`
    let mut net = group(5, NetConfig::default());
    let liar = peer(3);
    net.tap(move |passing| match passing.message {
        Message::Posting(posting::Message::Posts(posts)) if passing.from == liar => {
            let mut bytes = posts_of(posts).to_vec();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            Fate::Replace(Message::Posting(posting::Message::from_bytes(bytes.into()).expect("posts")))
        }
        _ => Fate::Pass,
    });
    post(&mut net, 3, "what its sender has not signed");
    net.run_for(Duration::from_secs(2));
    for number in [1, 2, 4, 5] {
        assert_eq!(misdeeds(&net, number), [liar], "member {number}");
        assert!(!net.links(&peer(number)).contains(&liar));
        assert!(texts(&net, number).is_empty());
    }
}

fn posts_of(posts: &[std::sync::Arc<posting::Post>]) -> Bytes {
    posting::Message::Posts(posts.to_vec()).to_bytes()
}

#[test]
fn who_speaks_of_posts_in_a_group_without_them_is_dropped() {
    let mut net = group(3, NetConfig::default());
    let silent = Setup { services: Services::default(), ..setup(4) };
    net.add("n4", peer(4), Node::new(Config::default(), silent));
    net.run_for(Duration::from_millis(1));
    bootstrap(&mut net, 4, 1..4);
    net.run_for(Duration::from_secs(2));
    // The others took it for a member like themselves, and compared posts with it.
    let mut dropped = misdeeds(&net, 4);
    dropped.sort();
    let mut others = [peer(1), peer(2), peer(3)];
    others.sort();
    assert_eq!(dropped, others);
    post(&mut net, 4, "nobody may");
    let is_refused = |(_, event): &(Time, Event)| {
        matches!(
            event,
            Event::Posting(posting::Event::PostFailed { why: posting::PostError::NotAuthorized, .. })
        )
    };
    assert!(net.events(&peer(4)).iter().any(is_refused));
}
