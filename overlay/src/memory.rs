use std::sync::Arc;

use stratus_core::{Rng, Time};

use crate::places::Place;
use crate::record::Record;

/// A member that was heard of once and is no longer.
#[derive(Clone, Debug)]
struct Remembered {
    place: Place,
    record: Arc<Record>,
    until: Time,
    /// Whether it once answered; such members are worth more.
    is_proven: bool,
    /// Whether it expired: then its record counts for nothing until its sequence moves.
    has_expired: bool,
}

/// Why a member is no longer in the heard list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Absence {
    /// Its record did not move for the age limit.
    Expired,
    /// It did not answer.
    Silent,
}

/// A few of the members that were lost, so that the halves of a group find each other after a partition that
/// outlasted the age limit. Source: spec OV-14.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    members: Vec<Remembered>,
    limit: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { members: Vec::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Remembers a member; when full, in place of another that is worth no more.
    pub(crate) fn keep(
        &mut self,
        place: Place,
        record: Arc<Record>,
        is_proven: bool,
        why: Absence,
        until: Time,
        rng: &mut Rng,
    ) {
        let member = Remembered { place, record, until, is_proven, has_expired: why == Absence::Expired };
        if let Some(known) = self.members.iter_mut().find(|known| known.place == place) {
            *known = member;
        } else if self.members.len() < self.limit {
            self.members.push(member);
        } else {
            let unproven: Vec<usize> =
                (0..self.members.len()).filter(|position| !self.members[*position].is_proven).collect();
            if let Some(position) = rng.pick(&unproven) {
                self.members[*position] = member;
            } else if is_proven {
                let position = rng.below(self.limit as u64) as usize;
                self.members[position] = member;
            }
        }
    }

    /// The remembered record of the member at `place`.
    pub(crate) fn record(&self, place: Place) -> Option<&Arc<Record>> {
        self.members.iter().find(|member| member.place == place).map(|member| &member.record)
    }

    /// Whether a record with this sequence is one that has expired already.
    pub(crate) fn has_buried(&self, place: Place, sequence: u64) -> bool {
        self.members
            .iter()
            .any(|member| member.place == place && member.has_expired && sequence <= member.record.sequence())
    }

    /// Forgets the member at `place`.
    pub(crate) fn forget(&mut self, place: Place) {
        self.members.retain(|member| member.place != place);
    }

    /// Forgets those that were remembered long enough.
    pub(crate) fn expire(&mut self, now: Time) {
        self.members.retain(|member| member.until > now);
    }

    /// One of the remembered records, each as likely.
    pub(crate) fn pick(&self, rng: &mut Rng) -> Option<&Arc<Record>> {
        rng.pick(&self.members).map(|member| &member.record)
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::GroupId;
    use stratus_core::testing::identity;

    use super::*;
    use crate::record::Draft;

    fn record(sequence: u64) -> Arc<Record> {
        let draft = Draft { sequence, ..Draft::default() };
        Arc::new(Record::sign(&identity(1), &GroupId::from_bytes([7; 32]), draft))
    }

    #[test]
    fn proven_members_displace_unproven_ones_and_not_the_other_way_round() {
        let mut memory = Memory::new(3);
        let mut rng = Rng::from_seed(1);
        let until = Time::from_millis(700);
        for place in 0..50 {
            memory.keep(place, record(1), false, Absence::Silent, until, &mut rng);
        }
        for place in 100..103 {
            memory.keep(place, record(1), true, Absence::Silent, until, &mut rng);
        }
        memory.keep(200, record(1), false, Absence::Silent, until, &mut rng);
        assert_eq!(memory.len(), 3);
        assert!((100..103).all(|place| memory.record(place).is_some()));
    }

    #[test]
    fn an_expired_record_stays_buried_until_its_sequence_moves() {
        // spec OV-6
        let mut memory = Memory::new(3);
        let mut rng = Rng::from_seed(1);
        memory.keep(50, record(7), true, Absence::Expired, Time::from_millis(700), &mut rng);
        assert!(memory.has_buried(50, 7) && memory.has_buried(50, 3));
        assert!(!memory.has_buried(50, 8) && !memory.has_buried(51, 7));
        memory.expire(Time::from_millis(700));
        assert!(!memory.has_buried(50, 7));
    }
}
