//! Passwords of publishers and posters, as people give them and as they are refused.

#[path = "../common/mod.rs"]
mod common;
mod files;
mod rights;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use common::{Finished, command, finished, stratus, wait};
use tempfile::TempDir;

const RIGHT: &str = "tram ocelot fjord lantern";
const WRONG: &str = "tram ocelot fjord lanterns";
const PUBLISH_OPTION: &str = "--publish-password-file";

/// A folder for secrets.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for temporary files"))
    }

    /// A file that only its owner may read.
    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        allow(&path, 0o600);
        path.display().to_string()
    }
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
}

/// Runs with `input` on standard input.
fn with_stdin(arguments: &[&str], input: &str) -> Finished {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().expect("built for this test");
    // One that is refused early does not read it.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    wait(child)
}

fn with_variables(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let output = command(arguments).envs(variables.iter().copied()).output();
    finished(output.expect("built for this test"))
}

/// The two lines of a group whose publishers know [`RIGHT`].
fn group(options: &[&str]) -> (String, String) {
    let made = with_variables(
        &[&["group", "new", "show", "--unique"], options].concat(),
        &[("STRATUS_PUBLISH_PASSWORD", RIGHT)],
    );
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    (made.lines()[0].to_owned(), made.lines()[1].to_owned())
}

fn shown(spec: &str) -> serde_json::Value {
    serde_json::from_str(&stratus(&["group", "show", spec, "--json"]).stdout).expect("one JSON object")
}

/// Publishes nothing, to see whether it would be allowed: the input is only opened by who may.
fn try_publishing(spec: &str, options: &[&str]) -> Finished {
    stratus(&[&["publish", spec, "cam", "/nowhere/clip.ts"], options].concat())
}

#[track_caller]
fn assert_allowed(finished: &Finished) {
    assert!(finished.stderr.contains("error: cannot open the input"), "{}", finished.stderr);
}
