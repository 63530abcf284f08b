//! The program as a user runs it.

use std::process::{Command, Output};

fn stratus_sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stratus-sim")).args(arguments).output().expect("the program was built")
}

const SMALL: [&str; 9] = ["run", "--members", "8", "--secs", "1s", "--join-over", "500ms", "--settle", "2s"];

#[test]
fn a_run_prints_exactly_one_line_of_json_and_ends_with_0() {
    let output = stratus_sim(&SMALL);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["results"]["members"], 8);
    assert!(output.stderr.is_empty());
}

#[test]
fn the_first_events_and_the_anatomy_of_delay_go_to_stderr() {
    let output = stratus_sim(&[&SMALL[..], &["--trace-events", "3", "-v"]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("0.000000 0 Join 0 0\n"), "{text}");
    assert!(text.contains("delay in ms"), "{text}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[test]
fn wrong_use_ends_with_2_and_says_what() {
    for (arguments, what) in [
        (&["run", "--members", "1"][..], "error: members must be 2 to 1000000"),
        (&["run", "--latency", "far"], "expected uniform:LOW..HIGH"),
        (&["run", "--kill", "0.3@30s", "--secs", "20s"], "error: the kill must come before the stream's end"),
    ] {
        let output = stratus_sim(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(what) && output.stdout.is_empty(), "{text}");
    }
}

#[test]
fn a_recorded_member_does_the_same_again_and_a_changed_journal_diverges() {
    let folder = tempfile::tempdir().unwrap();
    for member in ["0", "3"] {
        let file = folder.path().join(member);
        let path = file.to_str().unwrap();
        let output = stratus_sim(&[&SMALL[..], &["--journal", path, "--journal-of", member]].concat());
        assert_eq!(output.status.code(), Some(0));
        let output = stratus_sim(&["replay", path]);
        let text = String::from_utf8(output.stdout).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(value["steps"].as_u64().unwrap() > 300, "{text}");
        assert!(value["first_divergence"].is_null() && value["rest_bytes"] == 0, "{text}");
    }
    // The publisher joins at time zero, so behind the first step's length and one byte of time stands its hash.
    let file = folder.path().join("0");
    let mut journal = std::fs::read(&file).unwrap();
    let header = u32::from_be_bytes(journal[9..13].try_into().unwrap()) as usize;
    journal[13 + header + 4 + 1] ^= 1;
    std::fs::write(&file, journal).unwrap();
    let output = stratus_sim(&["replay", file.to_str().unwrap()]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(text.starts_with("step 0 at 0.000000 does something else: "), "{text}");
    let output = stratus_sim(&["replay", "Cargo.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("not a journal of this version"));
}

#[test]
fn a_file_is_played_and_a_promise_that_does_not_hold_ends_with_5_and_the_command_to_see_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("eight.toml");
    let path = file.to_str().unwrap();
    let scenario =
        "[scenario]\nmembers = 8\npublishers = 0\njoin_over = \"1s\"\nsettle = \"3s\"\nsecs = \"1s\"\n";
    let write = |must: &str| {
        let text = format!("about = \"Eight\"\ngoal = \"C1\"\nseed = 3\n{scenario}[must]\n{must}\n");
        std::fs::write(&file, text).unwrap();
    };
    write("group.components = \"= 1\"\ngroup.links_mean = \">= 7\"");
    let good = stratus_sim(&["run", path]);
    let value: serde_json::Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!((good.status.code(), &value["seed"]), (Some(0), &serde_json::json!(3)));
    assert_eq!(
        (&value["results"]["group"]["members"], value["must"].as_array().unwrap().len()),
        (&8.into(), 2)
    );
    write("group.links_mean = \">= 8\"");
    let bad = stratus_sim(&["run", path, "--seed", "5", "--members", "7"]);
    let said = String::from_utf8(bad.stderr).unwrap();
    assert_eq!(bad.status.code(), Some(5), "{said}");
    assert!(said.contains("group.links_mean must be >= 8, and is 6"), "{said}");
    assert!(
        said.contains(&format!("to play it again: stratus-sim run {path} --members 7 --seed 5")),
        "{said}"
    );
    std::fs::write(&file, "about = 3").unwrap();
    let refused = stratus_sim(&["run", path]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        String::from_utf8(refused.stderr).unwrap().contains("eight.toml: line 1: invalid type: integer `3`")
    );
}

#[test]
fn the_scoreboard_has_a_row_for_each_promise_and_ends_with_5_if_one_was_missed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, quick, links) in [("a", true, 7), ("b", false, 8)] {
        let text = format!(
            "about = \"Eight {name}\"\ngoal = \"C1\"\nnote = \"Because of {name}\"\nquick = {quick}\nseed = 3\n[scenario]\nmembers = 8\n\
             publishers = 0\njoin_over = \"1s\"\nsettle = \"3s\"\nsecs = \"1s\"\n[must]\ngroup.links_mean = \">= {links}\"\n\
             [stretch]\ngroup.links_mean = \">= 9\"\n"
        );
        std::fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let quick = stratus_sim(&["scoreboard", path, "--quick"]);
    let rows = String::from_utf8(quick.stdout).unwrap();
    assert_eq!(quick.status.code(), Some(0), "{rows}");
    assert!(rows.contains("| `group.links_mean` | >= 7 | 7 |  | pass | `stratus-sim run "), "{rows}");
    assert!(
        rows.contains("| `group.links_mean` | >= 9 | 7 |  | stretch missed |") && !rows.contains("Eight b"),
        "{rows}"
    );
    let out = folder.path().join("board.md");
    let all = stratus_sim(&["scoreboard", path, "--out", out.to_str().unwrap()]);
    assert_eq!((all.status.code(), all.stdout.len()), (Some(5), 0));
    let rows = std::fs::read_to_string(out).unwrap();
    assert!(rows.contains("| >= 8 | 7 |  | **miss** |") && rows.contains("b.toml: Because of b"), "{rows}");
}

/// The lines that a command printed, read as JSON.
fn lines(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

const TINY: [&str; 8] = ["--members", "6", "--secs", "500ms", "--join-over", "500ms", "--settle", "1s"];

#[test]
fn a_sweep_plays_each_value_with_each_seed_and_gives_the_same_on_one_thread_and_on_two() {
    let sweep = |jobs: &str| {
        let flags = ["--vary", "loss=0,0.02", "--seeds", "3..4", "--jobs", jobs];
        let output = stratus_sim(&[&["sweep"], &TINY[..], &flags].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let key = |line: &serde_json::Value| {
            let loss = line["scenario"]["loss"].to_string();
            (loss, line["seed"].as_u64().unwrap(), line["results"].to_string())
        };
        let mut runs: Vec<_> = lines(&output).iter().map(key).collect();
        runs.sort();
        runs
    };
    let runs = sweep("1");
    let keys: Vec<(&str, u64)> = runs.iter().map(|(loss, seed, _)| (loss.as_str(), *seed)).collect();
    assert_eq!(keys, [("0.0", 3), ("0.0", 4), ("0.02", 3), ("0.02", 4)]);
    assert_eq!(runs, sweep("2"), "traces and figures depend on how many run at a time");
    let wrong = stratus_sim(&["sweep", "--vary", "lossy=1"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("no such key of a scenario: lossy"));
}

#[test]
fn a_plan_leaves_a_file_for_each_run_once_and_compare_tells_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let into = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let plan = |name: &str, more: &[&str]| {
        let flags = ["--seeds", "1..3", "--into", &into(name)];
        let output = stratus_sim(&[&["plan"], &TINY[..], &flags, more].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let base = plan("base", &[]);
    assert_eq!(base.lines().count(), 3);
    for line in base.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], "stratus-sim");
        assert_eq!(stratus_sim(&words[1..]).status.code(), Some(0), "{line}");
        let again = stratus_sim(&words[1..]);
        assert!(String::from_utf8(again.stderr).unwrap().starts_with("it was played before: "));
    }
    let same = stratus_sim(&["compare", &into("base"), &into("base")]);
    assert_eq!((same.status.code(), &same.stdout[..]), (Some(0), &b"3 runs of 1 scenarios in both\n"[..]));
    // The same runs, but for one figure that is worse in all of them.
    std::fs::create_dir(into("change")).unwrap();
    for seed in 1..4 {
        let name = format!("run-{seed}.json");
        let text = std::fs::read_to_string(folder.path().join("base").join(&name)).unwrap();
        let mut run: serde_json::Value = serde_json::from_str(&text).unwrap();
        run["results"]["p99_ms"] = (run["results"]["p99_ms"].as_f64().unwrap() * 2.0).into();
        std::fs::write(folder.path().join("change").join(&name), run.to_string()).unwrap();
    }
    let worse = stratus_sim(&["compare", &into("base"), &into("change")]);
    let said = String::from_utf8(worse.stdout).unwrap();
    assert_eq!(worse.status.code(), Some(5));
    assert!(said.contains(" p99_ms: WORSE, ") && said.contains("(+100.0 %), 3 seeds"), "{said}");
    let none = stratus_sim(&["compare", &into("base"), "Cargo.toml"]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn a_report_draws_a_curve_for_each_run_and_refuses_runs_without_series() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let play = |name: &str, more: &[&str]| {
        let output = stratus_sim(&[&["run"], &TINY[..], &["--out", &path(name)], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    play("stream", &["--series", "--rivals", "gossipsub_free"]);
    play("group", &["--series", "--publishers", "0"]);
    play("bare", &["--seed", "2"]);
    let output = stratus_sim(&["report", &path("stream"), &path("group"), "--into", &path("plots")]);
    let names = String::from_utf8(output.stdout).unwrap();
    let expected = ["delay", "hops", "convergence", "members", "timeline"];
    let expected = expected.map(|name| format!("{}\n", path(&format!("plots/{name}.svg"))));
    assert_eq!(names, expected.concat(), "{}", String::from_utf8_lossy(&output.stderr));
    let delay = std::fs::read_to_string(path("plots/delay.svg")).unwrap();
    assert!(delay.starts_with("<svg") && delay.contains("gossipsub_free, 6 members"), "{delay}");
    let thick = delay.matches("stroke-width=\"2\"").count();
    assert_eq!(thick, 2 + 2, "two curves, each with its mark in the legend");
    let bare = stratus_sim(&["report", &path("bare")]);
    assert_eq!(bare.status.code(), Some(2));
    assert!(String::from_utf8(bare.stderr).unwrap().contains("was played without --series"));
}
