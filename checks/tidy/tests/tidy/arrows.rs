//! Which crate may import which: the drawing in ARCHITECTURE.md, as a table.

use std::collections::BTreeSet;

use crate::tree::{PURE, crates, parse};

/// Crate and the crates of ours that it may import.
const ARROWS: [(&str, &[&str]); 20] = [
    ("stratus-core", &[]),
    ("stratus-groupspec", &["stratus-core"]),
    ("stratus-overlay", &["stratus-core"]),
    ("stratus-multicast", &["stratus-core"]),
    ("stratus-posting", &["stratus-core"]),
    ("stratus-replication", &["stratus-core"]),
    (
        "stratus-node",
        &["stratus-core", "stratus-overlay", "stratus-multicast", "stratus-posting", "stratus-replication"],
    ),
    ("stratus-transport", &["stratus-core", "stratus-groupspec"]),
    (
        "stratus",
        &[
            "stratus-core",
            "stratus-groupspec",
            "stratus-overlay",
            "stratus-multicast",
            "stratus-posting",
            "stratus-replication",
            "stratus-node",
            "stratus-transport",
        ],
    ),
    ("stratus-sharing", &["stratus-replication", "stratus"]),
    ("stratus-terminal", &["stratus-transport"]),
    ("stratus-admin", &["stratus-core", "stratus-transport", "stratus-terminal"]),
    ("stratus-config", &["stratus-terminal"]),
    (
        "stratus-server",
        &[
            "stratus-core",
            "stratus-overlay",
            "stratus-transport",
            "stratus-terminal",
            "stratus-admin",
            "stratus-config",
        ],
    ),
    (
        "stratus-cli",
        &[
            "stratus-core",
            "stratus-groupspec",
            "stratus",
            "stratus-sharing",
            "stratus-server",
            "stratus-terminal",
            "stratus-admin",
            "stratus-config",
        ],
    ),
    (
        "stratus-sim",
        &[
            "stratus-core",
            "stratus-groupspec",
            "stratus-overlay",
            "stratus-multicast",
            "stratus-posting",
            "stratus-replication",
            "stratus-node",
        ],
    ),
    // Every decoder has an entry point there.
    (
        "stratus-fuzz",
        &[
            "stratus-core",
            "stratus-groupspec",
            "stratus-overlay",
            "stratus-multicast",
            "stratus-posting",
            "stratus-replication",
            "stratus-node",
            "stratus-transport",
        ],
    ),
    // It speaks the wire protocol itself, and sets honest members beside.
    (
        "stratus-hostile",
        &[
            "stratus-core",
            "stratus-groupspec",
            "stratus-overlay",
            "stratus-multicast",
            "stratus-posting",
            "stratus-replication",
            "stratus-node",
            "stratus-transport",
            "stratus",
        ],
    ),
    ("stratus-lab", &["stratus-core", "stratus", "stratus-server"]),
    ("stratus-tidy", &[]),
];

/// Besides its arrows, what a crate's own tests may import.
const TEST_ARROWS: [(&str, &[&str]); 1] = [
    // Itself on bad paths, a rendezvous, and one script through sockets and through the simulator.
    ("stratus", &["stratus", "stratus-sim", "stratus-server"]),
];

/// What belongs to sockets, tasks and hosts, and reaches no machine, not even by a detour.
const IMPURE: [&str; 8] =
    ["stratus-transport", "tokio", "quinn", "quinn-proto", "quinn-udp", "rustls", "socket2", "prometheus"];

fn allowed(table: &[(&str, &[&str])], name: &str) -> BTreeSet<String> {
    let rows = table.iter().filter(|(krate, _)| *krate == name);
    rows.flat_map(|(_, allowed)| allowed.iter().map(|name| (*name).to_owned())).collect()
}

fn ours(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().filter(|name| ARROWS.iter().any(|(krate, _)| krate == name)).collect()
}

#[test]
fn every_member_has_its_arrows() {
    let members: BTreeSet<String> = crates().into_iter().map(|krate| krate.name).collect();
    let drawn: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members, drawn);
}

#[test]
fn crates_import_only_along_the_arrows() {
    for krate in crates() {
        let imported =
            [krate.dependencies("dependencies"), krate.dependencies("build-dependencies")].concat();
        let stray: Vec<String> = ours(imported).difference(&allowed(&ARROWS, &krate.name)).cloned().collect();
        assert!(
            stray.is_empty(),
            "{} imports {stray:?}; an Event is missing, see ARCHITECTURE.md",
            krate.name
        );
    }
}

#[test]
fn tests_import_along_the_arrows_and_what_is_named_for_tests() {
    for krate in crates() {
        let mut may = allowed(&ARROWS, &krate.name);
        may.extend(allowed(&TEST_ARROWS, &krate.name));
        let stray: Vec<String> =
            ours(krate.dependencies("dev-dependencies")).difference(&may).cloned().collect();
        assert!(stray.is_empty(), "the tests of {} import {stray:?}", krate.name);
    }
}

#[test]
fn siblings_never_import_siblings() {
    let layers = [
        "stratus-groupspec",
        "stratus-overlay",
        "stratus-multicast",
        "stratus-posting",
        "stratus-replication",
    ];
    for layer in layers {
        let mut row = allowed(&ARROWS, layer);
        row.retain(|name| layers.contains(&name.as_str()));
        assert!(row.is_empty(), "the table lets {layer} import {row:?}");
    }
}

#[test]
fn nothing_impure_reaches_a_machine_or_the_simulator() {
    for krate in
        crates().iter().filter(|krate| PURE.contains(&krate.folder.as_str()) || krate.folder == "sim")
    {
        let mut names = krate.dependencies("dependencies");
        names.extend(krate.dependencies("dev-dependencies"));
        let reached = closure(names);
        let impure: Vec<&&str> = IMPURE.iter().filter(|name| reached.contains(**name)).collect();
        assert!(impure.is_empty(), "{} reaches {impure:?}", krate.name);
    }
}

/// `names` and all that they import in turn: ours by their manifests (tests aside), others by the lock file.
fn closure(names: Vec<String>) -> BTreeSet<String> {
    let crates = crates();
    let lock = parse("Cargo.lock");
    let packages = lock["package"].as_array().expect("the lock file lists packages");
    let mut reached = BTreeSet::new();
    let mut waiting = names;
    while let Some(name) = waiting.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        match crates.iter().find(|krate| krate.name == name) {
            Some(krate) => waiting.extend(krate.dependencies("dependencies")),
            None => waiting.extend(locked(packages, &name)),
        }
    }
    reached
}

/// What any locked version of `name` imports.
fn locked(packages: &[toml::Value], name: &str) -> Vec<String> {
    let versions = packages.iter().filter(|package| package["name"].as_str() == Some(name));
    let lists = versions.filter_map(|package| package.get("dependencies")?.as_array());
    let entries = lists.flatten().filter_map(|entry| entry.as_str()?.split(' ').next());
    entries.map(str::to_owned).collect()
}

#[test]
fn the_closure_follows_detours() {
    assert!(
        closure(vec!["stratus".to_owned()]).contains("quinn-udp"),
        "stratus reaches quinn-udp by transport and quinn"
    );
}
