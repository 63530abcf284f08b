use serde::de::DeserializeOwned;
use stratus_terminal::stop::{Code, Failure, lower_first};
use toml::{Table, Value};

use crate::program::Program;

/// A setting in the environment: `STRATUS_LIMITS__MEMBERS`.
pub(crate) struct Variable<'a> {
    pub(crate) name: &'a str,
    /// `["limits", "members"]`
    path: Vec<String>,
    text: &'a str,
}

/// The settings among the variables. One without `__` is something else, one of a section that no command knows is an
/// error.
pub(crate) fn variables<'a>(
    environment: &'a [(String, String)],
    program: &Program,
) -> Result<Vec<Variable<'a>>, Failure> {
    let mut found = Vec::new();
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix("STRATUS_").filter(|rest| rest.contains("__")) else { continue };
        let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        let section = path[0].as_str();
        if program.sections.contains(&section) {
            found.push(Variable { name, path, text });
        } else if !program.foreign_sections.contains(&section) {
            return Err(unknown(name, section, program));
        }
    }
    Ok(found)
}

fn unknown(name: &str, section: &str, program: &Program) -> Failure {
    Failure::new(Code::Usage, format!("unknown section of settings: {section}"))
        .tried(format!("the environment variable {name}"))
        .hint(format!("the sections are {}", program.sections.join(", ")))
}

impl Variable<'_> {
    /// The table that it stands for, if its key is known and its value makes sense.
    pub(crate) fn checked<T: DeserializeOwned>(&self) -> Result<Table, Failure> {
        // A number or a truth value if that is what the setting wants, else a text: "8s" needs no quotes here.
        let parsed = format!("value = {}", self.text).parse::<Table>().ok();
        let parsed = parsed.and_then(|mut table| table.remove("value")).map(|value| self.table(value));
        let text = self.table(Value::String(self.text.to_owned()));
        let mut first = None;
        for table in parsed.into_iter().chain([text]) {
            match T::deserialize(Value::Table(table.clone())) {
                Ok(_) => return Ok(table),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        let error = first.expect("a text is tried at least");
        let what = error.message().lines().next().unwrap_or("it cannot be read").to_owned();
        Err(Failure::new(Code::Usage, lower_first(&what))
            .tried(format!("the environment variable {}", self.name))
            .hint("the packaged files show every setting"))
    }

    fn table(&self, value: Value) -> Table {
        let nested = self.path.iter().rev().fold(value, |inner, key| {
            let mut table = Table::new();
            table.insert(key.clone(), inner);
            Value::Table(table)
        });
        match nested {
            Value::Table(table) => table,
            _ => unreachable!("a path has at least two keys"),
        }
    }
}
