use stratus_core::{DecodeError, GroupAddress, Reader, Wire, Writer};
use stratus_overlay::routing::{Command, ReceiveMode, Send, Way};

use super::MAX_BYTES;

pub(super) fn encode(command: &Command, writer: &mut Writer) {
    match command {
        Command::SetReceiveMode(mode) => {
            writer.u8(1);
            writer.u8(*mode as u8);
        }
        Command::Send(send) => {
            writer.u8(2);
            encode_send(send, writer);
        }
    }
}

pub(super) fn decode(reader: &mut Reader) -> Result<Command, DecodeError> {
    Ok(match reader.u8()? {
        1 => Command::SetReceiveMode(match reader.u8()? {
            0 => ReceiveMode::Exact,
            1 => ReceiveMode::Nearest,
            _ => return Err(DecodeError::Unknown),
        }),
        2 => Command::Send(Box::new(decode_send(reader)?)),
        _ => return Err(DecodeError::Unknown),
    })
}

fn encode_send(send: &Send, writer: &mut Writer) {
    send.id.encode(writer);
    match send.way {
        Way::Nearest(place) => {
            writer.u8(1);
            place.encode(writer);
        }
        Way::NextIncreasing => writer.u8(2),
        Way::NextDecreasing => writer.u8(3),
        Way::AllNeighbors => writer.u8(4),
    }
    writer.sized(&send.payload);
    writer.u8(u8::from(send.passing.is_some()));
    if let Some((origin, hops)) = &send.passing {
        origin.encode(writer);
        writer.u8(*hops);
    }
}

fn decode_send(reader: &mut Reader) -> Result<Send, DecodeError> {
    let id = Wire::decode(reader)?;
    let way = match reader.u8()? {
        1 => Way::Nearest(GroupAddress::decode(reader)?),
        2 => Way::NextIncreasing,
        3 => Way::NextDecreasing,
        4 => Way::AllNeighbors,
        _ => return Err(DecodeError::Unknown),
    };
    let payload = reader.sized(MAX_BYTES)?;
    let passing = match reader.u8()? {
        0 => None,
        1 => Some((GroupAddress::decode(reader)?, reader.u8()?)),
        _ => return Err(DecodeError::Invalid),
    };
    Ok(Send { id, way, payload, passing })
}
