use std::time::Duration;

use stratus_multicast::{Kind, Overrides, StreamId, StreamMessage};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Closed, OverrideError};
use crate::group::Group;
use crate::info::NetStreamMulticastInfo;
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
    /// What the messages are for: see [`Purpose`]. Default: the application itself.
    pub purpose: Purpose,
    /// This member's own wishes for the stream that is found first; see [`Playback::set_overrides`]. Default: none.
    pub overrides: Overrides,
}

impl Default for Play {
    fn default() -> Self {
        let linger = Duration::from_secs(10);
        Self { queue_bytes: MOST_BYTES, linger, purpose: Purpose::default(), overrides: Overrides::default() }
    }
}

/// What is done with the messages of a playback, where the publisher has restricted it (`audioSampleAccess`,
/// `videoSampleAccess`).
///
/// In Flash the player showed such streams and refused their samples to programs. Here: an application that looks at
/// what it plays is [`Purpose::Application`], and gets [`Played::Withheld`] in place of messages of a class whose
/// samples are not for it. Who only hands the bytes on to a player unseen says [`Purpose::Player`] and gets all of
/// them. As in Flash this binds programs that keep to the rules; it is no lock, since every viewer receives the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// The application looks at the messages.
    #[default]
    Application,
    /// The bytes go to a player as they are.
    Player,
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
    /// A message whose samples its publisher keeps from applications; see [`Purpose`].
    Withheld {
        /// Index of its first fragment.
        index: u64,
        /// What it carries.
        kind: Kind,
        /// How much.
        bytes: usize,
    },
    /// The player was too slow, and messages were dropped here, in this process.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The stream showed no sign of life for the publisher timeout; nothing follows.
    Idle,
    /// The publisher signed two histories of the stream, so none of it can be believed; nothing follows.
    Equivocated,
}

impl Played {
    /// The name that Flash gave such a thing, or one in its manner; a message has none.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Message(_) | Self::Withheld { .. } => return None,
            Self::Start { is_reset: false, .. } => "NetStream.Play.Start",
            Self::Start { is_reset: true, .. } => "NetStream.MulticastStream.Reset",
            Self::Gap { .. } => "NetStream.MulticastStream.Gap",
            Self::Lagged { .. } => "NetStream.Play.Lagged",
            Self::Idle => "NetStream.Publish.Idle",
            Self::Equivocated => "NetStream.Play.Failed",
        })
    }

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
    pub(crate) handle: u64,
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

    /// Sets this member's own wishes for the stream, in place of all earlier ones: RTMFP's multicast properties, as set
    /// on a `NetStream` that plays. Every playback of the name shares them.
    ///
    /// They are lost when the subscription moves to another stream of the name ([`Played::Start`] with `is_reset`),
    /// as in Flash: that stream's publisher may have chosen otherwise. Set them again if they are still wanted.
    pub async fn set_overrides(&self, wishes: Overrides) -> Result<(), OverrideError> {
        wishes.validate()?;
        Ok(self.group.send(Request::SetOverrides { name: self.name.clone(), wishes }).await?)
    }

    /// `multicastInfo`: what the stream has moved here; `None` before it is found.
    pub async fn multicast_info(&self) -> Result<Option<NetStreamMulticastInfo>, Closed> {
        Ok(self.group.info().await?.multicast_info(&self.name).copied())
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
        self.group.send_later(Request::Stop { name: std::mem::take(&mut self.name), handle: self.handle });
    }
}
