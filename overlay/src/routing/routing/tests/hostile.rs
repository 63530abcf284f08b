//! Members that answer look-ups and reads with lies.

use std::collections::BTreeSet;
use std::sync::Arc;

use stratus_core::testing::identity;

use super::alone::{Alone, GROUP, Said, nearest_to, number_of, place, record};
use super::*;
use crate::record::{Draft, Record};
use crate::routing::{Found, Key, Message, Signed, Value};

/// Members 1 to this are in the group.
const COUNT: u64 = 300;

/// A group around member 0, in which some lie.
struct Crowd {
    me: Alone,
    liars: BTreeSet<u64>,
}

impl Crowd {
    /// Every `one_in`-th member lies. Member 0 knows those members that `knows` picks.
    fn new(one_in: u64, knows: impl Fn(u64) -> bool) -> Self {
        let me = Alone::knowing((1..=COUNT).filter(|number| knows(*number)), COUNT);
        Self { me, liars: (1..=COUNT).filter(|number| number % one_in == 0).collect() }
    }

    /// Answers all that is asked at once, by `answer` (whom, and what), until nothing is asked any more.
    fn talk(&mut self, begun: Said, answer: impl Fn(&Self, u64, &Message) -> Option<Message>) -> Said {
        let mut all = Said::default();
        let mut said = begun;
        for _ in 0..200 {
            all.events.extend(said.events);
            if said.messages.is_empty() {
                let is_over = |event: &Event| matches!(event, Event::LookedUp { .. } | Event::Got { .. });
                if all.events.iter().any(is_over) {
                    break;
                }
                said = self.me.wait(100);
                continue;
            }
            let asked = std::mem::take(&mut said.messages);
            said = Said::default();
            for (to, message) in asked {
                let Some(answer) = answer(self, to, &message) else { continue };
                let more = self.me.hear(to, answer);
                said.messages.extend(more.messages);
                said.events.extend(more.events);
            }
        }
        all
    }

    /// What an honest member knows: everybody.
    fn truly(&self, of: u64, target: Place) -> Vec<Arc<Record>> {
        let others: Vec<u64> = (1..=COUNT).filter(|number| *number != of).collect();
        nearest_to(&others, target, 8).into_iter().map(record).collect()
    }

    /// What a liar says: that there are none but liars.
    fn falsely(&self, target: Place) -> Vec<Arc<Record>> {
        let liars: Vec<u64> = self.liars.iter().copied().collect();
        nearest_to(&liars, target, 8).into_iter().map(record).collect()
    }

    fn look_up(&mut self, target: GroupAddress) -> (Found, Said) {
        let begun = self.me.command(Command::LookUp { id: 7, target });
        let said = self.talk(begun, |crowd, to, message| {
            let Message::Find { nonce, target } = *message else { panic!("{message:?}") };
            let is_liar = crowd.liars.contains(&to);
            let records = if is_liar { crowd.falsely(target) } else { crowd.truly(to, target) };
            Some(Message::Found { nonce, records })
        });
        let found = said.events.iter().find_map(|event| match event {
            Event::LookedUp { id: 7, result: Ok(found) } => Some(found.clone()),
            _ => None,
        });
        (found.expect("it ends"), said)
    }

    /// The latest value that is found under `key`, of which `kept` says what an honest member has and `shown` what a liar
    /// shows.
    fn read(
        &mut self,
        key: Key,
        kept: impl Fn(u64) -> Option<Value>,
        shown: impl Fn(u64) -> Option<Value>,
    ) -> (Option<Value>, Said) {
        let target = RING.place_of_key(key.as_bytes()).prefix();
        let begun = self.me.command(Command::Get { id: 7, key });
        let said = self.talk(begun, |crowd, to, message| {
            let Message::Fetch { nonce, .. } = *message else { panic!("{message:?}") };
            let value = if crowd.liars.contains(&to) { shown(to) } else { kept(to) };
            Some(Message::Fetched { nonce, value, records: crowd.truly(to, target) })
        });
        let got = said.events.iter().find_map(|event| match event {
            Event::Got { id: 7, result: Ok(got) } => Some(got.value.clone()),
            _ => None,
        });
        (got, said)
    }
}

fn somewhere(number: u64) -> GroupAddress {
    GroupAddress::from_bytes(Rng::from_seed(number).seed())
}

fn nearest_of_all(target: GroupAddress) -> u64 {
    nearest_to(&(0..=COUNT).collect::<Vec<_>>(), target.prefix(), 1)[0]
}

#[test]
fn where_some_name_liars_alone_look_ups_find_the_nearest_all_the_same() {
    // spec RO-8: a tenth, a fifth and a third of all conspire
    let right = [10, 5, 3].map(|one_in| {
        let mut crowd = Crowd::new(one_in, |number| number % 7 == 0);
        let is_right = |number: &u64| {
            let target = somewhere(*number);
            let (found, _) = crowd.look_up(target);
            number_of(&found.members[0]) == nearest_of_all(target)
        };
        (0..100).filter(is_right).count()
    });
    assert!(right[0] == 100 && right[1] >= 98 && right[2] >= 94, "{right:?} of 100");
}

