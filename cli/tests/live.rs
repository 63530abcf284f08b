//! Publishing and playing with real processes and real sockets.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use common::{CLIP, Stage, command, signal, stratus, until_written, wait};

/// The clip up to this key picture, of 30, and the tables before it.
fn clip(key_count: usize) -> Vec<u8> {
    let packets: Vec<&[u8]> = CLIP.chunks(188).collect();
    let mut keys = (0..packets.len()).filter(|index| is_key(packets[*index]));
    let key = keys.nth(key_count).expect("30 key pictures");
    let tables = packets[..key].iter().rev().take_while(|packet| is_table(packet)).count();
    packets[..key - tables].concat()
}

/// PAT, SDT, and the PMT where ffmpeg has it.
fn is_table(packet: &[u8]) -> bool {
    matches!(u16::from_be_bytes([packet[1] & 0x1f, packet[2]]), 0 | 0x11 | 0x1000)
}

/// The start of a picture with the random access bit.
fn is_key(packet: &[u8]) -> bool {
    packet[1..3] == [0x41, 0x00] && packet[3] & 0x20 != 0 && packet[5] & 0x40 != 0
}

#[test]
fn every_viewer_gets_the_bytes_of_the_source_and_ends_by_itself() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (source, bytes) = (folder.path().join("source.ts"), clip(3));
    std::fs::write(&source, &bytes).expect("writable");
    let paths: Vec<_> = (0..4).map(|index| folder.path().join(format!("viewer{index}.ts"))).collect();
    let viewers: Vec<_> = paths.iter().map(|path| stage.play(path)).collect();
    let publisher = wait(stage.publish(&source.display().to_string(), &["--realtime"]));
    assert_eq!((publisher.code, publisher.stdout.as_str()), (Some(0), ""), "{}", publisher.stderr);
    assert!(publisher.stderr.contains("published \"cam\": 75 messages"), "{}", publisher.stderr);
    for (viewer, path) in viewers.into_iter().zip(&paths) {
        let viewer = wait(viewer);
        assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
        assert!(viewer.stderr.contains("nothing missing"), "{}", viewer.stderr);
        assert!(std::fs::read(path).expect("written") == bytes, "{}", viewer.stderr);
    }
}

#[test]
fn a_late_viewer_gets_a_suffix_from_a_key_picture_on_even_without_the_server() {
    let (mut stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (source, bytes) = (folder.path().join("source.ts"), clip(5));
    std::fs::write(&source, &bytes).expect("writable");
    let [early, late] = ["early.ts", "late.ts"].map(|name| folder.path().join(name));
    let first = stage.play(&early);
    let publisher = stage.publish(&source.display().to_string(), &["--realtime"]);
    until_written(&early, 90_000);
    let second = stage.play(&late);
    until_written(&late, 1);
    stage.stop_server();
    for (name, child) in [("publisher", publisher), ("first", first), ("second", second)] {
        let finished = wait(child);
        assert_eq!(finished.code, Some(0), "{name}: {}", finished.stderr);
    }
    assert!(std::fs::read(&early).expect("written") == bytes);
    let suffix = std::fs::read(&late).expect("written");
    assert!(suffix.len() < bytes.len() && bytes.ends_with(&suffix), "{} bytes", suffix.len());
    let tables = suffix.chunks(188).take_while(|packet| is_table(packet)).count();
    assert!(tables >= 2, "PAT and PMT at least");
    assert!(is_key(&suffix[tables * 188..]), "then a picture that can be entered");
}

#[test]
fn raw_bytes_go_through_pipes_as_they_are() {
    let stage = Stage::new();
    let viewer = command(&["play", &stage.viewer, "log", "--listen", "127.0.0.1:0"]).spawn().expect("built");
    let mut publisher = command(&["publish", &stage.publisher, "log", "--raw", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("built");
    let mut input = publisher.stdin.take().expect("piped");
    let parts: [Vec<u8>; 3] = [b"first line\n".to_vec(), vec![7; 5_000], b"last line\n".to_vec()];
    for part in &parts {
        input.write_all(part).expect("it reads");
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(input);
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    let viewer = wait(viewer);
    assert_eq!((viewer.code, viewer.stdout_bytes), (Some(0), parts.concat()), "{}", viewer.stderr);
}

#[test]
fn an_empty_raw_input_is_a_stream_that_ends_at_once() {
    let stage = Stage::new();
    let finished = wait(stage.publish("/dev/null", &["--raw"]));
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("published \"cam\": 0 messages, 0 bytes, sent 0.00 times\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_viewer_whose_reader_goes_away_ends_quietly() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let source = folder.path().join("source.ts");
    std::fs::write(&source, clip(3)).expect("writable");
    let mut viewer =
        command(&["play", &stage.viewer, "cam", "-q", "--listen", "127.0.0.1:0"]).spawn().expect("built");
    let mut output = viewer.stdout.take().expect("piped");
    let publisher = stage.publish(&source.display().to_string(), &["--realtime"]);
    output.read_exact(&mut [0; 188]).expect("a first packet");
    drop(output);
    let viewer = wait(viewer);
    assert_eq!((viewer.code, viewer.stderr.as_str()), (Some(0), ""));
    assert_eq!(wait(publisher).code, Some(0), "the publisher does not care");
}

#[test]
fn a_viewer_whose_disk_is_full_says_so() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let source = folder.path().join("source.ts");
    std::fs::write(&source, clip(2)).expect("writable");
    let viewer = stage.play(std::path::Path::new("/dev/full"));
    let publisher = stage.publish(&source.display().to_string(), &["--realtime"]);
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(1));
    assert!(
        viewer.stderr.ends_with(
            "error: cannot write to /dev/full\n  \
             tried: no space left on device (os error 28)\n  \
             hint: make room there, or choose another place\n"
        ),
        "{}",
        viewer.stderr
    );
    assert_eq!(wait(publisher).code, Some(0));
}

/// Reads stderr until it says that joining has begun; from then on signals are caught.
fn until_joining(child: &mut Child) -> BufReader<ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("joining group") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "it ended before it joined");
    }
    stderr
}

