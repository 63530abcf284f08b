use std::fmt;
use std::io::{self, Write as _};

/// Writes a line to stderr. This program has no data for stdout.
pub(crate) fn say(line: impl fmt::Display) {
    // Nobody is left to be told when stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
