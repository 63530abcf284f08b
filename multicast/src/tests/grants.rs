//! The right to publish: proved to everyone, given away to nobody.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stratus_core::testing::{Fate, NetConfig, identity, peer};
use stratus_core::{Delivery, GroupId, Wire as _};

use super::Group;
use crate::{Announcement, Event, Message, Parameters, StreamId};

const MS: fn(u64) -> Duration = Duration::from_millis;
const GROUP: GroupId = GroupId::from_bytes([9; 32]);

/// Members 0 … 2 of a group with a publish key, which 0 has.
fn restricted(seed: u64) -> Group {
    let mut group = Group::new(seed, NetConfig::with_latency(MS(10)));
    group.authority = Some(identity(500));
    group.mesh(3);
    group
}

// spec MC-4
#[test]
fn a_grant_that_was_heard_gives_no_other_stream_and_no_other_name_a_right() {
    let mut group = restricted(8);
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    // What everybody has heard: the grant of this stream under this name.
    let heard = Announcement::grant(&GROUP, &stream, "cam", &identity(500));
    let thief = identity(1_001);
    for (key, name) in [(&thief, "cam"), (&thief, "cam2"), (&identity(1_002), "cam")] {
        let (stream, parameters) = (StreamId(key.public()), Parameters::from(&group.config));
        let theft = Announcement::unsigned(stream, peer(1), name.to_owned(), 1, parameters, Some(heard));
        let message = Message::Announce {
            announcement: Arc::new(theft.signed(&GROUP, key)),
            age: Duration::ZERO,
            subscribers: Vec::new(),
        };
        for victim in [0, 2] {
            group.net.forge(peer(1), peer(victim), &message, Delivery::Control);
        }
    }
    group.net.run_for(MS(100));
    let what = "an announcement without the group's authorization or a valid signature";
    for member in [0, 2] {
        assert_eq!(group.misbehaved(member), [(peer(1), what); 3]);
        assert_eq!(group.net.machine(&peer(member)).streams().count(), 1, "only the rightful one");
    }
    let notified = group.events_of(2, |event| matches!(event, Event::PublishNotify { .. }));
    assert_eq!(notified.len(), 1);
}

// spec GS-12
#[test]
fn the_publish_key_is_in_nothing_that_a_publisher_sends() {
    let mut group = restricted(9);
    group.subscribe(1, "cam");
    let sent = Rc::new(RefCell::new(Vec::new()));
    let tapped = sent.clone();
    group.net.tap(move |passing| {
        tapped.borrow_mut().push(passing.message.to_bytes());
        Fate::Pass
    });
    let stream = group.publish(0, "cam");
    group.net.run_for(MS(300));
    group.write(0, 1_000, MS(10), MS(200));
    group.net.run_for(MS(300));
    assert_eq!(group.received(1), group.sent(0), "it was a stream");
    let holds = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    let sent = sent.borrow();
    assert!(sent.iter().any(|bytes| holds(bytes, &stream.0.0)), "the announcement was seen");
    let seed = identity(500).seed();
    assert!(!sent.iter().any(|bytes| holds(bytes, &seed)));
}
