use std::fmt;

use stratus_core::{GroupId, Identity, RingKey};

/// Everything that a member derives from a groupspec's identity. Secret but for the group id.
#[derive(Clone)]
pub struct GroupKeys {
    /// What a server may know of the group.
    pub group_id: GroupId,
    /// Names the group inside connections between its members; never 0.
    pub tag: u32,
    /// Proves membership between peers.
    pub membership: [u8; 32],
    /// Turns peer ids into places on the ring.
    pub ring: RingKey,
    /// Proves membership to servers.
    pub rendezvous: Identity,
}

impl GroupKeys {
    /// The keys of the group whose identity has these bytes. Source: spec GS-10, GS-11.
    pub(crate) fn derive(identity: &[u8]) -> Self {
        let secret = blake3::derive_key("stratus 1 group members' secret", identity);
        let rendezvous = Identity::from_seed(blake3::derive_key("stratus 1 group rendezvous seed", &secret));
        let tag = blake3::derive_key("stratus 1 group tag", &secret);
        Self {
            group_id: GroupId::of(&rendezvous.public()),
            tag: nonzero(u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]])),
            membership: blake3::derive_key("stratus 1 group membership", &secret),
            ring: RingKey::new(blake3::derive_key("stratus 1 group ring", &secret)),
            rendezvous,
        }
    }
}

/// Tag 0 is taken: it marks the transport's own frames.
fn nonzero(tag: u32) -> u32 {
    tag.max(1)
}

impl fmt::Debug for GroupKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKeys({:?})", self.group_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_never_the_transports_own() {
        assert_eq!((nonzero(0), nonzero(1), nonzero(700)), (1, 1, 700));
    }

    #[test]
    fn debug_of_keys_shows_the_group_alone() {
        let keys = GroupKeys::derive(b"some identity");
        assert_eq!(format!("{keys:?}"), format!("GroupKeys({:?})", keys.group_id));
    }

    #[test]
    fn no_two_keys_of_a_group_are_the_same() {
        let keys = GroupKeys::derive(b"some identity");
        let mut all =
            [keys.membership, keys.rendezvous.seed(), keys.rendezvous.public().0, *keys.group_id.as_bytes()];
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        assert_ne!(keys.ring, RingKey::new(keys.membership));
    }
}
