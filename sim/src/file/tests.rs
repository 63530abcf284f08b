use super::*;
use crate::report::Results;

const GOOD: &str = r#"about = "Fifty"
goal = "A5"
seed = 7

[scenario]
members = 50
rate = "2.5Mbit/s"
uplink = "none"
source_uplink = 4
latency = "uniform:10ms..50ms"
kill = "0.5@3s"

[must]
p99_ms = "<= 145"
parts.strong.carried = ">= 3"

[stretch]
p99_ms = "<= 124"
"#;

fn refused(text: &str) -> String {
    ScenarioFile::parse(text).expect_err("it must be refused").to_string()
}

#[test]
fn a_file_says_what_is_played_and_what_must_hold() {
    let file = ScenarioFile::parse(GOOD).unwrap();
    let must = |what: &str, bound| Must { what: what.into(), bound };
    let scenario =
        Scenario { members: 50, uplink: None, kill: "0.5@3s".parse().ok(), seed: 7, ..Scenario::default() };
    assert_eq!(file.scenario, scenario);
    assert_eq!(
        file.must,
        [must("p99_ms", Bound::Most(145.0)), must("parts.strong.carried", Bound::Least(3.0))]
    );
    assert_eq!(file.stretch, [must("p99_ms", Bound::Most(124.0))]);
}

#[test]
fn what_is_unknown_impossible_or_missing_is_refused_with_its_line() {
    for (from, to, reason) in [
        ("members = 50", "member = 50", "line 6: unknown field `member`"),
        ("members = 50", "members = 1", "line 6: members must be 2 to 1000000"),
        ("members = 50", "seed = 5\nmembers = 50", "line 6: unknown field `seed`"),
        ("0.5@3s", "0.5@30s", "line 11: the kill must come before the stream's end"),
        ("uniform:10ms..50ms", "far", "line 10: expected uniform:LOW..HIGH"),
        ("2.5Mbit/s", "2.5 MB/s", "line 7: not a rate: 2.5 MB/s"),
        ("p99_ms = \"<= 145\"", "p98_ms = \"<= 145\"", "line 14: no such figure among the results: p98_ms"),
        ("\"<= 145\"", "\"< 145\"", "line 14: not a bound such as"),
        ("strong.carried", "strong.carries", "line 15: no such figure among the results"),
        ("goal = \"A5\"", "gaol = \"A5\"", "line 2: unknown field `gaol`"),
        ("kill = \"0.5@3s\"", "victims = \"region\"", "line 11: only a globe has regions"),
        ("kill = \"0.5@3s\"", "freeze = \"0.5@19s+3s\"", "line 11: a share of 0 to 1 may freeze"),
        ("kill = \"0.5@3s\"", "one_way = \"0.5@0.95\"", "line 11: one-way loss must be SHARE@LOSS"),
        ("kill = \"0.5@3s\"", "rivals = [\"gossip\"]", "line 11: expected gossipsub, "),
        ("seed = 7\n", "", "line 1: missing field `seed`"),
        ("seed = 7", "seed = -7", "line 3: invalid value"),
        (
            "[must]\np99_ms = \"<= 145\"\nparts.strong.carried = \">= 3\"",
            "[must]",
            "a scenario must say what must hold",
        ),
    ] {
        let said = refused(&GOOD.replace(from, to));
        assert!(said.contains(reason), "{said}\n  instead of\n{reason}");
    }
}

#[test]
fn bounds_admit_what_they_say() {
    let admits = |bound: &str, found| bound.parse::<Bound>().unwrap().admits(found);
    assert!(admits("<= 3", 3.0) && !admits("<= 3", 3.1) && admits(">= 3", 3.0) && !admits(">= 3", 2.9));
    assert!(admits("= 0", 0.0) && !admits("= 0", 1.0));
}

#[test]
fn a_figure_that_never_came_to_be_holds_no_bound() {
    let must = Must { what: "group.exact_s".into(), bound: Bound::Most(1e9) };
    let verdict = must.judge(&Results::every_figure());
    assert_eq!((verdict.found, verdict.holds), (None, false));
}
