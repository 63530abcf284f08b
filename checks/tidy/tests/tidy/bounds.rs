//! Every bound that docs/security.md lists names its tests, and they exist.

use std::collections::BTreeSet;

use crate::tree::{files, read};

/// The cells of each row of the table of bounds.
fn rows() -> Vec<Vec<String>> {
    let page = read("docs/security.md");
    let part =
        page.split("\n## Bounds\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("it is there");
    let rows = part.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Thing"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What a cell has between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_bound_names_tests_that_exist() {
    let mut known = BTreeSet::new();
    for file in files(".rs") {
        let mut is_test = false;
        for line in file.text.lines().map(str::trim) {
            let name =
                line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| is_test) {
                known.insert(name.to_owned());
            }
            is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        }
    }
    let rows = rows();
    assert!(rows.len() > 40, "only {} bounds", rows.len());
    for row in &rows {
        let [thing, limit, setting, tests] = &row[..] else { panic!("not four cells: {row:?}") };
        assert!(!limit.is_empty() && !setting.is_empty(), "{thing} lacks its limit or where it is");
        let named = quoted(tests);
        assert!(!named.is_empty(), "{thing} names no test");
        let missing: Vec<_> = named.iter().filter(|name| !known.contains(**name)).collect();
        assert!(missing.is_empty(), "{thing}: no such test {missing:?}");
    }
}

#[test]
fn every_limit_of_a_config_is_in_the_table() {
    let table: String = rows().iter().map(|row| row[2].clone()).collect::<Vec<_>>().join(" ");
    let listed: BTreeSet<&str> = quoted(&table).into_iter().collect();
    for config in ["transport", "multicast", "posting", "replication"] {
        let text = read(&format!("{config}/src/config.rs"));
        let fields = text.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
        let limits =
            fields.map(|(name, _)| name).filter(|name| name.starts_with("max_") && *name != "max_upload");
        let missing: Vec<&str> = limits.filter(|name| !listed.contains(name)).collect();
        assert!(missing.is_empty(), "{config}: {missing:?} in no row of the bounds in docs/security.md");
    }
}
