use bytes::Bytes;
use stratus_core::{
    DecodeError, GroupAddress, GroupId, Identity, PeerId, PublicKey, Reader, Signature, Verify, Wire, Writer,
};

use super::message::MAX_RECORD;

/// What separates these signatures from all others of the same key.
const DOMAIN: &[u8] = b"stratus 1 registration";

/// A member's request to be listed in a group, signed with the key that only the group's members can derive.
///
/// ```text
/// 32 rendezvous public key | 32 stated address | varint n ≤ 512, n record | 64 signature
/// signature over: "stratus 1 registration" | 32 exporter | 32 PeerId | 32 stated address | record
/// ```
///
/// The exporter value belongs to one TLS connection, so a registration is worthless on any other; it does
/// not cover the client's key, so the PeerId is signed as well. Source: spec RV-2, RV-3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    key: PublicKey,
    address: GroupAddress,
    record: Bytes,
    signature: Signature,
}

impl Registration {
    /// Signs a registration for the connection whose exporter value is `exporter`.
    ///
    /// `rendezvous` is the group's rendezvous key pair, `peer` the caller's own id, `address` its place on the
    /// group's ring, `record` its encoded record of at most [`MAX_RECORD`] bytes. Cost: one signature.
    pub fn sign(
        rendezvous: &Identity,
        exporter: &[u8; 32],
        peer: &PeerId,
        address: GroupAddress,
        record: Bytes,
    ) -> Self {
        assert!(record.len() <= MAX_RECORD, "a record is at most {MAX_RECORD} bytes");
        let signature = rendezvous.sign(&signed_text(exporter, peer, &address, &record));
        Self { key: rendezvous.public(), address, record, signature }
    }

    /// The group that the key stands for: there is no other way to name one. Source: spec RV-1.
    pub fn group(&self) -> GroupId {
        GroupId::of(&self.key)
    }

    /// Where the member says it sits. A hint: only members can compute it, and they do.
    pub fn address(&self) -> GroupAddress {
        self.address
    }

    /// The member's encoded record.
    pub fn record(&self) -> &Bytes {
        &self.record
    }

    /// Whether the group's key signed this for `peer` on the connection of `exporter`.
    pub fn is_signed(&self, verify: &dyn Verify, exporter: &[u8; 32], peer: &PeerId) -> bool {
        let text = signed_text(exporter, peer, &self.address, &self.record);
        verify.signature(&self.key, &text, &self.signature)
    }
}

/// The record comes last and everything before it has a fixed length, so no two requests share a text.
fn signed_text(exporter: &[u8; 32], peer: &PeerId, address: &GroupAddress, record: &[u8]) -> Vec<u8> {
    [DOMAIN, exporter, peer.as_bytes(), address.as_bytes(), record].concat()
}

impl Wire for Registration {
    fn encode(&self, writer: &mut Writer) {
        self.key.encode(writer);
        self.address.encode(writer);
        writer.sized(&self.record);
        self.signature.encode(writer);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            key: Wire::decode(reader)?,
            address: Wire::decode(reader)?,
            record: reader.sized(MAX_RECORD)?,
            signature: Wire::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::DirectVerify;

    use super::*;

    #[test]
    fn a_registration_holds_for_its_connection_its_peer_and_its_content_only() {
        let rendezvous = Identity::from_seed([3; 32]);
        let (peer, other) = (Identity::from_seed([50; 32]).peer(), Identity::from_seed([51; 32]).peer());
        let place = GroupAddress::from_bytes([7; 32]);
        let signed = Registration::sign(&rendezvous, &[1; 32], &peer, place, Bytes::from_static(b"record"));

        assert!(signed.is_signed(&DirectVerify, &[1; 32], &peer));
        assert_eq!(signed.group(), GroupId::of(&rendezvous.public()));
        // spec RV-3: neither another connection nor another peer can use it.
        assert!(!signed.is_signed(&DirectVerify, &[2; 32], &peer));
        assert!(!signed.is_signed(&DirectVerify, &[1; 32], &other));
        let moved = Registration { address: GroupAddress::from_bytes([8; 32]), ..signed.clone() };
        assert!(!moved.is_signed(&DirectVerify, &[1; 32], &peer));
        let swapped = Registration { record: Bytes::from_static(b"recorD"), ..signed.clone() };
        assert!(!swapped.is_signed(&DirectVerify, &[1; 32], &peer));
        let renamed = Registration { key: Identity::from_seed([4; 32]).public(), ..signed };
        assert!(!renamed.is_signed(&DirectVerify, &[1; 32], &peer));
    }
}
