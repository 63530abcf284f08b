//! Several servers, and none: real processes, killed without a word.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{CLIP, Running, command, server_binary, signal, stratus, until, until_written};

/// About the first 14 s of the clip, in whole packets.
fn source(folder: &Path) -> (String, Vec<u8>) {
    let packets = CLIP.len() / 188;
    let bytes = CLIP[..packets * 14 / 30 * 188].to_vec();
    let path = folder.join("source.ts");
    std::fs::write(&path, &bytes).expect("writable");
    (path.display().to_string(), bytes)
}

fn viewer(spec: &str, output: &Path, options: &[&str]) -> Command {
    viewer_of("cam", spec, output, options)
}

fn viewer_of(stream: &str, spec: &str, output: &Path, options: &[&str]) -> Command {
    let output = output.display().to_string();
    command(&[&["play", spec, stream, &output, "--listen", "127.0.0.1:0"], options].concat())
}

/// spec RV-14, RV-15
#[test]
fn with_both_servers_killed_the_stream_goes_on_and_others_still_come() {
    let Some(binary) = server_binary() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (source, bytes) = source(folder.path());
    let [one, other] = [(); 2].map(|()| Running::server(&binary));
    let made = stratus(&["group", "new", "show", "--unique", "--server", &one.1, "--server", &other.1]);
    let spec = made.lines()[0].to_owned();
    let state = path("state").display().to_string();
    let watching = Running::start(&mut viewer(&spec, &path("watching.ts"), &["--no-cache"]));
    let mut old = Running::start(&mut viewer(&spec, &path("old.ts"), &["--state-dir", &state]));
    let arguments =
        ["-v", "publish", &spec, "cam", &source, "--realtime", "--listen", "127.0.0.1:0", "--no-cache"];
    let mut publisher = Running::start(&mut command(&arguments));
    let here = publisher.told("others can come by --bootstrap ");
    until_written(&path("watching.ts"), 100_000);
    // The members met are on disk a few seconds after the first link: no goodbye is needed for it.
    until("the cache", || path("state/groups").read_dir().is_ok_and(|mut files| files.next().is_some()));
    old.child.kill().expect("our own child");
    drop(old);
    for server in [&one.0, &other.0] {
        signal(&server.child, "KILL");
    }
    drop((one, other));
    let seen = path("watching.ts").metadata().expect("written").len();
    let began = Instant::now();
    let again = Running::start(&mut viewer(&spec, &path("again.ts"), &["--state-dir", &state]));
    let newcomer =
        Running::start(&mut viewer(&spec, &path("newcomer.ts"), &["--no-cache", "--bootstrap", &here]));
    let stranger =
        Running::start(&mut viewer(&spec, &path("stranger.ts"), &["--no-cache", "--timeout", "2s"]));
    until_written(&path("again.ts"), 1);
    until_written(&path("newcomer.ts"), 1);
    println!("both back in the stream {:?} after they were started", began.elapsed());
    until_written(&path("watching.ts"), seen + 20_000);
    let (code, told) = stranger.ended();
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("no member of group \"show\" answered"), "{told}");
    let (code, told) = publisher.ended();
    assert_eq!(code, Some(0), "{told}");
    for (who, name) in [(watching, "watching.ts"), (again, "again.ts"), (newcomer, "newcomer.ts")] {
        let (code, told) = who.ended();
        assert_eq!(code, Some(0), "{name}: {told}");
        let received = std::fs::read(path(name)).expect("written");
        assert!(bytes.ends_with(&received), "{name}: {} bytes: {told}", received.len());
        assert_eq!(received.len() == bytes.len(), name == "watching.ts", "{name}: {told}");
        assert!(told.contains("nothing missing"), "{name}: {told}");
    }
}

#[test]
fn a_group_begins_without_any_server_and_its_founder_says_how_to_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = stratus(&["group", "new", "show", "--unique"]);
    let spec = made.lines()[0].to_owned();
    let arguments =
        ["publish", &spec, "log", "--raw", "--no-server", "--no-cache", "--listen", "127.0.0.1:0"];
    let mut publisher = Running::start(command(&arguments).stdin(Stdio::piped()));
    let mut input = publisher.child.stdin.take().expect("piped");
    let here = publisher.told("waiting for others: they come by --bootstrap ");
    let output = folder.path().join("log");
    let mut viewer = viewer_of("log", &spec, &output, &["-v", "--no-cache", "--bootstrap", &here]);
    let mut viewer = Running::start(&mut viewer);
    viewer.told("NetGroup.Neighbor.Connect");
    input.write_all(&[7; 50_000]).expect("the publisher reads");
    drop(input);
    let (code, told) = viewer.ended();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(std::fs::read(&output).expect("written"), [7; 50_000], "{told}");
    assert_eq!(publisher.ended().0, Some(0));
}
