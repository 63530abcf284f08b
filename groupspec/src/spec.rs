use std::fmt;

use stratus_core::{GroupId, Identity, PublicKey};

use crate::ParseError;
use crate::hints::{BootstrapPeer, IpMulticastAddress};
use crate::identity::{Capabilities, GroupIdentity};
use crate::keys::GroupKeys;
use crate::parse;
use crate::text::{PREFIX, hex};
use crate::tlv::{Field, Fields, Next, types};

/// A parsed groupspec.
///
/// It has no `Display`, since the string is the members' secret: ask for it with or without the authorizations.
#[derive(Clone, PartialEq, Eq)]
pub struct Groupspec {
    pub(crate) identity: GroupIdentity,
    /// What follows the marker, as it was written.
    pub(crate) extras: Vec<u8>,
    pub(crate) hints: Hints,
}

/// What follows the marker, as values.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Hints {
    pub(crate) bootstrap_peers: Vec<BootstrapPeer>,
    pub(crate) servers: Vec<String>,
    pub(crate) ip_multicast_addresses: Vec<IpMulticastAddress>,
    pub(crate) publish_seed: Option<[u8; 32]>,
    pub(crate) posting_seed: Option<[u8; 32]>,
}

impl Groupspec {
    /// Reads a groupspec; refuses every spelling but the canonical one, naming the position of the fault.
    ///
    /// Parsing and printing (with authorizations) gives back the same bytes. Source: spec GS-2.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::groupspec(text)
    }

    /// The string for those who may do everything its authorizations allow. Secret.
    pub fn to_string_with_authorizations(&self) -> String {
        self.string(&self.extras)
    }

    /// The string for everyone else: lets them in, and authorizes nothing.
    pub fn to_string_without_authorizations(&self) -> String {
        self.string(&self.public_extras())
    }

    fn string(&self, extras: &[u8]) -> String {
        format!("{PREFIX}{}00{}", hex(&self.identity.encode()), hex(extras))
    }

    /// The hints without the authorizations, in the order they were written. Source: spec GS-9.
    fn public_extras(&self) -> Vec<u8> {
        let mut fields = Fields::new(&self.extras);
        let mut public = Vec::new();
        while let Next::Field(field) = fields.next().expect("extras were parsed before") {
            if !is_authorization(&field) {
                public.extend_from_slice(&self.extras[field.start..field.end]);
            }
        }
        public
    }

    /// What a server may know of the group. Cost: one Ed25519 key generation, as for [`Groupspec::keys`].
    pub fn group_id(&self) -> GroupId {
        self.keys().group_id
    }

    /// Everything that a member derives from the identity.
    pub fn keys(&self) -> GroupKeys {
        GroupKeys::derive(&self.identity.encode())
    }

    /// The group's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        Some(self.identity.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether it carries a random tag.
    pub fn is_unique(&self) -> bool {
        self.identity.tag.is_some()
    }

    /// Whether someone who guesses name and options is in: a group without a tag has no secrecy.
    pub fn is_guessable(&self) -> bool {
        !self.is_unique()
    }

    /// What its members may do.
    pub fn capabilities(&self) -> Capabilities {
        self.identity.capabilities
    }

    /// Whose signature a stream needs; `None`: any member may publish.
    pub fn publish_authority(&self) -> Option<PublicKey> {
        self.identity.publish_key
    }

    /// The key that lets its holder publish, if this string carries it.
    pub fn publish_authorization(&self) -> Option<Identity> {
        self.hints.publish_seed.map(Identity::from_seed)
    }

    /// Whose signature a post needs; `None`: any member may post.
    pub fn posting_authority(&self) -> Option<PublicKey> {
        self.identity.posting_key
    }

    /// The key that lets its holder post, if this string carries it.
    pub fn posting_authorization(&self) -> Option<Identity> {
        self.hints.posting_seed.map(Identity::from_seed)
    }

    /// Whether this string carries secrets beyond membership, and so belongs in no link.
    pub fn has_authorizations(&self) -> bool {
        self.hints.publish_seed.is_some() || self.hints.posting_seed.is_some()
    }

    /// Members to begin with.
    pub fn bootstrap_peers(&self) -> &[BootstrapPeer] {
        &self.hints.bootstrap_peers
    }

    /// Servers to begin with, as `host:port`.
    pub fn servers(&self) -> &[String] {
        &self.hints.servers
    }

    /// Where the group is found by IP multicast.
    pub fn ip_multicast_addresses(&self) -> &[IpMulticastAddress] {
        &self.hints.ip_multicast_addresses
    }
}

fn is_authorization(field: &Field) -> bool {
    matches!(field.kind, types::PUBLISH_AUTHORIZATION | types::POSTING_AUTHORIZATION)
}

/// Neither the name, which may be all the secret there is, nor the tag, nor a seed.
impl fmt::Debug for Groupspec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = if self.is_unique() { "unique" } else { "guessable" };
        let rights = if self.has_authorizations() { "with" } else { "without" };
        write!(f, "Groupspec({:?}, {tag}, {rights} authorizations)", self.group_id())
    }
}
