//! What the compiler and clippy do not see of the laws that pure crates keep.

use crate::scan::blanked;
use crate::tree::{PURE, crates, files, root};

/// Words that belong to hosts, and what a machine has in their place.
const HOST_WORDS: [(&str, &str); 10] = [
    ("UdpSocket", "Output::Send"),
    ("TcpStream", "Output::Send"),
    ("std::fs", "Config and commands"),
    ("std::process", "Config and commands"),
    ("std::thread", "nothing: one task owns a machine"),
    ("std::env", "Config"),
    ("Instant", "cx.now"),
    ("SystemTime", "cx.now"),
    ("getrandom", "cx.rng"),
    ("RandomState", "BTreeMap"),
];

/// Where a pure crate may lift a ban of clippy.toml, and nowhere else.
const LIFTED: [&str; 1] = ["core/src/lookup.rs"];

#[test]
fn pure_crates_live_under_the_root_bans() {
    for folder in PURE {
        let own = root().join(folder).join("clippy.toml");
        assert!(!own.exists(), "{folder}/clippy.toml would replace the bans of the root, not add to them");
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for krate in crates() {
        assert!(krate.has_workspace_lints(), "{} has no `[lints] workspace = true`", krate.folder);
    }
}

#[test]
fn pure_crates_name_nothing_of_a_host() {
    for file in
        files(".rs").iter().filter(|file| PURE.iter().any(|folder| file.is_in(folder)) && !file.is_test())
    {
        let code = blanked(&file.text);
        for (word, instead) in HOST_WORDS {
            let line = code.lines().position(|line| has_word(line, word));
            assert!(line.is_none(), "{}:{}: {word}; use {instead}", file.path, line.unwrap_or(0) + 1);
        }
    }
}

#[test]
fn bans_are_lifted_in_pure_crates_only_where_listed() {
    let lifts = |text: &str| blanked(text).contains("clippy::disallowed");
    let pure = files(".rs").into_iter().filter(|file| PURE.iter().any(|folder| file.is_in(folder)));
    let found: Vec<String> = pure.filter(|file| lifts(&file.text)).map(|file| file.path).collect();
    assert_eq!(found, LIFTED);
}

/// Whether `line` has `word` standing alone.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_name = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_name(line[..at].chars().next_back()) && !is_name(line[at + word.len()..].chars().next())
    })
}

#[test]
fn words_are_found_whole() {
    assert!(has_word("use std::time::{Duration, Instant};", "Instant"));
    assert!(!has_word("struct Instantly;", "Instant"));
}
