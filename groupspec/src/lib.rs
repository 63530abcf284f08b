//! The `G:` string that names a group, lets its holder in, and says how to find it.
//!
//! Nouns: [`GroupSpecifier`] builds one, [`Groupspec`] is a parsed one, [`GroupKeys`] are derived from it. The part up to the
//! marker `00` is the *identity*: one changed bit of it is another group. Behind the marker stand hints (where to find
//! members) and authorizations (secret seeds that let the holder publish or post); they never change the group, and anyone
//! may append more ([`append_server`] and its siblings).
//!
//! It refuses every string but the one canonical form, naming the position of the fault; it never shows a secret unless
//! asked for the string itself. It has no source of chance: tags and seeds come from the caller.

mod append;
mod error;
mod hints;
mod identity;
mod keys;
mod parse;
mod spec;
mod specifier;
mod text;
mod tlv;

pub use append::{
    append_bootstrap_peer, append_ip_multicast_address, append_posting_authorization,
    append_publish_authorization, append_server,
};
pub use error::{BuildError, ParseError, Reason};
pub use hints::{BootstrapPeer, IpMulticastAddress};
pub use identity::Capabilities;
pub use keys::GroupKeys;
pub use spec::Groupspec;
pub use specifier::GroupSpecifier;

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
