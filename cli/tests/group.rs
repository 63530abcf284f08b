//! `stratus group` as people and scripts meet it.

mod common;

use common::stratus;

fn new_group(options: &[&str]) -> (String, String) {
    let finished = stratus(&[&["group", "new", "show"], options].concat());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    match &finished.lines()[..] {
        [with, without] => ((*with).to_owned(), (*without).to_owned()),
        lines => panic!("two lines are promised: {lines:?}"),
    }
}

fn id_of(spec: &str) -> String {
    let shown = stratus(&["group", "show", spec, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&shown.stdout).expect("one JSON object");
    value["group_id"].as_str().expect("a text").to_owned()
}

#[test]
fn a_new_group_has_two_lines_that_name_the_same_group() {
    let (with, without) = new_group(&["--unique", "--publish-key", "--posting-key"]);
    assert!(with.starts_with(&without), "the authorizations stand at the end");
    assert_ne!(with, without);
    assert_eq!(id_of(&with), id_of(&without));
    assert_ne!(id_of(&with), id_of(&new_group(&["--unique", "--publish-key", "--posting-key"]).0));
}

#[test]
fn a_group_of_a_mere_name_is_the_same_everywhere_and_warned_about() {
    let finished = stratus(&["group", "new", "show"]);
    assert!(finished.stderr.contains("whoever guesses the name"), "{}", finished.stderr);
    assert_eq!(new_group(&[]), new_group(&[]));
    assert_ne!(new_group(&[]), new_group(&["--no-posting"]));
    assert_eq!(stratus(&["group", "new", "show", "-q"]).stderr, "");
}

#[test]
fn json_has_the_promised_fields() {
    let finished = stratus(&["group", "new", "show", "--unique", "--publish-key", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    let mut fields: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["group_id", "time", "type", "with_authorizations", "without_authorizations"]);
}

#[test]
fn show_tells_rights_and_hints_but_no_secret() {
    let (with, _) = new_group(&[
        "--unique",
        "--publish-key",
        "--server",
        "stratus.example:1935",
        "--ip-multicast",
        "239.1.2.3:4567",
        "--no-routing",
    ]);
    let shown = stratus(&["group", "show", &with]);
    for part in [
        "name         show",
        "needs an authorization, which this groupspec carries",
        "posting      any member",
        "stratus.example:1935",
        "239.1.2.3:4567",
        "multicast, posting, replication\n",
    ] {
        assert!(shown.stdout.contains(part), "{part:?} in {}", shown.stdout);
    }
    // The seed of the publish key is the last 32 bytes, and the tag stands before the marker.
    let seed = &with[with.len() - 64..];
    assert!(!shown.stdout.contains(seed) && !shown.stdout.contains("G:"));
}

#[test]
fn a_groupspec_may_stand_in_a_file_just_as_it_was_printed() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("show.spec");
    let made = stratus(&["group", "new", "show", "--unique", "--publish-key"]);
    std::fs::write(&path, &made.stdout).expect("writable");
    let shown = stratus(&["group", "show", &format!("@{}", path.display())]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("which this groupspec carries"), "the first line counts");
}

#[test]
fn a_malformed_groupspec_is_refused_with_the_position() {
    let (spec, _) = new_group(&[]);
    let cut = &spec[..20];
    let upper = spec.replacen("73686f77", "73686F77", 1);
    assert_ne!(upper, spec, "the name is in it as hex");
    let position = upper.find('F').expect("just put there").to_string();
    let cases: [(&str, String); 4] = [
        ("show", "error: this is no groupspec, which begins with \"G:\": position 0".into()),
        (cut, "error: the groupspec is cut short: position 20".into()),
        (&upper, format!("error: the groupspec has an upper-case digit: position {position}")),
        ("G:zz", "error: the groupspec has a character that is no hex digit: position 2".into()),
    ];
    for (text, error) in cases {
        let finished = stratus(&["group", "show", text]);
        assert_eq!(finished.code, Some(4), "{text}");
        assert_eq!(finished.stdout, "");
        let hint = "  hint: copy it again exactly as it was given\n";
        assert_eq!(finished.stderr, format!("{error}\n{hint}"));
    }
}

#[test]
fn a_missing_groupspec_file_is_wrong_use() {
    let finished = stratus(&["group", "show", "@/nowhere/show.spec"]);
    assert_eq!(finished.code, Some(2));
    assert_eq!(
        finished.stderr,
        "error: cannot read the groupspec file: /nowhere/show.spec\n  \
         tried: no such file or directory (os error 2)\n  \
         hint: make one with: stratus group new NAME --unique >FILE\n"
    );
}

#[test]
fn wrong_arguments_are_wrong_use_and_say_so_on_stderr() {
    for arguments in [&["group"][..], &["group", "new"], &["publish"], &["frobnicate"], &[]] {
        let finished = stratus(arguments);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(finished.stderr.contains("Usage: stratus"), "{}", finished.stderr);
    }
    let finished = stratus(&["group", "new", "show", "--server", "nonsense"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("host:port"), "{}", finished.stderr);
}

#[test]
fn help_and_version_are_data() {
    let help = stratus(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("publish") && help.stdout.contains("demo"));
    let version = stratus(&["--version"]);
    assert_eq!(version.stdout, format!("stratus {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_full_disk_and_a_closed_pipe_are_told_apart() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let output = common::command(&["group", "new", "show", "-q"]).stdout(full).output();
    let finished = common::finished(output.expect("the binary was built for this test"));
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.stderr,
        "error: cannot write to standard output\n  \
         tried: no space left on device (os error 28)\n  \
         hint: make room there, or choose another place\n"
    );
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = common::command(&["group", "new", "show", "-q"]).stdout(writer).output();
    let finished = common::finished(output.expect("the binary was built for this test"));
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
}

#[test]
fn ip_multicast_addresses_are_shown_with_their_source() {
    let (spec, _) = new_group(&[
        "--ip-multicast",
        "232.1.2.3:4567@203.0.113.9",
        "--ip-multicast",
        "[ff3e::8000:1]:50@2001:db8::9",
        "--ip-multicast",
        "239.1.2.3:700",
    ]);
    let shown = stratus(&["group", "show", &spec]).stdout;
    for address in ["232.1.2.3:4567@203.0.113.9", "[ff3e::8000:1]:50@2001:db8::9", "239.1.2.3:700"] {
        assert!(shown.contains(&format!("ip multicast {address}\n")), "{shown}");
    }
    for address in ["232.1.2.3", "232.1.2.3:4567@", "@203.0.113.9", "232.1.2.3:4567@203.0.113.9:50"] {
        let refused = stratus(&["group", "new", "show", "--ip-multicast", address]);
        assert_eq!(refused.code, Some(2), "{address}");
        assert!(refused.stderr.contains("address:port@source"), "{}", refused.stderr);
    }
}

/// Whether each module of a printed code is dark, with its margin.
fn modules(lines: &[&str]) -> Vec<Vec<bool>> {
    let rows = lines.iter().flat_map(|line| {
        let top = line.chars().map(|half| matches!(half, ' ' | '▄')).collect::<Vec<bool>>();
        let bottom = line.chars().map(|half| matches!(half, ' ' | '▀')).collect();
        [top, bottom]
    });
    rows.collect()
}

#[test]
fn a_public_groupspec_is_a_picture_with_a_margin_and_three_corners() {
    let (_, public) = new_group(&["--unique", "--publish-key"]);
    let shown = stratus(&["group", "qr", &public]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let lines = shown.lines();
    let (text, picture) = lines.split_last().expect("lines");
    assert_eq!(*text, public);
    let mut modules = modules(picture);
    let side = modules[0].len();
    modules.truncate(side);
    assert!(side > 29 && (side - 8) % 4 == 1, "21 modules and four more for each version: {side}");
    let is_margin = |at: usize| at < 4 || at >= side - 4;
    for (row, line) in modules.iter().enumerate() {
        assert_eq!(line.len(), side);
        let is_light = |(column, dark): (usize, &bool)| !dark || !(is_margin(row) || is_margin(column));
        assert!(line.iter().enumerate().all(is_light), "row {row}");
    }
    let corner =
        |top: usize, left: usize| (0..7).all(|step| modules[top + step][left] && modules[top][left + step]);
    assert!(corner(4, 4) && corner(4, side - 11) && corner(side - 11, 4));
    assert!(!corner(side - 11, side - 11));
}

#[test]
fn a_groupspec_with_authorizations_is_no_picture_for_everyone() {
    let (with, _) = new_group(&["--unique", "--publish-key"]);
    let refused = stratus(&["group", "qr", &with]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(4), ""));
    assert_eq!(
        refused.stderr,
        "error: this groupspec carries authorizations, and a picture is seen by everyone\n  \
         hint: use the second of the two lines that \"stratus group new\" printed\n"
    );
    let host = [["h".repeat(60)].as_slice(); 4].concat().join(".");
    let servers: Vec<String> = (0..8).map(|n| format!("--server={host}:{}", 50_000 + n)).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    let refused = stratus(&["group", "qr", &new_group(&servers).1]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("2953 bytes fit into the largest"), "{}", refused.stderr);
}
