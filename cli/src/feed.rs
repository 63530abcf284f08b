//! From a source's batches to the pieces of a publication.

use std::time::{Duration, Instant};

use bytes::Bytes;
use stratus::{Kind, Piece, PieceFlags, Publication};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::console::Console;
use crate::source::{Batch, Batches};
use crate::stop::{Code, Failure};
use crate::ts::{self, Chunker, Continuity, FRAGMENT_PACKETS, PACKET_SIZE, Packet};

/// Bytes in a fragment of any kind.
const FRAGMENT_SIZE: usize = FRAGMENT_PACKETS * PACKET_SIZE;
/// How long a source may go without a unit that a viewer could start with before its owner is told.
const KEY_PATIENCE: Duration = Duration::from_secs(5);

/// Cuts batches into pieces and writes them to a publication.
pub(crate) struct Feeder {
    batches: Batches,
    console: Console,
    chunker: Chunker,
    continuity: Continuity,
    /// Cut before there was a publication.
    ready: Vec<ts::Piece>,
    totals: watch::Sender<Totals>,
    first_arrival: Option<Instant>,
    is_warned: bool,
    is_finished: bool,
    observer: Option<Observer>,
}

/// Is told the index of each message's first fragment, and when the message's first byte arrived.
pub(crate) type Observer = Box<dyn FnMut(u64, Instant) + Send>;

/// What went into the publication so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Fragments.
    pub(crate) fragments: u64,
    /// Messages begun.
    pub(crate) messages: u64,
    /// Payload bytes.
    pub(crate) bytes: u64,
    /// Packets of the source that never reached us.
    pub(crate) lost_packets: u64,
}

impl Feeder {
    /// A feeder that has fed nothing.
    pub(crate) fn new(batches: Batches, observer: Option<Observer>, console: Console) -> Self {
        Self {
            batches,
            console,
            chunker: Chunker::default(),
            continuity: Continuity::default(),
            ready: Vec::new(),
            totals: watch::Sender::default(),
            first_arrival: None,
            is_warned: false,
            is_finished: false,
            observer,
        }
    }

    /// What went in.
    pub(crate) fn totals(&self) -> Totals {
        *self.totals.borrow()
    }

    /// What went in, while it does.
    pub(crate) fn watch(&self) -> watch::Receiver<Totals> {
        self.totals.subscribe()
    }

    /// Waits for something to publish, so that nothing is announced for an input that cannot be used.
    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        while self.ready.is_empty() {
            match self.next().await? {
                Some(pieces) => self.ready = pieces,
                None if self.first_arrival.is_some() => return Err(nothing_to_start_with()),
                None => break,
            }
        }
        Ok(())
    }

    /// Feeds until the source ends or fails.
    pub(crate) async fn run(&mut self, publication: &mut Publication) -> Result<(), Failure> {
        let ready = std::mem::take(&mut self.ready);
        self.write(ready, publication).await?;
        while let Some(pieces) = self.next().await? {
            self.write(pieces, publication).await?;
        }
        Ok(())
    }

    /// The pieces that the next thing to happen gives, perhaps none; `None` after the last.
    async fn next(&mut self) -> Result<Option<Vec<ts::Piece>>, Failure> {
        if self.is_finished {
            return Ok(None);
        }
        let batch = match self.chunker.settle_after() {
            Some(wait) => timeout(wait, self.batches.recv()).await.ok(),
            None => Some(self.batches.recv().await),
        };
        let mut pieces = Vec::new();
        match batch {
            None => self.chunker.settle(&mut pieces),
            Some(Some(batch)) => match batch? {
                Batch::Packets(packets) => self.cut(&packets, &mut pieces),
                Batch::Bytes(bytes) => pieces = cut_raw(&bytes),
                Batch::Anew => self.begin_anew(&mut pieces),
            },
            Some(None) => {
                self.is_finished = true;
                self.chunker.finish(&mut pieces);
            }
        }
        Ok(Some(pieces))
    }

    fn cut(&mut self, packets: &[Packet], pieces: &mut Vec<ts::Piece>) {
        let now = Instant::now();
        for packet in packets {
            self.continuity.observe(packet);
            self.chunker.push(packet, now, pieces);
        }
        self.tell_loss();
        let waited = now - *self.first_arrival.get_or_insert(now);
        let has_nothing = self.totals().messages == 0 && self.ready.is_empty() && pieces.is_empty();
        if has_nothing && waited > KEY_PATIENCE && !self.is_warned {
            self.is_warned = true;
            self.console.note("waiting for PAT, PMT and a key picture in the input");
        }
    }

    /// Told when it begins; from then on it is counted.
    fn tell_loss(&mut self) {
        let lost_packets = self.continuity.missing();
        if self.totals().lost_packets == 0 && lost_packets > 0 {
            self.console.note("packets of the input are missing; they were lost before they came here");
        }
        self.totals.send_modify(|totals| totals.lost_packets = lost_packets);
    }

    /// Another encoder continues: its tables, clocks and counters are its own.
    fn begin_anew(&mut self, pieces: &mut Vec<ts::Piece>) {
        std::mem::take(&mut self.chunker).finish(pieces);
        self.continuity.restart();
    }

    async fn write(&mut self, pieces: Vec<ts::Piece>, publication: &mut Publication) -> Result<(), Failure> {
        for piece in pieces {
            if piece.starts
                && let Some(observer) = &mut self.observer
            {
                observer(self.totals.borrow().fragments, piece.arrived);
            }
            self.totals.send_modify(|totals| {
                totals.messages += u64::from(piece.starts);
                totals.fragments += 1;
                totals.bytes += piece.payload.len() as u64;
            });
            publication.write(piece.into()).await.map_err(|error| {
                Failure::new(Code::Failed, "the publication ended by itself").tried(error.to_string())
            })?;
        }
        Ok(())
    }
}

/// Bytes that are no transport stream: what was read at once is a message, and a viewer may start with each.
fn cut_raw(bytes: &Bytes) -> Vec<ts::Piece> {
    let arrived = Instant::now();
    let count = bytes.len().div_ceil(FRAGMENT_SIZE);
    let piece = |index: usize| ts::Piece {
        payload: bytes.slice(index * FRAGMENT_SIZE..bytes.len().min((index + 1) * FRAGMENT_SIZE)),
        starts: index == 0,
        ends: index + 1 == count,
        is_key: true,
        content: ts::Content::Data,
        arrived,
    };
    (0..count).map(piece).collect()
}

impl From<ts::Piece> for Piece {
    fn from(piece: ts::Piece) -> Self {
        let kind = match piece.content {
            ts::Content::Video => Kind::Video,
            ts::Content::Audio => Kind::Audio,
            ts::Content::Data => Kind::Data,
        };
        let flags = PieceFlags { is_start: piece.starts, is_end: piece.ends, is_key: piece.is_key, kind };
        // After a unit the source pauses, or the next unit begins a run of its own.
        Self { payload: piece.payload, flags, flush: piece.ends }
    }
}

fn nothing_to_start_with() -> Failure {
    Failure::new(Code::Failed, "the input has nothing that a viewer could start with")
        .tried("looked for PAT, PMT and a unit with the random access bit")
        .hint("let ffmpeg write the container anew: ffmpeg -i INPUT -c copy -f mpegts -")
}
