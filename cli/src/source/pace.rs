use std::time::{Duration, Instant};

use super::{End, Sender, send_packets};
use crate::stop::{Code, Failure};
use crate::ts::{Pacer, Packet};

/// How far into a recording its clock may begin.
const CLOCK_SEARCH_PACKETS: usize = 20_000;

/// When packets go on.
pub(super) enum Pace {
    /// At once.
    None,
    /// When their clock says so.
    Clock { pacer: Pacer, start: Option<Instant>, limit: Duration, waiting: Vec<Packet> },
}

impl Pace {
    /// By the clock, at most so long.
    pub(super) fn new(limit: Duration) -> Self {
        Self::Clock { pacer: Pacer::default(), start: None, limit, waiting: Vec::new() }
    }

    /// Sends packets as they become due, waiting for it; says whether the limit is reached.
    pub(super) fn send(&mut self, packets: Vec<Packet>, sender: &Sender) -> Result<bool, End> {
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

    /// The source has ended.
    pub(super) fn finish(self, sender: &Sender) -> Result<(), End> {
        match self {
            Self::Clock { pacer, .. } if !pacer.has_clock() => Err(End::Failed(no_clock())),
            Self::Clock { waiting, .. } => send_packets(sender, waiting),
            Self::None => Ok(()),
        }
    }
}

fn no_clock() -> Failure {
    Failure::new(Code::Failed, "the recording has no clock to pace it by")
        .tried("looked for program clock references (PCR)")
        .hint("let ffmpeg make them: ffmpeg -re -i INPUT -c copy -f mpegts - | stratus publish …")
}
