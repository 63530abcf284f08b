use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use stratus_core::Identity;
use stratus_posting::{self as posting, Draft, PostError, PostId};
use tokio::sync::oneshot;

use crate::event::Event;

/// Those who wait to hear what became of their posts.
#[derive(Default)]
pub(super) struct Posts {
    waiting: BTreeMap<u64, oneshot::Sender<Result<PostId, PostError>>>,
    tokens: u64,
}

impl Posts {
    /// Somebody posts; what the node is to be told.
    pub(super) fn posting(
        &mut self,
        body: Bytes,
        authorization: Option<Identity>,
        reply: oneshot::Sender<Result<PostId, PostError>>,
    ) -> Box<Draft> {
        self.tokens += 1;
        self.waiting.insert(self.tokens, reply);
        Box::new(Draft { token: self.tokens, body, authorization })
    }

    /// Gives an event of the node to whom it concerns; what the group may hear of comes back.
    pub(super) fn event(&mut self, event: posting::Event) -> Option<Event> {
        match event {
            posting::Event::Post(post) => return Some(Event::Post(post)),
            posting::Event::Taken(id) => return Some(Event::PostTaken(id)),
            posting::Event::Misbehaved { peer, what } => return Some(Event::Misbehaved { peer, what }),
            posting::Event::Posted { token, id, .. } => self.answer(token, Ok(id)),
            posting::Event::PostFailed { token, why } => self.answer(token, Err(why)),
        }
        None
    }

    fn answer(&mut self, token: u64, answer: Result<PostId, PostError>) {
        if let Some(reply) = self.waiting.remove(&token) {
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        }
    }
}

/// Microseconds since 1970.
pub(super) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}
