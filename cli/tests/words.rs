//! What the command line says of itself, and how it answers careless use.

mod common;

use common::stratus;

/// Help as it is printed; a change of it is a change that users see.
#[test]
fn help_names_what_there_is() {
    let help = stratus(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in ["group", "publish", "play", "demo", "bench", "status", "completions", "man"] {
        assert!(help.stdout.contains(&format!("\n  {word} ")), "{word}: {}", help.stdout);
    }
    for (verb, words) in [
        (
            "publish",
            &[
                "[INPUT]",
                "udp://",
                "tcp://",
                "unix:",
                "exec:",
                "--realtime",
                "--raw",
                "--max-upload",
                "--json",
            ][..],
        ),
        (
            "play",
            &[
                "[OUTPUT]",
                "--relay <ANSWER>",
                "--download-only",
                "--metered",
                "[env: STRATUS_RELAY=]",
                "--json",
            ],
        ),
    ] {
        let help = stratus(&[verb, "--help"]);
        let common = [
            "--server",
            "--no-server",
            "--identity",
            "--timeout",
            "--log-format",
            "--color",
            "--quiet",
            "--verbose",
        ];
        for word in words.iter().chain(&common) {
            assert!(help.stdout.contains(word), "{verb} {word}: {}", help.stdout);
        }
    }
}

#[test]
fn careless_use_is_told_what_is_wanted() {
    for (arguments, says) in [
        (
            &["publish", "G:", "cam", "srt://host:7"][..],
            "there is no srt:// here; what there is: udp://, tcp://",
        ),
        (&["publish", "G:", "cam", "udp://@"], "HOST:PORT is wanted"),
        (&["publish", "G:", "cam", "tcp://host:9000?timeout=3"], "the option \"timeout\" is not known"),
        (&["play", "G:", "cam", "exec:"], "exec:COMMAND is wanted"),
        (&["play", "G:", "cam", "-", "--relay", "maybe"], "possible values: yes, no, ask"),
        (&["play", "G:", "cam", "-", "--relay", "yes", "--metered"], "cannot be used with"),
        (&["play", "G:", "cam", "-", "--server", "a:1", "--no-server"], "cannot be used with"),
        (&["play", "G:", "cam", "-", "--color", "green"], "possible values: auto, always, never"),
        (&["completions", "dos"], "possible values: bash"),
        (&["plya"], "a similar subcommand exists: 'play'"),
    ] {
        let refused = stratus(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.stderr.contains(says), "{arguments:?}: {}", refused.stderr);
    }
}

#[test]
fn every_shell_can_complete_and_every_command_has_a_page() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stratus(&["completions", shell]);
        assert_eq!(script.code, Some(0));
        assert!(script.stdout.contains("publish") && script.stdout.contains("download-only"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("new/man1");
    let made = stratus(&["man", &pages.display().to_string()]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    for page in ["stratus.1", "stratus-play.1", "stratus-publish.1", "stratus-group-new.1"] {
        let text =
            std::fs::read_to_string(pages.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{page}");
    }
    let refused = stratus(&["man", "/dev/null/man"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("\n  hint: name a folder that may be written\n"), "{}", refused.stderr);
}

#[test]
fn bash_takes_its_completions() {
    let script = stratus(&["completions", "bash"]);
    let words =
        "COMP_WORDS=(stratus pu); COMP_CWORD=1; _stratus stratus pu stratus; echo \"${COMPREPLY[*]}\"";
    let shell =
        std::process::Command::new("bash").args(["-c", &format!("{}\n{words}", script.stdout)]).output();
    let shell = shell.expect("CI has bash");
    assert_eq!(String::from_utf8_lossy(&shell.stdout).trim(), "publish", "{shell:?}");
}

#[test]
fn an_identity_is_kept_and_one_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("identity.key");
    let file = path.display().to_string();
    let stage = common::Stage::new();
    let publish = || common::wait(stage.publish("/dev/null", &["--raw", "--identity", &file]));
    assert_eq!(publish().code, Some(0));
    let key = std::fs::read_to_string(&path).expect("made");
    assert_eq!(publish().code, Some(0));
    assert_eq!(std::fs::read_to_string(&path).expect("kept"), key);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let refused = publish();
    assert_eq!(refused.code, Some(4));
    assert!(
        refused.stderr.ends_with(&format!(
            "error: others can use the identity file: {file}\n  tried: its permissions are 644\n  \
         hint: chmod 600 {file}; if others may have read it, remove it, and a new key is made\n"
        )),
        "{}",
        refused.stderr
    );
}
