use std::fmt;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::scenario::Scenario;

mod must;
#[cfg(test)]
mod tests;

pub use must::{Bound, Must, Verdict};

/// A scenario as it stands in a file, with what must hold when it was played.
///
/// ```toml
/// about = "What is shown"
/// goal = "A5"
/// seed = 1
///
/// [scenario]
/// members = 1000
///
/// [must]
/// p99_ms = "<= 145"
/// parts.strong.carried = ">= 3"
///
/// [stretch]
/// p99_ms = "<= 124"
/// ```
///
/// Keys of `[scenario]` are fields of [`Scenario`], those of `[must]` paths into the results. Unknown keys,
/// impossible values and a missing seed are refused.
#[derive(Clone, PartialEq, Debug)]
pub struct ScenarioFile {
    /// What is shown, one line.
    pub about: String,
    /// Which goal of the project it is for.
    pub goal: String,
    /// Why a bar is missed, where one is.
    pub note: Option<String>,
    /// Whether it is part of the quick board, which the tests play.
    pub is_quick: bool,
    /// What is played.
    pub scenario: Scenario,
    /// What must hold, in the order of the file's names.
    pub must: Vec<Must>,
    /// What would be better still; nothing fails for it.
    pub stretch: Vec<Must>,
}

/// Why a file is refused, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileError {
    /// Line, from 1.
    pub line: usize,
    /// Reason.
    pub reason: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: String,
    goal: String,
    note: Option<String>,
    #[serde(default)]
    quick: bool,
    seed: u64,
    scenario: Scenario,
    must: toml::Table,
    #[serde(default)]
    stretch: toml::Table,
}

impl ScenarioFile {
    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
        let raw: Raw = toml::from_str(text).map_err(|error| FileError {
            line: line_of(error.span().map_or(0, |span| span.start)),
            reason: error.message().into(),
        })?;
        let refuse = |table: &str, key: &str, reason: String| {
            let offset = offset_of(text, table, key).unwrap_or(0);
            Err(FileError { line: line_of(offset), reason })
        };
        let Raw { about, goal, note, quick: is_quick, seed, scenario, must, stretch } = raw;
        let scenario = Scenario { seed, ..scenario };
        if let Err(invalid) = scenario.validate() {
            return refuse("scenario", invalid.field, invalid.to_string());
        }
        let mut bounds = [Vec::new(), Vec::new()];
        for (list, (name, table)) in bounds.iter_mut().zip([("must", &must), ("stretch", &stretch)]) {
            match must::read(table) {
                Ok(musts) => *list = musts,
                Err((key, reason)) => return refuse(name, &key, reason),
            }
        }
        let [must, stretch] = bounds;
        if must.is_empty() {
            return refuse("", "must", "a scenario must say what must hold".into());
        }
        Ok(Self { about, goal, note, is_quick, scenario, must, stretch })
    }
}

/// Where a key of a table stands in a text that parses; `a.b` goes into `a`.
fn offset_of(text: &str, table: &str, key: &str) -> Option<usize> {
    let whole = DeTable::parse(text).ok()?;
    let mut within: &DeTable<'_> = whole.get_ref();
    let mut found = None;
    for part in table.split('.').chain(key.split('.')).filter(|part| !part.is_empty()) {
        let Some((name, value)) = within.iter().find(|(name, _)| name.get_ref() == part) else { break };
        found = Some(name.span().start);
        match Spanned::get_ref(value) {
            DeValue::Table(inner) => within = inner,
            _ => break,
        }
    }
    found
}
