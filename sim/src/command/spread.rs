use std::path::PathBuf;
use std::str::FromStr;

use stratus_sim::Scenario;

use super::Failure;
use super::flags::ScenarioFlags;

/// Many runs of one scenario: a value for each, and a seed.
#[derive(clap::Args)]
pub(super) struct Spread {
    /// Changes what the scenario says, in all runs alike.
    #[command(flatten)]
    pub(super) scenario: ScenarioFlags,
    /// KEY=VALUE,VALUE…: a key of a scenario file and the values that it takes in turn, such as loss=0,0.01,0.05.
    #[arg(long, value_name = "KEY=VALUES")]
    vary: Option<Vary>,
    /// FIRST..LAST, both included, or some with commas between: each value is played with each of them.
    #[arg(long, value_name = "SEEDS")]
    seeds: Option<Seeds>,
}

/// One run of several.
pub(super) struct Planned {
    pub(super) scenario: Scenario,
    /// What sets it apart from the others, fit for a file's name.
    pub(super) name: String,
}

impl Spread {
    /// Every run, by value and then by seed.
    pub(super) fn runs(&self, base: &Scenario) -> Result<Vec<Planned>, Failure> {
        let base = self.scenario.apply(base);
        let mut runs = Vec::new();
        let values = match &self.vary {
            Some(vary) => vary.values.iter().map(Some).collect(),
            None => vec![None],
        };
        for value in values {
            let (mut scenario, mut name) = (base.clone(), String::new());
            if let (Some(Vary { key, .. }), Some(value)) = (&self.vary, value) {
                scenario = base.with(key, value).map_err(Failure::Use)?;
                name = format!("{key}={value}-").replace(['/', ':', ' '], "_");
            }
            scenario.validate().map_err(|invalid| Failure::Use(invalid.to_string()))?;
            let seeds = self.seeds.as_ref().map_or_else(|| vec![base.seed], |seeds| seeds.0.clone());
            runs.extend(seeds.into_iter().map(|seed| Planned {
                scenario: Scenario { seed, ..scenario.clone() },
                name: format!("{name}{seed}"),
            }));
        }
        Ok(runs)
    }
}

/// `loss=0,0.01`.
#[derive(Clone)]
struct Vary {
    key: String,
    values: Vec<String>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, values) = text.split_once('=').ok_or("expected KEY=VALUES, such as loss=0,0.01,0.05")?;
        Ok(Self { key: key.replace('-', "_"), values: values.split(',').map(str::to_owned).collect() })
    }
}

/// Most seeds of one command.
const MOST_SEEDS: u64 = 1_000_000;

/// `1..200` or `3,50,700`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seeds(Vec<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("not a seed: {text}"));
        let Some((first, last)) = text.split_once("..") else {
            return text.split(',').map(number).collect::<Result<_, _>>().map(Self);
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last - first >= MOST_SEEDS {
            return Err(format!("expected FIRST..LAST, at most {MOST_SEEDS} of them: {text}"));
        }
        Ok(Self((first..=last).collect()))
    }
}

/// Where a run leaves its line.
pub(super) fn place(folder: &std::path::Path, file: Option<&PathBuf>, run: &Planned) -> PathBuf {
    let stem = file.and_then(|file| file.file_stem()).map_or("run".into(), |stem| stem.to_string_lossy());
    folder.join(format!("{stem}-{}.json", run.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_read_as_they_are_written() {
        assert_eq!("3..6".parse(), Ok(Seeds(vec![3, 4, 5, 6])));
        assert_eq!("3,50".parse(), Ok(Seeds(vec![3, 50])));
        assert_eq!(
            "6..3".parse::<Seeds>().unwrap_err(),
            "expected FIRST..LAST, at most 1000000 of them: 6..3"
        );
        assert_eq!("x".parse::<Seeds>().unwrap_err(), "not a seed: x");
    }
}
