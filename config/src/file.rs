use std::fs;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy as _, choose_base_strategy};
use serde::de::DeserializeOwned;
use stratus_terminal::stop::{Code, Failure, lower_first};
use toml::Table;

/// The file to read: the one that was named, else the first that exists in the usual folders.
pub(crate) fn find(named: Option<PathBuf>, file_name: &str) -> Option<PathBuf> {
    if named.is_some() {
        return named;
    }
    let user =
        choose_base_strategy().ok().map(|strategy| strategy.config_dir().join("stratus").join(file_name));
    let system = Path::new("/etc/stratus").join(file_name);
    user.into_iter().chain([system]).find(|path| path.is_file())
}

pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::new(Code::Usage, format!("cannot read the settings: {}", path.display()))
            .tried(lower_first(&error.to_string()))
            .hint("name another file with --config, or leave it out")
    })
}

/// The file's table, if every key in it is known and every value makes sense.
pub(crate) fn table<T: DeserializeOwned>(path: &Path, text: &str) -> Result<Table, Failure> {
    toml::from_str::<T>(text).map_err(|error| of_toml(path, text, &error))?;
    text.parse().map_err(|error| of_toml(path, text, &error))
}

fn of_toml(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let (line, column) = error.span().map_or((1, 1), |span| position(text, span.start));
    let what = error.message().lines().next().unwrap_or("the settings cannot be read").to_owned();
    Failure::new(Code::Usage, lower_first(&what))
        .tried(format!("{}, line {line}, column {column}", path.display()))
        .hint("\"stratus-server check-config\" and the packaged files show every setting")
}

/// Line and column of a byte, from 1.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Parts that were good alone are not good together.
pub(crate) fn together(error: &toml::de::Error) -> Failure {
    Failure::new(Code::Usage, lower_first(error.message())).tried("the file and the environment together")
}
