//! What is refused before or instead of a stream, with the words and the exit code.

mod common;

use std::fs::OpenOptions;
use std::net::UdpSocket;

use common::{Stage, command, finished, stratus, wait};

#[test]
fn publishing_needs_the_authorization() {
    let stage = Stage::new();
    let refused = stratus(&["publish", &stage.viewer, "cam", "/dev/null"]);
    assert_eq!(refused.code, Some(4));
    assert_eq!(
        refused.stderr,
        "error: this groupspec does not authorize publishing\n  \
         hint: use the first of the two lines that \"stratus group new\" printed\n"
    );
}

#[test]
fn a_group_without_multicast_carries_no_stream() {
    let made = stratus(&["group", "new", "quiet", "--unique", "--no-multicast"]);
    for verb in ["publish", "play"] {
        let refused = stratus(&[verb, made.lines()[0], "cam", "/dev/null"]);
        assert_eq!(refused.code, Some(4));
        assert_eq!(
            refused.stderr,
            "error: this group carries no streams\n  tried: its groupspec does not have multicast enabled\n  \
             hint: make a group without --no-multicast\n"
        );
    }
}

#[test]
fn a_malformed_groupspec_is_refused_by_publish_and_play_as_well() {
    for verb in ["publish", "play"] {
        let refused = stratus(&[verb, "G:10zz", "cam"]);
        assert_eq!(refused.code, Some(4));
        assert_eq!(
            refused.stderr,
            "error: the groupspec has a character that is no hex digit: position 4\n  \
             hint: copy it again exactly as it was given\n"
        );
    }
}

