//! Where a publication's bytes come from: a thread that reads, finds packets and paces them.

use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::stop::{Code, Failure, lower_first};
use crate::ts::{NotTransportStream, Packet, PacketReader};

mod datagrams;
mod listener;
mod open;
mod pace;

use pace::Pace;

pub(crate) use open::{Source, open};

/// Bytes asked for at a time; a pipe has as many at most.
const READ_SIZE: usize = 64 * 1024;
/// Batches between the reading thread and the publication: enough to bridge a moment of joining, few enough that
/// a source that is held up notices.
const BATCH_LIMIT: usize = 64;

/// Something to read from, on a thread of its own.
pub(crate) trait Input: Send {
    /// Waits for something to happen, and says what.
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Got>;

    /// What came is no transport stream. True if its sender was turned away and another may come.
    fn turn_away(&mut self) -> bool {
        false
    }
}

/// What happened at an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// So many bytes came; none says nothing.
    Bytes(usize),
    /// What follows begins anew: another encoder has come.
    Anew,
    /// Nothing will come any more.
    End,
}

impl<R: Read + Send> Input for R {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let count = Read::read(self, buffer)?;
        Ok(if count == 0 { Got::End } else { Got::Bytes(count) })
    }
}

/// What arrived at once.
#[derive(Debug)]
pub(crate) enum Batch {
    /// Packets of a transport stream.
    Packets(Vec<Packet>),
    /// Any bytes.
    Bytes(Bytes),
    /// What follows has nothing to do with what was before.
    Anew,
}

/// How the bytes are to be understood.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// MPEG-TS, as it comes.
    Transport,
    /// MPEG-TS by its own clock, at most so long.
    PacedTransport {
        /// Where to stop.
        limit: Duration,
    },
    /// Anything.
    Raw,
}

/// Batches in order; the last may be a failure.
pub(crate) type Batches = mpsc::Receiver<Result<Batch, Failure>>;

/// Starts the reading thread. It ends with its source, with the first failure, or when nobody takes its batches.
pub(crate) fn read(input: Box<dyn Input>, format: Format) -> Batches {
    let (sender, receiver) = mpsc::channel(BATCH_LIMIT);
    std::thread::spawn(move || {
        let result = match format {
            Format::Raw => read_raw(input, &sender),
            Format::Transport => read_packets(input, Pace::None, &sender),
            Format::PacedTransport { limit } => read_packets(input, Pace::new(limit), &sender),
        };
        if let Err(End::Failed(failure)) = result {
            // Nobody takes it when the publication has ended already.
            let _ = sender.blocking_send(Err(failure));
        }
    });
    receiver
}

/// Why the thread ends before its source.
enum End {
    Failed(Failure),
    Unwanted,
}

type Sender = mpsc::Sender<Result<Batch, Failure>>;

fn read_raw(mut input: Box<dyn Input>, sender: &Sender) -> Result<(), End> {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match read_some(&mut *input, &mut buffer)? {
            Got::End => return Ok(()),
            Got::Anew => send(sender, Batch::Anew)?,
            Got::Bytes(0) => {}
            Got::Bytes(count) => send(sender, Batch::Bytes(Bytes::copy_from_slice(&buffer[..count])))?,
        }
    }
}

fn read_packets(mut input: Box<dyn Input>, mut pace: Pace, sender: &Sender) -> Result<(), End> {
    let mut reader = PacketReader::default();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let got = read_some(&mut *input, &mut buffer)?;
        match got {
            Got::Bytes(count) => reader.push(&buffer[..count]),
            Got::Anew => {
                // Half a packet of the one before is worth nothing.
                reader = PacketReader::default();
                send(sender, Batch::Anew)?;
            }
            Got::End => {}
        }
        let is_at_end = got == Got::End;
        let next = || if is_at_end { reader.next_at_end() } else { reader.next() };
        let packets: Vec<Packet> = std::iter::from_fn(next).collect();
        if let Some(refusal) = reader.refusal(is_at_end) {
            if is_at_end || !input.turn_away() {
                return Err(End::Failed(not_transport_stream(&refusal)));
            }
            reader = PacketReader::default();
        }
        let is_over = pace.send(packets, sender)?;
        if is_at_end || is_over {
            return pace.finish(sender);
        }
    }
}

fn send_packets(sender: &Sender, packets: Vec<Packet>) -> Result<(), End> {
    if packets.is_empty() { Ok(()) } else { send(sender, Batch::Packets(packets)) }
}

fn send(sender: &Sender, batch: Batch) -> Result<(), End> {
    sender.blocking_send(Ok(batch)).map_err(|_| End::Unwanted)
}

fn read_some(input: &mut dyn Input, buffer: &mut [u8]) -> Result<Got, End> {
    loop {
        match input.next(buffer) {
            Ok(got) => return Ok(got),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let failure = Failure::new(Code::Failed, "cannot read the input");
                return Err(End::Failed(failure.tried(lower_first(&error.to_string()))));
            }
        }
    }
}

fn not_transport_stream(refusal: &NotTransportStream) -> Failure {
    Failure::new(Code::Failed, "the input is not MPEG-TS")
        .tried(refusal.to_string())
        .hint("convert it (ffmpeg -i INPUT -c copy -f mpegts -), or send it as it is with --raw")
}

#[cfg(test)]
mod tests;
