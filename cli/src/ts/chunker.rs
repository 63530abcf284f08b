//! Cuts packets into messages, one per access unit, and messages into fragments of whole packets.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::packet::{NULL_PID, PACKET_SIZE, Packet};
use super::tables::{Tables, UnitPid};

/// Packets in a fragment: 6 × 188 = 1,128 bytes, which leaves room for headers in every path's datagram.
pub(crate) const FRAGMENT_PACKETS: usize = 6;
/// A message is ended at this size even if no unit starts, as when the video stops and other data go on.
const MESSAGE_LIMIT_PACKETS: usize = 8 * 1024;
/// Table packets kept back for the next unit; more are not a run before a unit but a stream of their own.
const HELD_LIMIT: usize = 64;
/// Without video every unit can be entered. One in so many (about a second) is enough, since each costs its tables.
const AUDIO_KEY_INTERVAL: u64 = 4;
/// A source that has not set the random access bit in so many units never does; then units behind tables are entered.
const UNMARKED_LIMIT: u64 = 150;
/// How long to wait for more when the unit looks complete: the rest of a burst comes at once.
const SETTLE_COMPLETE: Duration = Duration::from_millis(3);
/// How long to wait when the unit looks incomplete: a source of constant rate may pause in the middle of a unit.
const SETTLE_INCOMPLETE: Duration = Duration::from_millis(30);
/// First bytes of the null packet that tells a joiner how many of the next packets are not the source's.
const INSERTED_MARK: &[u8] = b"stratus tables ";

/// A piece of a message, at most one fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Whole packets.
    pub(crate) payload: Bytes,
    /// Begins a message.
    pub(crate) starts: bool,
    /// Ends the message: nothing of it is to be waited for.
    pub(crate) ends: bool,
    /// Belongs to a message at which a viewer can start.
    pub(crate) is_key: bool,
    /// What its message carries.
    pub(crate) content: Content,
    /// When the first packet of its message arrived.
    pub(crate) arrived: Instant,
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A picture, and what else the container has until the next.
    Video,
    /// Sound, in a source without pictures.
    Audio,
    /// Bytes of any kind, from a source that is no transport stream.
    Data,
}

/// Cuts a source into messages.
///
/// A message begins with the run of table packets directly before the first packet of an access unit, or with
/// that packet. Null packets are dropped. Nothing comes out before the first unit that can be entered, since nobody
/// could show it. A message that can be entered always begins with PAT and PMT: where the source has none in
/// the cut, a null packet (which sources lose here) with the number of inserted packets goes first, then they.
#[derive(Default)]
pub(crate) struct Chunker {
    tables: Tables,
    held: Vec<Packet>,
    fragment: Vec<u8>,
    message: Option<Message>,
    unit_count: u64,
    last_key_unit: Option<u64>,
    has_random_access: bool,
    is_complete: bool,
    /// When the newest packet arrived.
    arrived: Option<Instant>,
}

/// The open message.
struct Message {
    is_key: bool,
    is_video: bool,
    /// Whether a fragment of it is out.
    has_started: bool,
    packet_count: usize,
    arrived: Instant,
}

impl Chunker {
    /// Takes the next packet, which came at `arrived`; appends the pieces it completes.
    ///
    /// A full fragment waits for the packet after it, so that the last one can say that it is the last.
    pub(crate) fn push(&mut self, packet: &Packet, arrived: Instant, out: &mut Vec<Piece>) {
        if packet.pid() == NULL_PID {
            return;
        }
        self.arrived = Some(arrived);
        self.tables.observe(packet);
        if self.tables.is_table(packet) {
            self.hold(packet, out);
            return;
        }
        match self.tables.unit().filter(|unit| unit.pid == packet.pid()) {
            Some(unit) if packet.starts_unit() => self.start_unit(unit, packet, out),
            _ => self.release_held(out),
        }
        let is_of_unit = self.tables.unit().is_some_and(|unit| unit.pid == packet.pid());
        if is_of_unit && !packet.payload().is_empty() {
            self.is_complete = packet.is_padded();
        }
        self.append(packet, out);
    }

    /// How long the source may pause before `settle` is to be called; `None`: nothing waits.
    pub(crate) fn settle_after(&self) -> Option<Duration> {
        let wait = if self.is_complete { SETTLE_COMPLETE } else { SETTLE_INCOMPLETE };
        (!self.fragment.is_empty()).then_some(wait)
    }

