//! One that comes late to a talk of real processes, and what that costs it.
//!
//! `STRATUS_POSTS=10000 cargo test --release -p stratus-cli --test late -- --nocapture` plays it at full size: a minute and
//! a half of talk, since nobody may say more than 40 things in 10 s.

#![allow(clippy::print_stdout)]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use common::{Running, Stage, command, get, value};
use serde_json::Value;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(400);
/// Most posts of one talker.
const EACH: usize = 400;

/// Somebody who says line after line; killed when dropped.
struct Talker(Child);

impl Talker {
    fn start(spec: &str, number: usize, lines: usize) -> Self {
        let name = format!("talker{number}");
        let arguments = ["chat", spec, "--name", &name, "--json", "--listen", "127.0.0.1:0", "--no-cache"];
        let mut child = command(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("built");
        let input = child.stdin.as_mut().expect("piped");
        // Fewer than a pipe holds, or it waits for the group; either way it stays until it is killed.
        for line in 0..lines {
            writeln!(input, "line {line} of a talk that went on for hours").expect("it reads");
        }
        Self(child)
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who listens, and where it says what it counted.
fn listener(spec: &str) -> (Running, String) {
    let listen = ["listen", spec, "--json", "--admin", "127.0.0.1:0", "--alias", "talk"];
    let mut listener =
        Running::start(&mut command(&[&listen[..], &["--listen", "127.0.0.1:0", "--no-cache"]].concat()));
    let at = listener.told("admin listener on http: ");
    (listener, at)
}

/// A metric of the group.
fn metric(at: &str, name: &str, labels: &str) -> f64 {
    let page = get(at, "/metrics").1;
    value(&page, &format!("{name}{{group=\"talk\"{labels}}} ")).unwrap_or_default()
}

/// Waits until so many posts were delivered.
fn until_delivered(at: &str, posts: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let delivered = metric(at, "stratus_posts_total", ",result=\"delivered\"") as usize;
        if delivered >= posts {
            return;
        }
        assert!(Instant::now() < deadline, "{delivered} of {posts} posts after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The ids of so many posts, as a process shows them; and what it shows then, so that it need not stop.
fn shown(output: ChildStdout, posts: usize) -> (Vec<String>, impl Iterator<Item = String>) {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let of_post = |line: String| {
        let event: Value = serde_json::from_str(&line).expect("JSON");
        (event["type"] == "post").then(|| event["id"].as_str().expect("a text").to_owned())
    };
    (lines.by_ref().filter_map(of_post).take(posts).collect(), lines)
}

#[test]
fn one_that_comes_late_hears_everything_once_for_less_than_a_fifth_more_than_it_weighs() {
    let posts: usize = std::env::var("STRATUS_POSTS").map_or(120, |posts| posts.parse().expect("a number"));
    let stage = Stage::new();
    let spec = stage.viewer.as_str();
    let (mut witness, at_witness) = listener(spec);
    let count = posts.div_ceil(EACH).max(3);
    let share = |number: usize| posts * (number + 1) / count - posts * number / count;
    let _talkers: Vec<Talker> = (0..count).map(|number| Talker::start(spec, number, share(number))).collect();
    // What it shows has to be read, or it waits.
    let output = witness.child.stdout.take().expect("piped");
    let heard = std::thread::spawn(move || shown(output, posts));
    until_delivered(&at_witness, posts);
    let (before, _output) = heard.join().expect("it heard them");
    let begun = Instant::now();
    let (mut late, at_late) = listener(spec);
    let output = late.child.stdout.take().expect("piped");
    let heard = std::thread::spawn(move || shown(output, posts));
    until_delivered(&at_late, posts);
    let took = begun.elapsed();
    let bytes = |kind: &str| {
        metric(&at_late, "stratus_posting_bytes_total", &format!(",direction=\"rx\",kind=\"{kind}\""))
    };
    let (received, weight) =
        (bytes("data") + bytes("control"), metric(&at_late, "stratus_posts_held_bytes", ""));
    let joined = metric(&at_late, "stratus_joined_seconds", "");
    println!(
        "{posts} posts of {count} processes: {took:.2?} from its start (in the group after {joined:.2} s), \
         {received} bytes received for {weight} held: {:.3}",
        received / weight
    );
    assert!(weight > posts as f64 * 100.0 && received < weight * 1.2, "{received} bytes for {weight}");
    let (after, _output) = heard.join().expect("it heard them");
    let ids = |all: &[String]| all.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!((after.len(), ids(&after).len()), (posts, posts), "each once");
    assert_eq!(ids(&before), ids(&after));
}
