//! When the packets of a recording are due, by the recording's own clock.

use std::time::Duration;

use super::packet::{CLOCK_HZ, Packet};

/// The clock is 33 bits of 90 kHz times 300, and begins again after 26.5 hours.
const CLOCK_MODULUS: u64 = (1 << 33) * 300;
/// The longest step that is waited for. Clocks come every 0.1 s; more than this, or backwards, is a cut in the recording.
const LONGEST_STEP: u64 = CLOCK_HZ;

/// Follows the program clock of a recording.
///
/// All packets from one clock to the next are due at the first: a picture leaves at once, as from a live
/// encoder, and does not trickle over the time until the next.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    clock_pid: Option<u16>,
    last_clock: Option<u64>,
    elapsed_ticks: u64,
}

impl Pacer {
    /// When `packet` is due, counted from the first clock; `known_pid` is the clock's PID if a PMT names it.
    pub(crate) fn due(&mut self, packet: &Packet, known_pid: Option<u16>) -> Duration {
        if let Some(clock) = packet.clock() {
            let pid = known_pid.or(self.clock_pid).unwrap_or_else(|| packet.pid());
            if self.clock_pid != Some(pid) {
                self.clock_pid = Some(pid);
                self.last_clock = None;
            }
            if pid == packet.pid() {
                self.advance(clock, packet.is_discontinuous());
            }
        }
        Duration::from_micros(self.elapsed_ticks / (CLOCK_HZ / 1_000_000))
    }

    /// Whether there is a clock to go by.
    pub(crate) fn has_clock(&self) -> bool {
        self.last_clock.is_some()
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
