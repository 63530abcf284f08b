use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use stratus_core::{
    DecodeError, GroupId, Identity, PeerId, PublicKey, Reader, Signature, Verify, Wire, Writer,
};

use crate::introducer::is_harmless;
use crate::places::{Place, read_places, write_places};

/// What separates a record's signature from all others of the same key.
const DOMAIN: &[u8] = b"stratus 1 record";
/// The only version there is.
const VERSION: u8 = 1;
/// Bytes of the signature at the end.
const SIGNATURE_BYTES: usize = 64;

/// What one member says of itself, signed by itself for one group.
///
/// ```text
/// varint length ≤ 510 | body
/// body: 1 version | 32 public key | varint sequence | 1 flags (0)
///       | varint n ≤ 8, n addresses | varint n ≤ 2, n servers | varint n ≤ 3, n × 8 introducers | 64 signature
/// signature over: "stratus 1 record" | 32 GroupId | body without the signature
/// ```
///
/// A higher sequence replaces a lower one. Decoding checks form, not the signature: [`Record::verify`] does,
/// and costs 31 µs, so it is called only for records that would be kept. Source: spec OV-2, OV-3.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    peer: PeerId,
    key: PublicKey,
    draft: Draft,
    /// The body as it travels; the fields above are read from it.
    body: Bytes,
}

/// The part of a record that its owner chooses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Draft {
    /// Rises with each issue; receivers keep the highest.
    pub sequence: u64,
    /// Where the peer may be met, best first.
    pub addresses: Vec<SocketAddr>,
    /// Rendezvous servers where it is registered.
    pub servers: Vec<SocketAddr>,
    /// Places of members that have a link to it and can introduce.
    pub introducers: Vec<Place>,
}

/// The sequence of the next issue: the next edition if where the member is met has changed, else one more. Source:
/// spec OV-3.
pub(crate) fn next_sequence(sequence: u64, has_changed: bool) -> u64 {
    if has_changed {
        (sequence | ((1 << Record::EDITION_BITS) - 1)).saturating_add(1)
    } else {
        sequence.saturating_add(1)
    }
}

impl Record {
    /// So many bits of a sequence count issues of the same edition. Source: spec OV-3.
    pub(crate) const EDITION_BITS: u32 = 4;
    /// Longest encoded form.
    pub const MAX_BYTES: usize = 512;
    /// Most addresses.
    pub const MAX_ADDRESSES: usize = 8;
    /// Most servers.
    pub const MAX_SERVERS: usize = 2;
    /// Most introducers.
    pub const MAX_INTRODUCERS: usize = 3;

    /// Signs `draft` for `group`. What is over a limit, doubled, or an address that nobody may dial is left out.
    ///
    /// Cost: one signature, 18 µs.
    pub fn sign(identity: &Identity, group: &GroupId, mut draft: Draft) -> Self {
        for address in draft.addresses.iter_mut().chain(&mut draft.servers) {
            // The form that travels: no IPv4 inside IPv6, no scope that only this machine knows.
            *address = SocketAddr::new(address.ip().to_canonical(), address.port());
        }
        tidy(&mut draft.addresses, Self::MAX_ADDRESSES, |address| is_harmless(*address));
        tidy(&mut draft.servers, Self::MAX_SERVERS, |address| address.port() != 0);
        tidy(&mut draft.introducers, Self::MAX_INTRODUCERS, |_| true);
        let mut writer = Writer::with_capacity(256);
        write_unsigned(&mut writer, &identity.public(), &draft);
        let unsigned = writer.finish();
        let signature = identity.sign(&signed_text(group, &unsigned));
        let body = [&unsigned[..], &signature.0].concat().into();
        Self { peer: identity.peer(), key: identity.public(), draft, body }
    }

    /// Whether its owner signed it for `group`. Cost: one signature check, 31 µs.
    pub fn verify(&self, verify: &dyn Verify, group: &GroupId) -> bool {
        let (unsigned, signature) =
            self.body.split_last_chunk::<SIGNATURE_BYTES>().expect("sign and decode put a signature there");
        verify.signature(&self.key, &signed_text(group, unsigned), &Signature(*signature))
    }

    /// Whose it is.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The key that signed it.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Its sequence.
    pub fn sequence(&self) -> u64 {
        self.draft.sequence
    }

    /// Which edition it is: all that say the same of where the member is met, issued again and again, are one.
    pub fn edition(&self) -> u64 {
        self.draft.sequence >> Self::EDITION_BITS
    }

    /// Where its owner may be met.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.draft.addresses
    }

    /// Rendezvous servers where its owner is registered.
    pub fn servers(&self) -> &[SocketAddr] {
        &self.draft.servers
    }

    /// Places of members that can introduce its owner.
    pub fn introducers(&self) -> &[Place] {
        &self.draft.introducers
    }

    /// What its owner chose.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }
}

impl Wire for Record {
    fn encode(&self, writer: &mut Writer) {
        writer.sized(&self.body);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        // Two bytes of length in front. Copied, so that a kept record does not keep the message it came in.
        let body = Bytes::copy_from_slice(&reader.sized(Self::MAX_BYTES - 2)?);
        let mut fields = Reader::new(body.clone());
        if fields.u8()? != VERSION {
            return Err(DecodeError::Unknown);
        }
        let key = PublicKey::decode(&mut fields)?;
        let sequence = fields.varint()?;
        if fields.u8()? != 0 {
            return Err(DecodeError::Unknown);
        }
        let addresses = fields.list::<SocketAddr>(Self::MAX_ADDRESSES)?;
        let servers = fields.list::<SocketAddr>(Self::MAX_SERVERS)?;
        let introducers = read_places(&mut fields, Self::MAX_INTRODUCERS)?;
        Signature::decode(&mut fields)?;
        fields.finish()?;
        let is_allowed = addresses.iter().all(|address| is_harmless(*address))
            && servers.iter().all(|address| address.port() != 0);
        if !is_allowed || has_double(&addresses) || has_double(&servers) || has_double(&introducers) {
            return Err(DecodeError::Invalid);
        }
        let draft = Draft { sequence, addresses, servers, introducers };
        Ok(Self { peer: PeerId::of(&key), key, draft, body })
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({:?} #{} {:?})", self.peer, self.draft.sequence, self.draft.addresses)
    }
}

fn write_unsigned(writer: &mut Writer, key: &PublicKey, draft: &Draft) {
    writer.u8(VERSION);
    key.encode(writer);
    writer.varint(draft.sequence);
    writer.u8(0);
    writer.list(&draft.addresses);
    writer.list(&draft.servers);
    write_places(writer, &draft.introducers);
}

fn signed_text(group: &GroupId, unsigned: &[u8]) -> Vec<u8> {
    [DOMAIN, group.as_bytes(), unsigned].concat()
}

/// Keeps the first `most` different items that may be kept.
fn tidy<T: PartialEq + Clone>(items: &mut Vec<T>, most: usize, may_keep: impl Fn(&T) -> bool) {
    let mut kept: Vec<T> = Vec::new();
    for item in items.iter().filter(|item| may_keep(item)) {
        if kept.len() < most && !kept.contains(item) {
            kept.push(item.clone());
        }
    }
    *items = kept;
}

fn has_double<T: PartialEq>(items: &[T]) -> bool {
    items.iter().enumerate().any(|(position, item)| items[..position].contains(item))
}

#[cfg(test)]
mod tests;
