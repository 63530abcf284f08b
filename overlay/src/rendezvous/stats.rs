use super::Refusal;

/// What a registry holds and what it has done since it began.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Connections open.
    pub connection_count: u64,
    /// Groups with at least one member.
    pub group_count: u64,
    /// Registrations alive, over all groups.
    pub member_count: u64,
    /// Registrations that listed a member anew.
    pub registered_count: u64,
    /// Registrations of a member that was listed already: a new record or address.
    pub renewed_count: u64,
    /// Refreshes.
    pub refreshed_count: u64,
    /// Registrations that ended for want of a refresh.
    pub expired_count: u64,
    /// Introductions, both sides told.
    pub introduced_count: u64,
    /// Introductions refused because somebody asked for too many.
    pub introduction_limited_count: u64,
    /// Requests refused because their network asked too much, whoever in it; counted as `TooFast` as well.
    pub network_throttled_count: u64,
    pub(super) refused_counts: [u64; Refusal::ALL.len()],
}

impl Stats {
    /// How often this was the answer.
    pub fn refused_count(&self, refusal: Refusal) -> u64 {
        self.refused_counts[index(refusal)]
    }

    /// Refusals of whatever kind.
    pub fn refused_total(&self) -> u64 {
        self.refused_counts.iter().sum()
    }

    pub(super) fn count_refusal(&mut self, refusal: Refusal) {
        self.refused_counts[index(refusal)] += 1;
    }
}

fn index(refusal: Refusal) -> usize {
    usize::from(refusal.number() - 1)
}
