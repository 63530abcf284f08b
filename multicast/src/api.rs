use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupId, Identity, PeerId, PublicKey};

use crate::{ConfigError, End, Message, Overrides, Parameters, Piece, StreamId, StreamMessage};

/// What the machine is told at birth.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who we are.
    pub peer: PeerId,
    /// The group.
    pub group: GroupId,
    /// Whose grant a stream needs; `None`: any member may publish.
    pub publish_authority: Option<PublicKey>,
    /// The top 64 bits of our group address: says in which slices we are at home.
    pub home: u64,
}

/// A stream to be published.
#[derive(Clone, Debug)]
pub struct Publish {
    /// A random key of this stream's own; it signs everything in it.
    pub key: Identity,
    /// Its name, at most 128 bytes.
    pub name: String,
    /// Now, in ms since 1970 by our clock: a later stream takes the name of an earlier one (spec MC-17).
    pub began: u64,
    /// The group's publish key, where it has one.
    pub authorization: Option<Identity>,
    /// What travels with the stream.
    pub parameters: Parameters,
    /// What holds for it here and does not travel.
    pub wishes: Overrides,
}

/// What the owner may ask.
#[derive(Clone, Debug)]
pub enum Command {
    /// Publish a stream. Answered by `PublishNotify`, or by `PublishFailed`.
    Publish(Box<Publish>),
    /// The next fragment of a stream of ours.
    Write {
        /// The stream.
        stream: StreamId,
        /// The fragment.
        piece: Piece,
    },
    /// A stream of ours ends. What was written stays to be served; `Drained` tells when all have it.
    Unpublish(StreamId),
    /// Receive the stream of this name, now or whenever it is published.
    Subscribe {
        /// The name.
        name: String,
    },
    /// Wishes for the stream that is played under this name, until a reset. Ignored unless they validate.
    SetOverrides {
        /// The name.
        name: String,
        /// The wishes, in place of all earlier ones.
        wishes: Overrides,
    },
    /// No longer.
    Unsubscribe {
        /// The name.
        name: String,
    },
    /// Our own overlay record, to be named as a subscriber.
    SetRecord(Bytes),
    /// The overlay measured a round trip.
    SetRtt {
        /// With this neighbor.
        peer: PeerId,
        /// This long.
        rtt: Duration,
    },
    /// Our upload budget in wire bytes a second, or none.
    SetUpload(Option<u64>),
}

/// Why a stream cannot be published. Nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishError {
    /// The group has a publish key and no authorization, or another group's, was given.
    NotAuthorized,
    /// The name is longer than 128 bytes.
    NameTooLong,
    /// As many streams as this member may know are known already.
    TooManyStreams,
    /// The stream key is known already.
    KeyInUse,
    /// `NetStream.Publish.BadName`: this member publishes a stream of that name.
    BadName,
    /// A property that cannot be had.
    Property(ConfigError),
}

impl std::fmt::Display for PublishError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Property(error) => return error.fmt(f),
            Self::BadName => "this member publishes a stream of that name",
            Self::NotAuthorized => "this groupspec does not authorize publishing",
            Self::NameTooLong => "the stream name is longer than 128 bytes",
            Self::TooManyStreams => "the group carries as many streams as are allowed",
            Self::KeyInUse => "the stream key is in use",
        })
    }
}

impl std::error::Error for PublishError {}

/// What the owner hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// `NetGroup.MulticastStream.PublishNotify`: a stream exists.
    PublishNotify {
        /// The stream.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// `NetGroup.MulticastStream.UnpublishNotify`: it has ended, or nobody vouches for it any more.
    UnpublishNotify {
        /// The stream.
        stream: StreamId,
        /// Its name.
        name: String,
        /// Where; `None` if its publisher went without a word.
        end: Option<End>,
    },
    /// `NetStream.Publish.BadName`: another stream of the name of ours began later, and viewers go there.
    PublishBadName {
        /// Our stream.
        stream: StreamId,
        /// The name.
        name: String,
    },
    /// `NetStream.Publish.Idle`: a stream that we play showed no sign of life for too long; it is not played any more.
    PublishIdle {
        /// The stream.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// The publisher of a stream that we play signed two histories of it; it is not played any more.
    Equivocated {
        /// The stream.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// Our own publication was refused.
    PublishFailed {
        /// Its key's public half.
        stream: StreamId,
        /// Why.
        why: PublishError,
    },
    /// `NetStream.Play.Start`: a subscription found its stream; messages follow.
    PlayStart {
        /// The stream.
        stream: StreamId,
        /// The subscribed name.
        name: String,
    },
    /// `NetStream.MulticastStream.Reset`: the subscription moved to another stream of the same name.
    PlayReset {
        /// The stream it moved to.
        stream: StreamId,
        /// The subscribed name.
        name: String,
    },
    /// The next whole message of a subscribed stream, in order.
    Message {
        /// The stream.
        stream: StreamId,
        /// The message.
        message: StreamMessage,
    },
    /// Fragments that did not come within the window; their messages are given up as a whole.
    Gap {
        /// The stream.
        stream: StreamId,
        /// First missing index.
        first_index: u64,
        /// How many fragments were passed over.
        count: u64,
    },
    /// The stream ended and everything before its end was delivered or given up.
    PlayEnd {
        /// The stream.
        stream: StreamId,
    },
    /// A stream of ours ended, or one that we played to its end, and no neighbor still needs it from us.
    Drained {
        /// The stream.
        stream: StreamId,
    },
    /// A record of a subscriber came along: something for the overlay.
    SubscriberHeard {
        /// Who it claims to be.
        peer: PeerId,
        /// The encoded record, unchecked.
        record: Bytes,
    },
    /// A link to this neighbor serves a stream: keep it.
    Want(PeerId),
    /// It no longer does.
    Release(PeerId),
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
