use std::cell::{Cell, RefCell};
use std::hash::Hash;

use bytes::Bytes;
use stratus_core::{Digest, DirectVerify, Lookup, PublicKey, Signature, Verify};

/// Gives the answers of [`DirectVerify`], and computes each once for the whole world.
///
/// A signature's verdict is remembered by the hash of key, message and signature. A payload's digest is
/// remembered by where its bytes lie; they are kept alive as long as the memory of them, so no other payload
/// can come to lie there. Both memories are bounded: the older half is forgotten when they are full.
#[derive(Debug)]
pub struct MemoVerify {
    verdicts: RefCell<Memory<[u8; 32], bool>>,
    digests: RefCell<Memory<(usize, usize), (Bytes, Digest)>>,
    signatures_computed: Cell<u64>,
    digests_computed: Cell<u64>,
}

/// Verdicts in each half of the memory: records of 10^5 members, at about 50 bytes each.
const VERDICTS: usize = 1 << 17;
/// Payloads in each half: two minutes of a 2.5 Mbit/s stream, kept alive at up to 1,128 bytes each.
const DIGESTS: usize = 1 << 15;

impl MemoVerify {
    /// Remembers nothing yet.
    pub fn new() -> Self {
        Self::with_halves(VERDICTS, DIGESTS)
    }

    fn with_halves(verdicts: usize, digests: usize) -> Self {
        Self {
            verdicts: RefCell::new(Memory::new(verdicts)),
            digests: RefCell::new(Memory::new(digests)),
            signatures_computed: Cell::new(0),
            digests_computed: Cell::new(0),
        }
    }

    /// How many signatures were really checked.
    pub fn signatures_computed(&self) -> u64 {
        self.signatures_computed.get()
    }

    /// How many payloads were really hashed.
    pub fn digests_computed(&self) -> u64 {
        self.digests_computed.get()
    }
}

impl Default for MemoVerify {
    fn default() -> Self {
        Self::new()
    }
}

impl Verify for MemoVerify {
    fn signature(&self, key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
        let question =
            *blake3::Hasher::new().update(&key.0).update(&signature.0).update(message).finalize().as_bytes();
        let mut verdicts = self.verdicts.borrow_mut();
        if let Some(&verdict) = verdicts.get(&question) {
            return verdict;
        }
        let verdict = DirectVerify.signature(key, message, signature);
        self.signatures_computed.set(self.signatures_computed.get() + 1);
        verdicts.insert(question, verdict);
        verdict
    }

    fn digest(&self, payload: &Bytes) -> Digest {
        let place = (payload.as_ptr() as usize, payload.len());
        let mut digests = self.digests.borrow_mut();
        if let Some((_, digest)) = digests.get(&place) {
            return *digest;
        }
        let digest = DirectVerify.digest(payload);
        self.digests_computed.set(self.digests_computed.get() + 1);
        digests.insert(place, (payload.clone(), digest));
        digest
    }
}

/// A table that holds at least the newest `half` entries and at most twice as many.
#[derive(Debug)]
struct Memory<K, V> {
    young: Lookup<K, V>,
    old: Lookup<K, V>,
    half: usize,
}

impl<K: Hash + Eq, V> Memory<K, V> {
    fn new(half: usize) -> Self {
        Self { young: Lookup::new(), old: Lookup::new(), half }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn insert(&mut self, key: K, value: V) {
        if self.young.len() == self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::{Identity, Rng};

    use super::*;

    #[test]
    fn every_answer_is_that_of_the_direct_check_first_and_again() {
        let memo = MemoVerify::with_halves(8, 8);
        let keys: Vec<Identity> = (0..3).map(|seed| Identity::from_seed([seed; 32])).collect();
        let messages: [&[u8]; 3] = [b"", b"run 3", b"run 4"];
        let mut holds = 0;
        // Twice round, through a memory too small for all 27 questions.
        for _ in 0..2 {
            for (signer, message) in keys.iter().zip(messages) {
                let signature = signer.sign(message);
                for key in &keys {
                    for asked in messages {
                        let direct = DirectVerify.signature(&key.public(), asked, &signature);
                        assert_eq!(memo.signature(&key.public(), asked, &signature), direct);
                        holds += u32::from(direct);
                    }
                }
            }
        }
        assert_eq!(holds, 6, "each signer's own message, twice round");
    }

    #[test]
    fn digests_are_those_of_the_bytes_even_when_memory_is_reused() {
        let memo = MemoVerify::with_halves(4, 4);
        let mut rng = Rng::from_seed(5);
        for _ in 0..200 {
            let mut block = vec![0; 1 + rng.below(300) as usize];
            rng.fill(&mut block);
            let payload = Bytes::from(block);
            let part = payload.slice(payload.len() / 2..);
            for bytes in [&payload, &part, &payload] {
                assert_eq!(memo.digest(bytes), DirectVerify.digest(bytes));
            }
        }
    }

    #[test]
    fn what_a_thousand_members_ask_is_computed_once() {
        let memo = MemoVerify::new();
        let identity = Identity::from_seed([7; 32]);
        let (signature, payload) = (identity.sign(b"run 3"), Bytes::from_static(b"fragment"));
        for _ in 0..1_000 {
            assert!(memo.signature(&identity.public(), b"run 3", &signature));
            memo.digest(&payload.clone());
        }
        assert_eq!((memo.signatures_computed(), memo.digests_computed()), (1, 1));
    }
}
