use std::sync::Arc;

use stratus_core::{Rng, Time};

use crate::heard::Entry;
use crate::places::Place;
use crate::record::Record;

/// A member that was heard of once and is no longer.
#[derive(Clone, Debug)]
struct Remembered {
    place: Place,
    record: Arc<Record>,
    /// When its record dies, or died; from then on it counts for nothing until its sequence moves.
    expires: Time,
    until: Time,
    /// Whether it once answered; such members are worth more.
    is_proven: bool,
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
    pub(crate) fn keep(&mut self, place: Place, entry: &Entry, until: Time, rng: &mut Rng) {
        let (record, is_proven) = (entry.record().clone(), entry.is_proven());
        let member = Remembered { place, record, expires: entry.expires(), until, is_proven };
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

    /// When the record with this sequence dies or died, if that is known: nobody can make it younger.
    pub(crate) fn expiry(&self, place: Place, sequence: u64) -> Option<Time> {
        let member = self.members.iter().find(|member| member.place == place);
        member.filter(|member| sequence <= member.record.sequence()).map(|member| member.expires)
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
    use std::time::Duration;

    use stratus_core::GroupId;
    use stratus_core::testing::identity;

    use super::*;
    use crate::heard::HeardList;
    use crate::record::Draft;

    fn entry(sequence: u64, is_proven: bool) -> Entry {
        let draft = Draft { sequence, ..Draft::default() };
        let record = Arc::new(Record::sign(&identity(1), &GroupId::from_bytes([7; 32]), draft));
        let mut list = HeardList::new(16);
        list.put(
            50,
            Entry::new(record, Time::from_millis(300), 0, Time::ZERO),
            0,
            Vec::new,
            &mut Rng::from_seed(1),
        );
        if is_proven {
            list.measured(50, Duration::from_millis(3));
        }
        list.remove(50).expect("just put there")
    }

    #[test]
    fn proven_members_displace_unproven_ones_and_not_the_other_way_round() {
        let mut memory = Memory::new(3);
        let mut rng = Rng::from_seed(1);
        let until = Time::from_millis(700);
        for place in 0..3 {
            memory.keep(place, &entry(1, false), until, &mut rng);
        }
        assert!((0..3).all(|place| memory.record(place).is_some()), "at the limit all are there");
        memory.keep(3, &entry(1, false), until, &mut rng);
        assert_eq!(memory.len(), 3, "one over it takes the place of another");
        for place in 100..103 {
            memory.keep(place, &entry(1, true), until, &mut rng);
        }
        memory.keep(200, &entry(1, false), until, &mut rng);
        assert_eq!(memory.len(), 3);
        assert!((100..103).all(|place| memory.record(place).is_some()));
    }

    #[test]
    fn nobody_makes_a_remembered_record_younger_until_its_sequence_moves() {
        // spec OV-6
        let mut memory = Memory::new(3);
        memory.keep(50, &entry(7, true), Time::from_millis(700), &mut Rng::from_seed(1));
        let dies = Some(Time::from_millis(300));
        assert_eq!([memory.expiry(50, 7), memory.expiry(50, 3)], [dies, dies]);
        assert_eq!([memory.expiry(50, 8), memory.expiry(51, 7)], [None, None]);
        memory.expire(Time::from_millis(700));
        assert_eq!(memory.expiry(50, 7), None);
    }
}
