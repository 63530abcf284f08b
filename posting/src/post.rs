use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{
    DecodeError, DirectVerify, GroupId, Identity, PeerId, PublicKey, Reader, Signature, Verify, Wire, Writer,
};

use crate::Item;

const POST_DOMAIN: &[u8] = b"stratus 1 post";
const GRANT_DOMAIN: &[u8] = b"stratus 1 posting grant";

/// Longest body, bytes (spec PO-1). More belongs into objects or streams.
pub const MAX_BODY: usize = 8_192;

/// Which post: a hash of its sender's key, its sequence and its body (spec PO-2). Shown as 32 hex digits.
///
/// Equal texts are two posts, since no two of one sender have the same sequence. A sender that signs two bodies under one
/// sequence has made two posts, which everybody has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostId(pub [u8; 16]);

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "post {a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

/// Who posts, and by whose right.
///
/// | bytes | field |
/// |---|---|
/// | 32 | the sender's key |
/// | 1, then 64 | 1 and the grant: the group's posting key over domain, group id, the sender's key; or 0 |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// The sender's key.
    pub key: PublicKey,
    /// By whose right, where the group asks for one.
    pub grant: Option<Signature>,
}

impl Author {
    /// The author that `identity` is in `group`, granted by `authorization` if there is one.
    pub(crate) fn new(group: &GroupId, identity: &Identity, authorization: Option<&Identity>) -> Self {
        let key = identity.public();
        Self { key, grant: authorization.map(|right| right.sign(&grant_message(group, &key))) }
    }

    /// Whether it may post: with the grant that the group asks for, or with none where it asks for none (spec PO-4).
    pub(crate) fn may_post(
        &self,
        verify: &dyn Verify,
        group: &GroupId,
        authority: Option<&PublicKey>,
    ) -> bool {
        match (authority, &self.grant) {
            (None, None) => true,
            (Some(key), Some(grant)) => verify.signature(key, &grant_message(group, &self.key), grant),
            _ => false,
        }
    }
}

impl Wire for Author {
    fn encode(&self, writer: &mut Writer) {
        self.key.encode(writer);
        match &self.grant {
            None => writer.u8(0),
            Some(grant) => {
                writer.u8(1);
                grant.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let key = PublicKey::decode(reader)?;
        let grant = match reader.u8()? {
            0 => None,
            1 => Some(Signature::decode(reader)?),
            _ => return Err(DecodeError::Unknown),
        };
        Ok(Self { key, grant })
    }
}

/// What a member says to everybody in the group.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    author: Arc<Author>,
    sequence: u64,
    body: Bytes,
    signature: Signature,
    id: PostId,
}

impl Post {
    /// Signs a post.
    pub(crate) fn signed(
        group: &GroupId,
        identity: &Identity,
        author: Arc<Author>,
        sequence: u64,
        body: Bytes,
    ) -> Self {
        let signature = identity.sign(&post_message(group, &author.key, sequence, &body));
        Self::of(author, sequence, body, signature)
    }

    /// A post as it was read.
    pub(crate) fn of(author: Arc<Author>, sequence: u64, body: Bytes, signature: Signature) -> Self {
        let mut writer = Writer::with_capacity(48 + body.len());
        put_content(&mut writer, &author.key, sequence, &body);
        let id = PostId(DirectVerify.digest(&writer.finish()));
        Self { author, sequence, body, signature, id }
    }

    /// Which post it is.
    pub fn id(&self) -> PostId {
        self.id
    }

    /// Who made it.
    pub fn sender(&self) -> PeerId {
        PeerId::of(&self.author.key)
    }

    /// Its sender's key and right.
    pub fn author(&self) -> &Arc<Author> {
        &self.author
    }

    /// Its number among its sender's posts: microseconds since 1970 by the sender's clock, each greater than the one before.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When its sender says that it was made, since 1970.
    pub fn posted_at(&self) -> Duration {
        Duration::from_micros(self.sequence)
    }

    /// What it says.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Its sender's signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What stands for it in lists.
    pub fn item(&self) -> Item {
        let tag = self.id.0.first_chunk().expect("an id has 16 bytes");
        Item { sequence: self.sequence, tag: u64::from_be_bytes(*tag) }
    }

    /// How many bytes it has on the wire when it comes alone: what a history is measured by.
    pub fn len(&self) -> usize {
        let author = 32 + 1 + if self.author.grant.is_some() { 64 } else { 0 };
        let mut writer = Writer::counting();
        writer.varint(self.sequence);
        writer.varint(self.body.len() as u64);
        author + writer.len() + self.body.len() + 64
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Whether its sender signed it for this group. Cost: one signature check.
    pub(crate) fn is_authentic(&self, verify: &dyn Verify, group: &GroupId) -> bool {
        let message = post_message(group, &self.author.key, self.sequence, &self.body);
        verify.signature(&self.author.key, &message, &self.signature)
    }

    /// Gives it an author that is shared with the sender's other posts; it must be the same.
    pub(crate) fn share(&mut self, author: &Arc<Author>) {
        assert!(self.author == *author, "a post was given to another author");
        self.author = author.clone();
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?} at {}, {} bytes", self.id, self.sender(), self.sequence, self.body.len())
    }
}

/// What is signed: domain, group, then what the id is a hash of. Source: spec PO-3.
fn post_message(group: &GroupId, key: &PublicKey, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128 + body.len());
    writer.raw(POST_DOMAIN);
    group.encode(&mut writer);
    put_content(&mut writer, key, sequence, body);
    writer.finish().into()
}

fn put_content(writer: &mut Writer, key: &PublicKey, sequence: u64, body: &[u8]) {
    key.encode(writer);
    writer.u64(sequence);
    writer.raw(body);
}

fn grant_message(group: &GroupId, key: &PublicKey) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    writer.raw(GRANT_DOMAIN);
    group.encode(&mut writer);
    key.encode(&mut writer);
    writer.finish().into()
}
