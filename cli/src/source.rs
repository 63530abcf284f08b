//! Where a publication's bytes come from: a thread that reads, finds packets and paces them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::console;
use crate::stop::{Code, Failure, lower_first};
use crate::ts::{NotTransportStream, Pacer, Packet, PacketReader};

/// Bytes asked for at a time; a pipe has as many at most.
const READ_SIZE: usize = 64 * 1024;
/// Batches between the reading thread and the publication: enough to bridge a moment of joining, few enough that
/// a source that is held up notices.
const BATCH_LIMIT: usize = 64;
/// How far into a recording its clock may begin.
const CLOCK_SEARCH_PACKETS: usize = 20_000;

/// What arrived at once.
#[derive(Debug)]
pub(crate) enum Batch {
    /// Packets of a transport stream.
    Packets(Vec<Packet>),
    /// Any bytes.
    Bytes(Bytes),
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

/// Opens what `path` names; `-` is standard input, unless that is a keyboard.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if path == Path::new("-") {
        if console::stdin_is_terminal() {
            return Err(Failure::new(Code::Usage, "standard input is a terminal")
                .hint("name a file, or pipe a stream in: ffmpeg … -f mpegts - | stratus publish …"));
        }
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|error| {
        Failure::new(Code::Usage, format!("cannot open the input: {}", path.display()))
            .tried(lower_first(&error.to_string()))
            .hint("check the file's name and that it may be read")
    })?;
    Ok(Box::new(file))
}

/// Starts the reading thread. It ends with its source, with the first failure, or when nobody takes its batches.
pub(crate) fn read(source: Box<dyn Read + Send>, format: Format) -> Batches {
    let (sender, receiver) = mpsc::channel(BATCH_LIMIT);
    std::thread::spawn(move || {
        let result = match format {
            Format::Raw => read_raw(source, &sender),
            Format::Transport => read_packets(source, Pace::None, &sender),
            Format::PacedTransport { limit } => read_packets(source, Pace::new(limit), &sender),
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

fn read_raw(mut source: Box<dyn Read + Send>, sender: &Sender) -> Result<(), End> {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match read_some(&mut source, &mut buffer)? {
            0 => return Ok(()),
            count => send(sender, Batch::Bytes(Bytes::copy_from_slice(&buffer[..count])))?,
        }
    }
}

fn read_packets(mut source: Box<dyn Read + Send>, mut pace: Pace, sender: &Sender) -> Result<(), End> {
    let mut reader = PacketReader::default();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let count = read_some(&mut source, &mut buffer)?;
        let is_at_end = count == 0;
        reader.push(&buffer[..count]);
        let next = || if is_at_end { reader.next_at_end() } else { reader.next() };
        let packets: Vec<Packet> = std::iter::from_fn(next).collect();
        if let Some(refusal) = reader.refusal(is_at_end) {
            return Err(End::Failed(not_transport_stream(&refusal)));
        }
        let is_over = pace.send(packets, sender)?;
        if is_at_end || is_over {
            return pace.finish(sender);
        }
    }
}

/// When packets go on.
enum Pace {
    /// At once.
    None,
    /// When their clock says so.
    Clock { pacer: Pacer, start: Option<Instant>, limit: Duration, waiting: Vec<Packet> },
}

impl Pace {
    fn new(limit: Duration) -> Self {
        Self::Clock { pacer: Pacer::default(), start: None, limit, waiting: Vec::new() }
    }

    /// Sends packets as they become due, waiting for it; says whether the limit is reached.
    fn send(&mut self, packets: Vec<Packet>, sender: &Sender) -> Result<bool, End> {
        let Self::Clock { pacer, start, limit, waiting } = self else {
            send_packets(sender, packets)?;
            return Ok(false);
        };
        for packet in packets {
            let due = pacer.due(&packet);
            if due >= *limit {
                return Ok(true);
            }
            let wait = due.saturating_sub(start.map_or(Duration::ZERO, |start| start.elapsed()));
            if !wait.is_zero() {
                send_packets(sender, std::mem::take(waiting))?;
                std::thread::sleep(wait);
            }
            if pacer.has_clock() {
                start.get_or_insert_with(Instant::now);
            } else if waiting.len() > CLOCK_SEARCH_PACKETS {
                return Err(End::Failed(no_clock()));
            }
            waiting.push(packet);
        }
        // What is due need not wait for the next read.
        if pacer.has_clock() {
            send_packets(sender, std::mem::take(waiting))?;
        }
        Ok(false)
    }

    fn finish(self, sender: &Sender) -> Result<(), End> {
        match self {
            Self::Clock { pacer, .. } if !pacer.has_clock() => Err(End::Failed(no_clock())),
            Self::Clock { waiting, .. } => send_packets(sender, waiting),
            Self::None => Ok(()),
        }
    }
}

fn send_packets(sender: &Sender, packets: Vec<Packet>) -> Result<(), End> {
    if packets.is_empty() { Ok(()) } else { send(sender, Batch::Packets(packets)) }
}

fn send(sender: &Sender, batch: Batch) -> Result<(), End> {
    sender.blocking_send(Ok(batch)).map_err(|_| End::Unwanted)
}

fn read_some(source: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, End> {
    loop {
        match source.read(buffer) {
            Ok(count) => return Ok(count),
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

fn no_clock() -> Failure {
    Failure::new(Code::Failed, "the recording has no clock to pace it by")
        .tried("looked for program clock references (PCR)")
        .hint("let ffmpeg make them: ffmpeg -re -i INPUT -c copy -f mpegts - | stratus publish …")
}

#[cfg(test)]
mod tests;