#[test]
fn who_knows_none_but_liars_is_shown_their_thinness() {
    // spec RO-8: a tenth conspires, and member 0 knows nobody else
    let mut crowd = Crowd::new(10, |number| number % 10 == 0);
    let proven = (0..60).filter(|number| crowd.look_up(somewhere(*number)).0.is_proven).count();
    assert_eq!(proven, 0);
}

#[test]
fn a_forged_record_in_an_answer_is_blamed_and_nobody_is_led_to_it() {
    let mut crowd = Crowd::new(5, |number| number % 7 == 0);
    let target = somewhere(3);
    // Each liar names somebody very near, of another group: whoever sits there is no member.
    let forged = {
        let near = (301..400)
            .min_by_key(|number| crate::places::distance(place_of(&RING, &peer(*number)), target.prefix()));
        let other = GroupId::from_bytes([8; 32]);
        Arc::new(Record::sign(&identity(near.expect("some")), &other, Draft::default()))
    };
    let ghost = forged.peer();
    let begun = crowd.me.command(Command::LookUp { id: 7, target });
    let said = crowd.talk(begun, |crowd, to, message| {
        let Message::Find { nonce, target } = *message else { panic!("{message:?}") };
        let records = match crowd.liars.contains(&to) {
            true => vec![forged.clone()],
            false => crowd.truly(to, target),
        };
        Some(Message::Found { nonce, records })
    });
    let found = said.events.iter().find_map(|event| match event {
        Event::LookedUp { result: Ok(found), .. } => Some(found),
        _ => None,
    });
    let found = found.expect("it ends");
    assert_eq!(number_of(&found.members[0]), nearest_of_all(target));
    assert!(!found.members.contains(&ghost));
    let blamed = said.blamed();
    assert!(!blamed.is_empty() && blamed.iter().all(|(who, _)| crowd.liars.contains(who)), "{blamed:?}");
    assert!(blamed.iter().all(|(_, what)| *what == "a forged record in an answer"));
}

fn counter(sequence: u64) -> Value {
    let text = format!("count {sequence}");
    Value::signed(&identity(305), &GROUP, &b"counter"[..], sequence, text.into_bytes())
}

/// The members nearest to where `key` belongs, nearest first.
fn keepers(key: &Key, count: usize) -> Vec<u64> {
    let everybody: Vec<u64> = (1..=COUNT).collect();
    nearest_to(&everybody, RING.place_of_key(key.as_bytes()).prefix(), count)
}

#[test]
fn a_forged_value_is_blamed_and_the_true_one_is_read() {
    // spec DH-2
    let key = counter(1).key();
    let Value::Signed(signed) = counter(50) else { panic!("signed") };
    let forged = Value::Signed(Box::new(Signed { sequence: 700, ..*signed }));
    let mut crowd = Crowd::new(1_000, |number| number % 7 == 0);
    let nearest = keepers(&key, 3);
    crowd.liars = nearest[..2].iter().copied().collect();
    let kept = |number| nearest.contains(&number).then(|| counter(50));
    let (got, said) = crowd.read(key, kept, |_| Some(forged.clone()));
    assert_eq!(got, Some(counter(50)));
    let what = "a value under a key that is not its own";
    assert_eq!(said.blamed(), nearest[..2].iter().map(|liar| (*liar, what)).collect());
}

#[test]
fn one_who_shows_an_older_sequence_is_outvoted_by_whoever_has_a_later_one() {
    // spec DH-4: two of the three nearest show what was true once
    let key = counter(1).key();
    let mut crowd = Crowd::new(1_000, |number| number % 7 == 0);
    let nearest = keepers(&key, 3);
    crowd.liars = nearest[..2].iter().copied().collect();
    let kept = |number| nearest.contains(&number).then(|| counter(50));
    assert_eq!(crowd.read(key, kept, |_| Some(counter(3))).0, Some(counter(50)));
}

#[test]
fn what_one_member_alone_says_is_not_believed_before_more_are_asked() {
    // spec DH-4: the nearest shows an old value, the next two have only just come, and those behind keep the latest
    let key = counter(1).key();
    let mut crowd = Crowd::new(1_000, |number| number % 7 == 0);
    let nearest = keepers(&key, 6);
    crowd.liars = [nearest[0]].into();
    let kept = |number| nearest[3..].contains(&number).then(|| counter(50));
    assert_eq!(crowd.read(key, kept, |_| Some(counter(3))).0, Some(counter(50)));
    // Where nobody has a later one, it is what there is.
    assert_eq!(crowd.read(key, |_| None, |_| Some(counter(3))).0, Some(counter(3)));
}

#[test]
fn answers_that_nobody_asked_for_change_nothing_and_a_flood_of_them_is_named() {
    // spec RO-9
    let Config { questions, excess, .. } = Config::default();
    let mut crowd = Crowd::new(3, |_| true);
    crowd.me.connect(1);
    let records = crowd.falsely(place(9));
    let mut blamed = BTreeSet::new();
    for number in 0..=questions.burst + excess.burst {
        assert_eq!(blamed, BTreeSet::new(), "{number} are borne");
        let message = Message::Found { nonce: number, records: records.clone() };
        let said = crowd.me.hear(1, message);
        assert!(said.messages.is_empty());
        blamed.extend(said.blamed());
    }
    assert_eq!(blamed, [(1, "a flood of parcels or questions")].into());
}
