//! How late things may be before they count as lost: learned from what was asked for in vain.

use std::time::Duration;

use stratus_core::Time;

/// Time that an answer may spend in queues before anything is known.
const ANSWER_SLACK: Duration = Duration::from_millis(40);
/// Datagrams are not waited for longer than this, however often they overtake each other.
const MOST_REORDERING: Duration = Duration::from_millis(200);
/// What was overtaken by more than this came by another way, and says nothing.
const TELLING: Duration = Duration::from_millis(400);
/// What belongs to one train comes within this of each other.
const TRAIN_SLACK: Duration = Duration::from_millis(8);
/// What was learned of reordering counts half as much after each such time.
const MEMORY: Duration = Duration::from_secs(5);
/// Answers are not waited for longer than this beyond the round trip: the window is 8 s.
const MOST_ANSWER: Duration = Duration::from_millis(1_000);

/// How long to wait, for datagrams that may only have been overtaken, and for answers (spec MC-12).
///
/// Asking too early brings things twice, and where that fills an uplink or a processor, everything is late, and is
/// asked for again: so what came late, or twice, makes all later requests of the stream wait longer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    reordering: Duration,
    reordered_at: Time,
    /// How long answers take beyond the round trip: typically, and how much that varies.
    excess: Duration,
    deviation: Duration,
}

impl Patience {
    /// Something that had been overtaken came by itself after all, so long after the gap was seen.
    pub(crate) fn overtaken(&mut self, now: Time, late: Duration) {
        if late <= TELLING {
            let late = (late + late / 8).min(MOST_REORDERING);
            self.reordering = self.reordering(now).max(late);
            self.reordered_at = now;
        }
    }

    /// How long what was overtaken may still be on its way.
    pub(crate) fn reordering(&self, now: Time) -> Duration {
        let halvings = now.since(self.reordered_at).as_micros() / MEMORY.as_micros();
        self.reordering / 2u32.saturating_pow(halvings.min(31) as u32)
    }

    /// An answer came so long after the question, over a path of this round trip.
    pub(crate) fn answered(&mut self, took: Duration, rtt: Duration) {
        let excess = took.saturating_sub(rtt);
        let error = excess.abs_diff(self.excess);
        self.deviation = self.deviation * 3 / 4 + error / 4;
        self.excess = self.excess * 7 / 8 + excess / 8;
    }

    /// An answer brought what was there already: it or another had been asked for too early.
    pub(crate) fn was_hasty(&mut self) {
        self.deviation = (self.deviation * 9 / 8 + Duration::from_millis(1)).min(MOST_ANSWER / 4);
    }

    /// How long what was sent together may come apart.
    pub(crate) fn train(&self, now: Time) -> Duration {
        self.reordering(now).max(TRAIN_SLACK)
    }

    /// How long to wait for the rest of an answer of which something came.
    pub(crate) fn rest(&self, now: Time) -> Duration {
        self.train(now) + self.deviation * 4
    }

    /// How long to wait for an answer over a path of this round trip.
    pub(crate) fn answer(&self, rtt: Duration) -> Duration {
        let least = rtt / 2 + ANSWER_SLACK;
        rtt + least.max(self.excess + self.deviation * 4).min(MOST_ANSWER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(60);

    fn at(seconds: u64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn nothing_learned_is_a_round_trip_and_a_half_and_a_little() {
        let patience = Patience::default();
        assert_eq!(patience.answer(RTT), Duration::from_millis(130));
        assert_eq!(patience.reordering(at(3)), Duration::ZERO);
    }

    #[test]
    fn reordering_is_learned_at_once_and_forgotten_slowly() {
        let mut patience = Patience::default();
        patience.overtaken(at(3), Duration::from_millis(80));
        patience.overtaken(at(3), Duration::from_millis(16));
        assert_eq!(patience.reordering(at(7)), Duration::from_millis(90));
        assert_eq!(patience.reordering(at(8)), Duration::from_millis(45));
        assert_eq!(patience.reordering(at(1_000)), Duration::ZERO);
    }

    #[test]
    fn what_came_by_another_way_says_nothing_of_reordering() {
        let mut patience = Patience::default();
        patience.overtaken(at(3), Duration::from_millis(401));
        assert_eq!(patience.reordering(at(3)), Duration::ZERO);
    }

    #[test]
    fn slow_answers_are_waited_for_and_quick_ones_bring_it_back() {
        let mut patience = Patience::default();
        for _ in 0..50 {
            patience.answered(Duration::from_millis(400), RTT);
        }
        let slow = patience.answer(RTT);
        assert!((400..480).contains(&slow.as_millis()), "{slow:?}");
        for _ in 0..100 {
            patience.answered(Duration::from_millis(63), RTT);
        }
        assert_eq!(patience.answer(RTT), Duration::from_millis(130));
    }

    #[test]
    fn what_comes_twice_makes_patient_up_to_a_bound() {
        let mut patience = Patience::default();
        (0..20).for_each(|_| patience.was_hasty());
        assert!(patience.answer(RTT) > Duration::from_millis(200));
        (0..10_000).for_each(|_| patience.was_hasty());
        assert_eq!(patience.answer(RTT), RTT + MOST_ANSWER);
    }
}
