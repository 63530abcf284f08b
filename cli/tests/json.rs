//! Events for programs: one object on each line, with a type and a time.

mod common;

use std::io::{Read as _, Write as _};

use common::{CLIP, Stage, command, wait};
use serde_json::Value;

/// The events in a text that must hold nothing else.
fn events(text: &str) -> Vec<Value> {
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for event in &events {
        let time = event["time"].as_str().unwrap_or_else(|| panic!("no time: {event}"));
        assert!(humantime::parse_rfc3339(time).is_ok(), "{event}");
        assert!(event["type"].is_string(), "{event}");
    }
    events
}

/// What `field` says in the events of this type, in order.
fn told<'a>(events: &'a [Value], kind: &str, field: &str) -> Vec<&'a str> {
    let of_kind = events.iter().filter(|event| event["type"] == kind);
    of_kind.filter_map(|event| event[field].as_str()).collect()
}

/// What became of it; told once.
fn summary(events: &[Value]) -> &Value {
    let mut summaries = events.iter().filter(|event| event["type"] == "summary");
    let summary = summaries.next().expect("a summary");
    assert_eq!((&summary["stream"], summaries.next()), (&"cam".into(), None));
    summary
}

#[test]
fn both_ends_tell_their_states_codes_figures_and_what_became_of_it() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let [source, kept] = ["source.ts", "kept.ts"].map(|name| folder.path().join(name).display().to_string());
    let eight_seconds = CLIP.len() / 188 * 8 / 30 * 188;
    std::fs::write(&source, &CLIP[..eight_seconds]).expect("writable");
    let viewer = common::spawn(&["play", &stage.viewer, "cam", &kept, "--json", "--listen", "127.0.0.1:0"]);
    let publisher = wait(stage.publish(&source, &["--json", "--realtime"]));
    let viewer = wait(viewer);
    assert_eq!((publisher.code, viewer.code), (Some(0), Some(0)), "{}{}", publisher.stderr, viewer.stderr);
    let (published, played) = (events(&publisher.stdout), events(&viewer.stdout));
    assert_eq!(told(&published, "state", "state"), ["joining", "joined", "publishing"]);
    let states = told(&played, "state", "state");
    assert!(states.starts_with(&["joining"]) && states.contains(&"playing"), "{states:?}");
    for (events, codes) in [
        (
            &published,
            &["NetGroup.Connect.Success", "NetStream.Publish.Start", "NetGroup.Neighbor.Connect"][..],
        ),
        (
            &played,
            &[
                "NetGroup.Neighbor.Connect",
                "NetGroup.MulticastStream.PublishNotify",
                "NetStream.Play.Start",
                "NetStream.Play.UnpublishNotify",
            ],
        ),
    ] {
        let told = told(events, "event", "code");
        assert!(codes.iter().all(|code| told.contains(code)), "{codes:?} in {told:?}");
        let stats: Vec<&Value> = events.iter().filter(|event| event["type"] == "stats").collect();
        assert!(!stats.is_empty() && stats.iter().all(|event| event["members"] == 2), "{stats:?}");
        assert_eq!(summary(events)["missing_fragments"], 0);
    }
    let (sent, got) = (summary(&published), summary(&played));
    assert!(
        got["bytes"].as_u64() > Some(100_000) && sent["bytes"].as_u64() >= got["bytes"].as_u64(),
        "{sent} {got}"
    );
    assert!(viewer.stderr.contains("playing \"cam\"\n"), "people can read along: {}", viewer.stderr);
}

#[test]
fn where_the_stream_goes_to_stdout_its_events_are_all_that_is_on_stderr() {
    let stage = Stage::new();
    let arguments = ["play", &stage.viewer, "cam", "--json", "-v", "--listen", "127.0.0.1:0"];
    let mut viewer = command(&arguments).spawn().expect("built");
    let mut output = viewer.stdout.take().expect("piped");
    let mut word = [0; 5];
    let publisher = stage.publish_a_word(&["-q"], || output.read_exact(&mut word).is_ok());
    assert_eq!((publisher.code, publisher.stderr.as_str()), (Some(0), ""));
    let viewer = wait(viewer);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).expect("piped");
    assert_eq!((viewer.code, &word, rest.as_slice()), (Some(0), b"hello", &b""[..]));
    assert!(told(&events(&viewer.stderr), "state", "state").contains(&"playing"), "{}", viewer.stderr);
}

#[test]
fn a_failure_is_an_event_too() {
    let stage = Stage::new();
    let failed = common::stratus(&["play", &stage.viewer, "cam", "--json", "--listen", "192.0.2.7:0"]);
    let events = events(&failed.stderr);
    assert_eq!(failed.code, Some(1));
    assert_eq!(told(&events, "error", "what"), ["cannot bind udp port: 192.0.2.7:0"]);
    let error = events.last().expect("an error");
    assert_eq!(error["exit_code"], 1);
    assert!(error["tried"].is_string() && error["hint"].is_string(), "{error}");
    // With the events on stdout, people get their three lines on stderr as well.
    let failed = common::stratus(&["publish", &stage.viewer, "cam", "/dev/null", "--json"]);
    assert_eq!(failed.code, Some(4));
    assert!(failed.stdout.contains("\"type\":\"error\"") && failed.stderr.starts_with("error: "));
}

#[test]
fn nobody_reading_the_events_does_not_end_the_stream() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let kept = folder.path().join("kept");
    let viewer = stage.play(&kept);
    let arguments = ["publish", &stage.publisher, "cam", "--raw", "--json", "--listen", "127.0.0.1:0"];
    let mut publisher = command(&arguments).stdin(std::process::Stdio::piped()).spawn().expect("built");
    drop(publisher.stdout.take());
    let mut input = publisher.stdin.take().expect("piped");
    input.write_all(b"hello").expect("it reads");
    common::until_written(&kept, 5);
    drop(input);
    assert_eq!(wait(publisher).code, Some(0));
    assert_eq!(wait(viewer).code, Some(0));
    assert_eq!(std::fs::read(kept).expect("written"), b"hello");
}

#[test]
fn who_only_receives_gets_everything_and_sends_nothing() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let source = folder.path().join("source.ts");
    let four_seconds = CLIP.len() / 188 * 4 / 30 * 188;
    std::fs::write(&source, &CLIP[..four_seconds]).expect("writable");
    let play = |name: &str, option: &[&str]| {
        let kept = folder.path().join(name).display().to_string();
        let arguments = ["play", &stage.viewer, "cam", &kept, "--json", "--listen", "127.0.0.1:0"];
        common::spawn(&[&arguments, option].concat())
    };
    let viewers = [
        play("download-only", &["--download-only"]),
        play("metered", &["--metered"]),
        play("relay-no", &["--relay", "no"]),
        play("relays", &[]),
    ];
    // The publisher cannot feed all four; somebody lives on what the one that relays passes on.
    let publisher = stage.publish(&source.display().to_string(), &["--realtime", "--max-upload", "150k"]);
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    let finished = viewers.map(wait);
    let sent: Vec<u64> = finished
        .iter()
        .map(|viewer| {
            assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
            let events = events(&viewer.stdout);
            let summary = summary(&events);
            assert_eq!(summary["missing_fragments"], 0, "{summary}");
            assert!(summary["bytes"].as_u64() > Some(four_seconds as u64 / 2), "{summary}");
            summary["sent_bytes"].as_u64().expect("a number")
        })
        .collect();
    assert_eq!(sent[..3], [0, 0, 0]);
    assert!(sent[3] > 0, "somebody must relay: {sent:?}");
}
