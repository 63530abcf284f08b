use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use stratus_core::{DecodeError, Reader, Wire, Writer};

use super::paths::{PathFault, check_path};
use super::{Hash, MOST_DATA_OBJECTS, MOST_FILES, OBJECT_BYTES};
use crate::MOST_OBJECT_BYTES;

const MAGIC: &[u8; 8] = b"stratuss";
/// Pages whose hashes fit into one root.
const MOST_PAGES: usize = 2_046;
/// Longest name and media type.
const MOST_TEXT: usize = 255;
/// Longest path as it is read; what is allowed is less.
const MOST_PATH: usize = 4_096;
/// Largest file that is read; what is allowed follows from the number of objects.
const MOST_SIZE: u64 = 1 << 53;

/// Object 0 of a set. Source: spec RE-20.
///
/// | bytes | field |
/// |---|---|
/// | 8 | `stratuss` |
/// | varint | bytes of the descriptor |
/// | varint, 32 each | hashes of its pages of 64 KiB, at most 2,046 |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    /// Bytes of the descriptor.
    pub body_bytes: u64,
    /// Hashes of its pages.
    pub pages: Vec<Hash>,
}

/// What a set is made of. Source: spec RE-21.
///
/// | bytes | field |
/// |---|---|
/// | varint, so many | name |
/// | varint, so many | media type |
/// | varint; each: path (varint, so many), size, first data object | files, at most 65,536 |
/// | varint, 32 each | hashes of the data objects, at most 2^22 |
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Descriptor {
    /// What people call it.
    pub name: String,
    /// What it is; may be empty.
    pub media_type: String,
    /// Its files.
    pub files: Vec<FileEntry>,
    /// The hash of each data object.
    pub hashes: Vec<Hash>,
}

/// One file of a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// Where it lies, with `/` between the parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Its first data object; a file with the content of an earlier one names that one's.
    pub first: u64,
}

impl FileEntry {
    /// How many data objects it has.
    pub fn object_count(&self) -> u64 {
        self.size.div_ceil(OBJECT_BYTES)
    }
}

/// Why a descriptor is not believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetError {
    /// It cannot be read.
    Unreadable(DecodeError),
    /// A path that must not be written to.
    Path(String, PathFault),
    /// Two files of one name, whatever the case of its letters, or a file where a folder is.
    Duplicate(String),
    /// Sizes and objects do not fit together.
    Sizes(String),
    /// More objects or files than a set may have.
    TooMany,
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "the descriptor cannot be read: {error}"),
            Self::Path(path, fault) => write!(f, "{fault}: {path:?}"),
            Self::Duplicate(path) => write!(f, "two files of the set would be one: {path:?}"),
            Self::Sizes(path) => write!(f, "size and objects do not fit together: {path:?}"),
            Self::TooMany => f.write_str("the set has more files or objects than are allowed"),
        }
    }
}

impl std::error::Error for SetError {}

impl Root {
    /// Says whether so many bytes have so many pages.
    pub fn validate(&self) -> Result<(), SetError> {
        let pages = self.body_bytes.div_ceil(MOST_OBJECT_BYTES as u64);
        let is_right = self.body_bytes > 0 && pages == self.pages.len() as u64;
        if is_right { Ok(()) } else { Err(SetError::Sizes("descriptor".to_owned())) }
    }
}

impl Descriptor {
    /// Looks for every lie that can be seen in it. Source: spec RE-22, RE-24.
    pub fn validate(&self) -> Result<(), SetError> {
        if self.hashes.len() as u64 > MOST_DATA_OBJECTS || self.files.len() > MOST_FILES {
            return Err(SetError::TooMany);
        }
        let mut names = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for file in &self.files {
            check_path(&file.path).map_err(|fault| SetError::Path(file.path.clone(), fault))?;
            let folded = file.path.to_lowercase();
            folders.extend(folded.match_indices('/').map(|(at, _)| folded[..at].to_owned()));
            if !names.insert(folded) {
                return Err(SetError::Duplicate(file.path.clone()));
            }
        }
        if let Some(both) = names.intersection(&folders).next() {
            return Err(SetError::Duplicate(both.clone()));
        }
        self.check_layout()
    }

    /// Contents lie one behind the other, each object belongs to one, and copies name the whole of an earlier one.
    fn check_layout(&self) -> Result<(), SetError> {
        let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
        let mut next = 0;
        for file in &self.files {
            let wrong = || SetError::Sizes(file.path.clone());
            if file.size == 0 {
                if file.first != 0 {
                    return Err(wrong());
                }
            } else if file.first == next {
                sizes.insert(next, file.size);
                next += file.object_count();
                if next > self.hashes.len() as u64 {
                    return Err(wrong());
                }
            } else if sizes.get(&file.first) != Some(&file.size) {
                return Err(wrong());
            }
        }
        if next == self.hashes.len() as u64 { Ok(()) } else { Err(SetError::Sizes(self.name.clone())) }
    }
}

fn hashes(reader: &mut Reader, most: usize) -> Result<Vec<Hash>, DecodeError> {
    let count = reader.varint_up_to(most as u64)?;
    (0..count).map(|_| reader.array()).collect()
}

fn put_hashes(writer: &mut Writer, hashes: &[Hash]) {
    writer.varint(hashes.len() as u64);
    hashes.iter().for_each(|hash| writer.raw(hash));
}

fn text(reader: &mut Reader, most: usize) -> Result<String, DecodeError> {
    String::from_utf8(reader.sized(most)?.into()).map_err(|_| DecodeError::Invalid)
}

impl Wire for Root {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(MAGIC);
        writer.varint(self.body_bytes);
        put_hashes(writer, &self.pages);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        if reader.array::<8>()? != *MAGIC {
            return Err(DecodeError::Unknown);
        }
        let body_bytes = reader.varint_up_to((MOST_PAGES * MOST_OBJECT_BYTES) as u64)?;
        Ok(Self { body_bytes, pages: hashes(reader, MOST_PAGES)? })
    }
}

impl Wire for FileEntry {
    fn encode(&self, writer: &mut Writer) {
        writer.sized(self.path.as_bytes());
        writer.varint(self.size);
        writer.varint(self.first);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let path = text(reader, MOST_PATH)?;
        Ok(Self {
            path,
            size: reader.varint_up_to(MOST_SIZE)?,
            first: reader.varint_up_to(MOST_DATA_OBJECTS)?,
        })
    }
}

impl Wire for Descriptor {
    fn encode(&self, writer: &mut Writer) {
        writer.sized(self.name.as_bytes());
        writer.sized(self.media_type.as_bytes());
        writer.list(&self.files);
        put_hashes(writer, &self.hashes);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            name: text(reader, MOST_TEXT)?,
            media_type: text(reader, MOST_TEXT)?,
            files: reader.list(MOST_FILES)?,
            hashes: hashes(reader, MOST_DATA_OBJECTS as usize)?,
        })
    }
}
