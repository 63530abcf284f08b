use std::time::Duration;

use bytes::Bytes;
use stratus_core::Identity;
use stratus_groupspec::Password;
use stratus_multicast::{Kind, Overrides, Parameters, Piece, PieceFlags, StreamId};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Closed, WriteError};
use crate::group::Group;
use crate::info::NetStreamMulticastInfo;
use crate::request::Request;

/// How a stream is published.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    /// What travels with the stream; `None`: as the connection's settings say.
    pub parameters: Option<Parameters>,
    /// The group's publish key; `None`: the one that the groupspec carries, if any.
    pub authorization: Option<Identity>,
    /// The group's publish password, which gives the key; not asked where `authorization` is given.
    pub password: Option<Password>,
    /// How long [`Publication::end`] stays until all have everything; `None`: the stream's window and 2 s.
    pub linger: Option<Duration>,
    /// What holds for this stream at this member and does not travel with it: the relay margin and the push neighbor
    /// limit. Default: as the connection's settings say.
    pub overrides: Overrides,
}

/// A whole message to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Its bytes; none is fine.
    pub payload: Bytes,
    /// What it carries.
    pub kind: Kind,
    /// Whether a newcomer can start here.
    pub is_key: bool,
}

/// A stream being published. Dropping it ends the stream without waiting; [`Publication::end`] waits.
#[derive(Debug)]
pub struct Publication {
    pub(crate) group: Group,
    pub(crate) stream: StreamId,
    pub(crate) name: String,
    pub(crate) drained: watch::Receiver<bool>,
    pub(crate) linger: Duration,
    pub(crate) limits: Limits,
    /// Bytes of the message that is being written piece by piece.
    pub(crate) written: usize,
}

/// What one stream may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) fragment: usize,
    pub(crate) message: usize,
}

impl Limits {
    fn check_piece(self, length: usize) -> Result<(), WriteError> {
        if length > self.fragment {
            return Err(WriteError::PieceTooLong { length, most: self.fragment });
        }
        Ok(())
    }

    fn check_message(self, length: usize) -> Result<(), WriteError> {
        if length > self.message { Err(WriteError::MessageTooLong { most: self.message }) } else { Ok(()) }
    }
}

impl Publication {
    /// Which stream this is.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// `multicastInfo`: what the stream has moved here.
    pub async fn multicast_info(&self) -> Result<Option<NetStreamMulticastInfo>, Closed> {
        Ok(self.group.info().await?.multicast_info(&self.name).copied())
    }

    /// Writes one fragment of a message. Waits while the group is busy.
    ///
    /// The caller sets the flags: the first piece of a message starts it, the last ends it.
    pub async fn write(&mut self, piece: Piece) -> Result<(), WriteError> {
        let before = if piece.flags.is_start { 0 } else { self.written };
        self.limits.check_piece(piece.payload.len())?;
        self.limits.check_message(before + piece.payload.len())?;
        self.written = before + piece.payload.len();
        let write = Request::Write { stream: self.stream, pieces: vec![piece] };
        Ok(self.group.send(write).await?)
    }

    /// Sends a whole message, cut into as many fragments as it needs. Waits while the group is busy.
    pub async fn send(&mut self, message: Outgoing) -> Result<(), WriteError> {
        self.limits.check_message(message.payload.len())?;
        let pieces = cut(&message, self.limits.fragment);
        Ok(self.group.send(Request::Write { stream: self.stream, pieces }).await?)
    }

    /// Ends the stream and stays until every neighbor has all of it, for [`Publish::linger`] at most. True if
    /// they have.
    pub async fn end(mut self) -> Result<bool, Closed> {
        self.group.send(Request::Unpublish(self.stream)).await?;
        let linger = self.linger;
        let drained = timeout(linger, self.drained.wait_for(|is_drained| *is_drained)).await;
        Ok(matches!(drained, Ok(Ok(_))))
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        // A second time does nothing.
        self.group.send_later(Request::Unpublish(self.stream));
    }
}

/// Cuts a message into pieces; one without bytes is one piece.
fn cut(message: &Outgoing, fragment: usize) -> Vec<Piece> {
    let count = message.payload.len().div_ceil(fragment).max(1);
    let piece = |n: usize| {
        let end = message.payload.len().min((n + 1) * fragment);
        let is_end = n + 1 == count;
        let flags = PieceFlags { is_start: n == 0, is_end, is_key: message.is_key, kind: message.kind };
        Piece { payload: message.payload.slice(n * fragment..end), flags, flush: is_end }
    };
    (0..count).map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(length: usize) -> Vec<usize> {
        let message = Outgoing { payload: vec![7; length].into(), kind: Kind::Data, is_key: true };
        let pieces = cut(&message, 100);
        assert!(pieces[0].flags.is_start && pieces.last().unwrap().flags.is_end);
        assert_eq!(
            pieces.iter().filter(|piece| piece.flags.is_start || piece.flags.is_end).count(),
            pieces.len().min(2)
        );
        pieces.iter().map(|piece| piece.payload.len()).collect()
    }

    #[test]
    fn messages_are_cut_into_full_pieces_and_a_rest() {
        assert_eq!(lengths(250), [100, 100, 50]);
        assert_eq!(lengths(200), [100, 100]);
        assert_eq!(lengths(3), [3]);
        assert_eq!(lengths(0), [0]);
    }
}
