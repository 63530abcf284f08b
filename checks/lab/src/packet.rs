//! UDP in IPv4, as far as the forwarder looks.

use std::net::Ipv4Addr;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;

/// A UDP packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Udp<'a> {
    pub(crate) to: Ipv4Addr,
    pub(crate) payload: &'a [u8],
}

/// Looks at a packet; `None` if it is not UDP in IPv4.
pub(crate) fn udp(packet: &[u8]) -> Option<Udp<'_>> {
    let header = header(packet)?;
    let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some(Udp { to: to.into(), payload: packet.get(header + UDP_HEADER..)? })
}

/// Changes a bit of the payload, and takes the checksum out, which would show it.
pub(crate) fn change(packet: &mut [u8], bit: u64) {
    let Some(header) = header(packet) else { return };
    let place = header + UDP_HEADER + (bit / 8) as usize;
    let Some(byte) = packet.get_mut(place) else { return };
    *byte ^= 1 << (bit % 8);
    // A checksum of 0 means none.
    packet[header + 6..header + 8].fill(0);
}

fn header(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let is_udp = first >> 4 == 4 && packet.get(9) == Some(&UDP);
    is_udp.then_some(usize::from(first & 15) * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Vec<u8> {
        let mut packet = vec![0; 20 + 8 + 3];
        (packet[0], packet[9]) = (0x45, UDP);
        packet[16..20].copy_from_slice(&[10, 77, 0, 7]);
        packet[20..28].fill(9);
        packet[28..].copy_from_slice(&[1, 2, 3]);
        packet
    }

    #[test]
    fn payload_and_receiver_are_found_and_other_packets_are_not_ours() {
        let whole = packet();
        assert_eq!(udp(&whole), Some(Udp { to: Ipv4Addr::new(10, 77, 0, 7), payload: &[1, 2, 3] }));
        assert_eq!(udp(&whole[..19]), None);
        assert_eq!(udp(&[0x60; 40]), None);
    }

    #[test]
    fn one_bit_changes_and_the_checksum_goes() {
        let mut changed = packet();
        change(&mut changed, 8);
        assert_eq!((&changed[20..28], &changed[28..]), (&[9, 9, 9, 9, 9, 9, 0, 0][..], &[1, 3, 3][..]));
    }
}
