use std::fmt;

/// Longest path, bytes.
const MOST_PATH_BYTES: usize = 1_024;
/// Longest part of a path, bytes.
const MOST_PART_BYTES: usize = 255;
/// Most parts of a path.
const MOST_PARTS: usize = 32;
/// Names that mean something else on some system, with whatever ending.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
/// Where a store keeps its own books.
const OWN_PREFIX: &str = ".stratus";

/// Why a path may not be written to anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathFault {
    /// Nothing, or nothing between two slashes.
    Empty,
    /// It begins at a root or a drive.
    Absolute,
    /// It leads out of its folder, or stays where it is.
    Dots,
    /// A character that some system does not have in names, or that hides something.
    Character,
    /// A name that means a device somewhere, ends in a dot or a space, or is the store's own.
    Reserved,
    /// Longer or deeper than any system is sure to bear.
    TooLong,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a part of the path is empty",
            Self::Absolute => "the path is absolute",
            Self::Dots => "the path has . or .. in it",
            Self::Character => "the path has a character that is not allowed in names",
            Self::Reserved => "the path has a reserved name in it",
            Self::TooLong => "the path is too long",
        })
    }
}

/// Whether a file may have this path on any system, below the folder it is put into. Source: spec RE-24.
pub fn check_path(path: &str) -> Result<(), PathFault> {
    if path.starts_with(['/', '\\']) || path.get(1..2) == Some(":") {
        return Err(PathFault::Absolute);
    }
    if path.len() > MOST_PATH_BYTES || path.split('/').count() > MOST_PARTS {
        return Err(PathFault::TooLong);
    }
    path.split('/').try_for_each(check_part)
}

fn check_part(part: &str) -> Result<(), PathFault> {
    match part {
        "" => return Err(PathFault::Empty),
        "." | ".." => return Err(PathFault::Dots),
        _ => {}
    }
    if part.len() > MOST_PART_BYTES {
        return Err(PathFault::TooLong);
    }
    let is_bad = |c: char| c.is_control() || "\\:*?\"<>|".contains(c) || is_invisible(c);
    if part.chars().any(is_bad) {
        return Err(PathFault::Character);
    }
    if part.ends_with(['.', ' ']) || is_reserved(part) {
        return Err(PathFault::Reserved);
    }
    Ok(())
}

/// Marks that turn the direction of text, and spaces without width: names that read as others.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_reserved(part: &str) -> bool {
    let lower = part.to_lowercase();
    let stem = lower.split('.').next().unwrap_or_default().trim_end();
    let is_port = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
    };
    RESERVED.contains(&stem) || is_port("com") || is_port("lpt") || lower.starts_with(OWN_PREFIX)
}
