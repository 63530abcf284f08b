//! `post`, `listen` and `chat` as real processes.

#![allow(clippy::print_stdout)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Stage, command, signal, stratus, wait};
use serde_json::Value;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process whose lines of output come one by one; it is killed when dropped.
struct Talker {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Talker {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built for this test");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // Whoever waits may have seen enough.
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, seen: Vec::new() }
    }

    fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{line}").expect("it reads");
    }

    /// Reads on until a line has `what` in it; gives the line.
    fn hear(&mut self, what: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.seen.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
        panic!("{what:?} never came, but {:#?}", self.seen);
    }

    /// How many lines that came so far have `what` in them.
    fn count(&self, what: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(what)).count()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn three_processes_talk_and_one_that_comes_late_hears_it_all() {
    let stage = Stage::new();
    let spec = stage.viewer.as_str();
    let here = ["--listen", "127.0.0.1:0", "--no-cache"];
    let with = |words: &[&str]| Talker::start(&[words, &here].concat());
    let mut ann = with(&["chat", spec, "--name", "ann"]);
    let mut bob = with(&["chat", spec, "--name", "bob", "--json"]);
    let mut ears = with(&["listen", spec]);
    ann.say("hello everybody");
    bob.hear("hello everybody");
    ears.hear("ann: hello everybody");
    // How long that takes where all is in place; no bar, since it is the machine's as well.
    for number in 0..5 {
        let said = Instant::now();
        ann.say(&format!("number {number}"));
        bob.hear(&format!("number {number}"));
        ears.hear(&format!("number {number}"));
        println!("both others have it after {:.1?}", said.elapsed());
    }
    bob.say("hello ann \u{1b}[2Jand \u{202e}others");
    let line = ann.hear("hello ann");
    assert!(line.ends_with("bob: hello ann \u{fffd}[2Jand \u{fffd}others"), "{line:?}");
    ears.hear("hello ann");
    // The same once more is another post.
    ann.say("hello everybody");
    let event: Value = serde_json::from_str(&bob.hear("hello everybody")).expect("JSON");
    let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    assert_eq!((field("type"), field("code")), ("post".into(), "NetGroup.Posting.Notify".into()));
    assert_eq!((field("name"), field("text")), ("ann".into(), "hello everybody".into()));
    assert_eq!((field("id").len(), field("peer").len()), (32, 64));
    ears.hear("hello everybody");
    assert_eq!((bob.count("hello everybody"), ears.count("hello everybody")), (2, 2));
    let posted = stratus(&[&["post", spec, "from a script"], &here[..]].concat());
    assert_eq!((posted.code, posted.lines().len()), (Some(0), 1), "{}", posted.stderr);
    ears.hear(": from a script");
    let mut late = with(&["listen", spec, "--json"]);
    for said in ["hello everybody", "hello ann", "hello everybody", "from a script"] {
        late.hear(said);
    }
    signal(&late.child, "INT");
    assert_eq!(late.child.wait().expect("our own child").code(), Some(0), "being told to stop is its end");
}

#[test]
fn lines_of_a_pipe_are_posted_and_the_end_of_it_is_the_end() {
    let stage = Stage::new();
    let here = ["--listen", "127.0.0.1:0", "--no-cache"];
    let mut ears = Talker::start(&[&["listen", stage.viewer.as_str()], &here[..]].concat());
    let mut poster = command(&[&["post", stage.viewer.as_str(), "-"], &here[..]].concat())
        .stdin(Stdio::piped())
        .spawn()
        .expect("built");
    let mut input = poster.stdin.take().expect("piped");
    input.write_all(b"one\n\ntwo\nthree").expect("it reads");
    drop(input);
    let posted = wait(poster);
    assert_eq!(posted.code, Some(0), "{}", posted.stderr);
    assert_eq!(posted.lines().len(), 3, "an id for each line that says something");
    ears.hear(": three");
    assert_eq!([": one", ": two", ": three"].map(|text| ears.count(text)), [1, 1, 1]);
}

