use std::fmt;

use bytes::Bytes;
use stratus_core::{
    DecodeError, GroupId, Identity, PublicKey, Reader, Signature, Verify, Wire, Writer, derived_hash,
};

/// Most bytes of a value. Source: spec DH-2.
pub const MAX_VALUE: usize = 8 * 1_024;
/// Most bytes of a signed value's name.
pub const MAX_NAME: usize = 64;
/// What separates a value's signature from all others of the same key.
const DOMAIN: &[u8] = b"stratus 1 dht value";

/// Under what a value is found. Source: spec DH-1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// Wraps bytes that were a key before, as when somebody passed it on.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of these very bytes.
    pub fn of_content(content: &[u8]) -> Self {
        Self(derived_hash("stratus 1 dht content", &[content]))
    }

    /// The key of what the holder of `public` signs under `name`.
    pub fn of_signed(public: &PublicKey, name: &[u8]) -> Self {
        Self(derived_hash("stratus 1 dht signed", &[&public.0, name]))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dht {:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

impl Wire for Key {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self(reader.array()?))
    }
}

/// Something that is kept for the group by the members nearest to its key.
///
/// ```text
/// 0 | varint n ≤ 8,192, n bytes                                         content: the key is their hash
/// 1 | varint n ≤ 8,192, n bytes | 32 public key | varint n ≤ 64, n name | varint sequence | 64 signature
/// signature over: "stratus 1 dht value" | 32 GroupId | varint n, n name | varint sequence | n bytes
/// ```
///
/// Source: spec DH-2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Bytes that are found by their hash, and never change.
    Content(Bytes),
    /// Bytes that the holder of a key may replace by signing a higher sequence.
    Signed(Box<Signed>),
}

/// A value that can be replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// Who may replace it.
    pub public: PublicKey,
    /// Which of those of this key.
    pub name: Bytes,
    /// A higher one replaces a lower one.
    pub sequence: u64,
    /// What it is now.
    pub payload: Bytes,
    /// Over all of it and the group.
    pub signature: Signature,
}

impl Value {
    /// Signs `payload` as what stands under `name` of this key from `sequence` on. Cost: one signature.
    pub fn signed(
        identity: &Identity,
        group: &GroupId,
        name: impl Into<Bytes>,
        sequence: u64,
        payload: impl Into<Bytes>,
    ) -> Self {
        let (name, payload, public) = (name.into(), payload.into(), identity.public());
        let signature = identity.sign(&signed_text(group, &name, sequence, &payload));
        Self::Signed(Box::new(Signed { public, name, sequence, payload, signature }))
    }

    /// KiB that it takes, with what signs it.
    pub(super) fn kib(&self) -> u32 {
        self.wire_len().div_ceil(1_024) as u32
    }

    /// Under what it is found.
    pub fn key(&self) -> Key {
        match self {
            Self::Content(content) => Key::of_content(content),
            Self::Signed(signed) => Key::of_signed(&signed.public, &signed.name),
        }
    }

    /// The bytes.
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Content(content) => content,
            Self::Signed(signed) => &signed.payload,
        }
    }

    /// Its sequence; 0 of what never changes.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Content(_) => 0,
            Self::Signed(signed) => signed.sequence,
        }
    }

    /// Whether it may stand under `key`, and whoever may sign for it did. Cost: a hash, and perhaps a signature check.
    pub fn belongs(&self, key: &Key, verify: &dyn Verify, group: &GroupId) -> bool {
        self.key() == *key
            && match self {
                Self::Content(_) => true,
                Self::Signed(signed) => {
                    let text = signed_text(group, &signed.name, signed.sequence, &signed.payload);
                    verify.signature(&signed.public, &text, &signed.signature)
                }
            }
    }

    /// Whether its parts are no longer than they may be.
    pub fn is_short_enough(&self) -> bool {
        let has_good_name = match self {
            Self::Content(_) => true,
            Self::Signed(signed) => signed.name.len() <= MAX_NAME,
        };
        has_good_name && self.payload().len() <= MAX_VALUE
    }
}

fn signed_text(group: &GroupId, name: &[u8], sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(payload.len() + 160);
    writer.raw(DOMAIN);
    group.encode(&mut writer);
    writer.sized(name);
    writer.varint(sequence);
    writer.raw(payload);
    writer.finish().into()
}

impl Wire for Value {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(u8::from(matches!(self, Self::Signed(_))));
        writer.sized(self.payload());
        if let Self::Signed(signed) = self {
            signed.public.encode(writer);
            writer.sized(&signed.name);
            writer.varint(signed.sequence);
            signed.signature.encode(writer);
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        // Copied, so that a kept value does not keep the message it came in.
        let payload = Bytes::copy_from_slice(&reader.sized(MAX_VALUE)?);
        match kind {
            0 => Ok(Self::Content(payload)),
            1 => Ok(Self::Signed(Box::new(Signed {
                public: Wire::decode(reader)?,
                name: Bytes::copy_from_slice(&reader.sized(MAX_NAME)?),
                sequence: reader.varint()?,
                payload,
                signature: Wire::decode(reader)?,
            }))),
            _ => Err(DecodeError::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::DirectVerify;
    use stratus_core::testing::identity;

    use super::*;

    const GROUP: GroupId = GroupId::from_bytes([7; 32]);

    #[test]
    fn a_value_belongs_to_its_key_its_signer_and_its_group() {
        // spec DH-1, DH-2
        let value = Value::signed(&identity(3), &GROUP, &b"count"[..], 50, &b"seven"[..]);
        let belongs = |value: &Value, group: GroupId| value.belongs(&value.key(), &DirectVerify, &group);
        assert!(belongs(&value, GROUP));
        assert!(!belongs(&value, GroupId::from_bytes([8; 32])), "another group");
        assert!(!value.belongs(&Key::of_content(b"seven"), &DirectVerify, &GROUP), "another key");
        let Value::Signed(signed) = &value else { panic!("signed above") };
        let later = Value::Signed(Box::new(Signed { sequence: 51, ..(**signed).clone() }));
        let other =
            Value::Signed(Box::new(Signed { payload: Bytes::from_static(b"eight"), ..(**signed).clone() }));
        assert!(!belongs(&later, GROUP) && !belongs(&other, GROUP));
        let content = Value::Content(Bytes::from_static(b"seven"));
        assert!(belongs(&content, GROUP));
        assert!(!content.belongs(&Key::of_content(b"eight"), &DirectVerify, &GROUP));
    }

    #[test]
    fn a_value_at_its_limits_reads_back_and_over_them_does_not() {
        // spec DH-2
        let signed = |name: usize, payload: usize| {
            Value::signed(&identity(3), &GROUP, vec![1; name], u64::MAX, vec![2; payload])
        };
        let longest = signed(MAX_NAME, MAX_VALUE);
        assert!(longest.is_short_enough());
        assert_eq!(Value::from_bytes(longest.to_bytes()), Ok(longest));
        for value in [signed(MAX_NAME + 1, 3), signed(3, MAX_VALUE + 1)] {
            assert!(!value.is_short_enough());
            assert_eq!(Value::from_bytes(value.to_bytes()), Err(DecodeError::TooLong));
        }
        assert_eq!(Value::from_bytes(vec![2, 0].into()), Err(DecodeError::Unknown));
    }
}
