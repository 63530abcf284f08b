//! Every entry point under proptest: what a plain `cargo test` can try in seconds.
//!
//! `STRATUS_FUZZ_SECONDS` tries each for so long instead; where all is checked, each has 20 s.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use stratus_core::Wire as _;
use stratus_fuzz::{TARGETS, Target, examples, target};
use stratus_node::journal::Replay;

/// Cases for each entry point.
const CASES: u32 = 2_000;
/// The same for those that play whole lives.
const LIVES: u32 = 150;

/// Bytes by chance, or an example that was spoilt in a few places.
#[derive(Clone, Debug)]
enum Input {
    Chance(Vec<u8>),
    Spoilt { example: prop::sample::Index, edits: Vec<Edit> },
}

/// One change of a good example.
#[derive(Clone, Debug)]
enum Edit {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, u8),
    /// What lies at one place once more at another.
    Repeat(prop::sample::Index, prop::sample::Index, u8),
}

fn input(longest: usize) -> impl Strategy<Value = Input> {
    let place = any::<prop::sample::Index>;
    let edit = prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        1 => (place(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (place(), 1..50u8).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => (place(), place(), any::<u8>()).prop_map(|(from, to, count)| Edit::Repeat(from, to, count)),
    ];
    prop_oneof![
        1 => vec(any::<u8>(), 0..longest).prop_map(Input::Chance),
        2 => (place(), vec(edit, 0..7)).prop_map(|(example, edits)| Input::Spoilt { example, edits }),
    ]
}

impl Input {
    fn bytes(self, examples: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Self::Chance(bytes) => bytes,
            Self::Spoilt { example, edits } => {
                let mut bytes = example.get(examples).clone();
                edits.into_iter().for_each(|edit| edit.apply(&mut bytes));
                bytes
            }
        }
    }
}

impl Edit {
    fn apply(self, bytes: &mut Vec<u8>) {
        let room = bytes.len() + 1;
        match self {
            Self::Set(at, byte) if room > 1 => bytes[at.index(room - 1)] = byte,
            Self::Set(..) => {}
            Self::Insert(at, new) => {
                let at = at.index(room);
                bytes.splice(at..at, new);
            }
            Self::Remove(at, count) => {
                let at = at.index(room);
                bytes.drain(at..(at + usize::from(count)).min(room - 1));
            }
            Self::Repeat(from, to, count) => {
                let (from, to) = (from.index(room), to.index(room));
                let part = bytes[from..(from + usize::from(count)).min(room - 1)].to_vec();
                bytes.splice(to..to, part);
            }
        }
    }
}

/// How long each entry point is tried: 20 s where all is checked, else one round of [`CASES`].
fn seconds() -> u64 {
    let stated = std::env::var("STRATUS_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let is_ci = std::env::var("STRATUS_CI").is_ok_and(|value| value == "1");
    stated.unwrap_or(if is_ci { 20 } else { 0 })
}

/// Tries one entry point with its examples, and then with what chance makes of them; the same in every run.
fn try_one(name: &str, entry: Target, patience: Duration) {
    let is_life = matches!(name, "member" | "journal");
    let (cases, longest) = if is_life { (LIVES, 4_000) } else { (CASES, 1_400) };
    let (good, began) = (examples(name), Instant::now());
    assert!(!good.is_empty(), "{name} has no example");
    good.iter().for_each(|example| entry(example));
    for round in 0_u64.. {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let seed = [round.to_be_bytes(); 4].concat();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let outcome = TestRunner::new_with_rng(config, rng).run(&input(longest), |input| {
            entry(&input.bytes(&good));
            Ok(())
        });
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        if began.elapsed() >= patience {
            break;
        }
    }
}

#[test]
fn no_entry_point_panics_on_any_bytes() {
    let patience = Duration::from_secs(seconds());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((name, entry)) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    try_one(name, *entry, patience);
                }
            });
        }
    });
}

/// Files of `findings` are called after their entry point: `member-0123abcd`.
#[test]
fn what_once_was_a_finding_is_none_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).expect("a folder of findings") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let (name, _) = name.split_once('-').expect("an entry point, a hyphen, a hash");
        let entry = target(name).expect("an entry point of that name");
        entry(&std::fs::read(&path).expect("a readable file"));
        tried += 1;
    }
    assert!(tried >= 1, "there has been one finding at least");
}

#[test]
fn examples_are_good_and_those_of_lives_are_whole() {
    for (name, most) in [("node_message", 150), ("multicast_manifest", 50), ("overlay_record", 9)] {
        let count = examples(name).len();
        assert!((3..=most).contains(&count), "{count} of {name}");
    }
    for bytes in examples("node_message") {
        assert!(stratus_node::Message::from_bytes(bytes.into()).is_ok());
    }
    let journal = examples("journal").remove(0);
    let mut replay = Replay::new(Bytes::from(journal)).expect("a journal");
    while let Some(step) = replay.step().expect("good steps") {
        assert_eq!(step, Ok(()));
    }
    let streams: Vec<_> = replay.node().multicast().streams().map(|(stream, _)| stream).collect();
    let info = replay.node().multicast().stream(&streams[0]).expect("it is known");
    assert!(replay.steps() > 50 && info.counters.received_bytes() > 500, "{} steps", replay.steps());
}
