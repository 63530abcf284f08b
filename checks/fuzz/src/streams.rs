use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::ts::{Chunker, Content, Joiner, PACKET_SIZE, Packet, PacketReader, Piece};

/// Any bytes as an MPEG transport stream: found, cut into messages, joined again; nothing but whole packets comes out.
pub(crate) fn transport_stream(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut reader = PacketReader::default();
    let mut packets: Vec<Packet> = Vec::new();
    for part in rest.chunks(1 + usize::from(*first)) {
        reader.push(part);
        packets.extend(std::iter::from_fn(|| reader.next()));
    }
    packets.extend(std::iter::from_fn(|| reader.next_at_end()));
    // Packets without the bytes around them, so that the cutter is reached whatever the reader thinks.
    packets.extend(rest.chunks_exact(PACKET_SIZE).filter_map(Packet::from_slice));
    cut_and_join(&packets);
}

fn cut_and_join(packets: &[Packet]) {
    let began = Instant::now();
    let mut chunker = Chunker::default();
    let mut joiner = Joiner::default();
    let mut pieces: Vec<Piece> = Vec::new();
    for (number, packet) in (0..).zip(packets) {
        chunker.push(packet, began + Duration::from_millis(number), &mut pieces);
        if number % 7 == 0 && chunker.settle_after().is_some() {
            chunker.settle(&mut pieces);
        }
    }
    chunker.finish(&mut pieces);
    assert!(pieces.iter().all(|piece| piece.payload.len() % PACKET_SIZE == 0));
    let payloads: Vec<Bytes> = pieces.into_iter().map(|piece| piece.payload).collect();
    for is_key in [true, false] {
        joiner.take(is_key, payloads.clone());
    }
    let _ = Content::Video;
}
