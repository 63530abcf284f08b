use std::time::Duration;

use stratus_multicast::{StreamId, StreamMessage};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::group::Group;
use crate::mailbox::{Inbox, MOST_BYTES};
use crate::request::Request;

/// How a stream is played.
#[derive(Clone, Debug)]
pub struct Play {
    /// Bytes that may wait for a slow player before messages are dropped. Default 32 MiB.
    pub queue_bytes: usize,
    /// How long [`Playback::finish`] stays for neighbors that still need something. Default 10 s: the default
    /// window and its margin.
    pub linger: Duration,
}

impl Default for Play {
    fn default() -> Self {
        Self { queue_bytes: MOST_BYTES, linger: Duration::from_secs(10) }
    }
}

/// What a player gets, in the stream's order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Played {
    /// The stream was found; or it was replaced by another of the same name, whose messages follow.
    Start {
        /// Which stream.
        stream: StreamId,
        /// Whether another stream was played before.
        is_reset: bool,
    },
    /// A whole message.
    Message(StreamMessage),
    /// Fragments that did not come within the window; their messages are missing here.
    Gap {
        /// Index of the first missing fragment.
        first_index: u64,
        /// How many are missing.
        count: u64,
    },
    /// The player was too slow, and messages were dropped here, in this process.
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl Played {
    /// Payload bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            _ => 0,
        }
    }
}

/// A stream being played. Dropping it ends the subscription at once.
#[derive(Debug)]
pub struct Playback {
    pub(crate) group: Group,
    pub(crate) name: String,
    pub(crate) inbox: Inbox,
    pub(crate) drained: watch::Receiver<bool>,
    pub(crate) linger: Duration,
}

impl Playback {
    /// The name that is played.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What comes next; `None` when the stream has ended and everything was delivered, or the group was left.
    /// Waits for as long as no stream of the name exists. Safe to cancel.
    pub async fn next(&mut self) -> Option<Played> {
        self.inbox.take().await
    }

    /// Stays until no neighbor needs anything of the stream from here any more, for [`Play::linger`] at most.
    /// For a stream that has ended: on one that goes on it takes all that time.
    pub async fn finish(mut self) {
        let linger = self.linger;
        let _ = timeout(linger, self.drained.wait_for(|is_drained| *is_drained)).await;
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.group.send_later(Request::Stop { name: std::mem::take(&mut self.name) });
    }
}
