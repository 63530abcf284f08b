//! Passwords, which come from a file, standard input or the environment, and never from the arguments: other users of the
//! machine see those.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use stratus_groupspec::{MOST_PASSWORD_BYTES, Password, PasswordError, Weakness};
use zeroize::Zeroizing;

use crate::console::{Console, stdin_is_terminal};
use crate::stop::{Code, Failure, lower_first};

/// The password of publishers.
pub(crate) const PUBLISH: Kind = Kind {
    name: "publish password",
    option: "--publish-password-file",
    variable: "STRATUS_PUBLISH_PASSWORD",
    key_option: "--publish-key",
};
/// The password of posters.
pub(crate) const POSTING: Kind = Kind {
    name: "posting password",
    option: "--posting-password-file",
    variable: "STRATUS_POSTING_PASSWORD",
    key_option: "--posting-key",
};

const NOT_TEXT: &str = "it is not UTF-8 text";
/// The longest password, a line ending, and one byte that is too many.
const READ_BYTES: usize = MOST_PASSWORD_BYTES + 3;

/// A password by its names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    name: &'static str,
    option: &'static str,
    variable: &'static str,
    /// What makes a random key instead.
    key_option: &'static str,
}

/// A password, and what it was read from.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) password: Password,
    pub(crate) place: String,
    /// Whether an option of this command named it; a variable may be there for other commands.
    pub(crate) is_asked_for: bool,
}

/// What programs that we start need not see.
pub(crate) const VARIABLES: [&str; 2] = [PUBLISH.variable, POSTING.variable];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Kind {
    /// Reads the password from the file that the option names, else from the environment; `None`: nobody gave one.
    pub(crate) fn read(self, path: Option<&Path>, console: Console) -> Result<Option<Given>, Failure> {
        match path {
            Some(path) => self.of_file(path, console).map(Some),
            None => self.of_environment(),
        }
    }

    fn of_environment(self) -> Result<Option<Given>, Failure> {
        let place = format!("the variable {}", self.variable);
        let value = match env::var(self.variable) {
            Ok(value) => Zeroizing::new(value),
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(env::VarError::NotUnicode(_)) => return Err(self.unusable(&place, NOT_TEXT)),
        };
        let password = Password::new(&value).map_err(|error| self.refused(&place, error))?;
        Ok(Some(Given { password, place, is_asked_for: false }))
    }

    fn of_file(self, path: &Path, console: Console) -> Result<Given, Failure> {
        let is_stdin = path == Path::new("-");
        let place = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
        let bytes = if is_stdin { self.of_stdin()? } else { self.of_path(path, console)? };
        if bytes.len() == READ_BYTES {
            return Err(self.refused(&place, PasswordError::TooLong));
        }
        let text =
            std::str::from_utf8(without_line_end(&bytes)).map_err(|_| self.unusable(&place, NOT_TEXT))?;
        let password = Password::new(text).map_err(|error| self.refused(&place, error))?;
        Ok(Given { password, place, is_asked_for: true })
    }

    fn of_stdin(self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if stdin_is_terminal() {
            return Err(Failure::new(
                Code::Usage,
                format!("standard input is a terminal, and would show the {}", self.name),
            )
            .hint(format!("put it into a file: {} FILE", self.option)));
        }
        // Not by way of std's own buffer, which would keep it.
        let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
        stdin.and_then(bounded).map_err(|error| self.unreadable("standard input", &error))
    }

    fn of_path(self, path: &Path, console: Console) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let place = path.display().to_string();
        let file = File::open(path).map_err(|error| self.unreadable(&place, &error))?;
        if is_open_to_others(&file) {
            console
                .note(format_args!("warning: other users can read the {} in {place} (chmod 600)", self.name));
        }
        bounded(file).map_err(|error| self.unreadable(&place, &error))
    }

    fn unreadable(self, place: &str, error: &io::Error) -> Failure {
        Failure::new(Code::Usage, format!("cannot read the {}: {place}", self.name))
            .tried(lower_first(&error.to_string()))
            .hint("name a file that holds one line, the password")
    }

    fn refused(self, place: &str, error: PasswordError) -> Failure {
        self.unusable(
            place,
            match error {
                PasswordError::Empty => "it is empty",
                PasswordError::TooLong => "it is longer than 1024 bytes",
                PasswordError::ControlCharacter => "it has a control character, or more than one line",
            },
        )
    }

    /// A password that any member could find by trying.
    pub(crate) fn too_weak(self, place: &str, weakness: Weakness) -> Failure {
        Failure::new(Code::Usage, format!("the {} is too weak: {place}", self.name))
            .tried(weakness.to_string())
            .hint(format!(
                "any member can try passwords: take four random words, or a random key with {}",
                self.key_option
            ))
    }

    /// Says what is wrong with it, and nothing of it.
    fn unusable(self, place: &str, why: &str) -> Failure {
        Failure::new(Code::Usage, format!("cannot use the {} of {place}", self.name))
            .tried(why)
            .hint("one line of UTF-8 text is wanted; one line ending after it does not count")
    }
}

/// Options that name standard input twice leave one of them nothing to read.
pub(crate) fn check_stdin(paths: &[Option<&Path>]) -> Result<(), Failure> {
    let readers = paths.iter().flatten().filter(|path| **path == Path::new("-")).count();
    if readers > 1 {
        return Err(Failure::new(Code::Usage, "standard input cannot be read twice")
            .hint("put the password into a file"));
    }
    Ok(())
}

/// All there is, or enough of it to see that it is too long.
fn bounded(reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // A buffer that grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(READ_BYTES + 1));
    reader.take(READ_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Without the one line ending that editors and `echo` put behind it.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(bytes)
}

/// Whether a file, not a pipe or a device, can be read by more than its owner.
fn is_open_to_others(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0)
}
