use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupId, Identity, PeerId, PublicKey};

use crate::Message;
use crate::post::{MAX_BODY, Post, PostId};

/// What the machine is told at birth.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who we are; it signs what we post.
    pub identity: Identity,
    /// The group.
    pub group: GroupId,
    /// Whose grant a sender needs; `None`: any member may post.
    pub authority: Option<PublicKey>,
}

/// Something to be posted.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The owner's own number, for the answer.
    pub token: u64,
    /// What it says, at most [`MAX_BODY`] bytes.
    pub body: Bytes,
    /// The group's posting key, where it has one.
    pub authorization: Option<Identity>,
}

/// What the owner may ask.
#[derive(Clone, Debug)]
pub enum Command {
    /// The owner's wall clock shows so many microseconds since 1970. Until this is first said, it shows the machine's own
    /// time. To be said again now and then, and after each sleep.
    SetClock(u64),
    /// Post this. Answered by `Posted` or `PostFailed`. Without neighbors it waits for the first.
    Post(Box<Draft>),
}

/// Why something cannot be posted. Nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PostError {
    /// The group has a posting key and no authorization, or another group's, was given.
    NotAuthorized,
    /// The body is longer than [`MAX_BODY`].
    TooLong,
    /// As much as one member may post in this time is posted.
    TooFast {
        /// For so long.
        wait: Duration,
    },
}

impl std::fmt::Display for PostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAuthorized => f.write_str("this groupspec does not authorize posting"),
            Self::TooLong => write!(f, "the post is longer than {MAX_BODY} bytes"),
            Self::TooFast { wait } => {
                write!(f, "posting faster than the group allows: wait {:.1} s", wait.as_secs_f64())
            }
        }
    }
}

impl std::error::Error for PostError {}

/// What the owner hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// `NetGroup.Posting.Notify`: somebody posted. Each post comes once, the older ones of a history among them.
    Post(Arc<Post>),
    /// What was to be posted is.
    Posted {
        /// The owner's number.
        token: u64,
        /// Its id.
        id: PostId,
        /// Its sequence: when it was made.
        sequence: u64,
    },
    /// It is not.
    PostFailed {
        /// The owner's number.
        token: u64,
        /// Why.
        why: PostError,
    },
    /// A neighbor was given a post of ours, for the first time: it is in the group.
    Taken(PostId),
    /// The neighbor broke the protocol; it should be dropped and kept out.
    Misbehaved {
        /// The neighbor.
        peer: PeerId,
        /// What it did.
        what: &'static str,
    },
}

/// What the machine hears.
pub type Input = stratus_core::Input<Message, Command>;
/// What the machine asks for.
pub type Output = stratus_core::Output<Message, Event>;
