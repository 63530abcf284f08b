#![expect(clippy::disallowed_types, reason = "the one look-up table; it cannot be iterated")]
use std::collections::HashMap;
use std::hash::Hash;

/// A hash table for look-up alone: it has no iteration, so hash order can reach nothing.
#[derive(Clone, Debug)]
pub struct Lookup<K, V>(HashMap<K, V>);

impl<K: Hash + Eq, V> Lookup<K, V> {
    /// An empty table.
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The value of `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// Puts `value` under `key`, and gives back what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes the value of `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<K: Hash + Eq, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self::new()
    }
}
