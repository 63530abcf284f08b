use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};

/// The only source of chance in a machine: a ChaCha8 stream, the same for the same seed for ever.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The stream of 32 bytes of entropy, for hosts.
    pub fn from_entropy(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// The 32 bytes from which the stream began: [`Rng::from_entropy`] begins it again. For journals.
    pub fn entropy(&self) -> [u8; 32] {
        self.0.get_seed()
    }

    /// A stream of its own for `label`, so that one user's draws never shift another's.
    pub fn fork(&mut self, label: &str) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        let mut hasher = blake3::Hasher::new_keyed(&seed);
        hasher.update(label.as_bytes());
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number in 0 … `end` − 1, uniform to within 2^−64. `end` must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0, "nothing lies below zero");
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// True `numerator` times in `denominator`.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// One of `items`, each as likely.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { Some(&items[self.below(items.len() as u64) as usize]) }
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    /// `period` plus or minus up to a quarter, so that members do not act in step.
    pub fn jitter(&mut self, period: Duration) -> Duration {
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros - micros / 4 + self.below(micros / 2 + 1))
    }

    /// A duration in `low` … `high`, both included.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(self.below(span + 1))
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// 32 random bytes, as for a key.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_forks_differ() {
        let (mut a, mut b) = (Rng::from_seed(41), Rng::from_seed(41));
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(a.fork("x").next_u64(), b.fork("y").next_u64());
    }

    #[test]
    fn the_stream_never_changes_between_versions() {
        // A recorded seed must replay for ever.
        let mut rng = Rng::from_seed(0);
        assert_eq!(rng.next_u64(), 0xb585_f767_a79a_3b6c);
        assert_eq!(Rng::from_seed(1).fork("net").next_u64(), Rng::from_seed(1).fork("net").next_u64());
    }

    #[test]
    fn below_reaches_every_value_and_never_the_end() {
        let mut rng = Rng::from_seed(3);
        let mut seen = [0; 5];
        for _ in 0..1_000 {
            seen[rng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (120..280).contains(count)), "skewed: {seen:?}");
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Rng::from_seed(8).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let mut rng = Rng::from_seed(9);
        for _ in 0..200 {
            let jittered = rng.jitter(Duration::from_millis(100));
            assert!((75..=125).contains(&(jittered.as_millis())), "{jittered:?}");
        }
    }
}
