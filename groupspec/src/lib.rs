//! The `G:` string that names a group, lets its holder in, and says how to find it.
//!
//! Nouns: [`GroupSpecifier`] builds one, [`Groupspec`] is a parsed one, [`GroupKeys`] are derived from it. The part up to the
//! marker `00` is the *identity*: one changed bit of it is another group. Behind the marker stand hints (where to find
//! members) and authorizations (secret seeds that let the holder publish or post); they never change the group, and anyone
//! may append more ([`append_server`] and its siblings).
//!
//! A right may belong to who knows a [`Password`]: it is stretched with Argon2id into the signing key, so that the public
//! string and the password together authorize ([`Groupspec::with_publish_password`]).
//!
//! It refuses every string but the one canonical form, naming the position of the fault; it never shows a secret unless
//! asked for the string itself. It has no source of chance: tags, seeds and salts come from the caller.
//!
//! ```
//! use stratus_groupspec::{GroupSpecifier, Groupspec, Password};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let password = Password::new("tram ocelot fjord lantern")?;
//! let (tag, salt) = ([0x33; 32], [0x44; 16]); // random, in earnest
//! let spec = GroupSpecifier::new("show")?.make_unique(tag).set_publish_password(&password, salt)?.build();
//!
//! // Everyone gets this string; who knows the password makes the authorization from it.
//! let public = Groupspec::parse(&spec.to_string_without_authorizations())?;
//! assert!(public.publish_authorization().is_none());
//! let text = public.to_string_without_authorizations() + &public.encode_publish_authorization(&password)?;
//! assert_eq!(text, spec.to_string_with_authorizations());
//! # Ok(())
//! # }
//! ```

mod append;
mod authority;
mod error;
mod hints;
mod identity;
mod keys;
mod parse;
mod password;
mod spec;
mod specifier;
mod strength;
mod text;
mod tlv;

pub use append::{
    append_bootstrap_peer, append_ip_multicast_address, append_posting_authorization,
    append_publish_authorization, append_server,
};
pub use authority::SALT_BYTES;
pub use error::{AuthorizeError, BuildError, ParseError, Reason};
pub use hints::{BootstrapPeer, IpMulticastAddress};
pub use identity::Capabilities;
pub use keys::GroupKeys;
pub use password::{MOST_PASSWORD_BYTES, Password, PasswordError};
pub use spec::Groupspec;
pub use specifier::GroupSpecifier;
pub use strength::{FEWEST_PASSWORD_CHARACTERS, Weakness};

/// Longest text that is read or written. Source: spec GS-2.
pub const MOST_TEXT_BYTES: usize = 8 * 1024;
/// Longest name, in bytes of UTF-8. Source: spec GS-5.
pub const MOST_NAME_BYTES: usize = 255;
/// Most bootstrap peers. Source: spec GS-8.
pub const MOST_BOOTSTRAP_PEERS: usize = 16;
/// Most addresses of one bootstrap peer. Source: spec GS-8.
pub const MOST_PEER_ADDRESSES: usize = 8;
/// Most server hints. Source: spec GS-8.
pub const MOST_SERVERS: usize = 8;
/// Most IP multicast addresses. Source: spec GS-8.
pub const MOST_IP_MULTICAST_ADDRESSES: usize = 8;
