//! Neighbors that do what no honest one does.

use super::limits::Alone;
use super::*;
use stratus_core::Output;

use crate::{Denied, Load, Message, ObjectSet, Want};

fn blames(out: &[Output<Message, Event>]) -> Vec<&'static str> {
    let blame = |output: &Output<Message, Event>| match output {
        Output::Event(Event::Misbehaved { what, .. }) => Some(*what),
        _ => None,
    };
    out.iter().filter_map(blame).collect()
}

fn alone() -> Alone {
    let mut alone = Alone::new(Config { max_requests: 1, ..Config::default() }, 1);
    alone.command(Command::AddWant(5..6));
    alone.hear(1, Message::Have { is_scarce: false, load: Load::default(), set: ObjectSet::of(0..9) });
    assert_eq!(alone.machine.fetches.len(), 1);
    alone
}

fn sends(id: u64, index: u64) -> Message {
    Message::Object { id, index, load: Load::default(), payload: object(index) }
}

#[test]
fn an_object_that_was_not_asked_for_is_not_taken() {
    let out = alone().hear(1, sends(1, 5));
    assert_eq!(blames(&out), ["sent an object that was not asked for"]);
    assert!(!out.iter().any(|output| matches!(output, Output::Event(Event::Result { .. }))));
    assert_eq!(blames(&alone().hear(1, sends(0, 6))), ["sent another object than was asked for"]);
}

#[test]
fn a_request_that_was_not_made_cannot_be_denied() {
    let deny = |id| Message::Deny { why: Denied::Refused, load: Load::default(), ids: vec![id] };
    assert_eq!(blames(&alone().hear(1, deny(0))), Vec::<&str>::new());
    assert_eq!(blames(&alone().hear(1, deny(1))), ["denied what was not asked for"]);
}

#[test]
fn two_requests_of_one_number_are_blamed() {
    let mut alone = alone();
    alone.command(Command::AddHave(0..3));
    let ask = || Message::Ask { done: vec![], wants: vec![Want { id: 7, index: 1 }] };
    assert_eq!(blames(&alone.hear(1, ask())), Vec::<&str>::new());
    assert_eq!(blames(&alone.hear(1, ask())), ["gave two requests one number"]);
}

/// spec RE-12: wrong bytes are blamed on who sent them, never kept, and fetched again elsewhere.
#[test]
fn a_flipped_byte_is_blamed_and_the_object_comes_from_another() {
    let mut swarm = Swarm::meshed(3, &Config::default());
    swarm.liar = Some(peer(0));
    swarm.stock(0, 0..60);
    swarm.stock(1, 0..60);
    swarm.tell(2, Command::AddWant(0..60));
    let done = swarm.run_until(Time::from_millis(60_000), |swarm| swarm.has(2, 60));
    assert!(done, "{} of 60", swarm.stores[&peer(2)].len());
    assert!(swarm.stores[&peer(2)].iter().all(|(index, bytes)| *bytes == object(*index)));
    let blamed = |who: u64| {
        swarm
            .count(2, |event| matches!(event, Event::Misbehaved { peer: blamed, .. } if *blamed == peer(who)))
    };
    assert!(blamed(0) > 0 && blamed(1) == 0);
    // What was under way when it was found out, and nothing after.
    assert!(swarm.machine(2).stats().rejected <= 16);
}

/// Those who offer everything and give nothing hold nobody up for long.
#[test]
fn empty_promises_cost_seconds() {
    let mut swarm = Swarm::meshed(4, &Config::default());
    swarm.mute = Some(peer(0));
    swarm.tell(0, Command::AddHave(0..5_000));
    swarm.stock(1, 0..200);
    swarm.tell(3, Command::AddWant(0..200));
    assert!(swarm.run_until(Time::from_millis(30_000), |swarm| swarm.has(3, 200)));
}
