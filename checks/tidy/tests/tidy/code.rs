//! Rules for every line of Rust in the tree.

use crate::scan::{blanked, functions};
use crate::tree::files;

/// Longest function, in lines from its name to its brace.
const MOST_LINES: usize = 70;

/// Marks of unfinished work, written apart here so that this file has none.
const MARKS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
];

#[test]
fn no_function_is_longer_than_seventy_lines() {
    let mut long = Vec::new();
    for file in files(".rs") {
        let over = functions(&file.text).into_iter().filter(|function| function.line_count > MOST_LINES);
        long.extend(over.map(|f| format!("{}:{} {}: {} lines", file.path, f.line, f.name, f.line_count)));
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn nothing_is_unsafe() {
    let word = concat!("un", "safe ");
    let found: Vec<String> = files(".rs")
        .into_iter()
        .filter(|file| blanked(&file.text).contains(word))
        .map(|file| file.path)
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn nothing_is_marked_as_unfinished() {
    let mut found = Vec::new();
    for file in [".rs", ".md", ".toml"].into_iter().flat_map(files) {
        for (number, line) in file.text.lines().enumerate() {
            if MARKS.iter().any(|mark| has_mark(line, mark)) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_test_is_run() {
    let skipped = concat!("#[ig", "nore");
    let found: Vec<String> = files(".rs")
        .into_iter()
        .filter(|file| blanked(&file.text).contains(skipped))
        .map(|file| file.path)
        .collect();
    assert_eq!(found, Vec::<String>::new(), "a test that is not run proves nothing");
}

/// Whether `mark` stands in `line`, not within a longer word.
fn has_mark(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let is_letter = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        !is_letter(line[..at].chars().next_back()) && !is_letter(line[at + mark.len()..].chars().next())
    })
}
