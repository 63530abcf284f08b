//! Committed groupspecs with everything derived from them: another program, or a later one, must find the same.

mod common;

use std::fmt::Write as _;

use common::{POSTING_PASSWORD, PUBLISH_PASSWORD, full, plain, protected, unique, unnamed};
use stratus_core::PeerId;
use stratus_groupspec::Groupspec;

const COMMITTED: &str = include_str!("vectors.txt");

/// One section of the file. The ring is shown by the address of the peer whose id is 32 times 05.
fn section(name: &str, spec: &Groupspec) -> String {
    let keys = spec.keys();
    let mut text = String::new();
    let mut line = |key: &str, value: &str| writeln!(text, "{key}: {value}").expect("a String takes all");
    line("vector", name);
    line("text", &spec.to_string_with_authorizations());
    line("without authorizations", &spec.to_string_without_authorizations());
    line("group id", &spec.group_id().to_string());
    line("tag", &format!("{:08x}", keys.tag));
    line("membership", &keys.membership.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    line("ring address", &keys.ring.address(&PeerId::from_bytes([5; 32])).to_string());
    line("rendezvous key", &keys.rendezvous.public().to_string());
    if spec.has_publish_password() {
        line("publish password", PUBLISH_PASSWORD);
        line("posting password", POSTING_PASSWORD);
    }
    text
}

// spec GS-10, GS-11, GS-12
#[test]
fn what_is_built_is_what_was_committed() {
    let samples = [
        ("plain", plain()),
        ("unique", unique()),
        ("unnamed", unnamed()),
        ("full", full()),
        ("protected", protected()),
    ];
    let sections: Vec<String> = samples.iter().map(|(name, spec)| section(name, spec)).collect();
    assert_eq!(sections.join("\n"), COMMITTED);
}

// spec GS-10, GS-11
#[test]
fn what_was_committed_reads_as_it_was_built() {
    let value = |section: &str, key: &str| {
        let line = section.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
        line.expect("every section has every line").to_owned()
    };
    let sections: Vec<&str> = COMMITTED.trim_end().split("\n\n").collect();
    assert_eq!(sections.len(), 5);
    for committed in sections {
        let spec = Groupspec::parse(&value(committed, "text")).unwrap();
        assert_eq!(section(&value(committed, "vector"), &spec).trim_end(), committed);
    }
}