#[test]
fn a_post_over_the_limit_is_refused_with_what_to_do() {
    let stage = Stage::new();
    let here = ["--listen", "127.0.0.1:0", "--no-cache"];
    let mut ears = Talker::start(&[&["listen", stage.viewer.as_str()], &here[..]].concat());
    let longest = "x".repeat(8_192);
    let posted = stratus(&[&["post", stage.viewer.as_str(), &longest], &here[..]].concat());
    assert_eq!(posted.code, Some(0), "{}", posted.stderr);
    ears.hear(&longest);
    let refused = stratus(&[&["post", stage.viewer.as_str(), &format!("{longest}x")], &here[..]].concat());
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for part in ["error: the post is longer than 8192 bytes\n", "hint: say it in several posts"] {
        assert!(refused.stderr.contains(part), "{part:?} in {}", refused.stderr);
    }
}

#[test]
fn a_reader_is_refused_with_what_was_tried_and_what_to_do() {
    let made = stratus(&["group", "new", "quiet", "--unique", "--posting-key"]);
    let (writer, reader) = (made.lines()[0].to_owned(), made.lines()[1].to_owned());
    let nowhere = ["--no-server", "--listen", "127.0.0.1:0", "--no-cache"];
    for words in [&["post", &reader, "hello"][..], &["chat", &reader][..]] {
        let refused = stratus(&[words, &nowhere].concat());
        assert_eq!(refused.code, Some(4), "{}", refused.stderr);
        let parts: Vec<&str> = refused.stderr.lines().collect();
        assert_eq!(parts.len(), 3, "{parts:?}");
        assert_eq!(parts[0], "error: this groupspec does not authorize posting");
        assert!(parts[1].starts_with("  tried: ") && parts[2].starts_with("  hint: "), "{parts:?}");
        assert!(!refused.stderr.contains(&writer[3..]));
    }
    let silent = stratus(&["group", "new", "mute", "--unique", "--no-posting"]);
    let refused = stratus(&[&["listen", silent.lines()[0]], &nowhere[..]].concat());
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.starts_with("error: this group carries no posts\n"), "{}", refused.stderr);
}

#[test]
fn who_has_the_password_may_post() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "correct horse battery staple\n").expect("written");
    let file = file.display().to_string();
    let mut stage = Stage::new();
    let server = stage.server_addr.to_string();
    let made =
        stratus(&["group", "new", "club", "--unique", "--posting-password-file", &file, "--server", &server]);
    let reader = made.lines()[1].to_owned();
    let here = ["--listen", "127.0.0.1:0", "--no-cache"];
    let refused = stratus(&[&["post", reader.as_str(), "hello"], &here[..]].concat());
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    let mut ears = Talker::start(&[&["listen", reader.as_str()], &here[..]].concat());
    let posted =
        stratus(&[&["post", &reader, "open sesame", "--posting-password-file", &file], &here[..]].concat());
    assert_eq!(posted.code, Some(0), "{}", posted.stderr);
    ears.hear("open sesame");
    stage.stop_server();
}

#[test]
fn a_post_that_nobody_takes_is_told() {
    let stage = Stage::new();
    let alone = ["--listen", "127.0.0.1:0", "--no-cache", "--timeout", "1s"];
    let posted = stratus(&[&["post", stage.viewer.as_str(), "anybody"], &alone[..]].concat());
    assert_eq!(posted.code, Some(3), "{}", posted.stderr);
    assert!(posted.stderr.contains("error: nobody was there to take the post"), "{}", posted.stderr);
}

#[test]
fn a_name_that_would_not_be_shown_as_it_is_is_refused() {
    let made = stratus(&["group", "new", "quiet", "--unique"]);
    let refused = stratus(&["chat", made.lines()[0], "--name", "an\u{202e}n", "--no-server"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.starts_with("error: this name cannot be shown as it is\n"), "{}", refused.stderr);
}
