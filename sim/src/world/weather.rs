use std::num::NonZeroU64;
use std::time::Duration;

use stratus_core::{Rng, Time};

use crate::latency::pair_draw;

/// Trouble on some links: a rule says to whom it happens, and what.
///
/// Directions count: what happens from one member to another does not happen back, unless chance has it so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Of all directed pairs, so many in a million; which ones is drawn from their numbers and `salt`.
    pub pairs_ppm: u32,
    /// Two rules with the same salt and share concern the same pairs.
    pub salt: u64,
    /// What happens to their packets.
    pub trouble: Trouble,
}

/// What happens to packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// So many in a million are lost.
    Lose(u32),
    /// All take longer, by up to this much: always the same from one member to another.
    Delay(Duration),
}

/// What the rules say of packets from one member to another.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Verdict {
    pub(super) loss_ppm: u32,
    pub(super) later: Duration,
}

impl Rule {
    fn concerns(&self, from: u32, to: u32) -> bool {
        pair_draw(self.salt, from, to) % 1_000_000 < u64::from(self.pairs_ppm)
    }
}

/// What `rules` say of packets `from` one member `to` another. The same each time.
pub(super) fn judge(rules: &[Rule], from: u32, to: u32) -> Verdict {
    let mut verdict = Verdict::default();
    for rule in rules.iter().filter(|rule| rule.concerns(from, to)) {
        match rule.trouble {
            Trouble::Lose(ppm) => verdict.loss_ppm = verdict.loss_ppm.max(ppm),
            Trouble::Delay(most) => {
                let draw = pair_draw(rule.salt ^ 1, from, to) % (most.as_micros() as u64 + 1);
                verdict.later += Duration::from_micros(draw);
            }
        }
    }
    verdict
}

/// Whether the next packet of a link is lost, where `ppm` of a million are, in bursts of `burst` in the mean. Between
/// good and bad times, as Gilbert's: nothing is lost in the one, everything in the other.
pub(super) fn is_next_lost(is_bad: &mut bool, ppm: u32, burst: u32, chance: &mut Rng) -> bool {
    let (ppm, burst) = (u64::from(ppm), u64::from(burst));
    *is_bad = if *is_bad { !chance.chance(1, burst) } else { chance.chance(ppm, (1_000_000 - ppm) * burst) };
    *is_bad
}

/// A member's way in: one serial server in wire bytes a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Downlink {
    rate: Option<NonZeroU64>,
    free_at: Time,
}

/// What waits longer than this before the way in is dropped, if it may be.
const MOST_WAIT: Duration = Duration::from_millis(250);

impl Downlink {
    pub(super) fn new(rate: Option<NonZeroU64>) -> Self {
        Self { rate, free_at: Time::ZERO }
    }

    /// When a packet that is there at `now` is in; `None`: too much waits.
    pub(super) fn admit(&mut self, now: Time, bytes: u64, may_be_dropped: bool) -> Option<Time> {
        let Some(rate) = self.rate else { return Some(now) };
        let begin = self.free_at.max(now);
        if may_be_dropped && begin.since(now) > MOST_WAIT {
            return None;
        }
        self.free_at = begin + Duration::from_micros((bytes * 1_000_000).div_ceil(rate.get()));
        Some(self.free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_concerns_its_share_of_directed_pairs_and_not_their_ways_back() {
        let rules = [Rule { pairs_ppm: 300_000, salt: 7, trouble: Trouble::Lose(500_000) }];
        let lossy = |from, to| judge(&rules, from, to).loss_ppm > 0;
        let pairs = (0..100).flat_map(|from| (0..100).map(move |to| (from, to))).filter(|(a, b)| a != b);
        let (mut there, mut both) = (0, 0);
        for (from, to) in pairs {
            there += u32::from(lossy(from, to));
            both += u32::from(lossy(from, to) && lossy(to, from));
        }
        assert!((2_800..3_150).contains(&there), "{there} of 9900");
        assert!((700..1_080).contains(&both), "{both} of them in both directions");
    }

    #[test]
    fn delays_add_up_and_stay_the_same() {
        let delay = |salt, ms| Rule {
            pairs_ppm: 1_000_000,
            salt,
            trouble: Trouble::Delay(Duration::from_millis(ms)),
        };
        let rules = [delay(3, 20), delay(50, 700)];
        let verdict = judge(&rules, 1, 2);
        assert_eq!(verdict, judge(&rules, 1, 2));
        assert!(verdict.later > Duration::ZERO && verdict.later <= Duration::from_millis(720));
        assert_ne!(verdict, judge(&rules, 2, 1));
    }

    #[test]
    fn bursts_lose_their_share_in_runs_of_their_length() {
        let (mut is_bad, mut chance) = (false, Rng::from_seed(3));
        let (mut lost, mut bursts) = (0, 0);
        for _ in 0..200_000 {
            let was_bad = is_bad;
            let is_lost = is_next_lost(&mut is_bad, 50_000, 10, &mut chance);
            lost += u32::from(is_lost);
            bursts += u32::from(is_lost && !was_bad);
        }
        assert!((8_500..11_500).contains(&lost), "{lost} lost of 200000");
        assert!((8..=12).contains(&(lost / bursts)), "bursts of {}", lost / bursts);
    }

    #[test]
    fn a_downlink_passes_its_rate_and_drops_what_would_wait_too_long() {
        let mut downlink = Downlink::new(NonZeroU64::new(1_000_000));
        let now = Time::from_millis(50);
        assert_eq!(downlink.admit(now, 3_000, true), Some(Time::from_millis(53)));
        assert_eq!(downlink.admit(now, 7_000, true), Some(Time::from_millis(60)));
        assert_eq!(downlink.admit(now, 700_000, true), Some(Time::from_millis(760)));
        assert_eq!(downlink.admit(now, 1, true), None);
        assert_eq!(downlink.admit(now, 1_000, false), Some(Time::from_millis(761)));
        assert_eq!(Downlink::new(None).admit(now, 700, true), Some(now));
    }
}
