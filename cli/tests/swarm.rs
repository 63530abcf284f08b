//! `share` and `fetch` among several processes, some of which die, lie, or have no room.
#![allow(clippy::print_stderr)]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Stage, command, finished, signal};
use serde_json::Value;
use stratus::{Connection, ObjectEvent};
use stratus_groupspec::Groupspec;
use stratus_sharing::{Store as _, scan};
use tempfile::TempDir;

const HERE: [&str; 4] = ["--listen", "127.0.0.1:0", "--no-cache", "--json"];
/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member in a process of its own, and what it has told so far; killed when dropped.
struct Member {
    child: Child,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Member {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(&[arguments, &HERE].concat())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built for this test");
        let told = Arc::new(Mutex::new(Vec::new()));
        let (lines, sink) = (BufReader::new(child.stdout.take().expect("piped")), told.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                sink.lock().expect("no panic").push(serde_json::from_str(&line).expect("JSON"));
            }
        });
        Self { child, told }
    }

    /// The newest word of this type.
    fn last(&self, kind: &str) -> Option<Value> {
        self.told.lock().expect("no panic").iter().rev().find(|told| told["type"] == kind).cloned()
    }

    fn held_bytes(&self) -> u64 {
        self.last("stats").and_then(|stats| stats["held_bytes"].as_u64()).unwrap_or(0)
    }

    /// Its summary, once it has everything.
    fn whole(&self) -> Option<Value> {
        self.last("summary").filter(|summary| summary["complete"] == true)
    }

    fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One sharer of a file, and what others need.
struct Swarm {
    stage: Stage,
    folder: TempDir,
    content: Vec<u8>,
    spec: String,
    sharer: Member,
}

