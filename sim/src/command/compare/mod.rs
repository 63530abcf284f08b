use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Failure;

mod figures;
#[cfg(test)]
mod tests;

use figures::{Better, better};

#[derive(clap::Args)]
pub(super) struct CompareArguments {
    /// Lines of JSON of the runs before the change: a file, or a folder of files.
    base: PathBuf,
    /// Those after it, of the same scenarios and seeds.
    change: PathBuf,
    /// Changes up to this share are none.
    #[arg(long, default_value_t = 0.02, value_name = "SHARE")]
    tolerance: f64,
}

/// Holds runs of the same scenario and seed against each other; answers whether nothing got worse.
pub(super) fn compare(arguments: &CompareArguments) -> Result<bool, Failure> {
    let pairs = paired(read(&arguments.base)?, read(&arguments.change)?);
    if pairs.is_empty() {
        return Err(Failure::Use("no run of the one has its scenario and seed in the other".into()));
    }
    let runs: usize = pairs.values().map(Vec::len).sum();
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{runs} runs of {} scenarios in both", pairs.len())?;
    let mut is_worse = false;
    for (scenario, pairs) in &pairs {
        for (figure, pairs) in by_figure(pairs) {
            let change = Change::of(&figure, &pairs, arguments.tolerance);
            is_worse |= change.verdict == Verdict::Worse;
            if let Some(line) = change.line() {
                writeln!(stdout, "{scenario} {figure}: {line}")?;
            }
        }
    }
    Ok(!is_worse)
}

/// Results by scenario (its hash) and seed.
type Runs = BTreeMap<(String, u64), Value>;

fn read(path: &Path) -> Result<Runs, Failure> {
    let wrong = |path: &Path, what: &dyn std::fmt::Display| {
        Failure::Use(format!("cannot read runs: {}: {what}", path.display()))
    };
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        let entries = path.read_dir().map_err(|error| wrong(path, &error))?;
        paths = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    }
    let mut runs = Runs::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&path, &error))?;
        for line in text.lines() {
            let run: Value = serde_json::from_str(line).map_err(|error| wrong(&path, &error))?;
            let (Some(scenario), Some(seed)) = (run["scenario_hash"].as_str(), run["seed"].as_u64()) else {
                return Err(wrong(&path, &"a line is not of a run"));
            };
            runs.insert((scenario.to_owned(), seed), run["results"].clone());
        }
    }
    Ok(runs)
}

/// Results before and after, by scenario.
type Pairs = BTreeMap<String, Vec<(Value, Value)>>;

fn paired(base: Runs, mut change: Runs) -> Pairs {
    let mut pairs = Pairs::new();
    for (key, before) in base {
        if let Some(after) = change.remove(&key) {
            pairs.entry(key.0).or_default().push((before, after));
        }
    }
    pairs
}

/// A figure in two runs; `None`: it never came to be.
type Pair = (Option<f64>, Option<f64>);

/// Every figure that a run before or after has, with all its pairs.
fn by_figure(pairs: &[(Value, Value)]) -> BTreeMap<String, Vec<Pair>> {
    let mut figures: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    for (before, after) in pairs {
        let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
        gather(before, "", &mut left);
        gather(after, "", &mut right);
        for (figure, found) in &left {
            if let Some(other) = right.get(figure) {
                figures.entry(figure.clone()).or_default().push((*found, *other));
            }
        }
    }
    figures
}

fn gather(tree: &Value, path: &str, into: &mut BTreeMap<String, Option<f64>>) {
    match tree {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                gather(value, &path, into);
            }
        }
        Value::Number(number) => {
            into.insert(path.to_owned(), number.as_f64());
        }
        Value::Null => {
            into.insert(path.to_owned(), None);
        }
        Value::String(_) | Value::Bool(_) | Value::Array(_) => {}
    }
}

/// How one figure of one scenario changed, over all its seeds.
struct Change {
    before: Option<f64>,
    after: Option<f64>,
    seeds: usize,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Better,
    Worse,
    /// Nobody knows which way is better.
    Other,
    Same,
}

/// A change must be this many standard errors wide, where seeds are enough to tell.
const STANDARD_ERRORS: f64 = 2.0;
const ENOUGH_SEEDS: usize = 3;

impl Change {
    fn of(figure: &str, pairs: &[Pair], tolerance: f64) -> Self {
        let never = |side: fn(&Pair) -> Option<f64>| pairs.iter().filter(|pair| side(pair).is_none()).count();
        let (never_before, never_after) = (never(|pair| pair.0), never(|pair| pair.1));
        let both: Vec<(f64, f64)> = pairs.iter().filter_map(|(a, b)| a.zip(*b)).collect();
        let count = both.len() as f64;
        let mean = |sum: f64| (count > 0.0).then_some(sum / count);
        let before = mean(both.iter().map(|pair| pair.0).sum());
        let after = mean(both.iter().map(|pair| pair.1).sum());
        let verdict = if never_before != never_after {
            // What never comes to be is worse than any figure.
            if never_after > never_before { Verdict::Worse } else { Verdict::Better }
        } else {
            match before.zip(after).map(|(before, after)| after - before) {
                Some(by) if is_change(&both, by, tolerance) => judge(better(figure), by),
                _ => Verdict::Same,
            }
        };
        Self { before, after, seeds: pairs.len(), verdict }
    }

    fn line(&self) -> Option<String> {
        let word = match self.verdict {
            Verdict::Better => "better",
            Verdict::Worse => "WORSE",
            Verdict::Other => "changed",
            Verdict::Same => return None,
        };
        let text = |found: Option<f64>| found.map_or_else(|| "never".into(), |found| format!("{found:.6}"));
        let share = match self.before.zip(self.after) {
            Some((before, after)) if before != 0.0 => {
                format!(" ({:+.1} %)", (after / before - 1.0) * 100.0)
            }
            _ => String::new(),
        };
        Some(format!("{word}, {} to {}{share}, {} seeds", text(self.before), text(self.after), self.seeds))
    }
}

fn judge(better: Option<Better>, by: f64) -> Verdict {
    match better {
        None => Verdict::Other,
        Some(Better::Less) if by < 0.0 => Verdict::Better,
        Some(Better::More) if by > 0.0 => Verdict::Better,
        Some(_) => Verdict::Worse,
    }
}

/// Whether a mean change `by` is more than what is let pass, and more than chance makes of it.
fn is_change(both: &[(f64, f64)], by: f64, tolerance: f64) -> bool {
    let count = both.len() as f64;
    let scale = both.iter().map(|pair| pair.0.abs()).sum::<f64>() / count;
    if by == 0.0 || by.abs() <= scale * tolerance {
        return false;
    }
    if both.len() < ENOUGH_SEEDS {
        return true;
    }
    let spread: f64 = both.iter().map(|(before, after)| (after - before - by).powi(2)).sum();
    by.abs() >= STANDARD_ERRORS * (spread / (count - 1.0) / count).sqrt()
}
