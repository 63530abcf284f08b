use std::net::SocketAddr;

use stratus_core::{Identity, PeerId};

use crate::append::{bootstrap_peer, check_length, ip_multicast_address, server_hint};
use crate::error::BuildError;
use crate::hints::{BootstrapPeer, IpMulticastAddress};
use crate::identity::{Capabilities, GroupIdentity};
use crate::spec::{Groupspec, Hints};
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
}

impl GroupSpecifier {
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
        Self { identity, extras: Vec::new(), hints: Hints::default() }
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
        self.identity.publish_key = Some(Identity::from_seed(seed).public());
        self.hints.publish_seed = Some(seed);
        self
    }

    /// Lets only those post who hold `seed`; as for publishing.
    #[must_use]
    pub fn posting_key_seed(mut self, seed: [u8; 32]) -> Self {
        self.identity.posting_key = Some(Identity::from_seed(seed).public());
        self.hints.posting_seed = Some(seed);
        self
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
        let Self { identity, mut extras, hints } = self;
        let seeds = [
            (types::PUBLISH_AUTHORIZATION, hints.publish_seed),
            (types::POSTING_AUTHORIZATION, hints.posting_seed),
        ];
        for (kind, seed) in seeds {
            extras.extend(seed.map(|seed| field(kind, &seed)).unwrap_or_default());
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
