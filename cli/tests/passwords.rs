//! Passwords of publishers and posters, as people give them and as they are refused.

mod common;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use common::{Finished, Stage, command, finished, stratus, wait};
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

#[test]
fn who_has_the_public_groupspec_and_the_password_publishes() {
    let (stage, folder) = (Stage::new(), Folder::new());
    let server = stage.server_addr.to_string();
    let (_, public) = group(&["--server", &server]);
    let password = folder.file("password", format!("{RIGHT}\n"));
    let received = folder.0.path().join("received").display().to_string();
    let play = |spec: &str, output: &str| -> Child {
        common::spawn(&["play", spec, "cam", output, "--listen", "127.0.0.1:0"])
    };
    let viewer = play(&public, &received);
    let input = folder.file("input", [b'x'; 5_000]);
    let publish = ["publish", &public, "cam", &input, "--raw", "--listen", "127.0.0.1:0"];
    let published = wait(common::spawn(&[&publish[..], &[PUBLISH_OPTION, &password]].concat()));
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
    assert_eq!(std::fs::read(received).expect("written"), [b'x'; 5_000]);
}

#[test]
fn a_wrong_password_is_refused_at_home() {
    let folder = Folder::new();
    let (_, public) = group(&[]);
    let wrong = folder.file("wrong", WRONG);
    let refused = try_publishing(&public, &[PUBLISH_OPTION, &wrong]);
    assert_eq!(refused.code, Some(4));
    assert_eq!(
        refused.stderr,
        format!(
            "error: the publish password is wrong\n  tried: {wrong}\n  \
             hint: ask for it again; each letter counts, and so do spaces, but not one line ending at the end\n"
        )
    );
    let refused = with_variables(
        &["publish", &public, "cam", "/nowhere/clip.ts"],
        &[("STRATUS_PUBLISH_PASSWORD", WRONG)],
    );
    assert_eq!(refused.code, Some(4));
    assert!(refused.stderr.contains("tried: the variable STRATUS_PUBLISH_PASSWORD\n"), "{}", refused.stderr);
}

#[test]
fn a_password_that_is_not_given_is_asked_for() {
    let (_, public) = group(&[]);
    let refused = try_publishing(&public, &[]);
    assert_eq!(refused.code, Some(4));
    assert_eq!(
        refused.stderr,
        "error: publishing in this group needs its password\n  \
         hint: give it by --publish-password-file FILE, or in the variable STRATUS_PUBLISH_PASSWORD\n"
    );
}

#[test]
fn one_line_ending_after_the_password_does_not_count_and_nothing_else_is_dropped() {
    let folder = Folder::new();
    let (_, public) = group(&[]);
    for (name, text) in [("bare", ""), ("unix", "\n"), ("dos", "\r\n")] {
        let file = folder.file(name, format!("{RIGHT}{text}"));
        assert_allowed(&try_publishing(&public, &[PUBLISH_OPTION, &file]));
    }
    for (name, text) in [("space", " "), ("spaceline", " \n")] {
        let file = folder.file(name, format!("{RIGHT}{text}"));
        assert_eq!(try_publishing(&public, &[PUBLISH_OPTION, &file]).code, Some(4), "{name}");
    }
    for (name, text) in [("two", "\n\n"), ("return", "\r"), ("second", "\nline"), ("nul", "\0")] {
        let file = folder.file(name, format!("{RIGHT}{text}"));
        let refused = try_publishing(&public, &[PUBLISH_OPTION, &file]);
        assert_eq!(refused.code, Some(2), "{name}");
        assert_eq!(
            refused.stderr,
            format!(
                "error: cannot use the publish password of {file}\n  \
                 tried: it has a control character, or more than one line\n  \
                 hint: one line of UTF-8 text is wanted; one line ending after it does not count\n"
            )
        );
    }
}

#[test]
fn files_that_hold_no_password_are_wrong_use() {
    let folder = Folder::new();
    let longest = "ü".repeat(512);
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("empty", Vec::new(), "it is empty"),
        ("line", b"\n".to_vec(), "it is empty"),
        ("latin", b"gr\xfcne Wiesen am Fluss".to_vec(), "it is not UTF-8 text"),
        ("long", vec![b'x'; 1025], "it is longer than 1024 bytes"),
        ("huge", "ü".repeat(50_000).into_bytes(), "it is longer than 1024 bytes"),
    ];
    for (name, bytes, why) in cases {
        let file = folder.file(name, bytes);
        for option in [PUBLISH_OPTION, "--posting-password-file"] {
            let refused = stratus(&["group", "new", "show", option, &file]);
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{name}");
            assert!(
                refused.stderr.contains(&format!(" password of {file}\n  tried: {why}\n")),
                "{}",
                refused.stderr
            );
        }
    }
    let file = folder.file("longest", format!("{longest}\r\n"));
    let made = stratus(&["group", "new", "show", PUBLISH_OPTION, &file]);
    assert!(!made.stderr.contains("longer"), "1024 bytes and a line ending fit: {}", made.stderr);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    let (_, public) = group(&[]);
    let missing = try_publishing(&public, &[PUBLISH_OPTION, "/nowhere/password"]);
    assert_eq!(missing.code, Some(2));
    assert_eq!(
        missing.stderr,
        "error: cannot read the publish password: /nowhere/password\n  \
         tried: no such file or directory (os error 2)\n  \
         hint: name a file that holds one line, the password\n"
    );
    let directory = folder.0.path().display().to_string();
    let refused = try_publishing(&public, &[PUBLISH_OPTION, &directory]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("tried: is a directory"), "{}", refused.stderr);
}

