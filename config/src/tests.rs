use std::path::Path;

use serde::Deserialize;
use stratus_terminal::stop::Failure;

use crate::units::Span;
use crate::{Loaded, Program};

#[derive(Deserialize, Default, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    node: Node,
}

#[derive(Deserialize, Default, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields, default)]
struct Node {
    name: Option<String>,
    timeout: Option<Span>,
    count: Option<u32>,
}

const PROGRAM: Program =
    Program { file_name: "tests.toml", sections: &["node"], foreign_sections: &["server"] };

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Loaded<Settings>, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests.toml");
    std::fs::write(&path, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    PROGRAM.load(Some(&path), environment)
}

fn refused(text: &str, environment: &[(&str, &str)]) -> String {
    load(text, environment).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_environment_goes_over_the_file_and_both_over_what_is_missing() {
    let text = "[node]\nname = \"file\"\ntimeout = \"8s\"\n";
    let loaded = load(text, &[("STRATUS_NODE__NAME", "7"), ("STRATUS_NODE__COUNT", "7")]).unwrap();
    let timeout = Some("8s".parse().unwrap());
    let expected = Node { name: Some("7".to_owned()), timeout, count: Some(7) };
    assert_eq!(loaded.settings.node, expected);
    let lines = loaded.lines("[node]\n# What is kept.\n#name = \"none\"\n#size = 3\n");
    assert!(lines.contains(&"node.name = \"7\"  # STRATUS_NODE__NAME".to_owned()), "{lines:?}");
    assert!(lines.contains(&"node.size = 3  # default".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("node.timeout = \"8s\"  # /")), "{lines:?}");
}

#[test]
fn an_unknown_key_is_refused_with_its_position() {
    let told = refused("# a line\n[node]\n  nmae = \"x\"\n", &[]);
    assert!(told.contains("unknown field `nmae`, expected one of `name`, `timeout`, `count`"), "{told}");
    assert!(told.contains("tests.toml, line 3, column 3"), "{told}");
    let told = refused("[nodes]\n", &[]);
    assert!(told.contains("unknown field `nodes`") && told.contains("line 1, column 2"), "{told}");
}

#[test]
fn a_value_that_makes_no_sense_is_refused_with_its_position() {
    let told = refused("[node]\ntimeout = \"8\"\n", &[]);
    assert!(told.contains("a time such as \"8s\" or \"200ms\" is wanted, not \"8\""), "{told}");
    assert!(told.contains("line 2, column 11"), "{told}");
    assert!(refused("[node\n", &[]).contains("line 1, column 6"), "{}", refused("[node\n", &[]));
}

#[test]
fn variables_are_as_strict_as_the_file_and_name_themselves() {
    let told = refused("", &[("STRATUS_NODE__NMAE", "x")]);
    assert!(told.contains("unknown field `nmae`") && told.contains("variable STRATUS_NODE__NMAE"), "{told}");
    let told = refused("", &[("STRATUS_NODE__COUNT", "many")]);
    assert!(told.contains("variable STRATUS_NODE__COUNT"), "{told}");
    let told = refused("", &[("STRATUS_NOD__COUNT", "7")]);
    assert!(
        told.contains("unknown section of settings: nod") && told.contains("sections are node"),
        "{told}"
    );
    let others = [("STRATUS_SERVER__LISTEN", ":7"), ("STRATUS_CI", "1"), ("PATH", "/bin")];
    assert_eq!(load("", &others).unwrap().settings, Settings::default());
}

#[test]
fn a_file_that_was_named_must_be_there_and_the_usual_one_need_not() {
    let told = PROGRAM.load::<Settings>(Some(Path::new("/nowhere/x.toml")), []).unwrap_err().to_string();
    assert!(told.starts_with("error: cannot read the settings: /nowhere/x.toml"), "{told}");
    let variable = ("STRATUS_CONFIG".to_owned(), "/nowhere/y.toml".to_owned());
    let told = PROGRAM.load::<Settings>(None, [variable]).unwrap_err().to_string();
    assert!(told.contains("/nowhere/y.toml"), "{told}");
    assert_eq!(PROGRAM.load::<Settings>(None, []).unwrap().file, None);
}
