use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::report::Results;

/// Something that must hold: a path into the results, and a bound.
#[derive(Clone, PartialEq, Debug)]
pub struct Must {
    /// Such as `p99_ms` or `group.hops_mean`.
    pub what: String,
    /// Such as `<= 145`.
    pub bound: Bound,
}

/// Where a figure must lie.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bound {
    /// `<= 145`.
    Most(f64),
    /// `>= 0.999`.
    Least(f64),
    /// `= 0`.
    Exactly(f64),
}

/// Whether something held.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Verdict {
    /// What.
    pub what: String,
    /// Where it must lie.
    pub bound: Bound,
    /// Where it lies; `None`: it never came to be.
    pub found: Option<f64>,
    /// Whether it holds.
    pub holds: bool,
}

impl Must {
    /// Holds results against it.
    pub fn judge(&self, results: &Results) -> Verdict {
        let tree = serde_json::to_value(results).expect("results are plain data");
        let found = at(&tree, &self.what).and_then(number);
        let holds = found.is_some_and(|found| self.bound.admits(found));
        Verdict { what: self.what.clone(), bound: self.bound, found, holds }
    }
}

impl Bound {
    /// Whether a figure lies within.
    pub fn admits(self, found: f64) -> bool {
        match self {
            Self::Most(most) => found <= most,
            Self::Least(least) => found >= least,
            Self::Exactly(exactly) => found == exactly,
        }
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a bound such as \"<= 145\", \">= 0.999\" or \"= 0\": {text}");
        let (sign, number) = text.split_once(' ').ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        match sign {
            "<=" => Ok(Self::Most(number)),
            ">=" => Ok(Self::Least(number)),
            "=" => Ok(Self::Exactly(number)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Most(most) => write!(f, "<= {most}"),
            Self::Least(least) => write!(f, ">= {least}"),
            Self::Exactly(exactly) => write!(f, "= {exactly}"),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a table of bounds; on failure answers the path and the reason.
pub(super) fn read(table: &toml::Table) -> Result<Vec<Must>, (String, String)> {
    let known = serde_json::to_value(Results::every_figure()).expect("results are plain data");
    let mut musts = Vec::new();
    gather(table, "", &mut |what, value| {
        if !at(&known, what).is_some_and(|found| found.is_number() || found.is_null()) {
            return Err(format!("no such figure among the results: {what}"));
        }
        let text = value.as_str().ok_or("a bound is a text such as \"<= 145\"")?;
        musts.push(Must { what: what.into(), bound: text.parse()? });
        Ok(())
    })?;
    Ok(musts)
}

/// Calls `each` with the path of every value that is not a table.
fn gather(
    table: &toml::Table,
    path: &str,
    each: &mut dyn FnMut(&str, &toml::Value) -> Result<(), String>,
) -> Result<(), (String, String)> {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            toml::Value::Table(inner) => gather(inner, &path, each)?,
            value => each(&path, value).map_err(|reason| (path, reason))?,
        }
    }
    Ok(())
}

fn at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |tree, part| tree.get(part))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}
