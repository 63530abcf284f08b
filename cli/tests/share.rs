//! `share` and `fetch` as real processes.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use common::{Finished, Stage, command, signal, stratus};
use serde_json::Value;
use tempfile::TempDir;

const HERE: [&str; 3] = ["--listen", "127.0.0.1:0", "--no-cache"];

/// A folder with a film of three objects and more, and photos, two of them the same.
fn things() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let film: Vec<u8> = (0..200_003_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let files: [(&str, &[u8]); 4] =
        [("film.mp4", &film), ("photos/a.jpg", b"a"), ("photos/sub/b.jpg", b"a"), ("photos/empty", b"")];
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(path, content).expect("written");
    }
    (folder, files.map(|(name, _)| PathBuf::from(name)).to_vec())
}

/// A process that shares these, and a file with the groupspec that it printed.
fn sharing(stage: &Stage, folder: &Path) -> (Child, String) {
    let server = stage.server_addr.to_string();
    let (film, photos) = (folder.join("film.mp4"), folder.join("photos"));
    let paths = [film.to_str().expect("ASCII"), photos.to_str().expect("ASCII")];
    let mut child = command(&[&["share", "--server", &server], &paths[..], &HERE].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built for this test");
    let mut spec = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut spec).expect("a line");
    let path = folder.join("set.spec");
    fs::write(&path, spec).expect("written");
    (child, format!("@{}", path.display()))
}

fn fetch(spec: &str, into: &Path) -> Finished {
    let into = into.to_str().expect("ASCII");
    stratus(&[&["fetch", spec, into, "--json"], &HERE[..]].concat())
}

fn fetched_bytes(fetched: &Finished) -> u64 {
    let summary = fetched.lines().into_iter().rev().find(|line| line.contains("\"summary\""));
    let summary: Value = serde_json::from_str(summary.expect("a summary")).expect("JSON");
    summary["fetched_bytes"].as_u64().expect("a number")
}

#[test]
fn what_was_printed_is_all_that_others_need() {
    let stage = Stage::new();
    let (folder, names) = things();
    let (mut sharer, spec) = sharing(&stage, folder.path());
    let first = folder.path().join("first");
    let fetched = fetch(&spec, &first);
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    for name in &names {
        let (given, got) = (fs::read(folder.path().join(name)), fs::read(first.join(name)));
        assert_eq!(got.expect("fetched"), given.expect("shared"), "{}", name.display());
    }
    let content = 200_003 + 1;
    let bytes = fetched_bytes(&fetched);
    assert!((content..content + 1_000).contains(&bytes), "{bytes} bytes: the same twice is fetched once");

    let again = fetch(&spec, &first);
    assert_eq!((again.code, fetched_bytes(&again)), (Some(0), 0), "{}", again.stderr);

    let taken = folder.path().join("taken");
    fs::create_dir(&taken).expect("made");
    fs::write(taken.join("film.mp4"), "my own").expect("written");
    let refused = fetch(&spec, &taken);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("film.mp4"), "{}", refused.stderr);
    assert_eq!(fs::read(taken.join("film.mp4")).expect("still there"), b"my own");

    signal(&sharer, "INT");
    assert_eq!(sharer.wait().expect("our own child").code(), Some(0), "being told to stop is its end");
}

#[test]
fn what_cannot_be_read_is_named() {
    let refused = stratus(&["share", "/nowhere/at/all", "--no-server"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("/nowhere/at/all: "), "{}", refused.stderr);
}
