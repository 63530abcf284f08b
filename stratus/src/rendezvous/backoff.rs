use std::time::Duration;

use stratus_core::Rng;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A session of this length was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// Pauses between visits to a server: doubled after each failure, jittered, so that a server that comes back is
/// not met by everybody at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after a visit that took `visit`; the longest at once when the server said to stay away.
    pub(super) fn pause(&mut self, visit: Duration, is_refused: bool, rng: &mut Rng) -> Duration {
        if visit > GOOD {
            self.failures = 0;
        }
        let pause = (FIRST * 2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = (self.failures + 1).min(16);
        rng.jitter(if is_refused { LONGEST } else { pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_begin_anew_after_a_good_visit() {
        let (mut backoff, mut rng) = (Backoff::default(), Rng::from_seed(3));
        let mut pause = |visit| backoff.pause(visit, false, &mut rng).as_millis();
        let pauses: Vec<_> = (0..12).map(|_| pause(Duration::ZERO)).collect();
        assert!((375..=625).contains(&pauses[0]) && (750..=1_250).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses[8..].iter().all(|pause| (22_500..=37_500).contains(pause)), "{pauses:?}");
        assert!(pause(Duration::from_secs(11)) <= 625);
    }
}
