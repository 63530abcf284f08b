use super::*;
use crate::testing::toy::{Fault, MOST_NEIGHBORS, Toy, ToyCommand, ToyMessage};

struct ToySubject(Option<Fault>);

impl Subject for ToySubject {
    type Machine = Toy;

    fn machine(&mut self, _rng: &mut Rng) -> Toy {
        Toy::with_fault(self.0)
    }

    fn message(&mut self, _machine: &Toy, _from: PeerId, _now: Time, rng: &mut Rng) -> ToyMessage {
        if rng.chance(1, 2) { ToyMessage::Beat(rng.next_u64()) } else { ToyMessage::Say(rng.below(700)) }
    }

    fn command(&mut self, _machine: &Toy, _now: Time, rng: &mut Rng) -> Option<ToyCommand> {
        let target = peer(1 + rng.below(12));
        Some(match rng.below(3) {
            0 => ToyCommand::Dial(target),
            1 => ToyCommand::Drop(target),
            _ => ToyCommand::Say(rng.below(50)),
        })
    }

    fn collections(&self, machine: &Toy) -> Vec<(&'static str, usize, usize)> {
        vec![("neighbors", machine.neighbors.len(), MOST_NEIGHBORS), ("hoard", machine.hoard.len(), 3)]
    }

    fn mentions(&self, machine: &Toy, peer: &PeerId) -> bool {
        machine.neighbors.contains_key(peer)
    }

    fn connect_failed(&self, peer: PeerId) -> Option<ToyCommand> {
        Some(ToyCommand::NoAnswer(peer))
    }
}

fn bounds() -> Bounds {
    Bounds { seeds: 8, steps: 200, ..Bounds::new(6, 9 * MOST_NEIGHBORS as u64) }
}

fn law_broken_by(fault: Fault) -> Option<u8> {
    find(&bounds(), || ToySubject(Some(fault))).map(|broken| broken.law)
}

#[test]
fn a_machine_that_keeps_the_laws_passes() {
    check(&bounds(), || ToySubject(None));
}

#[test]
fn law_1_fails_when_two_runs_of_a_seed_differ() {
    assert_eq!(law_broken_by(Fault::DependsOnTheProcess), Some(1));
}

#[test]
fn law_2_fails_when_a_wake_leaves_something_due_or_acts_unasked() {
    assert_eq!(law_broken_by(Fault::StaysDue), Some(2));
    assert_eq!(law_broken_by(Fault::ActsWhenNothingIsDue), Some(2));
}

#[test]
fn law_3_fails_on_a_panic_a_stranger_and_an_unreadable_message() {
    assert_eq!(law_broken_by(Fault::PanicsAtLargeNumbers), Some(3));
    assert_eq!(law_broken_by(Fault::AnswersStrangers), Some(3));
    assert_eq!(law_broken_by(Fault::SendsWhatDoesNotReadBack), Some(3));
}

#[test]
fn law_4_fails_on_a_long_turn_and_on_a_growing_collection() {
    assert_eq!(law_broken_by(Fault::SaysTooMuch), Some(4));
    assert_eq!(law_broken_by(Fault::Hoards), Some(4));
}

#[test]
fn law_5_fails_when_the_gone_are_remembered_or_counted_twice() {
    assert_eq!(law_broken_by(Fault::RemembersTheGone), Some(5));
    assert_eq!(law_broken_by(Fault::CountsTheGone), Some(5));
}

#[test]
fn law_6_fails_when_silence_is_answered_with_chatter() {
    assert_eq!(law_broken_by(Fault::Chatters), Some(6));
}

#[test]
fn a_broken_law_names_its_seed_and_step_and_shows_again_alone() {
    let broken = find(&bounds(), || ToySubject(Some(Fault::Hoards))).expect("a hoard grows");
    let text = broken.to_string();
    let place = format!("law 4 broken with seed {} at step {} (", broken.seed, broken.step);
    assert!(text.starts_with(&place), "{text}");
    let alone = Bounds { first_seed: broken.seed, seeds: 1, ..bounds() };
    assert_eq!(find(&alone, || ToySubject(Some(Fault::Hoards))), Some(broken));
}

#[test]
#[should_panic(expected = "law 6 broken with seed 0")]
fn check_panics_with_the_law() {
    check(&bounds(), || ToySubject(Some(Fault::Chatters)));
}
