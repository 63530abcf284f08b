//! The scenario files, as they are kept: each can be read, and what the quick ones promise holds.

use std::path::PathBuf;

use stratus_sim::{Options, ScenarioFile, Verdict, run};

/// Every file with its name, in the order of names.
fn files() -> Vec<(String, ScenarioFile)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<PathBuf> =
        folder.read_dir().expect("the folder of scenarios").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = ScenarioFile::parse(&std::fs::read_to_string(&path).unwrap());
        (name.clone(), file.unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_scenario_says_what_it_shows_and_no_two_are_the_same() {
    let files = files();
    assert!(files.iter().all(|(_, file)| !file.about.is_empty() && !file.goal.is_empty()));
    let mut hashes: Vec<String> = files.iter().map(|(_, file)| file.scenario.hash()).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), files.len());
}

#[test]
fn what_the_quick_scenarios_promise_holds() {
    let quick: Vec<_> = files().into_iter().filter(|(_, file)| file.is_quick).collect();
    assert!(quick.len() >= 5, "{} quick scenarios", quick.len());
    for (name, file) in quick {
        let outcome = run(&file.scenario, Options::default());
        let broken: Vec<Verdict> = file
            .must
            .iter()
            .map(|must| must.judge(&outcome.results))
            .filter(|verdict| !verdict.holds)
            .collect();
        let again = format!("stratus-sim run sim/scenarios/{name}.toml");
        assert!(broken.is_empty() && outcome.faults.is_empty(), "{again}: {broken:?} {:?}", outcome.faults);
    }
}
