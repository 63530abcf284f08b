use std::io;

use bytes::Bytes;
use stratus_replication::ObjectSet;
use stratus_replication::set::Set;

/// Where the data objects of a set are kept, counted from the first data object.
///
/// Whoever calls it has checked what it writes, and checks what it reads.
pub trait Store: Send {
    /// What is held.
    fn held(&self) -> &ObjectSet;
    /// The bytes of an object that is held.
    fn read(&mut self, set: &Set, data: u64) -> io::Result<Bytes>;
    /// Keeps an object.
    fn write(&mut self, set: &Set, data: u64, object: &Bytes) -> io::Result<()>;
    /// Everything is held: puts it where it belongs.
    fn finish(&mut self, set: &Set) -> io::Result<()>;
    /// Whether what it reads can be no other than what was written, so that it need not be hashed again.
    fn is_trusted(&self) -> bool {
        false
    }
}
