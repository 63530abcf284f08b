use std::fmt;

use crate::strength::Weakness;

/// Why a text is not a groupspec, and where.
///
/// Shown as one line: what is wrong, what to do, and the position last. It quotes nothing, since the text may hold secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Byte in the text at which the fault stands, counted from 0; the text's length where something is missing at its end.
    pub position: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// What can be wrong with a groupspec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is longer than [`crate::MOST_TEXT_BYTES`].
    TooLong,
    /// It does not begin with `G:`.
    NoPrefix,
    /// A hex digit is upper-case, which would be another spelling of the same group.
    UpperCase,
    /// A character that is no hex digit.
    NotHex,
    /// It ends inside a field, or before the marker that ends the identity.
    CutShort,
    /// A number is not in its shortest form.
    LongNumber,
    /// It was written by a version that this program does not know; `None`: by one that wrote none.
    Version(Option<u64>),
    /// The identity has an option that this program does not know.
    UnknownOption(u64),
    /// A hint or authorization that this program does not know and may not ignore.
    UnknownHint(u64),
    /// Options stand in another order than the canonical one.
    Order,
    /// Something that may stand once stands twice.
    Twice,
    /// A field has a length that its type does not allow.
    Length,
    /// The group has neither a name nor a tag.
    Nameless,
    /// A name or server is not UTF-8, or a name has a control character, which would reach terminals.
    NotText,
    /// A server is not `host:port`.
    Server,
    /// An address cannot be dialled, or is not one of multicast where it must be.
    Address,
    /// More hints of one kind than allowed.
    TooMany,
    /// The key in it comes from a password in a way that this program does not know.
    UnknownScheme(u8),
    /// An authorization for something that needs none in this group.
    NothingToAuthorize,
    /// An authorization that belongs to another group.
    WrongAuthorization,
}

impl Reason {
    pub(crate) fn at(self, position: usize) -> ParseError {
        ParseError { position, reason: self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COPY: &str = "copy it again exactly as it was given";
        match self {
            Self::TooLong => write!(f, "the groupspec is too long, 8192 bytes are allowed; use fewer hints"),
            Self::NoPrefix => write!(f, "this is no groupspec, which begins with \"G:\"; {COPY}"),
            Self::UpperCase => write!(f, "the groupspec has an upper-case digit; {COPY}"),
            Self::NotHex => write!(f, "the groupspec has a character that is no hex digit; {COPY}"),
            Self::CutShort => write!(f, "the groupspec is cut short; {COPY}"),
            Self::LongNumber => write!(f, "the groupspec has a number in a longer form than needed; {COPY}"),
            Self::Version(Some(version)) => {
                write!(f, "the groupspec has version {version}, this program knows 16; use a newer program")
            }
            Self::Version(None) => {
                write!(
                    f,
                    "the groupspec has no version, as those of Flash; make one with \"stratus group new\""
                )
            }
            Self::UnknownOption(option) => {
                write!(f, "the groupspec has an unknown option {option:02x}; {COPY}, or use a newer program")
            }
            Self::UnknownHint(hint) => {
                write!(f, "the groupspec has an unknown hint {hint:02x}; {COPY}, or use a newer program")
            }
            Self::Order => write!(f, "the groupspec has its options in another order than it must; {COPY}"),
            Self::Twice => write!(f, "the groupspec says something twice that it may say once; remove one"),
            Self::Length => write!(f, "the groupspec has a field of the wrong length; {COPY}"),
            Self::Nameless => write!(f, "the groupspec has neither a name nor a tag; {COPY}"),
            Self::NotText => {
                write!(f, "the groupspec has a name or server that is not plain UTF-8 text; {COPY}")
            }
            Self::Server => {
                write!(f, "the groupspec has a server that is not \"host:port\"; append it again")
            }
            Self::Address => write!(f, "the groupspec has an address that cannot be used; append it again"),
            Self::TooMany => write!(f, "the groupspec has too many hints of one kind; remove some"),
            Self::UnknownScheme(scheme) => {
                write!(f, "the groupspec has an unknown kind of password {scheme:02x}; use a newer program")
            }
            Self::NothingToAuthorize => {
                write!(
                    f,
                    "the groupspec authorizes what every member of the group may do; leave the authorization out"
                )
            }
            Self::WrongAuthorization => {
                write!(f, "the groupspec has an authorization of another group; append the one of this group")
            }
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: position {}", self.reason, self.position)
    }
}

impl std::error::Error for ParseError {}

/// Why something cannot be put into a groupspec; nothing was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BuildError {
    /// The name is empty; a group without a name needs a tag, see [`crate::GroupSpecifier::unnamed`].
    EmptyName,
    /// The name has more than [`crate::MOST_NAME_BYTES`] bytes.
    LongName,
    /// The name has a control character, which would reach terminals.
    NotText,
    /// A server is not `host:port`.
    Server,
    /// An address cannot be dialled, or is not one of multicast where it must be.
    Address,
    /// More of one kind than allowed, which is this many.
    TooMany(usize),
    /// The string would be longer than [`crate::MOST_TEXT_BYTES`]; leave some hints out.
    TooLong,
    /// The password can be guessed.
    WeakPassword(Weakness),
    /// No version that high can be written; the highest is
    /// [`crate::GroupSpecifier::MAX_SUPPORTED_GROUPSPEC_VERSION`].
    Version(u64),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => write!(f, "a group needs a name or a tag"),
            Self::LongName => write!(f, "a group's name may have 255 bytes"),
            Self::NotText => write!(f, "a group's name may have no control characters"),
            Self::Server => write!(f, "a server is written as host:port, as in stratus.example:1935"),
            Self::Address => write!(f, "an address cannot be used here"),
            Self::TooMany(most) => write!(f, "a groupspec may have so many of these: {most}"),
            Self::TooLong => write!(f, "a groupspec may have 8192 bytes; leave some hints out"),
            Self::WeakPassword(weakness) => write!(f, "the password is too weak: {weakness}"),
            Self::Version(version) => {
                write!(f, "the highest version of groupspecs is 16, not {version}")
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// Why a password authorizes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthorizeError {
    /// Every member may do this.
    NothingToAuthorize,
    /// The group's key is random: only the groupspec with the authorizations has it.
    NoPassword,
    /// It gives another key than the group's.
    WrongPassword,
    /// With the authorization the string would be longer than [`crate::MOST_TEXT_BYTES`].
    TooLong,
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingToAuthorize => "every member of this group may do that without a password",
            Self::NoPassword => {
                "this group has no password for that; its groupspec with authorizations is needed"
            }
            Self::WrongPassword => "the password is wrong",
            Self::TooLong => "a groupspec may have 8192 bytes; leave some hints out",
        })
    }
}

impl std::error::Error for AuthorizeError {}
