use std::net::SocketAddr;

use stratus_core::PeerId;
use zeroize::Zeroizing;

use crate::append::{bootstrap_peer, check_length, ip_multicast_address, server_hint};
use crate::authority::{Authority, Right, SALT_BYTES};
use crate::error::BuildError;
use crate::hints::{BootstrapPeer, IpMulticastAddress};
use crate::identity::{Capabilities, GroupIdentity, VERSION};
use crate::password::Password;
use crate::spec::{Groupspec, Hints};
use crate::strength::weakness;
use crate::tlv::{field, types};
use crate::{MOST_BOOTSTRAP_PEERS, MOST_IP_MULTICAST_ADDRESSES, MOST_NAME_BYTES, MOST_SERVERS};

/// Room kept for what can always be added: identity, marker and authorizations.
const RESERVED_BYTES: usize = 512;

/// Builds a [`Groupspec`]. It starts with every capability off, as RTMFP's did.
#[derive(Clone)]
pub struct GroupSpecifier {
    identity: GroupIdentity,
    extras: Vec<u8>,
    hints: Hints,
    min_version: u64,
}

impl GroupSpecifier {
    /// The highest version of groupspecs that this program reads and writes: RTMFP's `maxSupportedGroupspecVersion`.
    pub const MAX_SUPPORTED_GROUPSPEC_VERSION: u64 = VERSION;

    /// A group of this name. Who guesses name and options is in: see [`GroupSpecifier::make_unique`].
    pub fn new(name: &str) -> Result<Self, BuildError> {
        match name.len() {
            0 => Err(BuildError::EmptyName),
            _ if name.contains(char::is_control) => Err(BuildError::NotText),
            1..=MOST_NAME_BYTES => {
                Ok(Self::of(GroupIdentity { name: name.to_owned(), ..Default::default() }))
            }
            _ => Err(BuildError::LongName),
        }
    }

    /// A group without a name, told from others by `tag` alone: 32 random bytes.
    pub fn unnamed(tag: [u8; 32]) -> Self {
        Self::of(GroupIdentity { tag: Some(tag), ..Default::default() })
    }

    fn of(identity: GroupIdentity) -> Self {
        Self { identity, extras: Vec::new(), hints: Hints::default(), min_version: VERSION }
    }

    /// Makes the group like no other: `tag` is 32 random bytes, kept by whoever holds the string.
    #[must_use]
    pub fn make_unique(mut self, tag: [u8; 32]) -> Self {
        self.identity.tag = Some(tag);
        self
    }

