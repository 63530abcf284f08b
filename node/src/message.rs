use bytes::Bytes;
use stratus_core::{DecodeError, Reader, Wire, Writer};
use stratus_multicast as multicast;
use stratus_overlay::{self as overlay, routing};
use stratus_posting as posting;
use stratus_replication as replication;

/// A message of one of the layers. Source: spec OV-26.
///
/// ```text
/// 1 | overlay message
/// 2 | multicast message
/// 3 | posting message
/// 4 | replication message
/// 5 | routing message
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Of the overlay.
    Overlay(overlay::Message),
    /// Of a live stream.
    Multicast(multicast::Message),
    /// Of object replication.
    Replication(replication::Message),
    /// Of directed routing.
    Routing(routing::Message),
    /// Of posts.
    Posting(posting::Message),
}

impl Message {
    /// An object as its head and its bytes, so that it can be sent without being copied; `None` for all else.
    pub fn split(&self) -> Option<(Bytes, Bytes)> {
        let Self::Replication(message) = self else { return None };
        let (head, payload) = message.split()?;
        Some(([&[4][..], &head].concat().into(), payload))
    }
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
            Self::Replication(message) => {
                writer.u8(4);
                message.encode(writer);
            }
            Self::Routing(message) => {
                writer.u8(5);
                message.encode(writer);
            }
            Self::Posting(message) => {
                writer.u8(3);
                message.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            1 => Ok(Self::Overlay(Wire::decode(reader)?)),
            2 => Ok(Self::Multicast(Wire::decode(reader)?)),
            4 => Ok(Self::Replication(Wire::decode(reader)?)),
            5 => Ok(Self::Routing(Wire::decode(reader)?)),
            3 => Ok(Self::Posting(Wire::decode(reader)?)),
            _ => Err(DecodeError::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_says_whose_a_message_is() {
        let message = Message::Overlay(overlay::Message::Silent(3));
        let bytes = message.to_bytes();
        assert_eq!(bytes[0], 1);
        assert_eq!(Message::from_bytes(bytes), Ok(message));
        let unknown = Message::from_bytes(vec![9, 7].into());
        assert_eq!(unknown, Err(DecodeError::Unknown));
    }
}
