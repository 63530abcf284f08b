use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stratus_core::{Rng, Time};

use crate::places::{Place, around};
use crate::record::Record;

/// So many of the nearest on each side are never given up.
const KEPT_EACH_SIDE: usize = 64;
/// The latency of a member that was never measured.
const UNMEASURED: u32 = u32::MAX;

/// What is known of one member.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    record: Arc<Record>,
    /// When it dies unless its sequence moves.
    expires: Time,
    /// Who told us: the top 32 bits of the teller's place, 0 for nobody in particular.
    source: u32,
    /// The round trip in microseconds, or [`UNMEASURED`].
    rtt_micros: u32,
    /// When this was news here, in tenths of a second: neighbors who were told later know it.
    news_at: u32,
}

impl Entry {
    pub(crate) fn new(record: Arc<Record>, expires: Time, source: Place, now: Time) -> Self {
        let source = (source >> 32) as u32;
        Self { record, expires, source, rtt_micros: UNMEASURED, news_at: tenths(now) }
    }

    /// When the member was news here, in tenths of a second.
    pub(crate) fn news_at(&self) -> u32 {
        self.news_at
    }

    /// Whether the member at `place` told us.
    pub(crate) fn is_from(&self, place: Place) -> bool {
        self.source == (place >> 32) as u32
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.record.addresses()
    }

    pub(crate) fn expires(&self) -> Time {
        self.expires
    }

    /// Whether there was ever a link on which it answered.
    pub(crate) fn is_proven(&self) -> bool {
        self.rtt_micros != UNMEASURED
    }

    /// The round trip, once measured.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.is_proven().then(|| Duration::from_micros(u64::from(self.rtt_micros)))
    }
}

/// Whether a record went into the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Put {
    /// A member of which nothing was known.
    New,
    /// A later record of a known member.
    Newer,
    /// The list is full of members that are worth more.
    Full,
}

/// The members heard of, in the order of their places; never the owner of the list.
///
/// Two parallel vectors, because nearly every question is asked of the places alone. Source: spec OV-4.
#[derive(Clone, Debug)]
pub(crate) struct HeardList {
    places: Vec<Place>,
    entries: Vec<Entry>,
    limit: usize,
}

impl HeardList {
    pub(crate) fn new(limit: usize) -> Self {
        Self { places: Vec::new(), entries: Vec::new(), limit }
    }

    /// Where the members sit, in rising order.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, place: Place) -> Option<&Entry> {
        self.places.binary_search(&place).ok().map(|position| &self.entries[position])
    }

    /// Everybody, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, &Entry)> {
        self.places.iter().copied().zip(&self.entries)
    }

    /// Takes a later record of a member, or a new member.
    ///
    /// A list that would be over its limit gives up a sixteenth of it, always taking from the source to which
    /// most is owed, so that a flood displaces only itself; never those that `kept` (in rising order) names, nor
    /// the owner's nearest 64 on each side. Source: spec OV-5.
    pub(crate) fn put(
        &mut self,
        place: Place,
        mut entry: Entry,
        owner: Place,
        kept: impl FnOnce() -> Vec<Place>,
        rng: &mut Rng,
    ) -> Put {
        match self.places.binary_search(&place) {
            Ok(position) => {
                let old = &mut self.entries[position];
                entry.rtt_micros = old.rtt_micros;
                if old.record.edition() == entry.record.edition() {
                    // Only its age is new, and that is asked for when it matters.
                    (entry.news_at, entry.source) = (old.news_at, old.source);
                }
                *old = entry;
                return Put::Newer;
            }
            Err(position) => {
                grow(&mut self.places, self.limit);
                grow(&mut self.entries, self.limit);
                self.places.insert(position, place);
                self.entries.insert(position, entry);
            }
        }
        if self.places.len() > self.limit {
            self.make_room(owner, &kept(), rng);
            if self.places.len() > self.limit {
                self.remove(place);
            }
        }
        if self.get(place).is_some() { Put::New } else { Put::Full }
    }

    fn make_room(&mut self, owner: Place, kept: &[Place], rng: &mut Rng) {
        let mut close = around(&self.places, owner, KEPT_EACH_SIDE.min(self.limit / 4));
        close.sort_unstable();
        let may_go =
            |place: &Place| close.binary_search(place).is_err() && kept.binary_search(place).is_err();
        let mut able: Vec<(u32, Place)> = self
            .iter()
            .filter(|(place, _)| may_go(place))
            .map(|(place, entry)| (entry.source, place))
            .collect();
        rng.shuffle(&mut able);
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        able.iter().for_each(|(source, _)| *counts.entry(*source).or_default() += 1);
        let room = self.limit - self.limit / 16;
        while self.places.len() > room && !able.is_empty() {
            let most = counts.values().max().copied().unwrap_or_default();
            let position = able.iter().position(|(source, _)| counts[source] == most).expect("counted above");
            let (source, place) = able.swap_remove(position);
            *counts.get_mut(&source).expect("counted above") -= 1;
            self.remove(place);
        }
    }

    pub(crate) fn remove(&mut self, place: Place) -> Option<Entry> {
        let position = self.places.binary_search(&place).ok()?;
        self.places.remove(position);
        Some(self.entries.remove(position))
    }

    /// Takes out those whose sequence has not moved for too long.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<(Place, Entry)> {
        let old: Vec<Place> =
            self.iter().filter(|(_, entry)| entry.expires <= now).map(|(place, _)| place).collect();
        old.into_iter().filter_map(|place| self.remove(place).map(|entry| (place, entry))).collect()
    }

    /// Takes a measured round trip into account: quickly if it is lower, an eighth of the way if it is higher.
    pub(crate) fn measured(&mut self, place: Place, rtt: Duration) {
        let Ok(position) = self.places.binary_search(&place) else { return };
        let entry = &mut self.entries[position];
        let sample = u32::try_from(rtt.as_micros()).unwrap_or(UNMEASURED - 1).min(UNMEASURED - 1);
        entry.rtt_micros = if sample <= entry.rtt_micros {
            sample
        } else {
            entry.rtt_micros + (sample - entry.rtt_micros).div_ceil(8)
        };
    }
}

/// A moment in tenths of a second.
pub(crate) fn tenths(at: Time) -> u32 {
    u32::try_from(at.as_micros() / 100_000).unwrap_or(u32::MAX)
}

/// Makes room for one more, and never for more than a full list and the one that is over it.
fn grow<T>(list: &mut Vec<T>, limit: usize) {
    if list.len() == list.capacity() {
        let most = (limit + 1).saturating_sub(list.len());
        list.reserve_exact(list.len().max(8).min(most).max(1));
    }
}

#[cfg(test)]
mod tests;
