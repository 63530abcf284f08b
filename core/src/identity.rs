use std::fmt;

use ed25519_dalek::{Signer, SigningKey};

/// A 32-byte Ed25519 public key, not yet known to be a valid point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// A 64-byte Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

/// Who a peer is: a domain-separated BLAKE3 hash of its Ed25519 key.
///
/// Shown as 64 lower-case hex digits; `Debug` shows the first eight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

/// What a server may know of a group: the hash of its rendezvous public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId([u8; 32]);

impl PeerId {
    /// The id that belongs to `key`. Cost: one BLAKE3 block.
    pub fn of(key: &PublicKey) -> Self {
        Self(blake3::derive_key("stratus 1 peer id", &key.0))
    }

    /// Wraps bytes that were a `PeerId` before, as when decoded.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses 64 lower-case hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex_array(text).map(Self)
    }
}

impl GroupId {
    /// The id of the group whose rendezvous key is `key`.
    pub fn of(key: &PublicKey) -> Self {
        Self(blake3::derive_key("stratus 1 group id", &key.0))
    }

    /// Wraps bytes that were a `GroupId` before, as when decoded.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// An Ed25519 key pair. The seed never appears in `Debug`.
///
/// Signatures are deterministic, so a machine that signs stays reproducible.
#[derive(Clone)]
pub struct Identity {
    /// Absent in a replay.
    key: Option<SigningKey>,
    public: PublicKey,
    peer: PeerId,
}

impl Identity {
    /// The key pair that `seed` stands for.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        let public = PublicKey(key.verifying_key().to_bytes());
        Self { key: Some(key), public, peer: PeerId::of(&public) }
    }

    /// An identity that is known by its public half alone, to replay what another did: its signatures are zeros.
    pub fn mute(public: PublicKey) -> Self {
        Self { key: None, public, peer: PeerId::of(&public) }
    }

    /// The secret seed: for storing or for handing to a TLS library, never for showing. Zeros if it is mute.
    pub fn seed(&self) -> [u8; 32] {
        self.key.as_ref().map_or([0; 32], SigningKey::to_bytes)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The peer id of the public half.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Signs `message`. Cost: about 18 µs.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.key.as_ref().map_or([0; 64], |key| key.sign(message).to_bytes()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.peer)
    }
}

/// Parses exactly 32 bytes of lower-case hex.
fn hex_array(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! shown_as_hex {
    ($type:ident, $name:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($name, " "))?;
                write_hex(f, &self.0[..4])
            }
        }
    };
}
shown_as_hex!(PeerId, "peer");
shown_as_hex!(GroupId, "group");
shown_as_hex!(PublicKey, "key");
shown_as_hex!(Signature, "signature");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_reads_back_from_its_own_text_and_from_nothing_else() {
        let id = Identity::from_seed([7; 32]).peer();
        let text = id.to_string();
        assert_eq!(PeerId::from_hex(&text), Some(id));
        assert_eq!(PeerId::from_hex(&text.to_uppercase()), None);
        assert_eq!(PeerId::from_hex(&text[1..]), None);
    }

    #[test]
    fn debug_of_an_identity_hides_the_seed() {
        let identity = Identity::from_seed([0xab; 32]);
        assert!(!format!("{identity:?}").contains("abab"), "the seed was shown");
    }

    #[test]
    fn ids_of_one_key_differ_by_domain() {
        let key = PublicKey([3; 32]);
        assert_ne!(PeerId::of(&key).as_bytes(), GroupId::of(&key).as_bytes());
    }
}
