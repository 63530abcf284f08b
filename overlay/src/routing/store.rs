use std::collections::BTreeMap;
use std::time::Duration;

use stratus_core::{PeerId, Time};

use super::value::{Key, Value};
use crate::places::{Place, distance};

/// Most other holders of a value that are remembered.
const MOST_HOLDERS: usize = 8;

/// A value that is kept here.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) value: Value,
    /// Where it belongs.
    pub(super) place: Place,
    pub(super) expires: Time,
    /// Who brought it.
    source: PeerId,
    /// Neighbors that are known to keep it as well, this sequence or a later one.
    pub(super) holders: Vec<PeerId>,
}

impl Held {
    pub(super) fn note_holder(&mut self, peer: PeerId) {
        if self.holders.len() < MOST_HOLDERS && !self.holders.contains(&peer) {
            self.holders.push(peer);
        }
    }
}

/// What became of a value that was brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is kept.
    Kept,
    /// Another one of this sequence or a later one is kept. Source: spec DH-4.
    Older(u64),
    /// There is no room for it.
    Full,
}

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) values: usize,
    pub(super) bytes: usize,
    pub(super) values_of_source: usize,
}

/// The values that one member keeps for the group: bounded in number, bytes, and per bringer. Source: spec DH-6.
#[derive(Clone, Debug)]
pub(super) struct Store {
    home: Place,
    room: Room,
    values: BTreeMap<Key, Held>,
    bytes: usize,
}

