use std::sync::Arc;
use stratus_core::{GroupAddress, PeerId, RingArc};

use stratus_multicast::StreamId;
use stratus_posting::{Post, PostId};
use tokio::sync::broadcast;

use crate::routes::SendTo;

/// Something that happened in a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A link to another member is up.
    NeighborConnect {
        /// The member.
        peer: PeerId,
        /// Its place on the group's ring.
        address: GroupAddress,
    },
    /// The link is gone.
    NeighborDisconnect {
        /// The member.
        peer: PeerId,
        /// Its place on the group's ring.
        address: GroupAddress,
    },
    /// The stretch of the ring that this member answers for has changed.
    LocalCoverage(RingArc),
    /// A stream exists.
    PublishNotify {
        /// Which.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// A stream has ended.
    UnpublishNotify {
        /// Which.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// A stream of ours is announced.
    PublishStart {
        /// Which.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// Another stream of the name of ours began later; viewers play that one.
    PublishBadName {
        /// Ours.
        stream: StreamId,
        /// The name.
        name: String,
    },
    /// A stream that is played here showed no sign of life for too long; it is not played any more.
    PublishIdle {
        /// Which.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// A stream that is to be played here was found.
    PlayStart {
        /// Which.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// What is played under this name is another stream from here on.
    PlayReset {
        /// Which one it is.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// The publisher of a stream that is played here signed two histories of it; it is not played any more.
    Equivocated {
        /// Which.
        stream: StreamId,
        /// Its name.
        name: String,
    },
    /// Something that was sent over the ring has come here, on its way or for good.
    SendTo(SendTo),
    /// Somebody posted. Each post comes once; to who comes late, those before come as well, and no order is promised: their
    /// sequences give it.
    Post(Arc<Post>),
    /// A neighbor was given a post of ours: it is in the group.
    PostTaken(PostId),
    /// A neighbor broke the protocol; it was dropped and is kept out.
    Misbehaved {
        /// Who.
        peer: PeerId,
        /// What it did.
        what: &'static str,
    },
    /// A rendezvous server has registered this member.
    ServerConnect {
        /// As it was configured.
        server: String,
        /// How many other members it named.
        named: usize,
    },
    /// A rendezvous server is gone, or refuses; members see nothing of it, and it is tried again.
    ServerDisconnect {
        /// As it was configured.
        server: String,
        /// Why, in words.
        why: String,
    },
    /// This receiver was too slow, and events were dropped.
    Lagged {
        /// How many.
        missed: u64,
    },
}

impl Event {
    /// The name that Flash gave such an event, or one in its manner.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeighborConnect { .. } => "NetGroup.Neighbor.Connect",
            Self::NeighborDisconnect { .. } => "NetGroup.Neighbor.Disconnect",
            Self::LocalCoverage(_) => "NetGroup.LocalCoverage.Notify",
            Self::PublishNotify { .. } => "NetGroup.MulticastStream.PublishNotify",
            Self::UnpublishNotify { .. } => "NetGroup.MulticastStream.UnpublishNotify",
            Self::PublishStart { .. } => "NetStream.Publish.Start",
            Self::PublishBadName { .. } => "NetStream.Publish.BadName",
            Self::PublishIdle { .. } => "NetStream.Publish.Idle",
            Self::PlayStart { .. } => "NetStream.Play.Start",
            Self::PlayReset { .. } => "NetStream.MulticastStream.Reset",
            Self::Equivocated { .. } => "NetStream.Play.Failed",
            Self::Post(_) => "NetGroup.Posting.Notify",
            Self::PostTaken(_) => "NetGroup.Posting.Taken",
            Self::Misbehaved { .. } => "NetGroup.Neighbor.Misbehaved",
            Self::ServerConnect { .. } => "NetGroup.Server.Connect",
            Self::ServerDisconnect { .. } => "NetGroup.Server.Disconnect",
            Self::SendTo(_) => "NetGroup.SendTo.Notify",
            Self::Lagged { .. } => "NetGroup.Events.Lagged",
        }
    }

    /// The fields that Flash gave with such an event, under its names (`neighbor` is a place on the ring, `peerID` who
    /// is there), and ours in the same manner.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NeighborConnect { peer, address } | Self::NeighborDisconnect { peer, address } => {
                vec![("neighbor", address.to_string()), ("peerID", peer.to_string())]
            }
            Self::LocalCoverage(_) => Vec::new(),
            Self::PublishNotify { stream, name }
            | Self::UnpublishNotify { stream, name }
            | Self::PublishStart { stream, name }
            | Self::PublishBadName { stream, name }
            | Self::PublishIdle { stream, name }
            | Self::PlayStart { stream, name }
            | Self::PlayReset { stream, name }
            | Self::Equivocated { stream, name } => {
                vec![("name", name.clone()), ("stream", format!("{:08x}", stream.alias().0))]
            }
            Self::SendTo(parcel) => vec![
                ("message", String::from_utf8_lossy(&parcel.message).into_owned()),
                ("from", parcel.from.to_string()),
                ("fromLocal", parcel.from_local.to_string()),
            ],
            Self::Post(post) => vec![
                ("messageID", post.id().to_string()),
                ("peerID", post.sender().to_string()),
                ("message", String::from_utf8_lossy(post.body()).into_owned()),
            ],
            Self::PostTaken(id) => vec![("messageID", id.to_string())],
            Self::Misbehaved { peer, what } => {
                vec![("peerID", peer.to_string()), ("what", (*what).to_owned())]
            }
            Self::ServerConnect { server, named } => {
                vec![("server", server.clone()), ("named", named.to_string())]
            }
            Self::ServerDisconnect { server, why } => {
                vec![("server", server.clone()), ("why", why.clone())]
            }
            Self::Lagged { missed } => vec![("missed", missed.to_string())],
        }
    }
}

/// Events that may wait for a slow receiver: a few seconds of a large group coming together. Every group keeps
/// the places for them, so these are made small: each event is behind a pointer.
pub(crate) const CAPACITY: usize = 1_024;

/// A group's events, from when this was made.
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<Arc<Event>>);

impl Events {
    /// The next event; `None` once the group is left. Safe to cancel.
    ///
    /// Whoever calls too rarely gets [`Event::Lagged`] in place of the oldest events.
    pub async fn recv(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(Arc::unwrap_or_clone(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Lagged { missed }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed() {
        let (sender, receiver) = broadcast::channel(2);
        let mut events = Events(receiver);
        let event = |name: &str| Event::ServerConnect { server: name.to_owned(), named: 3 };
        for name in ["a", "b", "c", "d", "e"] {
            sender.send(Arc::new(event(name))).unwrap();
        }
        assert_eq!(events.recv().await, Some(Event::Lagged { missed: 3 }));
        assert_eq!(events.recv().await, Some(event("d")));
        drop(sender);
        assert_eq!(events.recv().await, Some(event("e")));
        assert_eq!(events.recv().await, None);
    }
}
