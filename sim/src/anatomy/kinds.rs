use std::collections::BTreeMap;

use stratus_multicast::Message as Stream;
use stratus_node::Message;

use crate::world::Packet;

/// What was sent, by kind of message.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds(BTreeMap<&'static str, Sums>);

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    messages: u64,
    bytes: u64,
    wire_bytes: u64,
    queued_micros: u64,
}

impl Kinds {
    /// Counts a packet that has left its uplink.
    pub(super) fn add(&mut self, packet: &Packet<Message>, message: &Message) {
        let sums = self.0.entry(name(message)).or_default();
        sums.messages += 1;
        sums.bytes += u64::from(packet.head.length);
        sums.wire_bytes += packet.head.size.bytes;
        sums.queued_micros += packet.head.sent_at.since(packet.head.queued_at).as_micros() as u64;
    }

    /// One line a kind.
    pub(super) fn lines(&self) -> Vec<String> {
        let all: u64 = self.0.values().map(|sums| sums.wire_bytes).sum();
        let mut lines = vec![
            "sent since the stream began      messages        bytes   wire bytes     share  in uplink, ms"
                .into(),
        ];
        lines.extend(self.0.iter().map(|(name, sums)| {
            format!(
                "{name:<28} {:>12} {:>12} {:>12} {:>8.2}% {:>14.1}",
                sums.messages,
                sums.bytes,
                sums.wire_bytes,
                sums.wire_bytes as f64 * 100.0 / all.max(1) as f64,
                sums.queued_micros as f64 / 1_000.0 / sums.messages.max(1) as f64,
            )
        }));
        lines
    }
}

fn name(message: &Message) -> &'static str {
    let Message::Multicast(message) = message else { return "overlay" };
    match message {
        Stream::Announce { .. } => "announcement",
        Stream::Interest { .. } => "interest",
        Stream::Subscribers { .. } => "subscribers",
        Stream::Map { .. } => "map",
        Stream::PushRequest(_) => "push request",
        Stream::PushAnswer(_) => "push answer",
        Stream::PushStop(_) => "push stop",
        Stream::Pull { .. } => "pull",
        Stream::Refuse { .. } => "refusal",
        Stream::Seek { .. } => "seek",
        Stream::Start { .. } => "start",
        Stream::StartAnswer(_) => "start answer",
        Stream::Manifest { is_repair: false, .. } => "manifest",
        Stream::Manifest { is_repair: true, .. } => "manifest, repair",
        Stream::Fragment { is_repair: false, .. } => "fragment",
        Stream::Fragment { is_repair: true, .. } => "fragment, repair",
    }
}
