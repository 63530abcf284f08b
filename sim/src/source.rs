use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Rng, Time};
use stratus_multicast::{Kind, Piece, PieceFlags};

use crate::scenario::{Scenario, Shape};

/// Makes the stream: which message comes when, and of what pieces. Remembers them all, to compare.
#[derive(Debug)]
pub(crate) struct Source {
    start: Time,
    rate_bytes: u64,
    size: usize,
    shape: Shape,
    count: u64,
    chance: Rng,
    published: Vec<Published>,
    /// The message that the fragment of each index belongs to.
    numbers: Vec<u32>,
}

/// A message as it was written.
#[derive(Debug)]
pub(crate) struct Published {
    /// When.
    pub(crate) at: Time,
    /// Index of its first fragment.
    pub(crate) index: u64,
    /// Its fragments.
    pub(crate) pieces: Vec<Bytes>,
}

/// Access units a second.
const FRAMES_PER_SECOND: u64 = 25;
/// Frames of sound a second: 20 ms each, as Opus makes them.
const SOUNDS_PER_SECOND: u64 = 50;
/// A key every two seconds, as encoders do for live.
const FRAMES_PER_KEY: u64 = 50;

impl Published {
    /// Bytes in it.
    pub(crate) fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }
}

impl Source {
    /// Stream number `number` of `scenario`, from `start` on. Streams do not beat in step.
    pub(crate) fn new(scenario: &Scenario, start: Time, number: u64) -> Self {
        let start = start + Duration::from_micros(number * 7_919 % 20_000);
        let label = if number == 0 { String::from("source") } else { format!("source {number}") };
        let rate_bytes = scenario.rate_bits / 8;
        let per_second = match scenario.shape {
            Shape::Constant => rate_bytes as f64 / scenario.size as f64,
            Shape::Frames => FRAMES_PER_SECOND as f64,
            Shape::Audio => SOUNDS_PER_SECOND as f64,
        };
        Self {
            start,
            rate_bytes,
            size: scenario.size,
            shape: scenario.shape,
            count: (scenario.secs.as_secs_f64() * per_second) as u64,
            chance: Rng::from_seed(scenario.seed).fork(&label),
            published: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// When the next message is due; `None` after the last.
    pub(crate) fn next_at(&self) -> Option<Time> {
        let number = self.published.len() as u64;
        (number < self.count).then(|| self.start + Duration::from_micros(self.micros_of(number)))
    }

    fn micros_of(&self, number: u64) -> u64 {
        match self.shape {
            Shape::Constant => number * self.size as u64 * 1_000_000 / self.rate_bytes,
            Shape::Frames => number * 1_000_000 / FRAMES_PER_SECOND,
            Shape::Audio => number * 1_000_000 / SOUNDS_PER_SECOND,
        }
    }

    /// Makes the next message, written at `at`.
    pub(crate) fn write(&mut self, at: Time) -> Vec<Piece> {
        let number = self.published.len() as u64;
        let (length, kind) = match self.shape {
            Shape::Constant => (self.size as u64, Kind::Data),
            Shape::Frames => (self.rate_bytes / FRAMES_PER_SECOND, Kind::Video),
            Shape::Audio => (self.rate_bytes / SOUNDS_PER_SECOND, Kind::Audio),
        };
        let is_key = match self.shape {
            Shape::Constant => {
                number == 0 || self.micros_of(number) / 1_000_000 != self.micros_of(number - 1) / 1_000_000
            }
            Shape::Frames => number.is_multiple_of(FRAMES_PER_KEY),
            Shape::Audio => true,
        };
        let mut block = vec![0; length.max(1) as usize];
        self.chance.fill(&mut block);
        // Each fragment is an allocation of its own, as in a host that reads them from a socket.
        let pieces: Vec<Bytes> = block.chunks(self.size).map(Bytes::copy_from_slice).collect();
        let index = self.numbers.len() as u64;
        self.numbers.extend(pieces.iter().map(|_| number as u32));
        let last = pieces.len() - 1;
        let flags = |place| PieceFlags { is_start: place == 0, is_end: place == last, is_key, kind };
        let written = pieces.iter().enumerate().map(|(place, payload)| Piece {
            payload: payload.clone(),
            flags: flags(place),
            flush: self.shape == Shape::Frames && place == last,
        });
        let written = written.collect();
        self.published.push(Published { at, index, pieces });
        written
    }

    /// The number of the message that begins with the fragment `index`.
    pub(crate) fn number_at(&self, index: u64) -> Option<u32> {
        let number = *self.numbers.get(usize::try_from(index).ok()?)?;
        (self.published[number as usize].index == index).then_some(number)
    }

    /// What was written so far.
    pub(crate) fn published(&self) -> &[Published] {
        &self.published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(shape: Shape) -> (Source, Vec<Vec<Piece>>) {
        let scenario = Scenario { shape, secs: Duration::from_secs(4), ..Scenario::default() };
        let mut source = Source::new(&scenario, Time::from_millis(700), 0);
        let mut messages = Vec::new();
        while let Some(at) = source.next_at() {
            messages.push(source.write(at));
        }
        (source, messages)
    }

    #[test]
    fn a_constant_stream_has_its_rate_and_a_key_each_second() {
        let (source, messages) = written(Shape::Constant);
        let bytes: usize = messages.iter().flatten().map(|piece| piece.payload.len()).sum();
        assert!((1_247_000..=1_250_000).contains(&bytes), "{bytes} in 4 s of 2.5 Mbit/s");
        assert_eq!(messages.iter().filter(|pieces| pieces[0].flags.is_key).count(), 4);
        assert!(messages.iter().all(|pieces| pieces.len() == 1 && pieces[0].flags.is_end));
        assert_eq!(source.published()[0].at, Time::from_millis(700));
    }

    #[test]
    fn frames_come_25_a_second_and_fill_the_rate() {
        let (source, messages) = written(Shape::Frames);
        assert_eq!(messages.len(), 100);
        assert!(messages.iter().all(|pieces| pieces.len() == 12 && pieces[11].flush));
        assert_eq!(messages.iter().filter(|pieces| pieces[0].flags.is_key).count(), 2);
        assert_eq!(source.published()[1].at, Time::from_millis(740));
        assert_eq!((source.number_at(12), source.number_at(13)), (Some(1), None));
    }
}
