use stratus_core::{DecodeError, Reader, Wire, Writer};
use stratus_multicast as multicast;
use stratus_overlay as overlay;

/// What travels between two nodes of a group: one byte for the layer, then that layer's message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// 1.
    Overlay(overlay::Message),
    /// 2.
    Multicast(multicast::Message),
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Overlay(message) => {
                writer.u8(1);
                message.encode(writer);
            }
            Self::Multicast(message) => {
                writer.u8(2);
                message.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            1 => overlay::Message::decode(reader).map(Self::Overlay),
            2 => multicast::Message::decode(reader).map(Self::Multicast),
            _ => Err(DecodeError::Unknown),
        }
    }
}
