//! Directed routing and the group's values with real processes.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Stdio};

use common::{Finished, Stage, command, finished, signal, stratus, wait};
use serde_json::Value;

/// A member that shows what comes to it, as JSON.
struct Listener {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Listener {
    fn start(stage: &Stage, mode: &str) -> Self {
        let arguments = ["route", &stage.viewer, "-", "--mode", mode, "--json", "--listen", "127.0.0.1:0"];
        let mut child = command(&arguments).spawn().expect("built");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let state = until(&mut lines, |event| event["state"] == "listening");
        let address = state["address"].as_str().expect("a text").to_owned();
        Self { child, lines, address }
    }

    /// The next message that has arrived.
    fn heard(&mut self) -> Value {
        until(&mut self.lines, |event| {
            event["code"] == "NetGroup.SendTo.Notify"
                && (event["from_local"] == true || event["to"].is_null())
        })
    }

    fn stop(self) -> Finished {
        signal(&self.child, "INT");
        finished(self.child.wait_with_output().expect("it ends"))
    }
}

fn until(lines: &mut impl Iterator<Item = std::io::Result<String>>, is_it: impl Fn(&Value) -> bool) -> Value {
    lines
        .map(|line| serde_json::from_str::<Value>(&line.expect("readable")).expect("an object"))
        .find(is_it)
        .expect("it comes before the end")
}

fn run(words: &[&str], options: &[&str]) -> Finished {
    stratus(&[words, &["--listen", "127.0.0.1:0"], options].concat())
}

#[test]
fn what_is_sent_arrives_where_it_should() {
    let stage = Stage::new();
    let mut near = Listener::start(&stage, "nearest");
    let mut exact = Listener::start(&stage, "exact");
    let spec = stage.viewer.as_str();
    // The only one that takes for the nearest gets what is for an empty place.
    let nowhere = "55".repeat(32);
    let sent = run(&["route", spec, &nowhere, "hello"], &[]);
    assert_eq!((sent.code, sent.stdout.as_str()), (Some(0), ""), "{}", sent.stderr);
    let heard = near.heard();
    assert_eq!((&heard["message"], &heard["to"]), (&"hello".into(), &nowhere.as_str().into()));
    let sent = run(&["route", spec, &exact.address, "psst", "--mode", "exact"], &[]);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let heard = until(&mut exact.lines, |event| event["code"] == "NetGroup.SendTo.Notify");
    assert_eq!(heard["message"], "psst");
    // To everybody, a line at a time.
    let arguments = ["route", spec, "-", "-", "--mode", "all", "--json", "--listen", "127.0.0.1:0"];
    let mut child = command(&arguments).stdin(Stdio::piped()).spawn().expect("built");
    child.stdin.take().expect("piped").write_all(b"one\ntwo\n").expect("it reads");
    let sent = wait(child);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert_eq!(sent.lines().iter().filter(|line| line.contains(r#""result":"sent""#)).count(), 2);
    for word in ["one", "two"] {
        assert_eq!(near.heard()["message"], word);
    }
    for listener in [near, exact] {
        assert_eq!(listener.stop().code, Some(0));
    }
}

#[test]
fn there_is_no_route_to_where_nobody_sits() {
    let stage = Stage::new();
    let exact = Listener::start(&stage, "exact");
    let nowhere = "55".repeat(32);
    let sent = run(&["route", &stage.viewer, &nowhere, "hello"], &["--timeout", "2s"]);
    assert_eq!(sent.code, Some(1), "{}", sent.stderr);
    for part in ["error: no route", "tried: no neighbor takes", "hint: some member must take"] {
        assert!(sent.stderr.contains(part), "{part}: {}", sent.stderr);
    }
    let sent = run(&["route", &stage.viewer, "-", "hello"], &[]);
    assert_eq!(sent.code, Some(2), "{}", sent.stderr);
    assert_eq!(exact.stop().code, Some(0));
}

#[test]
fn a_value_is_put_found_and_replaced_but_not_by_an_older_one() {
    // DH-4
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let members = [Listener::start(&stage, "exact"), Listener::start(&stage, "exact")];
    let spec = stage.viewer.as_str();
    let put = run(&["dht", "put", spec, "seven"], &[]);
    assert_eq!((put.code, put.lines().len()), (Some(0), 1), "{}", put.stderr);
    let got = run(&["dht", "get", spec, put.stdout.trim()], &[]);
    assert_eq!((got.code, got.stdout.as_str()), (Some(0), "seven"), "{}", got.stderr);
    let key_file = folder.path().join("signer.key").display().to_string();
    let signed = |text: &str, options: &[&str]| {
        run(&["dht", "put", spec, text, "--signer", &key_file, "--name", "count"], options)
    };
    let first = signed("one", &["--sequence", "5"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let second = signed("two", &[]);
    assert_eq!((second.code, &second.stdout), (Some(0), &first.stdout), "{}", second.stderr);
    let older = signed("three", &["--sequence", "5"]);
    assert_eq!(older.code, Some(4), "{}", older.stderr);
    for part in ["error: the value was not taken: sequence 5", "tried: sequence 6 is kept", "hint: leave"] {
        assert!(older.stderr.contains(part), "{part}: {}", older.stderr);
    }
    let got = run(&["dht", "get", spec, first.stdout.trim()], &["--json"]);
    let value =
        got.lines().iter().find(|line| line.contains(r#""type":"value""#)).map(|line| line.to_string());
    let value: Value = serde_json::from_str(&value.expect("a value")).expect("an object");
    assert_eq!((&value["value"], &value["sequence"]), (&"two".into(), &6.into()));
    members.into_iter().for_each(|member| assert_eq!(member.stop().code, Some(0)));
}

#[test]
fn nothing_is_found_where_it_was_never_put_and_nobody_is_asked_in_an_empty_group() {
    let stage = Stage::new();
    let key = "07".repeat(32);
    let alone = run(&["dht", "get", &stage.viewer, &key], &["--timeout", "1s"]);
    assert_eq!(alone.code, Some(3), "{}", alone.stderr);
    assert!(alone.stderr.contains("error: the group has no other member"), "{}", alone.stderr);
    let member = Listener::start(&stage, "exact");
    let missing = run(&["dht", "get", &stage.viewer, &key], &[]);
    assert_eq!(missing.code, Some(1), "{}", missing.stderr);
    assert!(missing.stderr.contains("error: there is no such value"), "{}", missing.stderr);
    assert_eq!(member.stop().code, Some(0));
}

#[test]
fn a_group_without_routing_is_refused() {
    let made = stratus(&["group", "new", "show", "--unique", "--no-routing", "--server", "127.0.0.1:1"]);
    let spec = made.lines()[0].to_owned();
    for words in [["route", spec.as_str(), "-", "x"], ["dht", "put", spec.as_str(), "x"]] {
        let refused = run(&words, &["--mode", "all"][..if words[0] == "route" { 2 } else { 0 }]);
        assert_eq!(refused.code, Some(4), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: make a group without --no-routing"), "{}", refused.stderr);
    }
}
