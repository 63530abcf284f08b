//! What a source lost on its way to us, as its packets' counters tell.

use std::collections::BTreeMap;

use super::packet::{NULL_PID, Packet};

/// Values of a packet's continuity counter.
const COUNTER_VALUES: u8 = 16;

/// Watches the continuity counter of each PID. There are at most 8,192 of them.
#[derive(Debug, Default)]
pub(crate) struct Continuity {
    counters: BTreeMap<u16, u8>,
    missing: u64,
}

impl Continuity {
    /// Packets missing so far: the fewest that the counters allow, since they say nothing of whole rounds of 16.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// Takes the next packet.
    pub(crate) fn observe(&mut self, packet: &Packet) {
        // Null packets do not count, and packets without payload repeat the number of the one before.
        if packet.pid() == NULL_PID || packet.payload().is_empty() {
            return;
        }
        let counter = packet.continuity_counter();
        let Some(before) = self.counters.insert(packet.pid(), counter) else { return };
        // A packet may be sent twice, with one number.
        if counter != before && !packet.is_discontinuous() {
            self.missing += u64::from((counter + COUNTER_VALUES - before - 1) % COUNTER_VALUES);
        }
    }

    /// Another source follows: what it counts has nothing to do with what was before.
    pub(crate) fn restart(&mut self) {
        self.counters.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::PACKET_SIZE;

    const CLIP: &[u8] = include_bytes!("../../assets/testclip.ts");

    fn packets() -> Vec<Packet> {
        CLIP.chunks(PACKET_SIZE).map(|bytes| Packet::from_slice(bytes).expect("a packet")).collect()
    }

    fn missing<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> u64 {
        let mut continuity = Continuity::default();
        packets.into_iter().for_each(|packet| continuity.observe(packet));
        continuity.missing()
    }

    #[test]
    fn a_whole_recording_misses_nothing_even_with_packets_twice() {
        let packets = packets();
        assert_eq!(missing(&packets), 0);
        assert_eq!(missing(packets.iter().flat_map(|packet| [packet, packet])), 0);
    }

    #[test]
    fn what_was_taken_out_is_counted() {
        let packets = packets();
        // Fewer than a round of the counter in a row, and none of them the first of its PID.
        let kept = packets.iter().enumerate().filter(|(index, _)| !(700..707).contains(index));
        let without_payload = packets[700..707].iter().filter(|packet| packet.payload().is_empty()).count();
        assert_eq!(missing(kept.map(|(_, packet)| packet)), 7 - without_payload as u64);
    }

    #[test]
    fn another_source_counts_from_anywhere() {
        let packets = packets();
        let mut continuity = Continuity::default();
        packets[..300].iter().for_each(|packet| continuity.observe(packet));
        continuity.restart();
        packets[5_000..5_300].iter().for_each(|packet| continuity.observe(packet));
        assert_eq!(continuity.missing(), 0);
    }
}
