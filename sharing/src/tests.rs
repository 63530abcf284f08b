use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use stratus::{ObjectCommand, PeerId};
use stratus_replication::set::{OBJECT_BYTES, Set, SetBuilder};

use crate::{Exchange, FolderStore, MemoryStore, Source, Store, scan};

/// A folder with a long file, a copy of it, a small one in a folder, and an empty one.
fn sample() -> (tempfile::TempDir, Set, Source) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("holiday");
    fs::create_dir_all(root.join("sub")).expect("a folder");
    let long: Vec<u8> = (0..OBJECT_BYTES * 3 + 500).map(|n| (n / 7) as u8).collect();
    fs::write(root.join("long.bin"), &long).expect("written");
    fs::write(root.join("sub/copy.bin"), &long).expect("written");
    fs::write(root.join("sub/small.txt"), "seven..").expect("written");
    fs::write(root.join("empty"), "").expect("written");
    symlink("/etc/passwd", root.join("link")).expect("a link");
    let (set, source, links) = scan(&[root]).expect("scanned");
    assert_eq!(links, 1, "the link is left out");
    (folder, set, source)
}

fn objects(set: &Set, source: &mut Source) -> Vec<Bytes> {
    (0..set.descriptor().hashes.len() as u64).map(|data| source.read(set, data).expect("readable")).collect()
}

fn same(a: &Path, b: &Path) {
    for name in ["long.bin", "sub/copy.bin", "sub/small.txt", "empty"] {
        assert_eq!(fs::read(a.join(name)).expect(name), fs::read(b.join(name)).expect(name), "{name}");
    }
}

#[test]
fn a_folder_comes_out_as_it_went_in_and_equal_files_travel_once() {
    let (from, set, mut source) = sample();
    assert_eq!(set.descriptor().hashes.len(), 5, "four for the long one and its copy, one for the small one");
    let to = tempfile::tempdir().expect("a folder");
    let mut store = FolderStore::open(to.path(), &set).expect("opened");
    for (data, object) in objects(&set, &mut source).iter().enumerate() {
        assert!(set.is_data(data as u64, object));
        store.write(&set, data as u64, object).expect("written");
    }
    store.finish(&set).expect("finished");
    same(&from.path().join("holiday"), &to.path().join("holiday"));
    let left: Vec<_> = fs::read_dir(to.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "no books are left: {left:?}");
    // What is there is found again, and can be given on.
    let mut again = FolderStore::open(to.path(), &set).expect("opened");
    assert_eq!(again.held().len(), 5);
    assert!(set.is_data(3, &again.read(&set, 3).expect("readable")));
}

#[test]
fn what_was_written_before_the_end_is_found_again_and_what_is_torn_is_not() {
    let (_from, set, mut source) = sample();
    let all = objects(&set, &mut source);
    let to = tempfile::tempdir().expect("a folder");
    let mut store = FolderStore::open(to.path(), &set).expect("opened");
    for data in [0, 2] {
        store.write(&set, data, &all[data as usize]).expect("written");
    }
    // As after a kill: nothing is told to the books. And half an object was written.
    drop(store);
    let parts =
        fs::read_dir(to.path()).expect("a folder").next().expect("the parts").expect("readable").path();
    let part = parts.join("0");
    let mut bytes = fs::read(&part).expect("the part");
    bytes.resize(OBJECT_BYTES as usize * 3 + 500, 7);
    bytes[OBJECT_BYTES as usize..OBJECT_BYTES as usize + 300].copy_from_slice(&all[1][..300]);
    fs::write(&part, bytes).expect("written");
    assert_eq!(FolderStore::known(to.path(), set.id()), Some(set.clone()), "the descriptor is in the books");
    let again = FolderStore::open(to.path(), &set).expect("opened");
    assert_eq!(again.held().ranges(), vec![0..1, 2..3]);
}

#[test]
fn books_that_are_no_books_cost_nothing_but_the_descriptor() {
    let (_from, set, mut source) = sample();
    let to = tempfile::tempdir().expect("a folder");
    let mut store = FolderStore::open(to.path(), &set).expect("opened");
    store.write(&set, 0, &source.read(&set, 0).expect("readable")).expect("written");
    drop(store);
    let parts =
        fs::read_dir(to.path()).expect("a folder").next().expect("the parts").expect("readable").path();
    fs::write(parts.join("index.redb"), "torn").expect("written");
    assert_eq!(FolderStore::known(to.path(), set.id()), None);
    let again = FolderStore::open(to.path(), &set).expect("opened");
    assert_eq!(again.held().len(), 1);
}

/// spec RE-24: a link in the folder must not lead what is written out of it.
#[test]
fn a_link_that_leads_out_is_not_followed() {
    let (_from, set, _source) = sample();
    let (to, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::create_dir_all(to.path().join("holiday")).expect("a folder");
    symlink(outside.path(), to.path().join("holiday/sub")).expect("a link");
    let error = FolderStore::open(to.path(), &set).err().expect("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
}

#[test]
fn a_file_that_is_something_else_is_not_touched() {
    let (_from, set, _source) = sample();
    let to = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(to.path().join("holiday")).expect("a folder");
    fs::write(to.path().join("holiday/long.bin"), "mine").expect("written");
    let error = FolderStore::open(to.path(), &set).err().expect("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(to.path().join("holiday/long.bin")).expect("there"), b"mine");
}

/// A file that was changed after it was shared is not given: its objects are not what the set says.
#[test]
fn a_source_that_was_changed_gives_objects_that_are_not_right() {
    let (from, set, mut source) = sample();
    assert!(set.is_data(0, &source.read(&set, 0).expect("readable")));
    let path = from.path().join("holiday/long.bin");
    let copy = from.path().join("holiday/sub/copy.bin");
    for path in [path, copy] {
        let mut bytes = fs::read(&path).expect("there");
        bytes[7] ^= 1;
        fs::write(&path, bytes).expect("written");
    }
    assert!(!set.is_data(0, &source.read(&set, 0).expect("readable")));
}

/// A page that comes once more, after all of them are here, is nobody's fault; a page that is wrong is.
#[test]
fn pages_are_wanted_once_and_one_that_comes_twice_is_not_blamed() {
    let mut builder = SetBuilder::new("many", "");
    let hashes: Vec<[u8; 32]> = (0..5_000_u32).map(|n| crate::hash(&n.to_be_bytes())).collect();
    builder.add("many.bin", 5_000 * OBJECT_BYTES, hashes);
    let set = builder.finish().expect("a set");
    assert!(set.data_start() > 2, "more than one page");
    let mut exchange = Exchange::fetch(set.id(), |_| Ok(Box::new(MemoryStore::new()) as Box<dyn Store>));
    let peer = PeerId::from_bytes([7; 32]);
    for (index, head) in (0..).zip(set.heads()) {
        exchange.result(index, peer, head).expect("right");
    }
    let pages = ObjectCommand::AddWant(1..set.data_start());
    assert_eq!(exchange.commands.iter().filter(|command| **command == pages).count(), 1);
    exchange.result(1, peer, set.heads()[1].clone()).expect("known");
    let is_blame = |command: &ObjectCommand| matches!(command, ObjectCommand::Reject { .. });
    assert!(!exchange.commands.iter().any(is_blame));
    exchange.result(1, peer, Bytes::from_static(b"no page")).expect("wrong, and told");
    assert_eq!(exchange.commands.iter().filter(|command| is_blame(command)).count(), 1);
}