    /// The source pauses: ends the open message, so that its last packets do not wait for the next unit.
    ///
    /// Held tables stay, they belong to what comes.
    pub(crate) fn settle(&mut self, out: &mut Vec<Piece>) {
        self.end_message(out);
    }

    /// The source has ended: everything goes out.
    pub(crate) fn finish(&mut self, out: &mut Vec<Piece>) {
        self.release_held(out);
        self.end_message(out);
    }

    fn hold(&mut self, packet: &Packet, out: &mut Vec<Piece>) {
        if self.held.len() == HELD_LIMIT {
            self.release_held(out);
        }
        self.held.push(packet.clone());
    }

    /// Held tables turned out to stand inside a unit.
    fn release_held(&mut self, out: &mut Vec<Piece>) {
        for packet in std::mem::take(&mut self.held) {
            self.append(&packet, out);
        }
    }

    fn start_unit(&mut self, unit: UnitPid, packet: &Packet, out: &mut Vec<Piece>) {
        let has_tables = self.tables.are_in(&self.held);
        self.unit_count += 1;
        self.has_random_access |= packet.is_random_access();
        let is_key = self.can_be_entered(unit, packet, has_tables);
        self.end_message(out);
        if is_key {
            self.last_key_unit = Some(self.unit_count);
        } else if self.last_key_unit.is_none() {
            self.held.clear();
            return;
        }
        self.message = Some(self.begin(is_key, unit.is_video));
        if is_key && !has_tables {
            self.insert_tables(out);
        }
        self.release_held(out);
    }

    fn can_be_entered(&self, unit: UnitPid, packet: &Packet, has_tables: bool) -> bool {
        let has_any_tables = has_tables || !self.tables.newest().is_empty();
        let is_marked = packet.is_random_access();
        has_any_tables
            && if unit.is_video {
                is_marked || !self.has_random_access && self.unit_count > UNMARKED_LIMIT && has_tables
            } else {
                self.last_key_unit.is_none_or(|last| self.unit_count - last >= AUDIO_KEY_INTERVAL)
            }
    }

    fn insert_tables(&mut self, out: &mut Vec<Piece>) {
        let tables = self.tables.newest();
        let mut mark = INSERTED_MARK.to_vec();
        mark.push(u8::try_from(tables.len()).expect("at most 1 + 16 × 6 table packets are kept"));
        self.append(&Packet::null(&mark), out);
        for packet in &tables {
            self.append(packet, out);
        }
    }

    fn append(&mut self, packet: &Packet, out: &mut Vec<Piece>) {
        if self.last_key_unit.is_none() {
            return;
        }
        if self.message.as_ref().is_some_and(|message| message.packet_count >= MESSAGE_LIMIT_PACKETS) {
            self.end_message(out);
        }
        if self.fragment.len() == FRAGMENT_PACKETS * PACKET_SIZE {
            self.emit(false, out);
        }
        let mut message = self.message.take().unwrap_or_else(|| {
            let is_video = self.tables.unit().is_some_and(|unit| unit.is_video);
            self.begin(false, is_video)
        });
        message.packet_count += 1;
        self.message = Some(message);
        self.fragment.extend_from_slice(packet.as_bytes());
    }

    fn begin(&self, is_key: bool, is_video: bool) -> Message {
        let arrived = self.arrived.expect("only a packet begins a message");
        Message { is_key, is_video, has_started: false, packet_count: 0, arrived }
    }

    fn end_message(&mut self, out: &mut Vec<Piece>) {
        if !self.fragment.is_empty() {
            self.emit(true, out);
        }
        self.message = None;
    }

    fn emit(&mut self, ends: bool, out: &mut Vec<Piece>) {
        let message = self.message.as_mut().expect("a fragment belongs to a message");
        out.push(Piece {
            payload: std::mem::take(&mut self.fragment).into(),
            starts: !message.has_started,
            ends,
            is_key: message.is_key,
            content: if message.is_video { Content::Video } else { Content::Audio },
            arrived: message.arrived,
        });
        message.has_started = true;
    }
}

/// How many packets at the beginning of a message are not the source's, the mark included.
pub(crate) fn inserted_packets(first: &[u8]) -> usize {
    let Some(packet) = first.get(..PACKET_SIZE).and_then(Packet::from_slice) else { return 0 };
    match packet.payload().strip_prefix(INSERTED_MARK) {
        Some([count, ..]) if packet.pid() == NULL_PID => 1 + usize::from(*count),
        _ => 0,
    }
}