impl Store {
    /// A store of the member at `home`.
    pub(super) fn new(home: Place, room: Room) -> Self {
        Self { home, room, values: BTreeMap::new(), bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Held> {
        self.values.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Held> {
        self.values.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &Held)> {
        self.values.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Held)> {
        self.values.iter_mut()
    }

    /// Takes a value that belongs under `key`, whose place is `place`; it must have been checked.
    ///
    /// The same value again lives on for as long as the longer of both. A full store gives up what lies farther from
    /// home than what comes. Source: spec DH-3, DH-4, DH-6.
    pub(super) fn put(
        &mut self,
        now: Time,
        (key, place): (Key, Place),
        value: Value,
        lifetime: Duration,
        source: PeerId,
    ) -> Verdict {
        let expires = now + lifetime;
        if let Some(held) = self.values.get_mut(&key) {
            if held.value == value {
                held.expires = held.expires.max(expires);
                return Verdict::Kept;
            }
            if held.value.sequence() >= value.sequence() {
                return Verdict::Older(held.value.sequence());
            }
        }
        let length = value.payload().len();
        let before = self.values.get(&key).map_or(0, |held| held.value.payload().len());
        if !self.make_room(&key, place, length.saturating_sub(before), source) {
            return Verdict::Full;
        }
        self.remove(&key);
        self.bytes += length;
        self.values.insert(key, Held { value, place, expires, source, holders: Vec::new() });
        Verdict::Kept
    }

    /// Whether there is room for so many bytes more under `key`, once what lies farther away is gone.
    fn make_room(&mut self, key: &Key, place: Place, more: usize, source: PeerId) -> bool {
        let is_new = !self.values.contains_key(key);
        let brought = self.values.values().filter(|held| held.source == source).count();
        if is_new && brought >= self.room.values_of_source {
            return false;
        }
        while self.len() + usize::from(is_new) > self.room.values || self.bytes + more > self.room.bytes {
            let farthest = self.values.iter().filter(|(other, _)| *other != key);
            let farthest = farthest.max_by_key(|(_, held)| distance(self.home, held.place));
            let Some((other, held)) = farthest else { return false };
            if distance(self.home, held.place) <= distance(self.home, place) {
                return false;
            }
            let other = *other;
            self.remove(&other);
        }
        true
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(held) = self.values.remove(key) {
            self.bytes -= held.value.payload().len();
        }
    }

    /// Forgets what has lived long enough.
    pub(super) fn expire(&mut self, now: Time) {
        let old: Vec<Key> =
            self.values.iter().filter(|(_, held)| held.expires <= now).map(|(key, _)| *key).collect();
        old.iter().for_each(|key| self.remove(key));
    }

    /// A neighbor is gone, and its copies with it.
    pub(super) fn forget_holder(&mut self, peer: &PeerId) {
        self.values.values_mut().for_each(|held| held.holders.retain(|holder| holder != peer));
    }

    pub(super) fn mentions(&self, peer: &PeerId) -> bool {
        self.values.values().any(|held| held.holders.contains(peer))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use stratus_core::GroupId;
    use stratus_core::testing::{identity, peer};

    use super::*;

    const ROOM: Room = Room { values: 3, bytes: 1_000, values_of_source: 2 };
    const HOUR: Duration = Duration::from_secs(3_600);

    fn content(first: u8, length: usize) -> Value {
        let mut bytes = vec![7; length];
        bytes[0] = first;
        Value::Content(bytes.into())
    }

    fn put(store: &mut Store, value: Value, place: Place, source: u64) -> Verdict {
        store.put(Time::ZERO, (value.key(), place), value, HOUR, peer(source))
    }

    #[test]
    fn a_full_store_gives_up_what_is_farthest_from_home() {
        // spec DH-6: at the limit, and one over it
        let mut store = Store::new(1_000, ROOM);
        for (first, place) in [(1, 1_003), (2, 1_050), (3, 1_700)] {
            assert_eq!(put(&mut store, content(first, 9), place, u64::from(first)), Verdict::Kept);
        }
        assert_eq!(put(&mut store, content(4, 9), 9_000, 4), Verdict::Full);
        assert_eq!(put(&mut store, content(5, 9), 1_100, 5), Verdict::Kept);
        assert_eq!(store.len(), 3);
        assert!(store.get(&content(3, 9).key()).is_none());
    }

    #[test]
    fn bytes_end_at_their_limit() {
        let mut store = Store::new(1_000, ROOM);
        assert_eq!(put(&mut store, content(1, 1_000), 1_003, 1), Verdict::Kept);
        assert_eq!(put(&mut store, content(2, 1), 1_700, 2), Verdict::Full);
        assert_eq!(put(&mut store, content(3, 1_001), 1_000, 3), Verdict::Full, "longer than all there is");
        assert_eq!((store.bytes(), store.len()), (0, 0), "what was given up for it is gone");
    }

    #[test]
    fn one_bringer_fills_its_share_alone() {
        let mut store = Store::new(1_000, ROOM);
        let verdicts = [1, 2, 3].map(|first| put(&mut store, content(first, 9), 1_000, 7));
        assert_eq!(verdicts, [Verdict::Kept, Verdict::Kept, Verdict::Full]);
        assert_eq!(put(&mut store, content(3, 9), 1_000, 8), Verdict::Kept);
    }

    #[test]
    fn an_older_sequence_is_refused_and_a_later_one_replaces() {
        // spec DH-4
        let mut store = Store::new(1_000, ROOM);
        let value = |sequence, payload: &'static [u8]| {
            Value::signed(&identity(3), &GroupId::from_bytes([7; 32]), Bytes::new(), sequence, payload)
        };
        assert_eq!(put(&mut store, value(50, b"a"), 3, 1), Verdict::Kept);
        assert_eq!(put(&mut store, value(49, b"b"), 3, 1), Verdict::Older(50));
        assert_eq!(put(&mut store, value(50, b"b"), 3, 1), Verdict::Older(50));
        assert_eq!(put(&mut store, value(50, b"a"), 3, 1), Verdict::Kept, "the very same");
        assert_eq!(put(&mut store, value(51, b"bcd"), 3, 1), Verdict::Kept);
        assert_eq!((store.len(), store.bytes()), (1, 3));
    }

    #[test]
    fn a_value_lives_as_long_as_was_asked_for_last() {
        // spec DH-3
        let mut store = Store::new(1_000, ROOM);
        let value = content(1, 9);
        let key = value.key();
        put(&mut store, value.clone(), 3, 1);
        let later = Time::ZERO + HOUR / 2;
        store.put(later, (key, 3), value, HOUR, peer(2));
        store.expire(Time::ZERO + HOUR);
        assert_eq!(store.len(), 1);
        store.expire(later + HOUR);
        assert_eq!((store.len(), store.bytes()), (0, 0));
    }
}
