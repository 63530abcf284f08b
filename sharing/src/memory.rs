use std::io;

use bytes::Bytes;
use stratus_replication::ObjectSet;
use stratus_replication::set::Set;

use crate::store::Store;

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Vec<Option<Bytes>>,
    held: ObjectSet,
}

impl MemoryStore {
    /// Nothing is held.
    pub fn new() -> Self {
        Self::default()
    }

    /// All of a set: `objects` in order.
    pub fn full(objects: Vec<Bytes>) -> Self {
        let held = ObjectSet::of(0..objects.len() as u64);
        Self { objects: objects.into_iter().map(Some).collect(), held }
    }
}

impl Store for MemoryStore {
    fn held(&self) -> &ObjectSet {
        &self.held
    }

    fn read(&mut self, _set: &Set, data: u64) -> io::Result<Bytes> {
        let object = usize::try_from(data).ok().and_then(|place| self.objects.get(place)?.clone());
        object.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&mut self, set: &Set, data: u64, object: &Bytes) -> io::Result<()> {
        self.objects.resize(set.descriptor().hashes.len(), None);
        let place = usize::try_from(data).ok().and_then(|place| self.objects.get_mut(place));
        *place.ok_or(io::ErrorKind::InvalidInput)? = Some(object.clone());
        self.held.insert(data);
        Ok(())
    }

    fn finish(&mut self, _set: &Set) -> io::Result<()> {
        Ok(())
    }

    fn is_trusted(&self) -> bool {
        true
    }
}
