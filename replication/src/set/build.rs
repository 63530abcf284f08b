use std::collections::BTreeMap;

use bytes::Bytes;
use stratus_core::Wire;

use super::descriptor::{Descriptor, FileEntry, SetError};
use super::{Hash, Set, pages_of, root_of};

/// Makes a set of files whose objects have been hashed.
#[derive(Debug, Default)]
pub struct SetBuilder {
    descriptor: Descriptor,
    /// First data objects of contents that are in it.
    known: BTreeMap<(u64, Vec<Hash>), u64>,
}

impl SetBuilder {
    /// An empty set of this name.
    pub fn new(name: &str, media_type: &str) -> Self {
        let descriptor =
            Descriptor { name: name.to_owned(), media_type: media_type.to_owned(), ..Descriptor::default() };
        Self { descriptor, known: BTreeMap::new() }
    }

    /// Adds a file of `size` bytes whose objects have these hashes. What is there already under another name is not
    /// sent twice.
    pub fn add(&mut self, path: &str, size: u64, hashes: Vec<Hash>) {
        let next = self.descriptor.hashes.len() as u64;
        let first = if size == 0 {
            0
        } else if let Some(first) = self.known.get(&(size, hashes.clone())) {
            *first
        } else {
            self.descriptor.hashes.extend(&hashes);
            self.known.insert((size, hashes), next);
            next
        };
        self.descriptor.files.push(FileEntry { path: path.to_owned(), size, first });
    }

    /// The set, if everything in it may be.
    pub fn finish(self) -> Result<Set, SetError> {
        self.descriptor.validate()?;
        let body: Bytes = self.descriptor.to_bytes();
        let pages = pages_of(&body);
        let root = root_of(&body, &pages);
        if root.len() > crate::MOST_OBJECT_BYTES {
            return Err(SetError::TooMany);
        }
        Ok(Set::new(root, pages, self.descriptor))
    }
}
