//! Where a password is read from, and what of it counts.

use std::path::Path;

use crate::common::{command, finished, stratus};
use crate::{
    Folder, PUBLISH_OPTION, RIGHT, WRONG, allow, assert_allowed, group, try_publishing, with_stdin,
    with_variables,
};

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
