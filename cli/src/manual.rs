//! `stratus completions` and `stratus man`: what packagers put beside the program.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Arguments;
use crate::console::Console;
use crate::stop::{Code, Failure, Stop, lower_first};

/// Prints what `shell` needs to complete our words.
pub(crate) fn completions(shell: Shell, console: Console) -> Result<(), Stop> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "stratus", &mut text);
    console.data(String::from_utf8_lossy(&text).trim_end())
}

/// Writes a page for each command into `folder`.
pub(crate) fn pages(folder: &Path, console: Console) -> Result<(), Failure> {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map_err(|error| {
        Failure::new(Code::Usage, format!("cannot write the manual pages: {}", folder.display()))
            .tried(lower_first(&error.to_string()))
            .hint("name a folder that may be written")
    })?;
    console.note(format_args!("the manual pages are in {}", folder.display()));
    Ok(())
}