    /// Says what members may do.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.identity.capabilities = capabilities;
        self
    }

    /// Lets only those publish who hold `seed`: its public key goes into the identity, itself among the authorizations.
    #[must_use]
    pub fn publish_key_seed(mut self, seed: [u8; 32]) -> Self {
        self.identity.publish_authority = Some(Authority::of_seed(&seed));
        self.hints.publish_seed = Some(Zeroizing::new(seed));
        self
    }

    /// Lets only those post who hold `seed`; as for publishing.
    #[must_use]
    pub fn posting_key_seed(mut self, seed: [u8; 32]) -> Self {
        self.identity.posting_authority = Some(Authority::of_seed(&seed));
        self.hints.posting_seed = Some(Zeroizing::new(seed));
        self
    }

    /// Lets only those publish who know `password`: what it gives with `salt` is the signing key, whose public half goes
    /// into the identity together with the salt. RTMFP's `setPublishPassword`.
    ///
    /// `salt` is random, or the same password in another group is the same key. A weak password is refused, since any
    /// member can try passwords: [`GroupSpecifier::publish_key_seed`] with random bytes leaves nothing to guess.
    /// Cost: 64 MiB for about 0.12 s of one core; it blocks, so not in a task. Source: spec GS-12, GS-13.
    pub fn set_publish_password(
        mut self,
        password: &Password,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self, BuildError> {
        self.check_strength(password)?;
        let (authority, seed) = Authority::of_password(Right::Publishing, password, salt);
        self.identity.publish_authority = Some(authority);
        self.hints.publish_seed = Some(seed);
        Ok(self)
    }

    /// Lets only those post who know `password`; as for publishing. The same password for both gives two keys.
    pub fn set_posting_password(
        mut self,
        password: &Password,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self, BuildError> {
        self.check_strength(password)?;
        let (authority, seed) = Authority::of_password(Right::Posting, password, salt);
        self.identity.posting_authority = Some(authority);
        self.hints.posting_seed = Some(seed);
        Ok(self)
    }

    fn check_strength(&self, password: &Password) -> Result<(), BuildError> {
        weakness(password, &self.identity.name)
            .map_or(Ok(()), |weakness| Err(BuildError::WeakPassword(weakness)))
    }

    /// The lowest version that may be written.
    pub fn min_groupspec_version(&self) -> u64 {
        self.min_version
    }

    /// Asks for a version of at least this: RTMFP's `minGroupspecVersion`. There is only one so far, so a lower number
    /// changes nothing, and a higher one is refused.
    pub fn set_min_groupspec_version(mut self, version: u64) -> Result<Self, BuildError> {
        if version > Self::MAX_SUPPORTED_GROUPSPEC_VERSION {
            return Err(BuildError::Version(version));
        }
        self.min_version = version;
        Ok(self)
    }

    /// Names a member to begin with, and where it is.
    pub fn add_bootstrap_peer(mut self, peer: PeerId, addresses: &[SocketAddr]) -> Result<Self, BuildError> {
        let peer = BootstrapPeer { peer, addresses: addresses.to_vec() };
        let bytes = bootstrap_peer(&peer)?;
        push(&mut self.hints.bootstrap_peers, peer, MOST_BOOTSTRAP_PEERS)?;
        self.extend(&bytes)
    }

    /// Names a server to begin with, as `host:port`.
    pub fn add_server(mut self, server: &str) -> Result<Self, BuildError> {
        let bytes = server_hint(server)?;
        push(&mut self.hints.servers, server.to_owned(), MOST_SERVERS)?;
        self.extend(&bytes)
    }

    /// Names an IP multicast address of the group.
    pub fn add_ip_multicast_address(mut self, address: IpMulticastAddress) -> Result<Self, BuildError> {
        let bytes = ip_multicast_address(&address)?;
        push(&mut self.hints.ip_multicast_addresses, address, MOST_IP_MULTICAST_ADDRESSES)?;
        self.extend(&bytes)
    }

    fn extend(mut self, bytes: &[u8]) -> Result<Self, BuildError> {
        check_length(RESERVED_BYTES + self.extras.len() + bytes.len())?;
        self.extras.extend_from_slice(bytes);
        Ok(self)
    }

    /// The groupspec, with all authorizations.
    pub fn build(self) -> Groupspec {
        let Self { identity, extras: public, hints, .. } = self;
        // All the room at once: a buffer that grows would leave a copy of a seed behind.
        let mut extras = Zeroizing::new(Vec::with_capacity(public.len() + RESERVED_BYTES));
        extras.extend_from_slice(&public);
        let seeds = [
            (types::PUBLISH_AUTHORIZATION, &hints.publish_seed),
            (types::POSTING_AUTHORIZATION, &hints.posting_seed),
        ];
        for (kind, seed) in seeds {
            let Some(seed) = seed else { continue };
            extras.extend_from_slice(&Zeroizing::new(field(kind, seed.as_slice())));
        }
        Groupspec { identity, extras, hints }
    }
}

fn push<T>(list: &mut Vec<T>, item: T, most: usize) -> Result<(), BuildError> {
    if list.len() == most {
        return Err(BuildError::TooMany(most));
    }
    list.push(item);
    Ok(())
}

impl std::fmt::Debug for GroupSpecifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GroupSpecifier({:?})", self.clone().build())
    }
}
