//! What happens to packets on their way.

use std::time::Duration;

use stratus_core::Rng;

/// What the forwarder does to the packets that one host sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Path {
    /// Every packet takes so long.
    pub delay: Duration,
    /// Some take up to so much longer, and those behind wait for them: order is kept.
    pub jitter: Duration,
    /// Some take up to so much longer, and those behind overtake them.
    pub reorder: Duration,
    /// So many of 1,000 are lost in bursts.
    pub burst_loss_per_mille: u64,
    /// So many in a row, of all that come to one receiver.
    pub burst_length: u64,
    /// So many of 1,000 come twice.
    pub duplicate_per_mille: u64,
    /// So many of 1,000 come with a bit changed, and a checksum that hides it.
    pub corrupt_per_mille: u64,
}

/// What happens to one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fate {
    /// It never comes.
    pub is_lost: bool,
    /// It comes twice.
    pub is_doubled: bool,
    /// It comes with this bit changed, counted over its payload.
    pub changed_bit: Option<u64>,
    /// It takes so much longer than the delay.
    pub extra: Duration,
}

impl Path {
    /// A path of this length and no faults.
    pub fn of(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Whether it needs the forwarder at all.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Decides about one packet with a payload of so many bytes. `burst` is what is left of the present burst of
    /// losses to its receiver.
    pub(crate) fn fate(&self, payload: usize, burst: &mut u64, rng: &mut Rng) -> Fate {
        let is_lost = self.burst_loss_per_mille > 0 && self.falls_into_burst(burst, rng);
        let is_changed = self.corrupt_per_mille > 0 && rng.chance(self.corrupt_per_mille, 1_000);
        let extra = self.jitter.max(self.reorder);
        Fate {
            is_lost,
            is_doubled: self.duplicate_per_mille > 0 && rng.chance(self.duplicate_per_mille, 1_000),
            changed_bit: (is_changed && payload > 0).then(|| rng.below(payload as u64 * 8)),
            extra: if extra.is_zero() { extra } else { rng.between(Duration::ZERO, extra) },
        }
    }

    fn falls_into_burst(&self, left: &mut u64, rng: &mut Rng) -> bool {
        // A burst begins so rarely that all bursts together lose the share that was asked for.
        let kept = 1_000 - self.burst_loss_per_mille;
        if *left == 0 && rng.chance(self.burst_loss_per_mille, self.burst_length * kept) {
            *left = self.burst_length;
        }
        let is_lost = *left > 0;
        *left = left.saturating_sub(1);
        is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(path: Path, count: usize) -> Vec<Fate> {
        let (mut burst, mut rng) = (0, Rng::from_seed(41));
        (0..count).map(|_| path.fate(1_200, &mut burst, &mut rng)).collect()
    }

    #[test]
    fn a_plain_path_does_nothing() {
        assert_eq!(fates(Path::default(), 50), vec![Fate::default(); 50]);
    }

    #[test]
    fn bursts_are_as_long_and_as_frequent_as_asked() {
        let path = Path { burst_loss_per_mille: 120, burst_length: 25, ..Path::default() };
        let fates = fates(path, 200_000);
        let lost = fates.iter().filter(|fate| fate.is_lost).count();
        assert!((22_000..=26_000).contains(&lost), "{lost} of 200,000 lost");
        let runs: Vec<usize> = fates
            .chunk_by(|one, next| one.is_lost == next.is_lost)
            .filter(|run| run[0].is_lost)
            .map(<[Fate]>::len)
            .collect();
        // The last one may be cut off, and two may meet.
        assert!(runs[..runs.len() - 1].iter().all(|length| length % 25 == 0), "{runs:?}");
    }

    #[test]
    fn doubles_and_changes_are_as_frequent_as_asked() {
        let path = Path { duplicate_per_mille: 50, corrupt_per_mille: 10, ..Path::default() };
        let fates = fates(path, 100_000);
        let doubled = fates.iter().filter(|fate| fate.is_doubled).count();
        let changed = fates.iter().filter(|fate| fate.changed_bit.is_some()).count();
        assert!((4_700..=5_300).contains(&doubled), "{doubled} of 100,000 doubled");
        assert!((870..=1_130).contains(&changed), "{changed} of 100,000 changed");
    }
}