#[test]
fn without_a_server_or_a_member_there_is_no_way_in() {
    let made = stratus(&["group", "new", "alone", "--unique"]);
    let refused = stratus(&["play", made.lines()[1], "cam"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused
            .stderr
            .contains("hint: name a server (--server HOST:PORT) or a member (--bootstrap PEER@ADDR)"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_absent_server_is_told_in_time_with_what_was_tried() {
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let server = nobody.local_addr().expect("bound").to_string();
    let made = stratus(&["group", "new", "show", "--unique"]);
    for arguments in [
        &["play", made.lines()[1], "cam", "--server", &server, "--timeout", "1s"][..],
        &["publish", made.lines()[0], "cam", "/dev/null", "--raw", "--server", &server, "--timeout", "1s"],
    ] {
        let failed = wait(common::spawn(arguments));
        assert_eq!(failed.code, Some(3), "{}", failed.stderr);
        let error =
            format!("error: no member of group \"show\" answered within 1s\n  tried: server {server} (");
        assert!(failed.stderr.contains(&error), "{}", failed.stderr);
        assert!(failed.stderr.contains("\n  hint: check that the server runs"), "{}", failed.stderr);
    }
}

#[test]
fn a_changed_permission_is_another_group_and_meets_nobody() {
    let stage = Stage::new();
    let server = stage.server_addr.to_string();
    // Without --unique the identity is the name and the permissions: these two differ in one of them.
    let spec = |options: &[&str]| {
        let made = stratus(&[&["group", "new", "plain", "--server", &server], options].concat());
        made.lines()[1].to_owned()
    };
    let (plain, changed) = (spec(&[]), spec(&["--no-routing"]));
    assert_ne!(plain, changed);
    let folder = tempfile::tempdir().expect("a folder");
    let [theirs, ours, received] = ["theirs", "ours", "received"].map(|name| folder.path().join(name));
    std::fs::write(&theirs, [b'x'; 5_000]).expect("writable");
    std::fs::write(&ours, [b'o'; 3_000]).expect("writable");
    let output = received.display().to_string();
    let member = common::spawn(&["play", &plain, "cam", &output, "--listen", "127.0.0.1:0"]);
    let publish = |spec: &str, input: &std::path::Path| {
        let input = input.display().to_string();
        wait(common::spawn(&["publish", spec, "cam", &input, "--raw", "--listen", "127.0.0.1:0"]))
    };
    let alone = publish(&changed, &theirs);
    assert!(alone.stderr.contains("knows nobody else yet"), "{}", alone.stderr);
    assert!(alone.stderr.contains("sent 0.00 times"), "{}", alone.stderr);
    let met = publish(&plain, &ours);
    assert!(met.stderr.contains("names 1"), "the same groupspec meets the member: {}", met.stderr);
    let member = wait(member);
    assert_eq!(member.code, Some(0), "{}", member.stderr);
    assert_eq!(std::fs::read(&received).expect("written"), [b'o'; 3_000]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let stage = Stage::new();
    let failed = stratus(&["play", &stage.viewer, "cam", "--listen", &address]);
    assert_eq!(failed.code, Some(1));
    assert_eq!(
        failed.stderr,
        format!(
            "error: cannot bind udp port: {address}\n  \
             tried: the port is in use by another program\n  \
             hint: choose another with --listen\n"
        )
    );
}

#[test]
fn input_that_is_not_mpeg_ts_is_refused_with_the_way_out() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, b"\0\0\0\x20ftypisom and so on").expect("writable");
    let failed = wait(stage.publish(&path.display().to_string(), &["-q"]));
    assert_eq!(failed.code, Some(1));
    assert_eq!(
        failed.stderr,
        "error: the input is not MPEG-TS\n  \
         tried: no packets in the first 22 bytes; it looks like MP4\n  \
         hint: convert it (ffmpeg -i INPUT -c copy -f mpegts -), or send it as it is with --raw\n"
    );
}

#[test]
fn an_input_of_no_bytes_is_refused() {
    let failed = wait(Stage::new().publish("/dev/null", &["-q"]));
    assert_eq!(failed.code, Some(1));
    assert!(
        failed.stderr.starts_with("error: the input is not MPEG-TS\n  tried: the input is empty\n"),
        "{}",
        failed.stderr
    );
}

#[test]
fn files_that_are_not_there_are_wrong_use() {
    let stage = Stage::new();
    let missing = stratus(&["publish", &stage.publisher, "cam", "/nowhere/clip.ts"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.starts_with("error: cannot open the input: /nowhere/clip.ts\n"));
    let missing = stratus(&["play", &stage.viewer, "cam", "/nowhere/out.ts"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.starts_with("error: cannot open the output: /nowhere/out.ts\n"));
}

#[test]
fn settings_that_make_no_sense_are_wrong_use() {
    let stage = Stage::new();
    let failed = wait(stage.publish("/dev/null", &["--raw", "--window", "1ms"]));
    assert_eq!(failed.code, Some(2), "{}", failed.stderr);
    assert!(failed.stderr.contains("multicastWindowDuration"), "{}", failed.stderr);
}

#[test]
fn binary_data_is_not_written_to_a_screen_nor_read_from_a_keyboard() {
    // The master side of a new terminal is a terminal itself.
    let terminal = || OpenOptions::new().read(true).write(true).open("/dev/ptmx").expect("Linux has it");
    let stage = Stage::new();
    let output = command(&["play", &stage.viewer, "cam"]).stdout(terminal()).output();
    let refused = finished(output.expect("the binary was built for this test"));
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: standard output is a terminal, and this is binary data\n  \
         hint: name a file, or pipe it into a player: stratus play … | mpv -\n"
    );
    let output = command(&["publish", &stage.publisher, "cam"]).stdin(terminal()).output();
    let refused = finished(output.expect("the binary was built for this test"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("error: standard input is a terminal\n"), "{}", refused.stderr);
}

#[test]
fn settings_of_a_file_and_the_environment_are_as_strict_as_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stratus.toml").display().to_string();
    std::fs::write(&path, "[node]\ntimeuot = \"3s\"\n").expect("writable");
    let refused = stratus(&["play", "G:", "cam", "--config", &path]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.starts_with("error: unknown field `timeuot`, expected one of "),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains(&format!("tried: {path}, line 2, column 1\n")), "{}", refused.stderr);
    let mut command = command(&["play", "G:", "cam"]);
    let refused = finished(command.env("STRATUS_NODE__TIMEOUT", "3").output().expect("built"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("variable STRATUS_NODE__TIMEOUT"), "{}", refused.stderr);
}

#[test]
fn a_server_and_a_patience_may_stand_in_the_settings() {
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let server = nobody.local_addr().expect("bound").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stratus.toml").display().to_string();
    let text = format!("[node]\nservers = [\"{server}\"]\ntimeout = \"700ms\"\n");
    std::fs::write(&path, text).expect("writable");
    let made = stratus(&["group", "new", "alone", "--unique"]);
    let refused = stratus(&["play", made.lines()[1], "cam", "--config", &path]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("answered within 700ms"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&server), "{}", refused.stderr);
}
