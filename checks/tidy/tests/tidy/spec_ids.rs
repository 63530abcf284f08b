//! docs/protocol.md and the code cite each other: no rule without a line that keeps it, no citation of nothing.

use std::collections::BTreeMap;

use crate::tree::{files, read};

/// The chapters of docs/protocol.md.
const CHAPTERS: [&str; 9] = ["GS", "OV", "MC", "RE", "RO", "DH", "PO", "TR", "RV"];

/// Every id such as `GS-3` in `text`, in order.
fn ids(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for chapter in CHAPTERS {
        let prefix = format!("{chapter}-");
        for (at, _) in text.match_indices(&prefix) {
            let is_word_start = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
            let digits: String = text[at + prefix.len()..].chars().take_while(char::is_ascii_digit).collect();
            if is_word_start && !digits.is_empty() {
                found.push(format!("{prefix}{digits}"));
            }
        }
    }
    found
}

/// The id that a line of the specification defines: the first thing in it, whatever the markup.
fn defined(line: &str) -> Option<String> {
    let text = line.trim_start_matches(|c: char| c.is_whitespace() || "#*-|>`".contains(c));
    let id = ids(text).into_iter().find(|id| text.starts_with(id.as_str()))?;
    // A table that refers to a rule names it in its first cell without marking it.
    line.contains(&format!("**{id}")).then_some(id)
}

fn definitions() -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for id in read("docs/protocol.md").lines().filter_map(defined) {
        *count.entry(id).or_default() += 1;
    }
    count
}

/// Where each id is cited in code or tests.
fn citations() -> BTreeMap<String, Vec<String>> {
    let mut cited: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files(".rs").iter().filter(|file| !file.is_in("checks")) {
        for (number, line) in file.text.lines().enumerate() {
            for id in ids(line) {
                cited.entry(id).or_default().push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    cited
}

#[test]
fn every_rule_is_defined_once() {
    let definitions = definitions();
    assert!(!definitions.is_empty(), "docs/protocol.md defines no rule; a rule begins with **XX-1**");
    let double: Vec<&String> =
        definitions.iter().filter(|(_, count)| **count > 1).map(|(id, _)| id).collect();
    assert!(double.is_empty(), "defined more than once: {double:?}");
}

#[test]
fn every_cited_rule_is_in_the_specification() {
    let definitions = definitions();
    let strays: Vec<_> = citations().into_iter().filter(|(id, _)| !definitions.contains_key(id)).collect();
    assert!(strays.is_empty(), "{strays:#?}");
}

#[test]
fn every_rule_is_cited_where_it_is_kept_or_proved() {
    let citations = citations();
    let uncited: Vec<String> = definitions().into_keys().filter(|id| !citations.contains_key(id)).collect();
    assert!(uncited.is_empty(), "no code cites {uncited:?}");
}

#[test]
fn ids_and_definitions_are_told_apart() {
    assert_eq!(ids("spec GS-3, MC-12; UTF-8, XOV-1, OV-"), ["GS-3", "MC-12"]);
    assert_eq!(defined("**GS-3.** The first field"), Some("GS-3".to_owned()));
    assert_eq!(defined("- **OV-12** (links)"), Some("OV-12".to_owned()));
    assert_eq!(defined("GS-3 is kept by"), None);
    assert_eq!(defined("| 41 | see **GS-8** |"), None);
}
