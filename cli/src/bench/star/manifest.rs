use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{
    CachingVerify, DecodeError, Digest, DirectVerify, Identity, PublicKey, Reader, Signature, Verify as _,
    Writer,
};

const DOMAIN: &[u8] = b"stratus 1 bench star";
const MESSAGE_DOMAIN: &[u8] = b"stratus 1 bench star message";
/// Bytes of a signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;
/// Most datagrams in a run.
const MOST: usize = 32;
/// Datagrams that may wait for their manifest.
const PATIENCE: usize = 1_024;

/// Signs runs of datagrams with manifests as long as the group's own: numbers of run and first datagram, time,
/// then a byte and a digest for each datagram, then the signature. Or whole messages, with a signature each.
pub(crate) struct Signer {
    key: Identity,
    length: f64,
    runs: u64,
    next_index: u64,
    pending: Vec<Digest>,
    /// When the last of them entered.
    entered_at: Duration,
}

impl Signer {
    /// Runs of `length` datagrams on average.
    pub(crate) fn new(length: f64) -> Self {
        let length = length.clamp(1.0, MOST as f64);
        let key = Identity::from_seed([0x5a; 32]);
        Self { key, length, runs: 0, next_index: 0, pending: Vec::new(), entered_at: Duration::ZERO }
    }

    /// What a viewer needs.
    pub(crate) fn checker(&self) -> Checker {
        Checker { key: self.key.public(), verify: CachingVerify::default(), waiting: BTreeMap::new() }
    }

    /// The signature of a message that travels by itself.
    pub(crate) fn sign(&self, message: &Bytes) -> Bytes {
        let text = [MESSAGE_DOMAIN, &DirectVerify.digest(message)].concat();
        Bytes::copy_from_slice(&self.key.sign(&text).0)
    }

    /// Takes the next datagram; gives the manifest of the run that it ends.
    pub(crate) fn add(&mut self, datagram: &Bytes, entered_at: Duration) -> Option<Bytes> {
        self.pending.push(DirectVerify.digest(datagram));
        let end = self.next_index + self.pending.len() as u64;
        let is_whole = end as f64 >= (self.runs + 1) as f64 * self.length;
        self.entered_at = entered_at;
        (is_whole || self.pending.len() >= MOST).then(|| self.cut())
    }

    /// The manifest of the run that nothing follows.
    pub(crate) fn finish(&mut self) -> Option<Bytes> {
        (!self.pending.is_empty()).then(|| self.cut())
    }

    fn cut(&mut self) -> Bytes {
        let mut writer = Writer::with_capacity(640);
        writer.varint(self.runs);
        writer.varint(self.next_index);
        writer.varint(self.entered_at.as_micros() as u64);
        writer.u8(self.pending.len() as u8);
        for digest in &self.pending {
            writer.u8(0);
            writer.raw(digest);
        }
        self.runs += 1;
        self.next_index += self.pending.len() as u64;
        self.pending.clear();
        let body = writer.finish();
        let signature = self.key.sign(&signed(&self.key.public(), &body));
        [&body[..], &signature.0].concat().into()
    }
}

/// What the signature is over.
fn signed(key: &PublicKey, body: &[u8]) -> Vec<u8> {
    [DOMAIN, &key.0, body].concat()
}

/// Keeps datagrams back until a signed manifest vouches for them. Checks by the same means as the group.
pub(crate) struct Checker {
    key: PublicKey,
    verify: CachingVerify,
    waiting: BTreeMap<u64, (Digest, Bytes)>,
}

impl Checker {
    /// Hashes datagram `number` of the stream and keeps it.
    pub(crate) fn hold(&mut self, number: u64, datagram: Bytes) {
        if self.waiting.len() < PATIENCE {
            self.waiting.insert(number, (self.verify.digest(&datagram), datagram));
        }
    }

    /// Whether a message that came by itself is what was signed.
    pub(crate) fn is_genuine(&self, message: &Bytes, signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let text = [MESSAGE_DOMAIN, &self.verify.digest(message)].concat();
        self.verify.signature(&self.key, &text, &Signature(*signature))
    }