#[test]
fn a_file_that_others_can_read_is_warned_about() {
    let folder = Folder::new();
    let file = folder.file("password", RIGHT);
    assert!(!stratus(&["group", "new", "show", PUBLISH_OPTION, &file]).stderr.contains("other users"));
    allow(Path::new(&file), 0o644);
    let made = stratus(&["group", "new", "show", PUBLISH_OPTION, &file]);
    assert_eq!(made.code, Some(0));
    let warning = format!("warning: other users can read the publish password in {file} (chmod 600)\n");
    assert!(made.stderr.contains(&warning), "{}", made.stderr);
}

#[test]
fn standard_input_is_read_once() {
    let new = ["group", "new", "show", "--unique", PUBLISH_OPTION, "-"];
    let made = with_stdin(&new, &format!("{RIGHT}\n"));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let public = made.lines()[1].to_owned();
    let publish = ["publish", &public, "cam", "/nowhere/clip.ts", PUBLISH_OPTION, "-"];
    assert_allowed(&with_stdin(&publish, RIGHT));
    assert_eq!(with_stdin(&publish, WRONG).code, Some(4));
    let refused = with_stdin(&["publish", &public, "cam", PUBLISH_OPTION, "-"], RIGHT);
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: standard input cannot be both the password and the stream\n  hint: put the password into a file\n"
    );
    let refused = with_stdin(&[&new[..], &["--posting-password-file", "-"]].concat(), RIGHT);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("error: standard input cannot be read twice\n"), "{}", refused.stderr);
    // The master side of a new terminal is a terminal itself.
    let terminal =
        std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").expect("Linux has it");
    let refused = finished(command(&new).stdin(terminal).output().expect("built for this test"));
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: standard input is a terminal, and would show the publish password\n  \
         hint: put it into a file: --publish-password-file FILE\n"
    );
}

#[test]
fn a_file_goes_before_the_variable_and_the_variable_is_for_groups_with_a_password_only() {
    let folder = Folder::new();
    let (with, public) = group(&[]);
    let right = folder.file("right", RIGHT);
    let wrong_variable = [("STRATUS_PUBLISH_PASSWORD", WRONG)];
    let publish = |spec: &str, options: &[&str]| {
        with_variables(&[&["publish", spec, "cam", "/nowhere/clip.ts"], options].concat(), &wrong_variable)
    };
    assert_allowed(&publish(&public, &[PUBLISH_OPTION, &right]));
    assert_allowed(&publish(&with, &[]));
    let open = stratus(&["group", "new", "open", "--unique"]);
    assert_allowed(&publish(open.lines()[0], &[]));
    let random = stratus(&["group", "new", "random", "--unique", "--publish-key"]);
    assert_allowed(&publish(random.lines()[0], &[]));

    // An option means this very group.
    let refused = publish(open.lines()[1], &[PUBLISH_OPTION, &right]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.starts_with("error: this group needs no publish password: any member may publish\n")
    );
    let refused = publish(random.lines()[1], &[PUBLISH_OPTION, &right]);
    assert_eq!(refused.code, Some(4));
    assert!(refused.stderr.starts_with("error: this group has no publish password\n"), "{}", refused.stderr);
    let wrong = folder.file("wrong", WRONG);
    assert_eq!(publish(&with, &[PUBLISH_OPTION, &wrong]).code, Some(4), "checked though not needed");
}

#[test]
fn a_new_group_says_which_variable_it_took_and_an_empty_one_is_refused() {
    let made = with_variables(&["group", "new", "show", "--unique"], &[("STRATUS_POSTING_PASSWORD", RIGHT)]);
    assert_eq!(made.stderr, "the posting password is that of the variable STRATUS_POSTING_PASSWORD\n");
    let value = shown(made.lines()[1]);
    assert_eq!(
        (&value["has_posting_password"], &value["has_publish_password"]),
        (&true.into(), &false.into())
    );
    let refused = with_variables(&["group", "new", "show"], &[("STRATUS_PUBLISH_PASSWORD", "")]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "no open group by mistake");
    let random = ["group", "new", "show", "--unique", "--publish-key"];
    let made = with_variables(&random, &[("STRATUS_PUBLISH_PASSWORD", RIGHT)]);
    assert_eq!(shown(made.lines()[1])["has_publish_password"], false, "a random key was asked for");
    assert_eq!(stratus(&[&random[..], &[PUBLISH_OPTION, "/nowhere"]].concat()).code, Some(2), "one of both");
}

