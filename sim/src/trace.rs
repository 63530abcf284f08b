use std::fmt;

use stratus_core::Time;

/// What happened in a run, boiled down to one hash: two runs with the same hash were the same.
///
/// Covers, in order, the time, member, kind and two sizes of every event. Also writes the first few as text,
/// if asked.
pub struct Trace {
    hasher: blake3::Hasher,
    block: Vec<u8>,
    count: u64,
    lines_left: u64,
    lines: Vec<String>,
}

/// What an event was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A member appeared.
    Join = 1,
    /// A member was killed.
    Kill = 2,
    /// A member left in order.
    Leave = 3,
    /// The owner gave a command.
    Command = 4,
    /// A timer was due.
    Wake = 5,
    /// A link came up: other member, link number.
    Up = 6,
    /// A link went down: other member, link number.
    Down = 7,
    /// A dial came to nothing.
    DialFailed = 8,
    /// A message arrived: sender, wire bytes.
    Arrive = 9,
    /// A message was lost on the way: receiver, wire bytes.
    Lost = 10,
    /// A message was dropped unsent: receiver, wire bytes.
    Dropped = 11,
    /// The application heard of something: its own two numbers.
    Event = 12,
    /// A member stopped for a while: until when.
    Freeze = 13,
}

/// Bytes hashed at once; BLAKE3 is fastest in large pieces.
const BLOCK: usize = 64 * 1024;

impl Trace {
    /// A trace that also keeps the first `lines` events as text.
    pub fn new(lines: u64) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            block: Vec::with_capacity(BLOCK + 64),
            count: 0,
            lines_left: lines,
            lines: Vec::new(),
        }
    }

    /// Adds one event.
    pub fn add(&mut self, at: Time, member: u32, kind: Kind, a: u64, b: u64) {
        self.count += 1;
        self.block.extend_from_slice(&at.as_micros().to_le_bytes());
        self.block.extend_from_slice(&member.to_le_bytes());
        self.block.push(kind as u8);
        self.block.extend_from_slice(&a.to_le_bytes());
        self.block.extend_from_slice(&b.to_le_bytes());
        if self.block.len() >= BLOCK {
            self.hasher.update(&self.block);
            self.block.clear();
        }
        if self.lines_left > 0 {
            self.lines_left -= 1;
            self.lines.push(format!("{at} {member} {kind:?} {a} {b}"));
        }
    }

    /// How many events there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes the lines written since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// The hash of everything so far, as 32 hex digits.
    pub fn hash(&self) -> String {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.block);
        hasher.finalize().to_hex()[..32].to_string()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} events, {})", self.count, self.hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(events: &[(u64, u32, Kind, u64)]) -> String {
        let mut trace = Trace::new(0);
        for &(at, member, kind, size) in events {
            trace.add(Time::from_micros(at), member, kind, 0, size);
        }
        trace.hash()
    }

    #[test]
    fn the_hash_tells_apart_order_time_member_kind_and_size() {
        let base = [(3, 7, Kind::Arrive, 50), (4, 8, Kind::Wake, 0)];
        let mut hashes = vec![traced(&base), traced(&[base[1], base[0]])];
        for other in [
            (2, 7, Kind::Arrive, 50),
            (3, 6, Kind::Arrive, 50),
            (3, 7, Kind::Lost, 50),
            (3, 7, Kind::Arrive, 51),
        ] {
            hashes.push(traced(&[other, base[1]]));
        }
        assert_eq!(traced(&base), hashes[0]);
        let count = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), count, "two different traces share a hash");
    }

    #[test]
    fn only_the_first_lines_are_kept() {
        let mut trace = Trace::new(2);
        for at in 0..5 {
            trace.add(Time::from_micros(at), 3, Kind::Up, 7, 50);
        }
        assert_eq!(trace.take_lines(), ["0.000000 3 Up 7 50", "0.000001 3 Up 7 50"]);
        assert_eq!(trace.count(), 5);
    }
}
