//! How a connection ends, and who is told what of it.

use std::sync::Arc;

use quinn::ConnectionError;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Conversation, Ending, STUCK};
use crate::connection::{CloseCode, Connection};
use crate::error::DialError;
use crate::frame::Outgoing;
use crate::shared::Shared;

impl Conversation {
    pub(super) async fn end(mut self, ending: Ending, writer: JoinHandle<()>) {
        // Asked before we close as well, which overwrites the reason.
        let (failure, may_retry) = (self.failure(ending), self.is_current || self.is_superseded());
        tracing::debug!(peer = ?self.connection.peer, ?ending, "connection over");
        self.shared.release(&self.connection);
        self.connection.settled.send_replace(true);
        for tag in self.connection.attached_tags() {
            self.detach(tag).await;
        }
        match ending {
            Ending::Finish(code) => {
                let finish = timeout(STUCK, self.connection.control.send(Outgoing::Finish)).await;
                if matches!(finish, Ok(Ok(()))) {
                    let _ = timeout(2 * self.shared.config.drain_timeout, writer).await;
                }
                self.connection.close(code);
            }
            Ending::Close(code) => self.connection.close(code),
            Ending::Lost => self.connection.close(CloseCode::Done),
        }
        self.shared.count_ended(&self.connection);
        self.connection.bury();
        self.shared.connection_ended(self.connection.peer, may_retry, failure);
    }

    /// Whether the other side preferred another connection.
    fn is_superseded(&self) -> bool {
        matches!(self.connection.quic.close_reason(), Some(ConnectionError::ApplicationClosed(close))
            if close.error_code == CloseCode::Superseded.into())
    }

    /// A connection that broke before it said anything.
    pub(super) fn abandon(shared: &Arc<Shared>, connection: &Arc<Connection>) {
        shared.release(connection);
        connection.bury();
        shared.connection_ended(connection.peer, false, DialError::Closed);
    }

    /// What a dial that hoped for this connection is told.
    fn failure(&self, ending: Ending) -> DialError {
        match (ending, self.connection.quic.close_reason()) {
            (Ending::Close(CloseCode::NoGroup), _) => DialError::TimedOut,
            (Ending::Lost, Some(ConnectionError::ApplicationClosed(close)))
                if close.error_code == CloseCode::Busy.into() =>
            {
                DialError::TooMany
            }
            (Ending::Lost, Some(error)) => DialError::of_connection(&error),
            _ => DialError::Closed,
        }
    }
}
