//! Values that the group keeps: each by the members nearest to its key.

use std::time::Duration;

use bytes::Bytes;
use stratus_core::Identity;
use stratus_overlay::routing::{Got, Key, Put, Value};

use crate::error::{GetError, PutError};
use crate::group::Group;
use crate::request::Request;

/// How long a value is kept unless it is said otherwise.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// The group's table of values. Three members keep each, and hand it on as members come and go.
///
/// It is no consensus: two who sign the same sequence at the same time may each reach one of three keepers. Whoever
/// reaches fewer than two is told [`PutError::Older`], reads what is there, and signs a higher sequence. Two who sign the
/// very same bytes are both told that they are kept: say in the bytes who signs.
#[derive(Clone, Copy, Debug)]
pub struct Dht<'a> {
    group: &'a Group,
    lifetime: Duration,
}

impl Group {
    /// The group's table of values; needs a group whose groupspec allows directed routing.
    pub fn dht(&self) -> Dht<'_> {
        Dht { group: self, lifetime: LIFETIME }
    }
}

impl Dht<'_> {
    /// For how long what is put from here on is kept: 1 s to 24 h, an hour unless told. Putting it again begins anew.
    #[must_use]
    pub fn kept_for(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// Puts bytes that never change; they are found by the key that is given back, which is their hash.
    pub async fn put(&self, content: impl Into<Bytes>) -> Result<Key, PutError> {
        let value = Value::Content(content.into());
        let key = value.key();
        self.put_value(value).await.map(|_| key)
    }

    /// Puts what stands under `name` for the holder of a key from `sequence` on; an older sequence is refused.
    pub async fn put_signed(
        &self,
        signer: &Identity,
        name: impl Into<Bytes>,
        sequence: u64,
        payload: impl Into<Bytes>,
    ) -> Result<Key, PutError> {
        let value = Value::signed(signer, &self.group.id(), name, sequence, payload);
        let key = value.key();
        self.put_value(value).await.map(|_| key)
    }

    /// Puts a value that somebody may have signed elsewhere; how many members keep it.
    pub async fn put_value(&self, value: Value) -> Result<u32, PutError> {
        self.group.may_route()?;
        let (lifetime, id) = (self.lifetime, 0);
        let put = Box::new(Put { id, value, lifetime });
        Ok(self.group.ask(|reply| Request::Put { put, reply }).await??)
    }

    /// What is kept under a key.
    pub async fn get(&self, key: Key) -> Result<Got, GetError> {
        self.group.may_route()?;
        Ok(*self.group.ask(|reply| Request::Get { key, reply }).await??)
    }
}
