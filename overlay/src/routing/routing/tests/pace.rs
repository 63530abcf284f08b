//! How fast members ask, and what they give each other: never more than the other takes.

use std::collections::BTreeSet;

use super::alone::{Alone, Said};
use super::*;
use crate::routing::{Message, Put, Reply, Value};

fn long(number: u32) -> Value {
    let mut content = vec![7; 8 * 1_024];
    content[..4].copy_from_slice(&number.to_be_bytes());
    Value::Content(content.into())
}

/// Answers each question of one look-up or get with nothing, and each value with its being kept.
fn answer(message: &Message) -> Message {
    match message {
        Message::Find { nonce, .. } => Message::Found { nonce: *nonce, records: Vec::new() },
        Message::Fetch { nonce, .. } => Message::Fetched { nonce: *nonce, value: None, records: Vec::new() },
        Message::Keep { nonce, .. } => Message::Reply { nonce: *nonce, reply: Reply::Kept },
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_asks_a_neighbor_more_than_it_takes_waits_and_is_answered_nevertheless() {
    // spec RO-9
    let rate = Config::default().questions_sent;
    let mut me = Alone::knowing([1], 2);
    me.connect(1);
    let (mut asked, mut found) = (0, 0);
    let mut take = |me: &mut Alone, said: Said| {
        for (to, message) in said.messages {
            asked += 1;
            let said = me.hear(to, answer(&message));
            found += said.events.iter().filter(|event| matches!(event, Event::LookedUp { .. })).count();
            assert!(said.messages.is_empty());
        }
        (asked, found)
    };
    let mut look_up = |me: &mut Alone, id: u64| {
        let said = me.command(Command::LookUp { id, target: address(id) });
        take(me, said)
    };
    let burst = u64::from(rate.burst);
    for id in 0..burst {
        assert_eq!(look_up(&mut me, id), (id as usize + 1, id as usize + 1));
    }
    // One more than may be asked at once, and three behind it.
    for id in burst..burst + 4 {
        assert_eq!(look_up(&mut me, id), (burst as usize, burst as usize));
    }
    let said = me.wait(1_000 / u64::from(rate.per_second) * 6);
    assert_eq!(take(&mut me, said), (burst as usize + 4, burst as usize + 4));
    assert_eq!(me.routing.stats().unanswered_count, 0);
}

#[test]
fn values_are_taken_and_given_up_to_their_rate() {
    // spec DH-6: a value of 8 KiB counts as nine
    let most = Config::default().value_kib.burst / 9;
    let mut me = Alone::knowing([1], 2);
    me.connect(1);
    let mut keep = |number: u32| {
        let keep = Message::Keep { nonce: number, lifetime: 60, value: long(number) };
        me.hear(1, keep).messages.remove(0).1
    };
    for number in 0..most {
        assert_eq!(keep(number), Message::Reply { nonce: number, reply: Reply::Kept });
    }
    assert_eq!(keep(most), Message::Reply { nonce: most, reply: Reply::TooFast });
    me.wait(1_000);
    let fetch = |me: &mut Alone, nonce| me.hear(1, Message::Fetch { nonce, key: long(3).key() }).messages;
    for nonce in 0..most {
        let said = fetch(&mut me, nonce);
        assert!(matches!(&said[0].1, Message::Fetched { value: Some(value), .. } if *value == long(3)));
    }
    assert_eq!(fetch(&mut me, most), []);
    assert_eq!(me.routing.stats().throttled_count, 2);
    me.wait(100);
    assert_eq!(fetch(&mut me, most + 1).len(), 1, "a little later there is room again");
}

#[test]
fn a_full_store_is_handed_on_no_faster_than_it_is_taken() {
    // spec DH-5, DH-6
    const VALUES: u32 = 250;
    let rate = Config::default().value_kib_sent;
    let mut me = Alone::knowing([1], 2);
    for number in 0..VALUES {
        let put = Put { id: 3, value: long(number), lifetime: Duration::from_secs(3_600) };
        me.command(Command::Put(Box::new(put)));
        // Nobody answers, so that it keeps all itself.
        me.wait(2_000);
    }
    assert_eq!(me.routing.stats().values_now, VALUES as usize);
    me.connect(1);
    let (mut kib, mut handed) = (0, BTreeSet::new());
    let (mut began, mut took) = (me.now, Duration::ZERO);
    for _ in 0..600 {
        let mut said = me.wait(50);
        while let Some((to, message)) = said.messages.pop() {
            assert_eq!(to, 1);
            let answer = match &message {
                Message::Offer { nonce, offered } => {
                    let keys = offered.iter().map(|offered| offered.key);
                    Message::Wish { nonce: *nonce, keys: keys.filter(|key| !handed.contains(key)).collect() }
                }
                Message::Keep { value, .. } => {
                    began = if handed.is_empty() { me.now } else { began };
                    took = me.now.since(began);
                    kib += 9;
                    assert!(handed.insert(value.key()), "each once");
                    answer(&message)
                }
                other => panic!("{other:?}"),
            };
            said.messages.extend(me.hear(1, answer).messages);
        }
        let allowed = u64::from(rate.burst) + took.as_millis() as u64 * u64::from(rate.per_second) / 1_000;
        assert!(kib <= allowed + 9, "{kib} KiB within {took:?}");
    }
    assert_eq!(handed.len(), VALUES as usize);
}
