use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use stratus_groupspec::AuthorizeError;
use stratus_multicast as multicast;
use stratus_overlay::routing;
use stratus_posting::{self as posting, MAX_BODY};
use stratus_transport::BindError;

use crate::ways::Way;

/// Why a connection did not start. Nothing is left open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Two settings contradict each other, or one makes no sense.
    #[error("settings: {0}")]
    Settings(String),
    /// The journal cannot be written.
    #[error("cannot write the journal: {path}: {error}")]
    Journal {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The system gives no random bytes for keys.
    #[error("the system gives no random numbers")]
    Entropy,
}

/// The connection or the group is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the group is closed")]
pub struct Closed;

/// Why a group was not entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinError {
    /// The group was left a moment ago, and its end is not over; try again.
    #[error("this connection is still leaving the group")]
    AlreadyJoined,
    /// Leave another group first.
    #[error("this connection is in as many groups as it may be")]
    TooManyGroups,
    /// Only a server channel or IP multicast could serve such a group.
    #[error("the members of this group may not connect to each other, and nothing else serves it yet")]
    PeerToPeerDisabled,
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
}

/// Why there is no neighbor.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinedError {
    /// No member answered in time. Waiting again is fine: the group keeps trying.
    #[error("{0}")]
    Timeout(JoinTimeout),
    /// The group was left meanwhile.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// No member of the group answered in time, and what was tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinTimeout {
    /// The group's name, or the beginning of its id.
    pub group: String,
    /// How long was waited.
    pub waited: Duration,
    /// Each way into the group, and how it went.
    pub tried: Vec<Way>,
}

impl JoinTimeout {
    /// The failure without what was tried.
    pub fn summary(&self) -> String {
        format!("no member of group \"{}\" answered within {:?}", self.group, self.waited)
    }
}

impl fmt::Display for JoinTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        f.write_str("; tried: ")?;
        if self.tried.is_empty() {
            return f.write_str("nothing, since no server and no member is named");
        }
        for (n, way) in self.tried.iter().enumerate() {
            write!(f, "{}{way}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Why a stream was not published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PublishError {
    /// Whoever made the group allowed no streams in it.
    #[error("this group carries no streams")]
    MulticastDisabled,
    /// The groupspec carries no publish authorization, or the one given is not this group's.
    #[error("this groupspec does not authorize publishing")]
    NotAuthorized,
    /// A password was given that is not the group's.
    #[error("the publish password is wrong")]
    WrongPassword,
    /// A password was given, and none authorizes: either any member may publish, or only the groupspec with the
    /// authorizations has the key.
    #[error("this group has no publish password")]
    NoPassword,
    /// Shorten it.
    #[error("the stream name is longer than 128 bytes")]
    NameTooLong,
    /// `NetStream.Publish.BadName`: end the other stream first, or choose another name.
    #[error("this member publishes a stream of that name already")]
    BadName,
    /// A property that cannot be had.
    #[error("{0}")]
    Property(multicast::ConfigError),
    /// End another stream first.
    #[error("the group carries as many streams as are allowed")]
    TooManyStreams,
    /// The system gives no random bytes for the stream's key.
    #[error("the system gives no random numbers")]
    Entropy,
    /// The group is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl From<AuthorizeError> for PublishError {
    fn from(error: AuthorizeError) -> Self {
        match error {
            AuthorizeError::NothingToAuthorize | AuthorizeError::NoPassword => Self::NoPassword,
            AuthorizeError::WrongPassword => Self::WrongPassword,
            AuthorizeError::TooLong => Self::NotAuthorized,
        }
    }
}

impl From<multicast::PublishError> for PublishError {
    fn from(error: multicast::PublishError) -> Self {
        match error {
            multicast::PublishError::NotAuthorized => Self::NotAuthorized,
            multicast::PublishError::NameTooLong => Self::NameTooLong,
            multicast::PublishError::BadName => Self::BadName,
            multicast::PublishError::Property(error) => Self::Property(error),
            // A random key of 32 bytes that is known already means that there are far too many.
            multicast::PublishError::TooManyStreams | multicast::PublishError::KeyInUse => {
                Self::TooManyStreams
            }
        }
    }
}

/// Why a post was not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PostError {
    /// Whoever made the group allowed no posts in it.
    #[error("this group carries no posts")]
    PostingDisabled,
    /// The groupspec carries no posting authorization.
    #[error("this groupspec does not authorize posting")]
    NotAuthorized,
    /// Make it several posts, or an object.
    #[error("the post is longer than {MAX_BODY} bytes")]
    TooLong,
    /// The group lets no member post faster.
    #[error("posting faster than the group allows: wait {wait:.1?}")]
    TooFast {
        /// For so long.
        wait: Duration,
    },
    /// The group was left meanwhile.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl From<posting::PostError> for PostError {
    fn from(error: posting::PostError) -> Self {
        match error {
            posting::PostError::NotAuthorized => Self::NotAuthorized,
            posting::PostError::TooLong => Self::TooLong,
            posting::PostError::TooFast { wait } => Self::TooFast { wait },
        }
    }
}

