use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use stratus_terminal::stop::Failure;
use toml::{Table, Value};

use crate::{environment, file};

/// Whose settings are read, and where they are searched for.
#[derive(Clone, Debug)]
pub struct Program {
    /// The name of its file in a folder for settings: `stratus.toml`.
    pub file_name: &'static str,
    /// The sections that it knows.
    pub sections: &'static [&'static str],
    /// Sections of its sister commands, whose variables it passes over.
    pub foreign_sections: &'static [&'static str],
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The settings; what nobody set is as `serde` makes it when it is missing.
    pub settings: T,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Where each value that was set came from, by its path (`limits.members`).
    pub origins: BTreeMap<String, String>,
    /// What was set, as a table.
    pub set: Table,
}

impl Program {
    /// Reads the settings: `explicit` if it is given, else the file that `STRATUS_CONFIG` names, else this user's, else
    /// the system's; then the environment over it.
    ///
    /// `environment` is the process's own, or a made-up one.
    pub fn load<T: DeserializeOwned>(
        &self,
        explicit: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded<T>, Failure> {
        let environment: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.starts_with("STRATUS_")).collect();
        let named = environment.iter().find(|(name, _)| name == "STRATUS_CONFIG");
        let named = named.map(|(_, path)| PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
        let file = file::find(explicit.map(Path::to_owned).or(named), self.file_name);
        let mut set = Table::new();
        let mut origins = BTreeMap::new();
        if let Some(path) = &file {
            let text = file::text(path)?;
            set = file::table::<T>(path, &text)?;
            note(&mut origins, &set, &path.display().to_string());
        }
        for variable in environment::variables(&environment, self)? {
            let table = variable.checked::<T>()?;
            note(&mut origins, &table, variable.name);
            merge(&mut set, table);
        }
        // Each part was read by itself before, so all of them together can be.
        let settings = T::deserialize(Value::Table(set.clone())).map_err(|error| file::together(&error))?;
        Ok(Loaded { settings, file, origins, set })
    }
}

/// Puts `over` onto `under`, key by key.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// Notes where each value of a table came from.
fn note(origins: &mut BTreeMap<String, String>, table: &Table, origin: &str) {
    for (path, _) in leaves(table) {
        origins.insert(path, origin.to_owned());
    }
}

/// Every value of a table that is no table itself, with its path.
pub(crate) fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(leaves(inner).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

impl<T> Loaded<T> {
    /// A line for each setting of `defaults` (a packaged file, in which all of them stand, commented out): what holds,
    /// and where it came from.
    pub fn lines(&self, defaults: &str) -> Vec<String> {
        let mut all = uncommented(defaults).parse::<Table>().unwrap_or_default();
        merge(&mut all, self.set.clone());
        let origin = |path: &str| self.origins.get(path).map_or("default", String::as_str);
        leaves(&all)
            .into_iter()
            .map(|(path, value)| format!("{path} = {value}  # {}", origin(&path)))
            .collect()
    }
}

/// The text of a packaged file with its defaults in force: a default is a line that begins with `#` and a letter.
pub fn uncommented(packaged: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    packaged.lines().map(line).collect::<Vec<_>>().join("\n")
}
