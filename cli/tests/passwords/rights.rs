//! What a password allows, and where it never shows.

use std::process::Child;

use crate::common::{self, Stage, stratus, wait};
use crate::{Folder, PUBLISH_OPTION, RIGHT, WRONG, group, shown, try_publishing, with_variables};

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
