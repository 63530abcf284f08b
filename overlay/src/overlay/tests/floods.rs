//! What one neighbor may say, at the limit and one over it.

use stratus_core::{Cx, Machine as _, Rate, Rng};

use super::*;
use crate::api::{Event, Input, Output};
use crate::message::Message;

/// One member that others do things to, all in one moment.
struct Alone {
    machine: Overlay,
    rng: Rng,
}

impl Alone {
    fn new(config: Config) -> Self {
        Self { machine: Overlay::new(config, setup(1)), rng: Rng::from_seed(3) }
    }

    fn hears(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let mut cx = Cx { now: Time::from_millis(700), rng: &mut self.rng, verify: &DirectVerify };
        self.machine.handle(&mut cx, input, &mut out);
        out
    }

    fn is_banned(&self, number: u64) -> bool {
        self.machine.banned_until(&peer(number), Time::from_millis(700)).is_some()
    }
}

#[test]
fn control_over_the_limits_is_dropped_then_borne_then_misbehaviour() {
    // spec OV-22
    let rate = |burst| Rate { burst, per_second: 1 };
    let mut member = Alone::new(Config { messages: rate(50), excess: rate(7), ..Config::default() });
    member.hears(Input::Connected(peer(5)));
    let flood = Event::Misbehaved { peer: peer(5), what: "a flood of control messages" };
    let mut told = Vec::new();
    for number in 1..=58 {
        let out =
            member.hears(Input::Received { from: peer(5), message: Message::Pong { nonce: 7, members: 0 } });
        if out.contains(&Output::Event(flood.clone())) {
            told.push(number);
        }
    }
    assert_eq!(told, [58], "fifty pass, seven are borne");
    assert_eq!(member.machine.stats().throttled_count, 8);
}

#[test]
fn who_comes_and_goes_all_the_time_is_banned() {
    // spec OV-27
    let comings = Rate { burst: 7, per_second: 1 };
    let mut member = Alone::new(Config { comings, ..Config::default() });
    let mut refused = Vec::new();
    for coming in 1..=9 {
        if member.hears(Input::Connected(peer(5))).contains(&Output::Disconnect(peer(5))) {
            refused.push(coming);
        }
        member.hears(Input::Disconnected(peer(5)));
    }
    assert_eq!(refused, [8, 9]);
    assert!(member.is_banned(5));
}

#[test]
fn a_ban_outlives_the_link_and_any_number_of_others() {
    // spec OV-23
    let mut member = Alone::new(Config { bans: 50, ..Config::default() });
    member.hears(Input::Connected(peer(5)));
    for number in 5..55 {
        member.hears(Input::Command(Command::Ban(peer(number))));
    }
    member.hears(Input::Disconnected(peer(5)));
    assert!((5..55).all(|number| member.is_banned(number)), "as many as are remembered");
    member.hears(Input::Command(Command::Ban(peer(55))));
    let forgotten = (5..=55).filter(|number| !member.is_banned(*number)).count();
    assert_eq!(forgotten, 1, "and one over it");
}