impl Swarm {
    /// A file of so many bytes; its sharer sends no more than `upload` a second.
    fn new(bytes: u32, upload: &str) -> Self {
        let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
        let content: Vec<u8> = (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let path = folder.path().join("film.mp4");
        fs::write(&path, &content).expect("written");
        let server = stage.server_addr.to_string();
        let path = path.to_str().expect("ASCII");
        let sharer = Member::start(&["share", path, "--server", &server, "--max-upload", upload]);
        until("the groupspec", || sharer.last("shared").is_some());
        let spec = sharer.last("shared").expect("just seen")["groupspec"].as_str().expect("text").to_owned();
        fs::write(folder.path().join("set.spec"), &spec).expect("written");
        Self { stage, folder, content, spec, sharer }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fetch(&self, name: &str, options: &[&str]) -> Member {
        let (spec, into) = (format!("@{}", self.place("set.spec").display()), self.place(name));
        Member::start(&[&["fetch", &spec, into.to_str().expect("ASCII")], options].concat())
    }

    fn is_right(&self, name: &str) -> bool {
        fs::read(self.place(name).join("film.mp4")).expect("fetched") == self.content
    }
}

/// Two of five die in the middle, the sharer when one of the others has all; one of the dead comes back.
#[test]
fn the_dead_take_nothing_with_them_and_go_on_where_they_were() {
    let mut swarm = Swarm::new(6 << 20, "2M");
    let names = ["a", "b", "c", "d", "e"];
    let mut members = names.map(|name| swarm.fetch(name, &["--seed", "--max-upload", "2M"]));
    until("a quarter everywhere", || members.iter().all(|member| member.held_bytes() > 3 << 19));
    let dead = members.first_chunk_mut::<2>().expect("of five");
    dead.iter_mut().for_each(Member::kill);
    let held = members[0].held_bytes();
    until("a whole copy", || members[2..].iter().any(|member| member.whole().is_some()));
    swarm.sharer.kill();
    until("everybody alive", || members[2..].iter().all(|member| member.whole().is_some()));
    let again = swarm.fetch("a", &[]);
    until("one of the dead", || again.whole().is_some());
    for name in ["a", "c", "d", "e"] {
        assert!(swarm.is_right(name), "{name}");
    }
    let total = swarm.content.len() as u64;
    let fetched = again.whole().expect("just seen")["fetched_bytes"].as_u64().expect("a number");
    assert!(fetched <= total - held + total / 100, "{fetched} of {total} again, {held} were there");
    assert!(swarm.stage.server_addr.port() > 0);
}

/// A member that gives out each object with one byte changed.
async fn flip(spec: Groupspec, server: String, path: PathBuf) {
    let builder = Connection::builder().listen("127.0.0.1:0".parse().expect("an address")).server(server);
    let connection = builder.start().await.expect("a free port");
    let group = connection.join(&spec).await.expect("a groupspec");
    let mut objects = group.objects().await.expect("it replicates");
    let (set, mut source, _) = scan(&[path]).expect("readable");
    let start = set.data_start();
    objects.add_have(0..set.object_count()).await.expect("in the group");
    while let Some(event) = objects.next().await {
        let ObjectEvent::Request { request, index, .. } = event else { continue };
        let object = match set.head_object(index) {
            Some(head) => head,
            None => {
                let mut object = source.read(&set, index - start).expect("readable").to_vec();
                object[7] ^= 1;
                Bytes::from(object)
            }
        };
        objects.write(request, object).await.expect("in the group");
    }
}

/// spec RE-12, RE-23
#[test]
fn who_changes_a_byte_is_blamed_and_changes_no_file() {
    let swarm = Swarm::new(3 << 20, "1M");
    let (server, path) = (swarm.stage.server_addr.to_string(), swarm.place("film.mp4"));
    let spec = Groupspec::parse(&swarm.spec).expect("just printed");
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.spawn(flip(spec, server, path));
    let members = ["a", "b", "c"].map(|name| swarm.fetch(name, &["--seed", "--max-upload", "1M"]));
    until("everybody", || members.iter().all(|member| member.whole().is_some()));
    for name in ["a", "b", "c"] {
        assert!(swarm.is_right(name), "{name}");
    }
    let rejected =
        members.iter().map(|member| member.whole().expect("just seen")["rejected_objects"].as_u64());
    let rejected: u64 = rejected.flatten().sum();
    assert!(rejected > 0, "nobody met the one that changes bytes");
    runtime.shutdown_background();
}

/// Runs a script where it may mount things, if that is possible here.
fn in_own_mounts(script: &str, arguments: &[&str]) -> Option<Command> {
    let can = Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !can {
        assert!(std::env::var_os("STRATUS_CI").is_none(), "no mount namespace can be made");
        eprintln!("skipped: no mount namespace can be made; root can");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).args(arguments).stdin(Stdio::null());
    Some(command)
}

/// A file system of 5 MiB is too small for 8 MiB; one of 64 is not.
#[test]
fn a_full_disk_is_told_of_and_the_fetch_goes_on_when_there_is_room() {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=5m tmpfs "$1" || exit 77
        fetch() { "$2" fetch "$3" "$1" --listen 127.0.0.1:0 --no-cache --json; echo "{\"type\":\"code\",\"code\":$?}"; }
        fetch "$@"
        mount -o remount,size=64m "$1"
        fetch "$@"
        cp "$1"/* "$4"
    "#;
    let swarm = Swarm::new(8 << 20, "20M");
    let (small, out) = (swarm.place("small"), swarm.place("out"));
    [&small, &out].into_iter().for_each(|path| fs::create_dir(path).expect("made"));
    let spec = format!("@{}", swarm.place("set.spec").display());
    let text = |path: &Path| path.to_str().expect("ASCII").to_owned();
    let arguments = [&text(&small), env!("CARGO_BIN_EXE_stratus"), &spec, &text(&out)];
    let Some(mut command) = in_own_mounts(SCRIPT, &arguments) else { return };
    let done = finished(command.output().expect("there is unshare"));
    let told: Vec<Value> = done.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let all = |kind: &str| told.iter().filter(|told| told["type"] == kind).collect::<Vec<_>>();
    let codes: Vec<_> = all("code").iter().map(|told| told["code"].as_u64()).collect();
    assert_eq!(codes, [Some(1), Some(0)], "{}", done.stderr);
    assert!(done.stderr.contains("the disk is full"), "{}", done.stderr);
    assert!(swarm.is_right("out"));
    let bytes = |name: &str| all("summary").iter().filter_map(|told| told[name].as_u64()).collect::<Vec<_>>();
    let (held, fetched, total) =
        (bytes("held_bytes")[0], bytes("fetched_bytes")[1], swarm.content.len() as u64);
    assert!(held > 1 << 20 && held < total, "{held} of {total} fitted");
    assert!(fetched <= total - held + total / 100, "{fetched} of {total} again, {held} were there");
    signal(&swarm.sharer.child, "INT");
}
