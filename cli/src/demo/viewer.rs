//! One member of the demonstration, and what a viewer saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use stratus::{Connection, Group, GroupInfo, Play, Playback, Played, StreamMessage};
use stratus_groupspec::Groupspec;
use tokio::time::timeout;

use super::{CLIP, failed, local};
use crate::stop::Failure;
use crate::ts::Joiner;

/// How long leaving may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection with a socket of its own, in the group.
pub(super) struct Member {
    connection: Connection,
    pub(super) group: Group,
}

impl Member {
    /// Opens a socket and begins to join.
    pub(super) async fn enter(spec: &Groupspec, server: SocketAddr) -> Result<Self, Failure> {
        let builder = Connection::builder().listen(local()).server(server.to_string());
        let connection = builder.start().await.map_err(failed("open a socket"))?;
        let group = connection.join(spec).await.map_err(failed("join the group"))?;
        Ok(Self { connection, group })
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        // What has not arrived by then never will.
        let _ = timeout(CLOSE_TIMEOUT, self.connection.close()).await;
    }
}

/// When the first byte of each message came into the publisher.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals(Arc<Mutex<Vec<(u64, Instant)>>>);

impl Arrivals {
    /// The message whose first fragment has this index began to arrive then. Indices rise.
    pub(super) fn note(&self, index: u64, at: Instant) {
        self.lock().push((index, at));
    }

    fn of(&self, index: u64) -> Option<Instant> {
        let arrivals = self.lock();
        let place = arrivals.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        Some(arrivals[place].1)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member that plays, and compares what comes with what was sent.
pub(super) struct Viewer {
    member: Member,
    playback: Playback,
    arrivals: Arrivals,
    joiner: Joiner,
    seen: Seen,
}

/// What a viewer saw of the stream.
#[derive(Debug, Default)]
struct Seen {
    messages: u64,
    bytes: u64,
    differs: bool,
    delays: Vec<Duration>,
}

/// What a viewer saw, and how its group looked when the stream ended.
#[derive(Debug)]
pub(super) struct Viewed {
    /// Messages delivered.
    pub(super) messages: u64,
    /// Bytes written.
    pub(super) bytes: u64,
    /// Whether these bytes are the beginning of the clip.
    pub(super) is_prefix: bool,
    /// One for each message.
    pub(super) delays: Vec<Duration>,
    /// The group from here.
    pub(super) info: GroupInfo,
}

impl Viewer {
    /// Asks for the stream, which need not exist yet.
    pub(super) async fn start(member: Member, stream: &str, arrivals: Arrivals) -> Result<Self, Failure> {
        let playback = member.group.play(stream, Play::default()).await.map_err(failed("play"))?;
        Ok(Self { member, playback, arrivals, joiner: Joiner::default(), seen: Seen::default() })
    }

    /// The member.
    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    /// Plays to the end of the stream.
    pub(super) async fn run(mut self) -> Result<Viewed, Failure> {
        while let Some(played) = self.playback.next().await {
            if let Played::Message(message) = played {
                self.take(message);
            }
        }
        let info = self.member.group.info().await.map_err(failed("ask a viewer"))?;
        self.playback.finish().await;
        self.member.close().await;
        let Seen { messages, bytes, differs, delays } = self.seen;
        Ok(Viewed { messages, bytes, is_prefix: !differs, delays, info })
    }

    fn take(&mut self, message: StreamMessage) {
        let now = Instant::now();
        self.seen.messages += 1;
        self.seen.delays.extend(self.arrivals.of(message.index).map(|arrived| now - arrived));
        for piece in self.joiner.take(message.is_key, message.pieces) {
            self.seen.compare(&piece);
        }
    }
}

impl Seen {
    fn compare(&mut self, piece: &Bytes) {
        let place = self.bytes as usize;
        self.differs |= CLIP.get(place..place + piece.len()) != Some(&piece[..]);
        self.bytes += piece.len() as u64;
    }
}
