//! The file with settings, as the commands read it.

mod common;

use std::path::Path;

use common::stratus;

/// What `check-config` says of a file with this text, in a folder with the groupspec `show.spec`.
fn checked(folder: &Path, text: &str) -> common::Finished {
    let file = folder.join("stratus.toml");
    std::fs::write(&file, text).expect("writable");
    stratus(&["check-config", "--config", file.to_str().expect("text")])
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = stratus(&["group", "new", "a long story", "--unique"]);
    std::fs::write(folder.path().join("show.spec"), made.lines()[1]).expect("writable");
    folder
}

const GROUP: &str = "[[group]]\nalias = \"show\"\nspec_file = \"show.spec\"\n";

#[test]
fn check_config_says_what_holds_and_where_it_comes_from() {
    let folder = folder();
    let text = format!("{GROUP}[multicast]\nwindow = \"3s\"\nvideo_deadline = \"700ms\"\n");
    let told = checked(folder.path(), &text);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let file = folder.path().join("stratus.toml").display().to_string();
    for line in [
        format!("multicast.window = \"3s\"  # {file}"),
        format!("multicast.video_deadline = \"700ms\"  # {file}"),
        "multicast.fetch_period = \"150ms\"  # default".to_owned(),
        "multicast.audio_sample_access = true  # default".to_owned(),
        "log.level = \"error\"  # default".to_owned(),
    ] {
        assert!(told.lines().contains(&line.as_str()), "{line} is missing in {:?}", told.lines());
    }
}

#[test]
fn what_publish_would_refuse_check_config_refuses_with_its_reason() {
    let folder = folder();
    for (text, code, what) in [
        (
            "[multicast]\nwindow = \"31s\"\n",
            2,
            "multicast setting multicastWindowDuration must be 250ms to 30s",
        ),
        ("[multicast]\naudio_deadline = \"31s\"\n", 2, "audioReliable deadline must be 1ms to 30s"),
        ("[log]\nlevel = \"loud\"\n", 2, "stratus.toml, line 2, column 9"),
        ("[admin]\nlisten = \"0.0.0.0:9936\"\n", 2, "hint: "),
        ("[[group]]\nalias = \"gone\"\nspec_file = \"gone.spec\"\n", 2, "cannot read the groupspec file"),
        ("[[group]]\nalias = \"bad\"\nspec_file = \"stratus.toml\"\n", 4, "error: "),
        ("[node]\nidentiti = \"x\"\n", 2, "unknown field `identiti`"),
    ] {
        let told = checked(folder.path(), text);
        assert_eq!(told.code, Some(code), "{text}: {}", told.stderr);
        assert!(told.stderr.contains(what) && told.stdout.is_empty(), "{text}: {}", told.stderr);
    }
}

#[test]
fn a_group_can_be_named_by_its_alias() {
    let folder = folder();
    assert_eq!(checked(folder.path(), GROUP).code, Some(0));
    let file = folder.path().join("stratus.toml").display().to_string();
    let found = stratus(&["play", "show", "cam", "/dev/null", "--config", &file]);
    assert!(found.stderr.starts_with("error: there is no way into the group"), "{}", found.stderr);
    let unknown = stratus(&["play", "shows", "cam", "/dev/null", "--config", &file]);
    assert_eq!(unknown.code, Some(4), "{}", unknown.stderr);
}
