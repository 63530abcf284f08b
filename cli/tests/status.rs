//! `stratus status` asks what runs.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use common::{Running, Stage, command, stratus};
use serde_json::Value;

/// A viewer with an operator's listener, and where that is.
fn watched(stage: &Stage, folder: &tempfile::TempDir) -> (Running, String) {
    let output = folder.path().join("kept").display().to_string();
    let play = ["play", &stage.viewer, "cam", &output, "--listen", "127.0.0.1:0"];
    let watched = ["--no-cache", "--admin", "127.0.0.1:0", "--alias", "show"];
    let mut viewer = Running::start(&mut command(&[&play[..], &watched].concat()));
    let address = viewer.told("admin listener on http: ");
    (viewer, address)
}

#[test]
fn a_running_viewer_tells_people_and_programs_how_it_stands() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (_viewer, address) = watched(&stage, &folder);
    let told = stratus(&["status", "--admin", &address]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    for line in ["kind: play\n", "groups: 1\n", "\n  alias: show\n"] {
        assert!(told.stdout.contains(line), "{line:?} in {}", told.stdout);
    }
    let told = stratus(&["status", "--admin", &address, "--json"]);
    let status: Value = serde_json::from_str(&told.stdout).expect("one JSON object");
    assert_eq!((&status["kind"], &status["groups"][0]["alias"]), (&"play".into(), &"show".into()));
    assert_eq!(told.lines().len(), 1);
}

#[test]
fn a_watcher_is_told_again_and_again_until_what_it_watches_ends() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (viewer, address) = watched(&stage, &folder);
    let mut watcher = command(&["status", "--admin", &address, "--watch", "--json"]).spawn().expect("built");
    let mut lines = BufReader::new(watcher.stdout.take().expect("piped")).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next()?.ok()?).ok();
    let (first, second) = (next().expect("a status"), next().expect("another"));
    assert!(second["uptime_seconds"].as_u64() > first["uptime_seconds"].as_u64(), "{first} {second}");
    drop(viewer);
    let ended = common::wait(watcher);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
}

#[test]
fn nobody_and_strangers_are_told_apart_from_a_status() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let stranger = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it asks");
        let _ = stream.read(&mut [0; 1_024]);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno").expect("it reads");
    });
    let refused = stratus(&["status", "--admin", &address]);
    stranger.join().expect("it has answered");
    assert_eq!(refused.code, Some(3));
    assert_eq!(
        refused.stderr,
        format!(
            "error: nothing that runs can be asked at {address}\n  \
             tried: it answers 404 Not Found, and no status\n  \
             hint: start it with --admin 127.0.0.1:9936, or name the address that it was given: \
             stratus status --admin ADDR\n"
        )
    );
    let refused = stratus(&["status", "--admin", &address]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.contains("\n  tried: connection refused"), "{}", refused.stderr);
}
