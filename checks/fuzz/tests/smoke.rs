//! Every entry point under proptest: what a plain `cargo test` can try in seconds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use stratus_fuzz::TARGETS;

/// Cases for each entry point.
const CASES: u32 = 2_000;

#[test]
fn no_entry_point_panics_on_any_bytes() {
    for (name, target) in TARGETS {
        let cases = if name == "member" { CASES / 10 } else { CASES };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let length = if name == "member" { 0..4_000usize } else { 0..1_400usize };
        let outcome = runner.run(&vec(any::<u8>(), length), |data| {
            target(&data);
            Ok(())
        });
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}
