//! Every dependency has a reason here, or is not there.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{crates, parse};

/// Crate, dependency, what it does there that we should not write ourselves.
const REASONS: [(&str, &[(&str, &str)]); 20] = [
    (
        "stratus-core",
        &[
            ("blake3", "ids, ring addresses, digests"),
            ("bytes", "payloads shared, never copied"),
            ("ed25519-dalek", "signatures"),
            ("rand_chacha", "a stream of chance that is the same for ever"),
            ("rand_core", "the traits that rand_chacha implements"),
        ],
    ),
    (
        "stratus-groupspec",
        &[
            ("argon2", "signing keys stretched from passwords"),
            ("blake3", "derived keys"),
            ("zeroize", "passwords and seeds are wiped"),
            // It asks the clock for the year, since passwords hold years. Only the making of a group calls it, no machine.
            ("zxcvbn", "how many guesses a password takes"),
        ],
    ),
    ("stratus-overlay", &[("bytes", "encoded records")]),
    ("stratus-multicast", &[("bytes", "fragments")]),
    ("stratus-posting", &[("bytes", "bodies of posts")]),
    ("stratus-replication", &[("blake3", "what the objects of a set are known by"), ("bytes", "objects")]),
    ("stratus-node", &[("bytes", "what it passes between the layers")]),
    (
        "stratus-transport",
        &[
            ("bytes", "frames and datagrams"),
            ("getrandom", "an endpoint tells its peers which of its lives they meet"),
            ("hmac", "membership proofs"),
            ("quinn", "QUIC"),
            ("quinn-proto", "a type in the congestion controller's signature"),
            ("rustls", "TLS 1.3 with raw public keys"),
            ("sha2", "membership proofs"),
            ("socket2", "socket buffers, asked for and read back"),
            ("thiserror", "error enums"),
            ("tokio", "tasks and time"),
            ("tracing", "logs"),
        ],
    ),
    (
        "stratus",
        &[
            ("bytes", "payloads"),
            ("getrandom", "identities, stream keys and the seed of chance"),
            ("serde", "statistics as plain values that a program can print"),
            ("thiserror", "error enums"),
            ("tokio", "tasks, channels, time"),
            ("tracing", "logs"),
        ],
    ),
    (
        "stratus-sharing",
        &[
            ("bytes", "objects"),
            ("redb", "the books of a fetch, which survive a kill"),
            ("thiserror", "error enums"),
            ("tokio", "how far it is, told to whoever watches"),
            ("tracing", "logs"),
        ],
    ),
    (
        "stratus-terminal",
        &[
            ("anstream", "colours only where they are seen and wanted"),
            ("anstyle", "colours"),
            ("humantime", "the times of events"),
            ("indicatif", "the last line of a terminal"),
            ("serde_json", "events"),
            ("tokio", "signals"),
            ("tracing-subscriber", "where logs go"),
        ],
    ),
    (
        "stratus-admin",
        &[
            ("bytes", "pages"),
            ("http-body-util", "a page as hyper wants it"),
            ("hyper", "HTTP with bounds on heads and time"),
            ("hyper-util", "hyper on tokio"),
            ("prometheus", "the text format, and the figures of the process"),
            ("serde", "where it listens is a setting"),
            ("serde_json", "the status page"),
            ("thiserror", "error enums"),
            ("tokio", "sockets, tasks, time"),
            ("tracing", "logs"),
        ],
    ),
    (
        "stratus-config",
        &[
            ("etcetera", "where settings are searched for"),
            ("humantime", "durations as people write them"),
            ("serde", "settings described by types, unknown keys refused"),
            ("toml", "settings, with the line of what is wrong in them"),
        ],
    ),
    (
        "stratus-server",
        &[
            ("bytes", "frames"),
            ("clap", "its command line"),
            ("getrandom", "a key for a server that was given none"),
            ("serde", "its settings"),
            ("serde_json", "its status page"),
            ("thiserror", "error enums"),
            ("tokio", "tasks, time"),
            ("tracing", "logs"),
        ],
    ),
    (
        "stratus-cli",
        &[
            ("bytes", "payloads"),
            ("anstream", "whether colours are wanted"),
            ("clap", "the command line"),
            ("etcetera", "where a user's state belongs"),
            ("fast_qr", "groupspecs as pictures"),
            ("clap_complete", "what shells complete"),
            ("clap_mangen", "manual pages"),
            ("getrandom", "tags and keys of new groups"),
            ("http-body-util", "a status, read within a bound"),
            ("hyper", "asking for a status"),
            ("hyper-util", "the same over tokio"),
            ("humantime", "durations as people write them"),
            ("mpeg2ts", "PAT and PMT"),
            ("quinn", "the star that the bench compares with"),
            ("ratatui", "the screen of a chat"),
            ("rustix", "the bench's processor clock, signals to programs"),
            ("rustls", "the star's raw public keys"),
            ("serde", "its settings"),
            ("serde_json", "its JSON lines"),
            ("socket2", "multicast and socket files as inputs and outputs"),
            ("tokio", "tasks, signals, channels"),
            ("tui-input", "the line that is typed in a chat"),
            ("zeroize", "passwords that were read are wiped"),
        ],
    ),
    (
        "stratus-sim",
        &[
            ("blake3", "the trace hash, and the key of a remembered verdict"),
            ("bytes", "payloads"),
            ("clap", "its command line"),
            ("plotters", "plots of runs, as SVG"),
            ("rayon", "runs of a sweep side by side"),
            ("serde", "its JSON line"),
            ("serde_json", "its JSON line"),
            ("toml", "scenario files, with the line of what is wrong in them"),
        ],
    ),
    (
        "stratus-lab",
        &[
            ("bytes", "messages with a stamp"),
            ("clap", "its command line"),
            ("rustix", "entering namespaces, a clock that all processes share, socket buffers"),
            ("serde", "orders and reports between its processes"),
            ("serde_json", "the same, and its JSON lines"),
            ("thiserror", "its error"),
            ("tokio", "members, and the thread that carries packets"),
            ("tokio-tun", "packets out of the kernel and back, without unsafe code of ours"),
            ("tracing-subscriber", "where members' logs go"),
        ],
    ),
    ("stratus-fuzz", &[("bytes", "messages"), ("mpeg2ts", "the command's cutter, compiled in")]),
    (
        "stratus-hostile",
        &[
            ("blake3", "messages of which every byte can be checked"),
            ("bytes", "messages"),
            ("tokio", "tasks and time"),
        ],
    ),
    ("stratus-tidy", &[]),
];