    /// The datagrams that `manifest` vouches for, in order; none if it is not genuine.
    pub(crate) fn release(&mut self, manifest: &Bytes) -> Vec<Bytes> {
        let Some((body, signature)) = manifest.split_last_chunk() else { return Vec::new() };
        if !self.verify.signature(&self.key, &signed(&self.key, body), &Signature(*signature)) {
            return Vec::new();
        }
        let Ok((first_index, digests)) = decode(manifest.slice(..body.len())) else { return Vec::new() };
        let end_index = first_index.saturating_add(digests.len() as u64);
        let mut vouched = Vec::new();
        for (index, digest) in (first_index..).zip(digests) {
            let held = self.waiting.remove(&index).filter(|(found, _)| *found == digest);
            vouched.extend(held.map(|(_, payload)| payload));
        }
        // What is older was never vouched for, since its manifest was lost.
        self.waiting = self.waiting.split_off(&end_index);
        vouched
    }
}

/// Number of the first datagram, and the digests.
fn decode(body: Bytes) -> Result<(u64, Vec<Digest>), DecodeError> {
    let mut reader = Reader::new(body);
    let _run = reader.varint()?;
    let first_index = reader.varint()?;
    let _entered_at = reader.varint()?;
    let count = reader.u8()?;
    let mut digests = Vec::new();
    for _ in 0..count {
        reader.u8()?;
        digests.push(reader.array()?);
    }
    reader.finish()?;
    Ok((first_index, digests))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagrams(count: u64) -> Vec<Bytes> {
        (0..count).map(|number| format!("genuine {number}").into()).collect()
    }

    /// The manifests, each with how many datagrams had been added.
    fn sign(length: f64, datagrams: &[Bytes]) -> Vec<(usize, Bytes)> {
        let mut signer = Signer::new(length);
        let add = |(at, datagram): (usize, &Bytes)| {
            Some((at + 1, signer.add(datagram, Duration::from_millis(50))?))
        };
        datagrams.iter().enumerate().filter_map(add).collect()
    }

    #[test]
    fn runs_have_the_length_that_was_asked_for_on_average() {
        let ends =
            |length| -> Vec<usize> { sign(length, &datagrams(15)).into_iter().map(|(end, _)| end).collect() };
        assert_eq!(ends(3.0), [3, 6, 9, 12, 15]);
        assert_eq!(ends(3.5), [4, 7, 11, 14]);
        assert_eq!(ends(0.1).len(), 15);
    }

    #[test]
    fn a_manifest_is_as_long_as_the_groups() {
        let (_, manifest) = &sign(3.0, &datagrams(3))[0];
        // Run 0, first index 0, 50,000 µs in three bytes, count; three entries; signature.
        assert_eq!(manifest.len(), 1 + 1 + 3 + 1 + 3 * 17 + 64);
    }

    #[test]
    fn what_is_vouched_for_comes_out_in_order_and_nothing_else_does() {
        let sent = datagrams(3);
        let (_, manifest) = &sign(3.0, &sent)[0];
        let mut checker = Signer::new(3.0).checker();
        checker.hold(1, sent[1].clone());
        checker.hold(0, sent[0].clone());
        checker.hold(2, Bytes::from_static(b"forged"));
        let mut wrong = manifest.to_vec();
        wrong[10] ^= 1;
        assert_eq!(checker.release(&wrong.into()), Vec::<Bytes>::new());
        assert_eq!(checker.release(manifest), &sent[..2]);
        assert_eq!(checker.release(manifest), Vec::<Bytes>::new());
    }
    #[test]
    fn a_message_with_a_signature_of_its_own_is_taken_as_it_was_signed() {
        const GENUINE: Bytes = Bytes::from_static(b"genuine");
        let signer = Signer::new(1.0);
        let signature: [u8; SIGNATURE_BYTES] = signer.sign(&GENUINE)[..].try_into().unwrap();
        let checker = signer.checker();
        assert!(checker.is_genuine(&GENUINE, &signature));
        assert!(!checker.is_genuine(&Bytes::from_static(b"forged"), &signature));
    }
}