/// Why a piece or a message was not taken. The stream goes on without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WriteError {
    /// Cut it into more pieces.
    #[error("the piece has {length} bytes, and at most {most} fit into a fragment")]
    PieceTooLong {
        /// Its length.
        length: usize,
        /// The longest there may be.
        most: usize,
    },
    /// Make it several messages.
    #[error("the message has more than {most} bytes")]
    MessageTooLong {
        /// The longest there may be.
        most: usize,
    },
    /// The group is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a stream is not played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlayError {
    /// Whoever made the group allowed no streams in it.
    #[error("this group carries no streams")]
    MulticastDisabled,
    /// A property that cannot be had.
    #[error(transparent)]
    Property(#[from] multicast::ConfigError),
    /// No stream has such a name.
    #[error("the stream name is longer than 128 bytes")]
    NameTooLong,
    /// The group is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why objects cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectsError {
    /// Whoever made the group allowed no objects in it.
    #[error("this group replicates no objects")]
    ReplicationDisabled,
    /// The group is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why nothing was routed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RouteError {
    /// Whoever made the group allowed no directed routing in it.
    #[error("this group has no directed routing")]
    RoutingDisabled,
    /// The group is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why nothing was looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LookUpError {
    /// The group allows none, or is closed.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Wait for neighbors first.
    #[error("the group has no other member that could be asked")]
    Alone,
    /// Wait for one of those under way.
    #[error("as many look-ups are under way as there may be")]
    TooMany,
}

/// Why a value is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PutError {
    /// The group allows none, or is closed.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Wait for neighbors first.
    #[error("the group has no other member that could keep it")]
    Alone,
    /// Wait for something of what is under way.
    #[error("as many values are under way as there may be")]
    TooMany,
    /// Shorten it, or change its lifetime.
    #[error("a value has at most 8192 bytes, a name 64, and is kept for 1 s to 24 h")]
    Invalid,
    /// Read what is kept, and sign a higher sequence.
    #[error("sequence {kept} is kept already, and only a higher one replaces it")]
    Older {
        /// The sequence that is kept.
        kept: u64,
    },
    /// Try later.
    #[error("most of the members nearest to its key have no room or do not answer")]
    NotKept,
}

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GetError {
    /// The group allows none, or is closed.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// Wait for neighbors first.
    #[error("the group has no other member that could be asked")]
    Alone,
    /// Wait for something of what is under way.
    #[error("as many values are under way as there may be")]
    TooMany,
    /// It was never put, has expired, or those who kept it are all gone.
    #[error("none of the members nearest to the key has it{}", if *.is_proven { "" } else { ", as far as could be found out" })]
    NotFound {
        /// Whether those that answered are shown to be the nearest.
        is_proven: bool,
    },
}

impl From<Closed> for LookUpError {
    fn from(closed: Closed) -> Self {
        Self::Route(closed.into())
    }
}

impl From<Closed> for PutError {
    fn from(closed: Closed) -> Self {
        Self::Route(closed.into())
    }
}

impl From<Closed> for GetError {
    fn from(closed: Closed) -> Self {
        Self::Route(closed.into())
    }
}

impl From<routing::LookUpError> for LookUpError {
    fn from(error: routing::LookUpError) -> Self {
        match error {
            routing::LookUpError::Alone => Self::Alone,
            routing::LookUpError::TooMany => Self::TooMany,
        }
    }
}

impl From<routing::PutError> for PutError {
    fn from(error: routing::PutError) -> Self {
        match error {
            routing::PutError::Alone => Self::Alone,
            routing::PutError::TooMany => Self::TooMany,
            routing::PutError::Invalid => Self::Invalid,
            routing::PutError::Older { kept } => Self::Older { kept },
            routing::PutError::NotKept => Self::NotKept,
        }
    }
}

impl From<routing::GetError> for GetError {
    fn from(error: routing::GetError) -> Self {
        match error {
            routing::GetError::Alone => Self::Alone,
            routing::GetError::TooMany => Self::TooMany,
            routing::GetError::NotFound { is_proven } => Self::NotFound { is_proven },
        }
    }
}

/// Why a playback's properties did not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OverrideError {
    /// A property that cannot be had.
    #[error(transparent)]
    Property(#[from] multicast::ConfigError),
    /// The group is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl JoinError {
    /// The name that Flash gave such a failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PeerToPeerDisabled => "NetGroup.Connect.Rejected",
            _ => "NetGroup.Connect.Failed",
        }
    }
}

impl PublishError {
    /// The name that Flash gave such a failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAuthorized | Self::MulticastDisabled => "NetStream.Connect.Rejected",
            Self::BadName | Self::NameTooLong => "NetStream.Publish.BadName",
            _ => "NetStream.Connect.Failed",
        }
    }
}

impl PlayError {
    /// The name that Flash gave such a failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed(_) => "NetStream.Connect.Closed",
            Self::MulticastDisabled => "NetStream.Connect.Rejected",
            _ => "NetStream.Play.Failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_names_what_was_tried() {
        let way = |what: &str, outcome: &str| Way { what: what.into(), outcome: outcome.into() };
        let mut timeout =
            JoinTimeout { group: "show".into(), waited: Duration::from_secs(10), tried: Vec::new() };
        assert_eq!(
            timeout.to_string(),
            "no member of group \"show\" answered within 10s; tried: nothing, since no server and no member is named"
        );
        timeout.tried = vec![
            way("server 127.0.0.1:1935", "no answer in time"),
            way("member 12ab34cd", "no usable address"),
        ];
        assert_eq!(
            timeout.to_string(),
            "no member of group \"show\" answered within 10s; \
             tried: server 127.0.0.1:1935 (no answer in time), member 12ab34cd (no usable address)"
        );
    }
}
