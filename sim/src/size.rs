//! What a message weighs on the wire. The simulator never encodes a message; it counts its bytes and adds what
//! QUIC, UDP and IP would have added.

use stratus_core::Delivery;

/// IPv4 (20) and UDP (8) headers of a packet.
const IP_UDP: u64 = 28;
/// QUIC short header: flags (1), connection id (8), packet number (2), and the AEAD tag (16).
const QUIC: u64 = 27;
/// DATAGRAM frame: type (1) and length (2); then the group tag (4).
const DATAGRAM: u64 = 7;
/// STREAM frame in each packet: type, id, offset, length.
const STREAM: u64 = 7;
/// Our own frame on the control stream: length (4) and group tag (4).
const FRAME: u64 = 8;
/// Stream bytes that fit a packet: 1,200 less QUIC and STREAM.
const STREAM_ROOM: u64 = 1_200 - QUIC - STREAM;

/// The longest message that fits a datagram on every path: 1,162 bytes less the group tag.
pub const MOST_LIVE_BYTES: usize = 1_158;

/// What acknowledging a packet costs its receiver: a packet of 64 bytes for every fourth one.
///
/// Measured between real endpoints that are fed in runs of four: 0.25 acknowledgements a packet.
pub const ACK_BYTES: u64 = 16;

/// What each end of a connection sends until membership is proven: one full Initial, keys and proof.
pub const HANDSHAKE_BYTES: u64 = 1_600;
/// The part of it that whoever dials sends at once.
pub(crate) const INITIAL_BYTES: u64 = 1_200;

/// Wire bytes and packets of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Bytes on the wire, every header included.
    pub bytes: u64,
    /// Packets that carry them.
    pub packets: u64,
}

impl Size {
    /// The size of a message of `length` encoded bytes.
    pub fn of(length: usize, how: Delivery) -> Self {
        let length = length as u64;
        match how {
            Delivery::Live { .. } => Self { bytes: length + IP_UDP + QUIC + DATAGRAM, packets: 1 },
            Delivery::Control | Delivery::Background | Delivery::Bulk => {
                let packets = (length + FRAME).div_ceil(STREAM_ROOM);
                Self { bytes: length + FRAME + packets * (IP_UDP + QUIC + STREAM), packets }
            }
        }
    }

    /// The packet that closes a connection.
    pub fn of_close() -> Self {
        Self { bytes: IP_UDP + QUIC + 5, packets: 1 }
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::{Priority, Time};

    use super::*;

    #[test]
    fn a_full_fragment_makes_a_full_packet() {
        let how = Delivery::Live { expires: Time::ZERO, priority: Priority::Push };
        assert_eq!(Size::of(1_128 + 30, how), Size { bytes: 1_220, packets: 1 });
    }

    #[test]
    fn a_long_control_message_takes_as_many_packets_as_it_needs() {
        assert_eq!(Size::of(50, Delivery::Control), Size { bytes: 120, packets: 1 });
        assert_eq!(Size::of(3_000, Delivery::Control), Size { bytes: 3_008 + 3 * 62, packets: 3 });
    }
}