/// What any crate's tests may use.
const FOR_TESTS: [(&str, &str); 3] = [
    ("proptest", "properties over random values"),
    ("tempfile", "folders that go away"),
    ("toml", "manifests, read by these tests"),
];

fn third_party(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().filter(|name| name != "stratus" && !name.starts_with("stratus-")).collect()
}

fn reasons() -> BTreeMap<String, BTreeSet<String>> {
    let rows = REASONS.iter().map(|(krate, reasons)| {
        ((*krate).to_owned(), reasons.iter().map(|(name, _)| (*name).to_owned()).collect())
    });
    rows.collect()
}

#[test]
fn every_dependency_has_a_reason_and_every_reason_a_dependency() {
    let found: BTreeMap<String, BTreeSet<String>> = crates()
        .into_iter()
        .map(|krate| {
            let names =
                [krate.dependencies("dependencies"), krate.dependencies("build-dependencies")].concat();
            (krate.name, third_party(names))
        })
        .collect();
    assert_eq!(found, reasons());
}

#[test]
fn tests_use_what_tests_may_use() {
    let reasons = reasons();
    for krate in crates() {
        let strays: Vec<String> = third_party(krate.dependencies("dev-dependencies"))
            .into_iter()
            .filter(|name| !FOR_TESTS.iter().any(|(allowed, _)| allowed == name))
            // Tests may use what some crate of ours has a reason for.
            .filter(|name| !reasons.values().any(|names| names.contains(name)))
            .collect();
        assert!(strays.is_empty(), "the tests of {} use {strays:?}", krate.name);
    }
}

#[test]
fn every_shared_dependency_is_used() {
    let shared = parse("Cargo.toml");
    let shared = shared["workspace"]["dependencies"].as_table().expect("a table").clone();
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let used: BTreeSet<String> =
        crates().iter().flat_map(|krate| tables.iter().flat_map(|table| krate.dependencies(table))).collect();
    let idle: Vec<&String> = shared.keys().filter(|name| !used.contains(*name)).collect();
    assert!(idle.is_empty(), "in the root Cargo.toml and in no crate: {idle:?}");
}