#[test]
fn a_weak_password_makes_no_group() {
    let folder = Folder::new();
    let cases = [
        ("short", "x7#Qp2!mZ9k", "it has fewer than 12 characters"),
        ("common", "P4ssw0rd123!", "it is much like passwords that many people use"),
        ("keys", "qwertyuiop[]", "it follows the keys of a keyboard"),
        ("name", "rehearsalroom", "it is made from words that are tried first"),
    ];
    for (name, text, why) in cases {
        let file = folder.file(name, text);
        let refused = stratus(&["group", "new", "rehearsalroom", "-q", PUBLISH_OPTION, &file]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{name}");
        assert_eq!(
            refused.stderr,
            format!(
                "error: the publish password is too weak: {file}\n  tried: {why}\n  hint: any member can try \
                 passwords: take four random words, or a random key with --publish-key\n"
            )
        );
    }
    let refused =
        stratus(&["group", "new", "show", "--posting-password-file", &folder.file("w", "aaaaaaaaaaaa")]);
    assert!(refused.stderr.ends_with("or a random key with --posting-key\n"), "{}", refused.stderr);
}

#[test]
fn show_tells_what_needs_a_password_and_not_which() {
    let (with, without) = group(&["--posting-key"]);
    let line = |spec: &str, label: &str| {
        let shown = stratus(&["group", "show", spec]).stdout;
        shown.lines().find_map(|line| line.strip_prefix(label)).expect("it is told").trim().to_owned()
    };
    assert_eq!(
        line(&without, "publishing"),
        "needs the password, or an authorization, which this groupspec does not carry"
    );
    assert_eq!(
        line(&with, "publishing"),
        "needs the password, or an authorization, which this groupspec carries: keep it secret"
    );
    assert_eq!(line(&without, "posting"), "needs an authorization, which this groupspec does not carry");
    let value = shown(&without);
    let fields = ["has_publish_password", "publishing_needs_authorization", "has_publish_authorization"];
    assert_eq!(fields.map(|field| value[field].as_bool().expect("true or false")), [true, true, false]);
}

/// What a command says and writes, run with everything said that can be said.
fn everything_said(arguments: &[&str]) -> (Option<i32>, String) {
    let run =
        with_variables(&[arguments, &["-vvvv"]].concat(), &[("RUST_BACKTRACE", "1"), ("RUST_LOG", "trace")]);
    (run.code, run.stdout + &run.stderr)
}

#[test]
fn no_output_no_log_and_no_error_has_a_password_or_what_it_gives() {
    let (stage, folder) = (Stage::new(), Folder::new());
    let server = stage.server_addr.to_string();
    let right = folder.file("right", RIGHT);
    let made = stratus(&["group", "new", "show", "--unique", "--server", &server, PUBLISH_OPTION, &right]);
    let (with, public) = (made.lines()[0].to_owned(), made.lines()[1].to_owned());
    let seed = with[with.len() - 64..].to_owned();
    assert!(!public.contains(&seed) && !made.stderr.contains(RIGHT));
    let weak = folder.file("weak", "canary");
    let odd = folder.file("odd", b"canary\xff canary canary");
    let lines = folder.file("lines", "canary\ncanary");
    let input = folder.file("input", [b'x'; 3_000]);
    let publish = ["publish", &public, "cam", &input, "--raw", "--listen", "127.0.0.1:0", PUBLISH_OPTION];
    let runs: [(&[&str], i32); 8] = [
        (&[&publish[..], &[&right]].concat(), 0),
        (&[&publish[..], &[&weak]].concat(), 4),
        (&[&publish[..], &[&odd]].concat(), 2),
        (&[&publish[..], &[&lines]].concat(), 2),
        (&["group", "new", "show", PUBLISH_OPTION, &weak], 2),
        (&["group", "new", "show", PUBLISH_OPTION, &odd], 2),
        (&["group", "show", &with], 0),
        (&["group", "show", &with, "--json"], 0),
    ];
    for (arguments, code) in runs {
        let (found, said) = everything_said(arguments);
        assert_eq!(found, Some(code), "{said}");
        for secret in [RIGHT, "canary", seed.as_str()] {
            assert!(!said.contains(secret), "{secret} in: {said}");
        }
    }
}

#[test]
fn programs_that_we_start_do_not_see_the_password() {
    let (stage, folder) = (Stage::new(), Folder::new());
    let (_, public) = group(&["--server", &stage.server_addr.to_string()]);
    let seen = folder.0.path().join("seen");
    let program = format!("exec:env >{}; echo done", seen.display());
    let published = with_variables(
        &["publish", &public, "cam", &program, "--raw", "--listen", "127.0.0.1:0"],
        &[("STRATUS_PUBLISH_PASSWORD", RIGHT), ("STRATUS_POSTING_PASSWORD", RIGHT), ("OTHER", "visible")],
    );
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let seen = std::fs::read_to_string(seen).expect("written by the program");
    assert!(seen.contains("OTHER=visible") && !seen.contains(RIGHT), "{seen}");
}
