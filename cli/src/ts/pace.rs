//! When the packets of a recording are due, by the recording's own clock.

use std::time::Duration;

use super::packet::{CLOCK_HZ, Packet};

/// The clock is 33 bits of 90 kHz times 300, and begins again after 26.5 hours.
const CLOCK_MODULUS: u64 = (1 << 33) * 300;
/// The longest step that is waited for. Clocks come every 0.1 s; more than this, or backwards, is a cut in the recording.
const LONGEST_STEP: u64 = CLOCK_HZ;

/// So many clocks of another PID in a row, and that is the one to follow: the program has changed.
const FOREIGN_LIMIT: u32 = 50;

/// Follows the program clock of a recording: the clock of one PID, since each program has its own.
///
/// All packets from one clock to the next are due at the first: a picture leaves at once, as from a live
/// encoder, and does not trickle over the time until the next.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    pid: Option<u16>,
    foreign_count: u32,
    last_clock: Option<u64>,
    elapsed_ticks: u64,
}

impl Pacer {
    /// When `packet` is due, counted from the first clock.
    pub(crate) fn due(&mut self, packet: &Packet) -> Duration {
        if let Some(clock) = packet.clock() {
            self.choose(packet.pid());
            if self.pid == Some(packet.pid()) {
                self.advance(clock, packet.is_discontinuous());
            }
        }
        Duration::from_micros(self.elapsed_ticks / (CLOCK_HZ / 1_000_000))
    }

    /// Whether there is a clock to go by.
    pub(crate) fn has_clock(&self) -> bool {
        self.last_clock.is_some()
    }

    fn choose(&mut self, pid: u16) {
        let is_foreign = self.pid.is_some_and(|chosen| chosen != pid);
        self.foreign_count = if is_foreign { self.foreign_count + 1 } else { 0 };
        if self.pid.is_none() || self.foreign_count > FOREIGN_LIMIT {
            self.pid = Some(pid);
            self.last_clock = None;
        }
    }

    fn advance(&mut self, clock: u64, is_discontinuous: bool) {
        let clock = clock % CLOCK_MODULUS;
        let step = self.last_clock.map_or(0, |last| (clock + CLOCK_MODULUS - last) % CLOCK_MODULUS);
        if !is_discontinuous && step <= LONGEST_STEP {
            self.elapsed_ticks += step;
        }
        self.last_clock = Some(clock);
    }
}
