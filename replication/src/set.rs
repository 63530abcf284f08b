//! Files and folders as objects that can be checked one by one. Spec RE-20 to RE-24.
//!
//! Object 0 is the root: the hashes of the pages behind it. The pages together are the [`Descriptor`]: names, sizes, and
//! the hash of each data object. A set is named by the hash of its root, so nobody can pass off another one.

mod assembly;
mod build;
mod descriptor;
mod paths;
#[cfg(test)]
mod tests;

pub use assembly::{Assembly, Taken, Wrong};
pub use build::SetBuilder;
pub use descriptor::{Descriptor, FileEntry, Root, SetError};
pub use paths::{PathFault, check_path};

use bytes::Bytes;
use stratus_core::Wire;

use crate::MOST_OBJECT_BYTES;

/// Bytes of every data object but the last of its file. Source: spec RE-22.
pub const OBJECT_BYTES: u64 = MOST_OBJECT_BYTES as u64;
/// Most data objects of a set: 256 GiB. Source: spec RE-22.
pub const MOST_DATA_OBJECTS: u64 = 1 << 22;
/// Most files of a set.
pub const MOST_FILES: usize = 65_536;

/// BLAKE3 of an object.
pub type Hash = [u8; 32];

/// The hash of `object`.
pub fn hash(object: &[u8]) -> Hash {
    *blake3::hash(object).as_bytes()
}

/// The name of a set: the hash of its root object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SetId(pub Hash);

impl std::fmt::Display for SetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl SetId {
    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A set whose descriptor is known and right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Set {
    id: SetId,
    root: Bytes,
    pages: Vec<Bytes>,
    descriptor: Descriptor,
    /// The first data object and size of each file that has a content of its own, in order.
    contents: Vec<(u64, u64)>,
}

impl Set {
    fn new(root: Bytes, pages: Vec<Bytes>, descriptor: Descriptor) -> Self {
        let mut contents: Vec<(u64, u64)> = descriptor
            .files
            .iter()
            .filter(|file| file.size > 0)
            .map(|file| (file.first, file.size))
            .collect();
        contents.sort_unstable();
        contents.dedup();
        Self { id: SetId(hash(&root)), root, pages, descriptor, contents }
    }

    /// Its name.
    pub fn id(&self) -> SetId {
        self.id
    }

    /// Names, sizes and hashes.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The number of the first data object.
    pub fn data_start(&self) -> u64 {
        1 + self.pages.len() as u64
    }

    /// How many objects there are, root and pages included.
    pub fn object_count(&self) -> u64 {
        self.data_start() + self.descriptor.hashes.len() as u64
    }

    /// Bytes of the files, those with the same content counted once.
    pub fn content_bytes(&self) -> u64 {
        self.contents.iter().map(|(_, size)| size).sum()
    }

    /// The root or a page.
    pub fn head_object(&self, index: u64) -> Option<Bytes> {
        match index {
            0 => Some(self.root.clone()),
            index => self.pages.get(usize::try_from(index - 1).ok()?).cloned(),
        }
    }

    /// How long data object `data` is, counted from the first one.
    pub fn data_length(&self, data: u64) -> Option<u64> {
        let place = self.contents.partition_point(|(first, _)| *first <= data).checked_sub(1)?;
        let (first, size) = self.contents[place];
        let before = (data - first) * OBJECT_BYTES;
        size.checked_sub(before).filter(|left| *left > 0).map(|left| left.min(OBJECT_BYTES))
    }

    /// Whether these are the bytes of data object `data`. Source: spec RE-23.
    pub fn is_data(&self, data: u64, object: &[u8]) -> bool {
        let expected = usize::try_from(data).ok().and_then(|place| self.descriptor.hashes.get(place));
        self.data_length(data) == Some(object.len() as u64) && expected == Some(&hash(object))
    }

    /// Everything that travels before the data.
    pub fn heads(&self) -> Vec<Bytes> {
        std::iter::once(&self.root).chain(&self.pages).cloned().collect()
    }
}

/// Cuts a body into pages.
fn pages_of(body: &Bytes) -> Vec<Bytes> {
    let cut = |start: usize| body.slice(start..(start + MOST_OBJECT_BYTES).min(body.len()));
    (0..body.len()).step_by(MOST_OBJECT_BYTES).map(cut).collect()
}

fn root_of(body: &Bytes, pages: &[Bytes]) -> Bytes {
    Root { body_bytes: body.len() as u64, pages: pages.iter().map(|page| hash(page)).collect() }.to_bytes()
}
