use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use stratus_replication::ObjectSet;
use stratus_replication::set::{FileEntry, OBJECT_BYTES, Set, SetId};

use crate::index::Index;
use crate::store::Store;

/// Files kept open.
const MOST_OPEN: usize = 32;
/// Objects between two entries in the books: 16 MiB.
const NOTE_EVERY: u64 = 256;

/// A set in a folder. Files appear under their names when they are whole and right; until then they grow in a folder of
/// its own, `.stratus-…`, which is gone when all are there.
///
/// It can be killed at any moment and the disk can be full at any moment: what is there is hashed when it is opened
/// again, and what is not right is not there.
pub struct FolderStore {
    folder: PathBuf,
    parts: PathBuf,
    index: Option<Index>,
    held: ObjectSet,
    contents: BTreeMap<u64, Content>,
    open: BTreeMap<u64, File>,
    unnoted: u64,
}

/// The bytes of one file, or of several with the same.
struct Content {
    size: u64,
    /// Under these paths.
    paths: Vec<String>,
    /// Objects that are missing.
    missing: u64,
    is_placed: bool,
}

impl FolderStore {
    /// What is known in `folder` of the set of this name, from a fetch that was cut short.
    pub fn known(folder: &Path, id: SetId) -> Option<Set> {
        let path = parts(folder, id).join("index.redb");
        path.exists().then(|| Index::open(&path)?.set(id))?
    }

    /// Opens `folder` for `set`, and finds out what of it is there already.
    pub fn open(folder: &Path, set: &Set) -> io::Result<Self> {
        let parts = parts(folder, set.id());
        fs::create_dir_all(folder)?;
        let mut store = Self {
            folder: folder.to_owned(),
            parts,
            index: None,
            held: ObjectSet::default(),
            contents: contents(set),
            open: BTreeMap::new(),
            unnoted: 0,
        };
        for file in &set.descriptor().files {
            store.check_way(&file.path)?;
        }
        let firsts: Vec<u64> = store.contents.keys().copied().collect();
        for first in &firsts {
            store.find_placed(set, *first)?;
        }
        if store.contents.values().any(|content| !content.is_placed) {
            fs::create_dir_all(&store.parts)?;
            store.index = Index::open(&store.parts.join("index.redb"));
            let begun = store.index.as_ref().map_or(Ok(()), |index| index.begin(set));
            begun.unwrap_or_else(|error| tracing::warn!(%error, "the index cannot be written"));
            for first in firsts {
                store.find_part(set, first)?;
            }
        }
        Ok(store)
    }

    /// How many objects were written down as held when this was opened last, if anything was.
    pub fn noted(&self) -> Option<u64> {
        self.index.as_ref().and_then(Index::noted)
    }

    /// A content that is under its names already, whole and right. Anything else under these names is not touched.
    fn find_placed(&mut self, set: &Set, first: u64) -> io::Result<()> {
        let Some(content) = self.contents.get(&first) else { return Ok(()) };
        let paths: Vec<PathBuf> = content.paths.iter().map(|path| self.folder.join(path)).collect();
        let there: Vec<&PathBuf> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).collect();
        for path in &there {
            if !is_right(set, first, content.size, path)? {
                let what = format!("{} is there already and is something else", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
            }
        }
        if let Some(source) = there.first() {
            let missing: Vec<&PathBuf> = paths.iter().filter(|path| !there.contains(path)).collect();
            for path in missing {
                self.copy(source, path)?;
            }
            self.hold_all(first);
            if let Some(content) = self.contents.get_mut(&first) {
                content.is_placed = true;
            }
        }
        Ok(())
    }

    fn hold_all(&mut self, first: u64) {
        if let Some(content) = self.contents.get_mut(&first) {
            content.missing = 0;
            self.held.insert_range(first..first + content.size.div_ceil(OBJECT_BYTES));
        }
    }

    /// Hashes what there is of a content that was being fetched.
    fn find_part(&mut self, set: &Set, first: u64) -> io::Result<()> {
        let Some(content) = self.contents.get(&first).filter(|content| !content.is_placed) else {
            return Ok(());
        };
        let Ok(mut file) = File::open(self.part(first)) else { return Ok(()) };
        let count = content.size.div_ceil(OBJECT_BYTES);
        for data in first..first + count {
            let length = set.data_length(data).unwrap_or(0);
            let mut object = vec![0; length as usize];
            // A part ends where the last object was written.
            if file.read_exact(&mut object).is_err() {
                break;
            }
            if set.is_data(data, &object) {
                self.held.insert(data);
                if let Some(content) = self.contents.get_mut(&first) {
                    content.missing -= 1;
                }
            }
        }
        self.place_if_whole(first)
    }

    fn part(&self, first: u64) -> PathBuf {
        self.parts.join(first.to_string())
    }

