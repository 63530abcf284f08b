//! Objects: a stream of their own that yields to everything else. Spec TR-60 to TR-62.
//!
//! ```text
//! length 4 | group tag 4 | message           length covers tag and message; over the limit: violation
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::{RecvStream, SendStream};
use stratus_core::Writer;
use tokio::sync::{Semaphore, mpsc};

use crate::budget::{Budget, OVERHEAD_BYTES, Rank};
use crate::config::Config;
use crate::connection::{CloseCode, Connection, lock};
use crate::error::SendError;
use crate::intake::Place;

/// Below that of the control stream.
const PRIORITY: i32 = -1;
/// Sent with a budget at a time: a live datagram waits for no more than this.
const PIECE_BYTES: usize = 4 << 10;
/// How long live datagrams that wait are let pass before bulk looks again.
const PAUSE: Duration = Duration::from_millis(1);
/// Pauses after which bulk goes on all the same: what waits so long will expire, and nobody is to starve.
const MOST_PAUSES: u32 = 200;
/// Bytes that a datagram of bulk brings, roughly.
const PER_DATAGRAM: u64 = 1_100;

/// Frames of one connection that wait. The stream and its task are made with the first one, so that connections
/// without objects pay nothing.
#[derive(Debug)]
pub(crate) struct BulkQueue {
    sender: Mutex<Option<mpsc::Sender<Frame>>>,
    budget: Option<Arc<Budget>>,
    most_frames: usize,
    most_bytes: usize,
}

/// Head with length and tag, and payload.
type Frame = [Bytes; 2];

impl BulkQueue {
    pub(crate) fn new(config: &Config, budget: Option<Arc<Budget>>) -> Self {
        let (most_frames, most_bytes) = (config.bulk_queue_frames, config.bulk_frame_bytes);
        Self { sender: Mutex::new(None), budget, most_frames, most_bytes }
    }

    /// Queues a message: `head` begins with the group's tag, `payload` is not copied.
    pub(crate) fn send(connection: &Arc<Connection>, head: Bytes, payload: Bytes) -> Result<(), SendError> {
        let queue = &connection.bulk;
        let length = head.len() + payload.len();
        if length > queue.most_bytes {
            return Err(SendError::TooLong);
        }
        let mut writer = Writer::with_capacity(4 + head.len());
        writer.u32(length as u32);
        writer.raw(&head);
        let mut sender = lock(&queue.sender);
        let sender = sender.get_or_insert_with(|| {
            let (sender, frames) = mpsc::channel(queue.most_frames);
            tokio::spawn(write(connection.clone(), frames, queue.budget.clone()));
            sender
        });
        sender.try_send([writer.finish(), payload]).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }
}

/// Writes frames until the connection is lost or nobody can send any more.
async fn write(connection: Arc<Connection>, mut frames: mpsc::Receiver<Frame>, budget: Option<Arc<Budget>>) {
    let Ok(mut stream) = connection.quic.open_uni().await else { return };
    let _ = stream.set_priority(PRIORITY);
    loop {
        let frame = tokio::select! {
            biased;
            _ = connection.quic.closed() => return,
            frame = frames.recv() => frame,
        };
        let Some(frame) = frame else { return };
        let result = match &budget {
            Some(budget) => write_paid(&mut stream, frame, budget).await,
            None => write_behind_live(&connection, &mut stream, frame).await,
        };
        if result.is_err() {
            return;
        }
    }
}

/// In pieces, each of which waits behind all live datagrams for the budget. Spec TR-60.
async fn write_paid(stream: &mut SendStream, frame: Frame, budget: &Budget) -> Result<(), quinn::WriteError> {
    for mut part in frame {
        while !part.is_empty() {
            let piece = part.split_to(part.len().min(PIECE_BYTES));
            let packets = piece.len().div_ceil(PER_DATAGRAM as usize);
            budget.take(Rank::Bulk, piece.len() + packets * OVERHEAD_BYTES).await;
            stream.write_chunk(piece).await?;
        }
    }
    Ok(())
}

/// At once, unless live datagrams wait for room on the same path.
async fn write_behind_live(
    connection: &Connection,
    stream: &mut SendStream,
    mut frame: Frame,
) -> Result<(), quinn::WriteError> {
    let mut pauses = 0;
    while connection.live.queued_bytes() > 0 && pauses < MOST_PAUSES {
        pauses += 1;
        tokio::time::sleep(PAUSE).await;
    }
    stream.write_all_chunks(&mut frame).await
}

/// Reads the other side's stream until it ends. A frame over the limit ends the connection. Spec TR-61, TR-62.
pub(crate) async fn read(connection: Arc<Connection>, mut stream: RecvStream, limits: (usize, usize)) {
    let (most_bytes, most_frames) = limits;
    let places = Arc::new(Semaphore::new(most_frames));
    loop {
        let mut head = [0; 8];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let [length, tag] = [[head[0], head[1], head[2], head[3]], [head[4], head[5], head[6], head[7]]];
        let length = u32::from_be_bytes(length) as usize;
        if length > most_bytes || length < 4 {
            return connection.close(CloseCode::Violation);
        }
        let Some(bytes) = read_whole(&mut stream, length - 4).await else { return };
        let Ok(permit) = places.clone().acquire_owned().await else { return };
        let datagrams = 1 + length as u64 / PER_DATAGRAM;
        connection.share.delivered.fetch_add(datagrams, Ordering::Relaxed);
        connection.share.bulk.fetch_add(datagrams, Ordering::Relaxed);
        connection.deliver_bulk(u32::from_be_bytes(tag), bytes, Place::Bulk { _permit: permit }).await;
    }
}

/// The next `length` bytes, copied once.
async fn read_whole(stream: &mut RecvStream, length: usize) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(length);
    while bytes.len() < length {
        let chunk = stream.read_chunk(length - bytes.len(), true).await.ok()??;
        bytes.extend_from_slice(&chunk.bytes);
    }
    Some(bytes.freeze())
}
