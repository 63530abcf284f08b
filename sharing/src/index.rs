use std::path::Path;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use stratus_replication::set::{Assembly, Set, SetId, Taken};

/// Root and pages, by number.
const HEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("heads");
/// How many data objects were held when it was last written.
const COUNTS: TableDefinition<'_, &str, u64> = TableDefinition::new("counts");

/// The books of a fetch: its descriptor, so that it goes on without asking anybody for that again, and how far it was.
///
/// The objects themselves are the truth: what is held is found out by hashing them, so a book that is behind or lost
/// costs time, never a wrong byte.
pub(crate) struct Index(Database);

impl Index {
    /// Opens it, or begins it. A file that is no database any more is begun anew.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let opened = Database::create(path).or_else(|error| {
            tracing::debug!(%error, "the index cannot be opened and is begun anew");
            let _ = std::fs::remove_file(path);
            Database::create(path)
        });
        opened.map(Self).inspect_err(|error| tracing::warn!(%error, "no index is kept")).ok()
    }

    /// The set that was being fetched, if its whole descriptor is there and right.
    pub(crate) fn set(&self, id: SetId) -> Option<Set> {
        let heads = self.heads().ok()?;
        let mut assembly = Assembly::new(id);
        for (index, head) in (0..).zip(heads) {
            if assembly.take(index, head).ok()? == Taken::Complete {
                return assembly.set().cloned();
            }
        }
        None
    }

    fn heads(&self) -> Result<Vec<Bytes>, redb::Error> {
        let read = self.0.begin_read()?;
        let table = read.open_table(HEADS)?;
        let mut heads = Vec::new();
        for entry in table.iter()? {
            heads.push(Bytes::copy_from_slice(entry?.1.value()));
        }
        Ok(heads)
    }

    /// Writes the descriptor down.
    pub(crate) fn begin(&self, set: &Set) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
        {
            let mut table = write.open_table(HEADS)?;
            for (index, head) in (0_u64..).zip(set.heads()) {
                table.insert(index, &head[..])?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Writes down how far it is.
    pub(crate) fn note(&self, held: u64) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
        write.open_table(COUNTS)?.insert("held", held)?;
        write.commit()?;
        Ok(())
    }

    /// How far it was.
    pub(crate) fn noted(&self) -> Option<u64> {
        let read = self.0.begin_read().ok()?;
        let value = read.open_table(COUNTS).ok()?.get("held").ok()??.value();
        Some(value)
    }
}
