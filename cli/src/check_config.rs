//! `stratus check-config`: what holds, and where it comes from.

use std::path::Path;

use stratus_config::Loaded;

use crate::args::{Classes, Properties, Reach};
use crate::console::Console;
use crate::settings::{self, PACKAGED, Settings};
use crate::spec;
use crate::stop::{Code, Failure, Stop};

/// Reads the settings that `config` names, or the usual ones; fails as `publish` or `play` would.
pub(crate) fn run(config: Option<&Path>, console: Console) -> Result<(), Stop> {
    let loaded = settings::load(config)?;
    check(&loaded)?;
    match &loaded.file {
        Some(path) => console.note(format_args!("settings from {}", path.display())),
        None => console.note("settings: no file, the defaults and the environment"),
    }
    loaded.lines(PACKAGED).into_iter().try_for_each(|line| console.data(line))
}

fn check(loaded: &Loaded<Settings>) -> Result<(), Failure> {
    let wrong = |error: stratus::ConfigError| Failure::new(Code::Usage, error.to_string());
    let (mut properties, mut classes) = (Properties::default(), Classes::default());
    loaded.settings.clone().fill_stream(&mut properties, &mut classes);
    let config = properties.config().map_err(wrong)?;
    classes.parameters(&config).map_err(wrong)?;
    let mut reach = Reach::default();
    loaded.settings.clone().fill(&mut reach);
    if let Some(admin) = reach.admin() {
        admin.check().map_err(|error| Failure::from(&error))?;
    }
    for (alias, file) in settings::groups(loaded)? {
        let spec = format!("@{}", file.display());
        spec::load(&spec).map_err(|failure| failure.tried(format!("the group \"{alias}\"")))?;
    }
    Ok(())
}
