use std::sync::Arc;

use stratus_core::Time;

use crate::heard::{Entry, tenths};
use crate::message::Digest;
use crate::places::Place;
use crate::record::Record;

/// A member that is missing.
#[derive(Clone, Debug)]
struct Missing {
    place: Place,
    entry: Entry,
    /// Since when, in tenths of a second.
    since: u32,
}

/// Members of which we know, or were told, that they are gone, until their records die: told on to others, and not heard
/// of until their sequence rises. Should it have been the network, they are all taken back at once.
///
/// In the order in which they were missed; of too many, the one missed first is forgotten. Source: spec OV-28.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    list: Vec<Missing>,
    limit: usize,
}

impl Absent {
    pub(crate) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), limit }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Notes that the member at `place` is missing; answers one that had to make room.
    pub(crate) fn note(&mut self, place: Place, entry: Entry, now: Time) -> Option<(Place, Entry)> {
        self.take(place);
        let first = (self.list.len() >= self.limit).then(|| self.list.remove(0));
        self.list.push(Missing { place, entry, since: tenths(now) });
        first.map(|missing| (missing.place, missing.entry))
    }

    /// The member at `place` is not missing any more.
    pub(crate) fn take(&mut self, place: Place) -> Option<Entry> {
        let position = self.list.iter().position(|missing| missing.place == place)?;
        Some(self.list.remove(position).entry)
    }

    /// The record of the member at `place`.
    pub(crate) fn record(&self, place: Place) -> Option<&Arc<Record>> {
        self.list.iter().find(|missing| missing.place == place).map(|missing| missing.entry.record())
    }

    /// Whether the member at `place` is missing although its sequence was this: nothing is heard of it then.
    pub(crate) fn refuses(&self, place: Place, sequence: u32) -> bool {
        let heard = Digest { place, sequence };
        self.record(place).is_some_and(|record| !heard.is_newer_than(Digest::of(place, record)))
    }

    /// Those missed at or after a moment, last ones first.
    pub(crate) fn since(&self, since: u32) -> impl Iterator<Item = Digest> {
        let missed = self.list.iter().rev().take_while(move |missing| missing.since >= since);
        missed.map(|missing| Digest::of(missing.place, missing.entry.record()))
    }

    /// When the last of them was missed, in tenths of a second.
    pub(crate) fn latest(&self) -> u32 {
        self.list.last().map_or(0, |missing| missing.since)
    }

    /// One of them; `number` decides which.
    pub(crate) fn at(&self, number: usize) -> &Arc<Record> {
        self.list[number].entry.record()
    }

    /// All of them, with none left.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (Place, Entry)> {
        std::mem::take(&mut self.list).into_iter().map(|missing| (missing.place, missing.entry))
    }

    /// Takes those out whose records have died.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<(Place, Entry)> {
        let dead = self.list.extract_if(.., |missing| missing.entry.expires() <= now);
        dead.map(|missing| (missing.place, missing.entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::GroupId;
    use stratus_core::testing::identity;

    use super::*;
    use crate::record::Draft;

    fn entry(sequence: u64, expires_millis: u64) -> Entry {
        let draft = Draft { sequence, ..Draft::default() };
        let record = Arc::new(Record::sign(&identity(1), &GroupId::from_bytes([7; 32]), draft));
        Entry::new(record, Time::from_millis(expires_millis), 0, Time::ZERO)
    }

    #[test]
    fn at_the_limit_all_are_there_and_one_more_displaces_the_first() {
        let mut absent = Absent::new(3);
        for place in 1..=3 {
            assert!(absent.note(place, entry(7, 900), Time::from_millis(100 * place)).is_none());
        }
        let displaced = absent.note(4, entry(7, 900), Time::from_millis(400)).map(|(place, _)| place);
        assert_eq!((displaced, absent.len(), absent.latest()), (Some(1), 3, 4));
        let places = |since| absent.since(since).map(|digest| digest.place).collect::<Vec<_>>();
        assert_eq!((places(3), places(5)), (vec![4, 3], vec![]));
    }

    #[test]
    fn nothing_is_heard_of_the_missing_until_their_sequence_rises() {
        // spec OV-28
        let mut absent = Absent::new(3);
        absent.note(50, entry(7, 900), Time::ZERO);
        assert_eq!([3, 7, 8].map(|sequence| absent.refuses(50, sequence)), [true, true, false]);
        assert!(!absent.refuses(51, 7) && absent.take(50).is_some() && !absent.refuses(50, 7));
    }

    #[test]
    fn they_are_kept_until_their_records_die() {
        let mut absent = Absent::new(3);
        absent.note(3, entry(7, 700), Time::ZERO);
        absent.note(50, entry(7, 900), Time::ZERO);
        let dead: Vec<Place> =
            absent.expire(Time::from_millis(700)).into_iter().map(|(place, _)| place).collect();
        assert_eq!((dead, absent.len()), (vec![3], 1));
    }
}
