use stratus_core::{DecodeError, GroupAddress, Reader, Wire, Writer};
use stratus_overlay::routing::{Command, Put, ReceiveMode, Send, Way};

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
        Command::SendExactly { id, to, payload } => {
            head(writer, 3, *id);
            to.encode(writer);
            writer.sized(payload);
        }
        Command::LookUp { id, target } => {
            head(writer, 4, *id);
            target.encode(writer);
        }
        Command::Put(put) => {
            head(writer, 5, put.id);
            put.value.encode(writer);
            put.lifetime.encode(writer);
        }
        Command::Get { id, key } => {
            head(writer, 6, *id);
            key.encode(writer);
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
        3 => {
            let (id, to) = (Wire::decode(reader)?, Wire::decode(reader)?);
            Command::SendExactly { id, to, payload: reader.sized(MAX_BYTES)? }
        }
        4 => Command::LookUp { id: Wire::decode(reader)?, target: Wire::decode(reader)? },
        5 => {
            let (id, value) = (Wire::decode(reader)?, Wire::decode(reader)?);
            Command::Put(Box::new(Put { id, value, lifetime: Wire::decode(reader)? }))
        }
        6 => Command::Get { id: Wire::decode(reader)?, key: Wire::decode(reader)? },
        _ => return Err(DecodeError::Unknown),
    })
}

fn head(writer: &mut Writer, kind: u8, id: u64) {
    writer.u8(kind);
    id.encode(writer);
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
