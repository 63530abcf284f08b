//! Proof that both ends of a connection know a group's secret, without showing it. Spec TR-10 to TR-14.
//!
//! ```text
//! claim   20 | claim id 4 | blinded tag 16 | HMAC-SHA-256 32        claimant → other
//! yes     21 | claim id 4 | HMAC-SHA-256 32                         other → claimant
//! no      22 | claim id 4
//! ```
//!
//! Each HMAC is keyed with the group's membership key and covers a label of its own, the TLS exporter of this
//! very connection, the claim id and both peer ids, the claimant's first. So nothing can be replayed on another
//! connection, reflected, or passed on by someone in the middle.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stratus_core::PeerId;

/// Label under which the TLS exporter is drawn.
pub(crate) const EXPORTER_LABEL: &[u8] = b"EXPORTER-stratus/1 membership";

/// Tells the other side which of its groups is meant, and an onlooker nothing.
pub(crate) type Blinded = [u8; 16];
/// One direction's proof.
pub(crate) type Proof = [u8; 32];

/// One claim on one connection, seen from either end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) exporter: &'a [u8; 32],
    pub(crate) id: u32,
    pub(crate) claimant: PeerId,
    pub(crate) other: PeerId,
}

impl Claim<'_> {
    pub(crate) fn blinded(&self, membership: &[u8; 32]) -> Blinded {
        let tag = self.mac(membership, b"stratus 1 proof tag").finalize().into_bytes();
        tag[..16].try_into().expect("16 of 32 bytes")
    }

    pub(crate) fn proof(&self, membership: &[u8; 32]) -> Proof {
        self.mac(membership, b"stratus 1 proof claim").finalize().into_bytes().into()
    }

    pub(crate) fn answer(&self, membership: &[u8; 32]) -> Proof {
        self.mac(membership, b"stratus 1 proof answer").finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub(crate) fn is_blinded(&self, membership: &[u8; 32], blinded: &Blinded) -> bool {
        self.mac(membership, b"stratus 1 proof tag").verify_truncated_left(blinded).is_ok()
    }

    /// Compares in constant time.
    pub(crate) fn is_proof(&self, membership: &[u8; 32], proof: &Proof) -> bool {
        self.mac(membership, b"stratus 1 proof claim").verify_slice(proof).is_ok()
    }

    /// Compares in constant time.
    pub(crate) fn is_answer(&self, membership: &[u8; 32], proof: &Proof) -> bool {
        self.mac(membership, b"stratus 1 proof answer").verify_slice(proof).is_ok()
    }

    fn mac(&self, membership: &[u8; 32], label: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(membership).expect("an HMAC takes a key of any length");
        mac.update(label);
        mac.update(self.exporter);
        mac.update(&self.id.to_be_bytes());
        // The exporter does not cover the dialler's key, so both ids are named here. Spec TR-11.
        mac.update(self.claimant.as_bytes());
        mac.update(self.other.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_bytes([n; 32])
    }

    const EXPORTER: [u8; 32] = [9; 32];
    const CLAIM: Claim<'static> = Claim {
        exporter: &EXPORTER,
        id: 3,
        claimant: PeerId::from_bytes([1; 32]),
        other: PeerId::from_bytes([2; 32]),
    };

    #[test]
    fn both_ends_agree_and_the_directions_differ() {
        let key = [5; 32];
        assert!(CLAIM.is_blinded(&key, &CLAIM.blinded(&key)));
        assert!(CLAIM.is_proof(&key, &CLAIM.proof(&key)));
        assert!(CLAIM.is_answer(&key, &CLAIM.answer(&key)));
        assert!(!CLAIM.is_answer(&key, &CLAIM.proof(&key)), "a claim was taken for its own answer");
    }

    #[test]
    fn a_proof_holds_for_no_other_key_connection_claim_or_pair() {
        let key = [5; 32];
        let proof = CLAIM.proof(&key);
        assert!(!CLAIM.is_proof(&[6; 32], &proof));
        let others = [
            Claim { exporter: &[8; 32], ..CLAIM },
            Claim { id: 4, ..CLAIM },
            Claim { claimant: peer(7), ..CLAIM },
            Claim { other: peer(7), ..CLAIM },
            Claim { claimant: CLAIM.other, other: CLAIM.claimant, ..CLAIM },
        ];
        for other in others {
            assert!(!other.is_proof(&key, &proof), "accepted for {other:?}");
        }
    }
}
