//! Files and folders over a group's objects.
//!
//! Nouns: [`scan`] makes a set of files and folders, a [`Store`] keeps its objects ([`MemoryStore`], [`FolderStore`],
//! [`Source`]), an [`Exchange`] stands between a store and a group: it answers requests, checks what comes, and says by
//! [`Progress`] how far it is.
//!
//! Nothing is written, offered or handed on that is not exactly what the set's name stands for. It refuses to know how
//! objects travel.

mod exchange;
mod folder;
mod index;
mod memory;
mod scan;
mod store;
#[cfg(test)]
mod tests;

pub use exchange::{Ended, Exchange, Progress};
pub use folder::FolderStore;
pub use memory::MemoryStore;
pub use scan::{Source, scan};
pub use store::Store;
pub use stratus_replication::set::{Descriptor, FileEntry, Set, SetBuilder, SetError, SetId, hash};
