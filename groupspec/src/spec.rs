use std::fmt;

use stratus_core::{GroupId, Identity, PublicKey};
use zeroize::Zeroizing;

use crate::append::{append_posting_authorization, append_publish_authorization};
use crate::authority::{Authority, Right, Seed};
use crate::error::{AuthorizeError, ParseError};
use crate::hints::{BootstrapPeer, IpMulticastAddress};
use crate::identity::{Capabilities, GroupIdentity, VERSION};
use crate::keys::GroupKeys;
use crate::parse;
use crate::password::Password;
use crate::text::{PREFIX, hex};
use crate::tlv::{Field, Fields, Next, types};

/// A parsed groupspec.
///
/// It has no `Display`, since the string is the members' secret: ask for it with or without the authorizations.
#[derive(Clone, PartialEq, Eq)]
pub struct Groupspec {
    pub(crate) identity: GroupIdentity,
    /// What follows the marker, as it was written.
    pub(crate) extras: Zeroizing<Vec<u8>>,
    pub(crate) hints: Hints,
}

/// What follows the marker, as values.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Hints {
    pub(crate) bootstrap_peers: Vec<BootstrapPeer>,
    pub(crate) servers: Vec<String>,
    pub(crate) ip_multicast_addresses: Vec<IpMulticastAddress>,
    pub(crate) publish_seed: Option<Seed>,
    pub(crate) posting_seed: Option<Seed>,
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
        self.string(&self.extras_where(|field| !is_authorization(field)))
    }

    /// The authorizations alone, to be appended to the string without them: RTMFP's `authorizations()`. Secret, and empty
    /// if there are none.
    pub fn authorizations(&self) -> String {
        hex(&self.extras_where(is_authorization))
    }

    fn string(&self, extras: &[u8]) -> String {
        format!("{PREFIX}{}00{}", hex(&self.identity.encode()), hex(extras))
    }

    /// The fields behind the marker that are `wanted`, in the order they were written. Source: spec GS-9.
    fn extras_where(&self, wanted: impl Fn(&Field) -> bool) -> Zeroizing<Vec<u8>> {
        let mut fields = Fields::new(&self.extras);
        let mut found = Zeroizing::new(Vec::with_capacity(self.extras.len()));
        while let Next::Field(field) = fields.next().expect("extras were parsed before") {
            if wanted(&field) {
                found.extend_from_slice(&self.extras[field.start..field.end]);
            }
        }
        found
    }

    /// The version in which it is written.
    pub fn version(&self) -> u64 {
        VERSION
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
        self.identity.publish_authority.map(|authority| authority.key)
    }

    /// Whether a password authorizes publishing: whether the key was made from one.
    pub fn has_publish_password(&self) -> bool {
        has_password(self.identity.publish_authority)
    }

    /// The key that lets its holder publish, if this string carries it.
    pub fn publish_authorization(&self) -> Option<Identity> {
        self.hints.publish_seed.as_ref().map(|seed| Identity::from_seed(**seed))
    }

    /// What to append to this groupspec so that its holder may publish: RTMFP's `encodePublishAuthorization`. Secret.
    ///
    /// Whoever knows the password can make it from the string that everyone has. It is what the password gives, and as good
    /// as the password. Cost: 64 MiB for about 0.12 s of one core; it blocks, so not in a task. Source: spec GS-12.
    pub fn encode_publish_authorization(&self, password: &Password) -> Result<String, AuthorizeError> {
        let seed = unlock(self.identity.publish_authority, Right::Publishing, password)?;
        Ok(append_publish_authorization(*seed))
    }

    /// This groupspec with the authorization to publish that `password` gives. Cost: as to encode it.
    pub fn with_publish_password(&self, password: &Password) -> Result<Self, AuthorizeError> {
        let authorization = Zeroizing::new(self.encode_publish_authorization(password)?);
        self.with(self.hints.publish_seed.is_some(), &authorization)
    }

    /// Whose signature a post needs; `None`: any member may post.
    pub fn posting_authority(&self) -> Option<PublicKey> {
        self.identity.posting_authority.map(|authority| authority.key)
    }

    /// Whether a password authorizes posting.
    pub fn has_posting_password(&self) -> bool {
        has_password(self.identity.posting_authority)
    }

    /// The key that lets its holder post, if this string carries it.
    pub fn posting_authorization(&self) -> Option<Identity> {
        self.hints.posting_seed.as_ref().map(|seed| Identity::from_seed(**seed))
    }

    /// What to append to this groupspec so that its holder may post; as for publishing.
    pub fn encode_posting_authorization(&self, password: &Password) -> Result<String, AuthorizeError> {
        let seed = unlock(self.identity.posting_authority, Right::Posting, password)?;
        Ok(append_posting_authorization(*seed))
    }

    /// This groupspec with the authorization to post that `password` gives. Cost: as to encode it.
    pub fn with_posting_password(&self, password: &Password) -> Result<Self, AuthorizeError> {
        let authorization = Zeroizing::new(self.encode_posting_authorization(password)?);
        self.with(self.hints.posting_seed.is_some(), &authorization)
    }

    /// This groupspec and `authorization` behind it, unless it `has` that one: only one is the group's.
    fn with(&self, has: bool, authorization: &str) -> Result<Self, AuthorizeError> {
        if has {
            return Ok(self.clone());
        }
        let text = Zeroizing::new(self.to_string_with_authorizations() + authorization);
        Self::parse(&text).map_err(|_| AuthorizeError::TooLong)
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

fn has_password(authority: Option<Authority>) -> bool {
    authority.is_some_and(|authority| authority.salt.is_some())
}

fn unlock(authority: Option<Authority>, right: Right, password: &Password) -> Result<Seed, AuthorizeError> {
    authority.ok_or(AuthorizeError::NothingToAuthorize)?.unlock(right, password)
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
