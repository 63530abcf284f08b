//! README promises two commands; they are spelled as the tests and the script run them.

use crate::tree::{read, root};

/// The commands that must work in a fresh clone on a bare machine with Rust.
const COMMANDS: [&str; 2] = ["cargo run --release -p stratus-cli -- demo", "cargo test --workspace"];

/// Lines inside fenced blocks, without comments behind them.
fn commands(markdown: &str) -> Vec<String> {
    let mut is_inside = false;
    let mut lines = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            is_inside = !is_inside;
        } else if is_inside {
            let command = line.split(" #").next().unwrap_or_default().trim();
            lines.push(command.trim_start_matches("$ ").to_owned());
        }
    }
    lines
}

#[test]
fn readme_has_the_two_commands_letter_by_letter() {
    let found = commands(&read("README.md"));
    for command in COMMANDS {
        assert!(found.iter().any(|line| line == command), "README.md has no line `{command}`");
    }
}

#[test]
fn the_script_runs_the_tests_that_readme_names() {
    assert!(read(".ci/run").contains(COMMANDS[1]), ".ci/run does not run `{}`", COMMANDS[1]);
}

#[test]
fn the_files_that_a_visitor_looks_for_are_there() {
    let files = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "docs/protocol.md",
        "deny.toml",
        ".ci/run",
    ];
    let missing: Vec<&str> = files.into_iter().filter(|file| !root().join(file).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut dead = Vec::new();
    for file in crate::tree::files(".md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in links(&file.text) {
            if !root().join(folder).join(&target).exists() {
                dead.push(format!("{}: {target}", file.path));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The files that inline links name.
fn links(markdown: &str) -> Vec<String> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty() && !file.contains("://")).map(str::to_owned).collect()
}

#[test]
fn commands_and_links_are_found() {
    let markdown =
        "text [a](docs/a.md#b) [c](https://d.example) [e](#f)\n```sh\n$ one two   # why\nthree\n```\nfour\n";
    assert_eq!(commands(markdown), ["one two", "three"]);
    assert_eq!(links(markdown), ["docs/a.md"]);
}
