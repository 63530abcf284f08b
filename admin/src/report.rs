use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use crate::metrics::Samples;

/// Makes a [`Report`]; called once for each request. One that does not come within two seconds counts as no answer.
pub type Ask = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Report> + Send>> + Send + Sync>;

/// What a program says of itself at one moment.
#[derive(Debug)]
pub struct Report {
    /// What must hold for it to be of use.
    pub checks: Vec<Check>,
    /// What it counts.
    pub samples: Samples,
    /// The same for people and programs, as JSON.
    pub status: serde_json::Value,
}

/// One thing that must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// A word.
    pub name: &'static str,
    /// Why it does not hold.
    pub trouble: Option<String>,
}

impl Check {
    /// A check that holds if there is no trouble.
    pub fn new(name: &'static str, trouble: Option<String>) -> Self {
        Self { name, trouble }
    }
}

impl Report {
    /// Whether everything holds.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| check.trouble.is_none())
    }

    /// A line for each check, in the manner of Kubernetes: `[+]name ok`, `[-]name failed: why`.
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for Check { name, trouble } in &self.checks {
            match trouble {
                None => writeln!(lines, "[+]{name} ok"),
                Some(why) => writeln!(lines, "[-]{name} failed: {why}"),
            }
            .expect("a String takes all");
        }
        lines
    }
}
