use bytes::Bytes;
use stratus_core::{DecodeError, GroupAddress, Reader, Wire, Writer};

use super::api::ReceiveMode;

/// Most bytes of a parcel's payload. Source: spec RO-5.
pub const MAX_PAYLOAD: usize = 8 * 1_024;
/// Most links that a parcel goes over. Source: spec RO-4.
pub const MAX_HOPS: u8 = 32;

/// What members say for directed routing. One message each; the first byte is the kind.
///
/// ```text
/// 1 | 1 mode (0 exact, 1 nearest)
/// 2 | 1 hops (1 to 32) | 32 origin | 1 (0 for a neighbor, 1 and 32 place) | varint n ≤ 8,192, n payload
/// ```
///
/// All travel as control. Source: spec RO-7.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// For which places the sender takes parcels from now on; before the first one, for its own address alone.
    Mode(ReceiveMode),
    /// Something on its way.
    Parcel(Parcel),
}

/// What is sent from neighbor to neighbor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// Links it will have come over when it is read.
    pub hops: u8,
    /// Who says to have sent it first.
    pub origin: GroupAddress,
    /// The place it is for; `None`: the neighbor.
    pub to: Option<GroupAddress>,
    /// What.
    pub payload: Bytes,
}

impl Message {
    /// A short fixed word for the kind, for traces and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mode(_) => "mode",
            Self::Parcel(_) => "parcel",
        }
    }
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Mode(mode) => {
                writer.u8(1);
                writer.u8(*mode as u8);
            }
            Self::Parcel(parcel) => {
                writer.u8(2);
                parcel.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            1 => Self::Mode(match reader.u8()? {
                0 => ReceiveMode::Exact,
                1 => ReceiveMode::Nearest,
                _ => return Err(DecodeError::Unknown),
            }),
            2 => Self::Parcel(Parcel::decode(reader)?),
            _ => return Err(DecodeError::Unknown),
        })
    }
}

impl Wire for Parcel {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.hops);
        self.origin.encode(writer);
        self.to.encode(writer);
        writer.sized(&self.payload);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let hops = reader.u8()?;
        if !(1..=MAX_HOPS).contains(&hops) {
            return Err(DecodeError::Invalid);
        }
        Ok(Self {
            hops,
            origin: Wire::decode(reader)?,
            to: Wire::decode(reader)?,
            payload: reader.sized(MAX_PAYLOAD)?,
        })
    }
}

#[cfg(test)]
mod tests;
