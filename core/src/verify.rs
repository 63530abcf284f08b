use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use ed25519_dalek::{Verifier as _, VerifyingKey};

use crate::{PublicKey, Signature};

/// The first 16 bytes of a payload's BLAKE3 hash, as manifests carry it.
pub type Digest = [u8; 16];

/// The one place where a machine's trust is computed.
///
/// A seam, because 100,000 simulated members cannot afford the arithmetic: the simulator computes each
/// verdict once and remembers it, and both give the same answers.
pub trait Verify {
    /// Whether `signature` is `key`'s over `message`. False for weak or invalid keys.
    fn signature(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool;
    /// The digest of a fragment's payload.
    fn digest(&self, payload: &Bytes) -> Digest;
}

/// Does the arithmetic each time: about 31 µs a signature, 1.2 µs a full fragment.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectVerify;

impl Verify for DirectVerify {
    fn signature(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        // Weak keys are refused, so the plain check is as good as the strict one here: what is signed
        // names its own key, and a signature that two keys accept gains an attacker nothing.
        VerifyingKey::from_bytes(&key.0).is_ok_and(|key| {
            !key.is_weak() && key.verify(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok()
        })
    }

    fn digest(&self, payload: &Bytes) -> Digest {
        let hash = blake3::hash(payload);
        hash.as_bytes()[..16].try_into().expect("16 of 32 bytes")
    }
}

/// Does the arithmetic, and keeps the last few keys ready for use: a stream's key signs every run, and making
/// it ready costs a seventh of a check. It remembers keys, never verdicts. One per node.
#[derive(Debug, Default)]
pub struct CachingVerify {
    keys: RefCell<VecDeque<VerifyingKey>>,
}

/// More than the streams and neighbors that sign in one moment.
const MAX_KEYS: usize = 16;

impl CachingVerify {
    fn key(&self, key: &PublicKey) -> Option<VerifyingKey> {
        let mut keys = self.keys.borrow_mut();
        if let Some(known) = keys.iter().find(|known| known.as_bytes() == &key.0) {
            return Some(*known);
        }
        let ready = VerifyingKey::from_bytes(&key.0).ok().filter(|key| !key.is_weak())?;
        keys.truncate(MAX_KEYS - 1);
        keys.push_front(ready);
        Some(ready)
    }
}

impl Verify for CachingVerify {
    fn signature(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.key(key).is_some_and(|key| key.verify(message, &signature).is_ok())
    }

    fn digest(&self, payload: &Bytes) -> Digest {
        DirectVerify.digest(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn a_signature_holds_for_its_key_and_message_only() {
        let (a, b) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let signature = a.sign(b"run 3");
        assert!(DirectVerify.signature(&a.public(), b"run 3", &signature));
        assert!(!DirectVerify.signature(&a.public(), b"run 4", &signature));
        assert!(!DirectVerify.signature(&b.public(), b"run 3", &signature));
    }

    #[test]
    fn a_weak_key_verifies_nothing() {
        // The identity point: with a zero signature it would accept any message.
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!DirectVerify.signature(&PublicKey(weak), b"anything", &Signature(signature)));
        assert!(!CachingVerify::default().signature(&PublicKey(weak), b"anything", &Signature(signature)));
    }

    #[test]
    fn a_cached_key_gives_the_same_verdicts_and_the_cache_is_bounded() {
        let verify = CachingVerify::default();
        for number in 0..40 {
            let identity = Identity::from_seed([number; 32]);
            let signature = identity.sign(b"run 3");
            for _ in 0..2 {
                assert!(verify.signature(&identity.public(), b"run 3", &signature));
                assert!(!verify.signature(&identity.public(), b"run 4", &signature));
            }
        }
        assert_eq!(verify.keys.borrow().len(), MAX_KEYS);
    }
}
