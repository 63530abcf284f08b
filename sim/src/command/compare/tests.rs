use super::*;

fn verdict(figure: &str, pairs: &[Pair]) -> Verdict {
    Change::of(figure, pairs, 0.02).verdict
}

fn same(before: f64, after: f64) -> Vec<Pair> {
    vec![(Some(before), Some(after))]
}

#[test]
fn a_figure_that_moves_the_wrong_way_beyond_what_is_let_pass_is_worse() {
    assert_eq!(verdict("p99_ms", &same(100.0, 103.0)), Verdict::Worse);
    assert_eq!(verdict("p99_ms", &same(100.0, 102.0)), Verdict::Same);
    assert_eq!(verdict("p99_ms", &same(100.0, 50.0)), Verdict::Better);
    assert_eq!(verdict("parts.strong.continuity", &same(1.0, 0.9)), Verdict::Worse);
    assert_eq!(verdict("faults", &same(0.0, 1.0)), Verdict::Worse);
    assert_eq!(verdict("events", &same(3.0, 50.0)), Verdict::Other);
    assert_eq!(verdict("rivals.gossipsub.p99_ms", &same(100.0, 700.0)), Verdict::Other);
    assert_eq!(verdict("rivals.gossipsub.p99_of_theirs", &same(0.5, 0.7)), Verdict::Worse);
}

#[test]
fn what_never_comes_to_be_is_worse_than_any_figure() {
    assert_eq!(verdict("group.exact_s", &[(Some(3.0), None)]), Verdict::Worse);
    assert_eq!(verdict("group.exact_s", &[(None, Some(50.0))]), Verdict::Better);
    assert_eq!(verdict("group.exact_s", &[(None, None)]), Verdict::Same);
}

#[test]
fn several_seeds_that_disagree_are_chance() {
    let pairs = |after: [f64; 4]| after.map(|after| (Some(100.0), Some(after)));
    assert_eq!(verdict("p99_ms", &pairs([140.0, 70.0, 130.0, 80.0])), Verdict::Same);
    assert_eq!(verdict("p99_ms", &pairs([107.0, 103.0, 105.0, 105.0])), Verdict::Worse);
}

#[test]
fn runs_are_paired_by_scenario_and_seed() {
    let runs = |keys: &[(&str, u64)]| -> Runs {
        keys.iter().map(|(hash, seed)| (((*hash).to_owned(), *seed), Value::from(*seed))).collect()
    };
    let pairs = paired(runs(&[("a", 1), ("a", 2), ("b", 1)]), runs(&[("a", 2), ("c", 1), ("b", 1)]));
    let kept: Vec<(&str, usize)> = pairs.iter().map(|(hash, pairs)| (hash.as_str(), pairs.len())).collect();
    assert_eq!(kept, [("a", 1), ("b", 1)]);
}
