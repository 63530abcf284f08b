//! Why links come and go, for those who watch.

/// Why a link came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Arrival {
    /// The best list or another layer wanted it.
    Wanted,
    /// The owner asked for it.
    Added,
    /// A member that was remembered is back.
    Remembered,
    /// An introducer named both sides to each other.
    Introduced,
    /// The other side dialled.
    Incoming,
}

impl Arrival {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Wanted, Self::Added, Self::Remembered, Self::Introduced, Self::Incoming];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Added => "added",
            Self::Remembered => "remembered",
            Self::Introduced => "introduced",
            Self::Incoming => "incoming",
        }
    }
}

/// Why a link went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Departure {
    /// The neighbor said that it leaves the group.
    Left,
    /// One side had no room.
    Full,
    /// Neither side chose it any more.
    Unwanted,
    /// The neighbor answered no probe.
    Silent,
    /// The neighbor broke the protocol.
    Banned,
    /// The connection ended under it.
    Lost,
    /// We leave the group.
    Leaving,
}

impl Departure {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Left, Self::Full, Self::Unwanted, Self::Silent, Self::Banned, Self::Lost, Self::Leaving];

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Full => "full",
            Self::Unwanted => "unwanted",
            Self::Silent => "silent",
            Self::Banned => "banned",
            Self::Lost => "lost",
            Self::Leaving => "leaving",
        }
    }
}

/// How many links came and went since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    arrivals: [u64; Arrival::ALL.len()],
    departures: [u64; Departure::ALL.len()],
}

impl Changes {
    /// Links that came for this reason.
    pub fn arrived(&self, why: Arrival) -> u64 {
        self.arrivals[why as usize]
    }

    /// Links that went for this reason.
    pub fn departed(&self, why: Departure) -> u64 {
        self.departures[why as usize]
    }

    pub(crate) fn note_arrival(&mut self, why: Arrival) {
        self.arrivals[why as usize] += 1;
    }

    pub(crate) fn note_departure(&mut self, why: Departure) {
        self.departures[why as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_count_and_a_name_of_its_own() {
        let mut changes = Changes::default();
        Arrival::ALL.into_iter().for_each(|why| changes.note_arrival(why));
        Departure::ALL.into_iter().for_each(|why| changes.note_departure(why));
        assert!(Arrival::ALL.into_iter().all(|why| changes.arrived(why) == 1));
        assert!(Departure::ALL.into_iter().all(|why| changes.departed(why) == 1));
        let mut names: Vec<_> = Departure::ALL.map(Departure::name).into();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Departure::ALL.len());
    }
}
