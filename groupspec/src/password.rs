use std::fmt;

use zeroize::Zeroizing;

/// Longest password, in bytes of UTF-8: room for a long sentence.
pub const MOST_PASSWORD_BYTES: usize = 1024;

/// The password of a group's publishers or posters. Wiped from memory when dropped, never shown.
///
/// It is taken byte for byte: a letter with an accent can be written in Unicode in two ways, and these are two passwords.
/// Whether it is strong enough is asked only when a group is made with it.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text is no password. Quotes nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordError {
    /// There is nothing.
    Empty,
    /// It has more than [`MOST_PASSWORD_BYTES`] bytes.
    TooLong,
    /// It has a control character, such as the end of a line: most likely not meant, and impossible to see.
    ControlCharacter,
}

impl Password {
    /// Copies `text`; the caller wipes its own.
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        match text.len() {
            0 => Err(PasswordError::Empty),
            1..=MOST_PASSWORD_BYTES if text.contains(char::is_control) => {
                Err(PasswordError::ControlCharacter)
            }
            1..=MOST_PASSWORD_BYTES => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => Err(PasswordError::TooLong),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the password is empty"),
            Self::TooLong => write!(f, "the password is longer than 1024 bytes"),
            Self::ControlCharacter => {
                write!(f, "the password has a control character, such as the end of a line")
            }
        }
    }
}

impl std::error::Error for PasswordError {}
