use stratus_node::Message;
use stratus_transport::{GroupPort, Packet};

/// Different messages remembered in one turn: a run of 32 with its manifest and some more.
const MOST: usize = 48;

/// Encodes each distinct message of a turn once, however many neighbors get it.
#[derive(Default)]
pub(super) struct Encoder {
    done: Vec<(Message, Packet)>,
}

impl Encoder {
    pub(super) fn encode(&mut self, port: &GroupPort, message: Message) -> Packet {
        // Newest first: a message for many neighbors is asked for many times in a row, or run by run.
        if let Some((_, packet)) = self.done.iter().rev().find(|(done, _)| *done == message) {
            return packet.clone();
        }
        let packet = port.packet(&message);
        // Control is as good as never the same for two.
        if matches!(message, Message::Multicast(_)) && self.done.len() < MOST {
            self.done.push((message, packet.clone()));
        }
        packet
    }

    pub(super) fn clear(&mut self) {
        self.done.clear();
    }
}
