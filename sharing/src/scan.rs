use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use stratus_replication::ObjectSet;
use stratus_replication::set::{OBJECT_BYTES, Set, SetBuilder, hash};

use crate::store::Store;

/// The files that a set was made of, where they lie. Nothing is ever written to them.
#[derive(Debug)]
pub struct Source {
    held: ObjectSet,
    /// First data object and place of each content.
    files: Vec<(u64, PathBuf)>,
    open: Option<(u64, File)>,
}

/// Makes a set of files and folders: reads and hashes all of them. Links are left out; how many comes back.
pub fn scan(paths: &[PathBuf]) -> io::Result<(Set, Source, usize)> {
    let mut found = Vec::new();
    let mut links = 0;
    for path in paths {
        let path = path.canonicalize().map_err(|error| about(path, error))?;
        let name = path.file_name().map_or_else(|| PathBuf::from("files"), PathBuf::from);
        walk(&path, &name, &mut found, &mut links)?;
    }
    found.sort();
    let title = match paths {
        [one] => one.canonicalize()?.file_name().map(|name| name.to_string_lossy().into_owned()),
        _ => None,
    };
    let mut builder = SetBuilder::new(&title.unwrap_or_else(|| "files".to_owned()), "");
    for (name, path) in &found {
        let name = name.to_str().ok_or_else(|| invalid(path, "its name is not UTF-8"))?;
        let (size, hashes) = hashes(path).map_err(|error| about(path, error))?;
        builder.add(name, size, hashes);
    }
    let set = builder.finish().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    for (file, (_, path)) in set.descriptor().files.iter().zip(found) {
        if file.size > 0 {
            files.push((file.first, path));
        }
    }
    files.sort();
    files.dedup_by_key(|(first, _)| *first);
    let held = ObjectSet::of(0..set.descriptor().hashes.len() as u64);
    Ok((set, Source { held, files, open: None }, links))
}

fn walk(path: &Path, name: &Path, found: &mut Vec<(PathBuf, PathBuf)>, links: &mut usize) -> io::Result<()> {
    let kind = fs::symlink_metadata(path).map_err(|error| about(path, error))?.file_type();
    if kind.is_symlink() {
        *links += 1;
    } else if kind.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| about(path, error))? {
            let entry = entry.map_err(|error| about(path, error))?;
            walk(&entry.path(), &name.join(entry.file_name()), found, links)?;
        }
    } else if kind.is_file() {
        found.push((name.to_owned(), path.to_owned()));
    }
    Ok(())
}

fn hashes(path: &Path) -> io::Result<(u64, Vec<[u8; 32]>)> {
    let mut file = File::open(path)?;
    let (mut size, mut hashes) = (0, Vec::new());
    let mut object = vec![0; OBJECT_BYTES as usize];
    loop {
        let length = read_full(&mut file, &mut object)?;
        if length == 0 {
            return Ok((size, hashes));
        }
        size += length as u64;
        hashes.push(hash(&object[..length]));
        if (length as u64) < OBJECT_BYTES {
            return Ok((size, hashes));
        }
    }
}

/// As much as there is.
fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

fn invalid(path: &Path, what: &str) -> io::Error {
    about(path, io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// The same error, with what it is about.
fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Store for Source {
    fn held(&self) -> &ObjectSet {
        &self.held
    }

    fn read(&mut self, set: &Set, data: u64) -> io::Result<Bytes> {
        let place = self.files.partition_point(|(first, _)| *first <= data).checked_sub(1);
        let (first, path) = &self.files[place.ok_or(io::ErrorKind::NotFound)?];
        if self.open.as_ref().is_none_or(|(open, _)| open != first) {
            self.open = Some((*first, File::open(path)?));
        }
        let length = set.data_length(data).ok_or(io::ErrorKind::NotFound)?;
        let mut object = vec![0; length as usize];
        let (_, file) = self.open.as_ref().ok_or(io::ErrorKind::NotFound)?;
        file.read_exact_at(&mut object, (data - first) * OBJECT_BYTES)?;
        Ok(object.into())
    }

    fn write(&mut self, _set: &Set, _data: u64, _object: &Bytes) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn finish(&mut self, _set: &Set) -> io::Result<()> {
        Ok(())
    }
}