    /// Moves a whole content to its names.
    fn place_if_whole(&mut self, first: u64) -> io::Result<()> {
        let Some(content) = self.contents.get(&first) else { return Ok(()) };
        if content.missing > 0 || content.is_placed {
            return Ok(());
        }
        self.open.remove(&first);
        let paths = content.paths.clone();
        let Some((path, copies)) = paths.split_first() else { return Ok(()) };
        let target = self.way(path)?;
        if target.symlink_metadata().is_ok() {
            let what = format!("{} is there already", target.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        fs::rename(self.part(first), &target)?;
        for copy in copies {
            let copy = self.folder.join(copy);
            self.copy(&target, &copy)?;
        }
        if let Some(content) = self.contents.get_mut(&first) {
            content.is_placed = true;
        }
        Ok(())
    }

    /// Another name for a content, by way of the parts, so that it is never there by half.
    fn copy(&self, source: &Path, target: &Path) -> io::Result<()> {
        let relative = target.strip_prefix(&self.folder).map_err(io::Error::other)?;
        let target = self.way(&relative.to_string_lossy())?;
        fs::create_dir_all(&self.parts)?;
        let by_way = self.parts.join("copy");
        fs::copy(source, &by_way)?;
        fs::rename(by_way, target)
    }

    /// Makes the folders above a file; refuses to go through a link or a file. Spec RE-24.
    fn way(&self, path: &str) -> io::Result<PathBuf> {
        self.check_way(path)?;
        let target = self.folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(target)
    }

    fn check_way(&self, path: &str) -> io::Result<()> {
        let mut place = self.folder.clone();
        for part in path.split('/') {
            place.push(part);
            let Ok(found) = place.symlink_metadata() else { return Ok(()) };
            if found.is_symlink() {
                let what = format!("{} is a link and may lead out of the folder", place.display());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
            }
        }
        Ok(())
    }

    fn content_of(&self, data: u64) -> io::Result<(u64, &Content)> {
        let found = self.contents.range(..=data).next_back();
        found.map(|(first, content)| (*first, content)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&mut self, first: u64, is_placed: bool, path: &str) -> io::Result<&File> {
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&first) {
            self.open.pop_first();
        }
        if !self.open.contains_key(&first) {
            let file = match is_placed {
                true => File::open(self.folder.join(path))?,
                false => {
                    let mut options = OpenOptions::new();
                    options.read(true).write(true).create(true).truncate(false).open(self.part(first))?
                }
            };
            self.open.insert(first, file);
        }
        Ok(&self.open[&first])
    }

    fn note(&mut self) {
        self.unnoted += 1;
        if self.unnoted >= NOTE_EVERY {
            self.unnoted = 0;
            let held = self.held.len();
            // The books may be behind: a disk that is full is told of by the objects themselves.
            if let Some(Err(error)) = self.index.as_ref().map(|index| index.note(held)) {
                tracing::debug!(%error, "the index cannot be written");
            }
        }
    }
}

impl Store for FolderStore {
    fn held(&self) -> &ObjectSet {
        &self.held
    }

    fn read(&mut self, set: &Set, data: u64) -> io::Result<Bytes> {
        let (first, content) = self.content_of(data)?;
        let (is_placed, path) = (content.is_placed, content.paths[0].clone());
        let length = set.data_length(data).ok_or(io::ErrorKind::NotFound)?;
        let mut object = vec![0; length as usize];
        self.file(first, is_placed, &path)?.read_exact_at(&mut object, (data - first) * OBJECT_BYTES)?;
        Ok(object.into())
    }

    fn write(&mut self, _set: &Set, data: u64, object: &Bytes) -> io::Result<()> {
        if self.held.contains(data) {
            return Ok(());
        }
        let (first, _) = self.content_of(data)?;
        self.file(first, false, "")?.write_all_at(object, (data - first) * OBJECT_BYTES)?;
        self.held.insert(data);
        if let Some(content) = self.contents.get_mut(&first) {
            content.missing -= 1;
        }
        self.note();
        self.place_if_whole(first)
    }

    fn finish(&mut self, set: &Set) -> io::Result<()> {
        for file in set.descriptor().files.iter().filter(|file| file.size == 0) {
            let target = self.way(&file.path)?;
            OpenOptions::new().write(true).create(true).truncate(false).open(target)?;
        }
        self.index = None;
        if self.parts.exists() { fs::remove_dir_all(&self.parts) } else { Ok(()) }
    }
}

fn parts(folder: &Path, id: SetId) -> PathBuf {
    folder.join(format!(".stratus-{}", &id.to_string()[..16]))
}

fn contents(set: &Set) -> BTreeMap<u64, Content> {
    let mut contents: BTreeMap<u64, Content> = BTreeMap::new();
    for file in set.descriptor().files.iter().filter(|file| file.size > 0) {
        let missing = FileEntry::object_count(file);
        let content = Content { size: file.size, paths: Vec::new(), missing, is_placed: false };
        contents.entry(file.first).or_insert(content).paths.push(file.path.clone());
    }
    contents
}

/// Whether the file at `path` is this content, to the last byte.
fn is_right(set: &Set, first: u64, size: u64, path: &Path) -> io::Result<bool> {
    if path.symlink_metadata()?.len() != size {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    for data in first..first + size.div_ceil(OBJECT_BYTES) {
        let mut object = vec![0; set.data_length(data).unwrap_or(0) as usize];
        file.read_exact(&mut object)?;
        if !set.is_data(data, &object) {
            return Ok(false);
        }
    }
    Ok(true)
}