#[test]
fn signals_before_the_work_was_done_have_their_codes() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut viewer = stage.play(&folder.path().join(name));
        let mut stderr = until_joining(&mut viewer);
        signal(&viewer, name);
        assert_eq!(wait(viewer).code, Some(code));
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).expect("text");
        assert!(!rest.contains("error:"), "{rest}");
    }
}

#[test]
fn the_second_signal_kills() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("noise");
    let mut viewer = stage.play(&path);
    let mut publisher = command(&["publish", &stage.publisher, "cam", "--raw", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("built");
    let mut input = publisher.stdin.take().expect("piped");
    input.write_all(b"first").expect("it reads");
    until_written(&path, 5);
    // A publisher stays for a viewer who lacks something, and this one will not fetch it.
    signal(&viewer, "STOP");
    input.write_all(b"second").expect("it reads");
    std::thread::sleep(Duration::from_millis(200));
    signal(&publisher, "TERM");
    std::thread::sleep(Duration::from_millis(300));
    assert!(publisher.try_wait().expect("our own child").is_none(), "it stays for its viewer");
    signal(&publisher, "TERM");
    assert_eq!(wait(publisher).code, Some(143));
    viewer.kill().expect("our own child");
    viewer.wait().expect("killed");
}

#[test]
fn a_live_stream_is_ended_by_a_signal_on_either_side() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let [kept, whole] = ["kept.ts", "whole.ts"].map(|name| folder.path().join(name));
    let viewers = [stage.play(&kept), stage.play(&whole)];
    let mut publisher = command(&["publish", &stage.publisher, "cam", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("built");
    let mut input = publisher.stdin.take().expect("piped");
    let bytes = clip(1);
    input.write_all(&bytes).expect("it reads");
    until_written(&kept, bytes.len() as u64);
    until_written(&whole, bytes.len() as u64);
    let [leaver, stayer] = viewers;
    signal(&leaver, "INT");
    let leaver = wait(leaver);
    assert_eq!(leaver.code, Some(0), "{}", leaver.stderr);
    signal(&publisher, "TERM");
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    let stayer = wait(stayer);
    assert_eq!(stayer.code, Some(0), "the end was announced: {}", stayer.stderr);
    assert!(std::fs::read(&whole).expect("written") == bytes);
    drop(input);
}

#[test]
fn the_demonstration_prints_one_object_with_the_promised_fields() {
    let finished = stratus(&["demo", "--viewers", "4", "--for", "3s", "--json"]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let value: serde_json::Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    let fields: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "auth_ratio",
            "bytes_identical",
            "control_ratio",
            "copies",
            "delivered_ratio",
            "members",
            "neighbors_mean",
            "p50_ms",
            "p99_ms",
            "peer_share",
            "publisher_copies",
        ]
    );
    assert_eq!((&value["members"], &value["delivered_ratio"]), (&5.into(), &1.0.into()));
    assert_eq!(value["bytes_identical"], true);
}

#[test]
fn viewers_of_a_publisher_that_was_killed_go_on_a_second_after_it_is_back() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (source, film) = (folder.path().join("source.ts"), folder.path().join("viewer.ts"));
    std::fs::write(&source, clip(8)).expect("writable");
    let source = source.display().to_string();
    let viewer = stage.play(&film);
    let mut doomed = stage.publish(&source, &["--realtime"]);
    until_written(&film, 90_000);
    doomed.kill().expect("SIGKILL");
    doomed.wait().expect("killed");
    std::thread::sleep(Duration::from_millis(1_500));
    let written = std::fs::metadata(&film).expect("written").len();
    let started_at = Instant::now();
    let mut publisher = stage.publish(&source, &["--realtime"]);
    let mut said = BufReader::new(publisher.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("publishing \"cam\"") {
        line.clear();
        assert!(said.read_line(&mut line).expect("text") > 0, "the publisher ended");
    }
    let back_at = Instant::now();
    until_written(&film, written + 1);
    let (resumed, in_all) = (back_at.elapsed(), started_at.elapsed());
    assert!(
        resumed <= Duration::from_secs(1),
        "resumed after {resumed:?}, {in_all:?} after the process started"
    );
    std::thread::spawn(move || said.read_to_string(&mut line));
    assert_eq!(wait(publisher).code, Some(0));
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
    assert_eq!(viewer.stderr.matches("began anew").count(), 1, "{}", viewer.stderr);
    assert!(viewer.stderr.contains("nothing missing"), "{}", viewer.stderr);
}

#[test]
fn a_viewer_whose_publisher_stays_away_ends_and_says_why() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (source, film) = (folder.path().join("source.ts"), folder.path().join("viewer.ts"));
    std::fs::write(&source, clip(8)).expect("writable");
    let viewer = stage.play_with(&film, &["--publisher-timeout", "3s", "--window", "2s"]);
    let mut doomed = stage.publish(&source.display().to_string(), &["--realtime", "--fetch-period", "200ms"]);
    until_written(&film, 90_000);
    doomed.kill().expect("SIGKILL");
    doomed.wait().expect("killed");
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(1), "{}", viewer.stderr);
    assert!(viewer.stderr.contains("the publisher of \"cam\" is gone"), "{}", viewer.stderr);
    assert!(viewer.stderr.contains("--publisher-timeout"), "{}", viewer.stderr);
}
