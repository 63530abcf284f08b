//! One transport stream packet, and what its first bytes say.

/// Bytes of a packet.
pub(crate) const PACKET_SIZE: usize = 188;
/// What every packet begins with.
pub(crate) const SYNC_BYTE: u8 = 0x47;
/// PID of the program association table.
pub(crate) const PAT_PID: u16 = 0;
/// PID of packets that only fill a constant rate.
pub(crate) const NULL_PID: u16 = 0x1fff;
/// Ticks of the program clock in a second.
pub(crate) const CLOCK_HZ: u64 = 27_000_000;

/// 188 bytes that begin with 0x47.
///
/// ```text
/// 0      sync 0x47
/// 1      error 1 | unit start 1 | priority 1 | PID high 5
/// 2      PID low 8
/// 3      scrambling 2 | adaptation field 1 | payload 1 | continuity counter 4
/// 4      if there is an adaptation field: its length, then (if not 0) its flags:
///        discontinuity 1 | random access 1 | priority 1 | PCR 1 | OPCR 1 | splice 1 | private 1 | extension 1
/// 6..12  if the PCR flag is set: base 33 bits at 90 kHz | reserved 6 | extension 9 bits at 27 MHz
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet([u8; PACKET_SIZE]);

impl Packet {
    /// Copies `bytes`, which must be one whole packet; `None` when they are not.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let packet = Self(bytes.try_into().ok()?);
        (packet.0[0] == SYNC_BYTE).then_some(packet)
    }

    /// A packet of the null PID that carries `payload` and is otherwise filled with 0xff.
    pub(crate) fn null(payload: &[u8]) -> Self {
        let mut bytes = [0xff; PACKET_SIZE];
        bytes[..4].copy_from_slice(&[SYNC_BYTE, 0x1f, 0xff, 0x10]);
        bytes[4..4 + payload.len()].copy_from_slice(payload);
        Self(bytes)
    }

    /// All 188 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; PACKET_SIZE] {
        &self.0
    }

    /// Which of the multiplexed streams the packet belongs to.
    pub(crate) fn pid(&self) -> u16 {
        u16::from_be_bytes([self.0[1] & 0x1f, self.0[2]])
    }

    /// Counts the packets of one PID that have a payload, modulo 16.
    pub(crate) fn continuity_counter(&self) -> u8 {
        self.0[3] & 0x0f
    }

    /// Whether a PES packet or a table section starts here.
    pub(crate) fn starts_unit(&self) -> bool {
        self.0[1] & 0x40 != 0
    }

    /// Whether a decoder may start here: the random access bit.
    pub(crate) fn is_random_access(&self) -> bool {
        self.flags() & 0x40 != 0
    }

    /// Whether the clock is announced to jump here.
    pub(crate) fn is_discontinuous(&self) -> bool {
        self.flags() & 0x80 != 0
    }

    /// The program clock in 27 MHz ticks, if the packet carries it.
    pub(crate) fn clock(&self) -> Option<u64> {
        let field = self.adaptation_field();
        if self.flags() & 0x10 == 0 || field.len() < 7 {
            return None;
        }
        let base = u64::from(u32::from_be_bytes([field[1], field[2], field[3], field[4]])) << 1
            | u64::from(field[5] >> 7);
        let extension = u64::from(field[5] & 1) << 8 | u64::from(field[6]);
        Some(base * 300 + extension)
    }

    /// Whether the packet is padded, as the last packet of nearly every PES packet is: the data of a PES
    /// packet ends at a packet's end, and only padding can make it so.
    pub(crate) fn is_padded(&self) -> bool {
        let field = self.adaptation_field();
        let is_needed = match self.flags() {
            0 => false,
            flags if flags & 0x0f != 0 => true,
            flags => field.len() == if flags & 0x10 != 0 { 7 } else { 1 },
        };
        self.has_payload() && self.has_adaptation_field() && !is_needed
    }

    /// Whether both say the same, apart from their continuity counters.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        self.0[..3] == other.0[..3] && self.0[3] & 0xf0 == other.0[3] & 0xf0 && self.0[4..] == other.0[4..]
    }

    /// The bytes after header and adaptation field; empty when there are none.
    pub(crate) fn payload(&self) -> &[u8] {
        if !self.has_payload() {
            return &[];
        }
        let start = if self.has_adaptation_field() { 5 + usize::from(self.0[4]) } else { 4 };
        self.0.get(start..).unwrap_or(&[])
    }

    fn has_adaptation_field(&self) -> bool {
        self.0[3] & 0x20 != 0
    }

    fn has_payload(&self) -> bool {
        self.0[3] & 0x10 != 0
    }

    /// Flags and what follows; empty when there is no field or only its length.
    fn adaptation_field(&self) -> &[u8] {
        if !self.has_adaptation_field() {
            return &[];
        }
        self.0.get(5..5 + usize::from(self.0[4])).unwrap_or(&[])
    }

    fn flags(&self) -> u8 {
        self.adaptation_field().first().copied().unwrap_or(0)
    }
}
