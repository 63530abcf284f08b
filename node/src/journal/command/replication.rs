use std::ops::Range;

use stratus_core::{DecodeError, Reader, Wire, Writer};
use stratus_replication::{Command, MOST_OBJECT_BYTES, MOST_OBJECTS, RequestId, Strategy};

pub(super) fn encode(command: &Command, writer: &mut Writer) {
    match command {
        Command::AddHave(range) => ranged(writer, 1, range),
        Command::RemoveHave(range) => ranged(writer, 2, range),
        Command::AddWant(range) => ranged(writer, 3, range),
        Command::RemoveWant(range) => ranged(writer, 4, range),
        Command::Write { request, object } => {
            writer.u8(5);
            writer.varint(request.0);
            writer.sized(object);
        }
        Command::Deny(request) => {
            writer.u8(6);
            writer.varint(request.0);
        }
        Command::Reject { index, peer } => {
            writer.u8(7);
            writer.varint(*index);
            peer.encode(writer);
        }
        Command::SetStrategy(strategy) => {
            writer.u8(8);
            writer.u8(u8::from(*strategy == Strategy::RarestFirst));
        }
        Command::SetFirstSeed(is_first) => {
            writer.u8(9);
            is_first.encode(writer);
        }
    }
}

pub(super) fn decode(reader: &mut Reader) -> Result<Command, DecodeError> {
    Ok(match reader.u8()? {
        1 => Command::AddHave(range(reader)?),
        2 => Command::RemoveHave(range(reader)?),
        3 => Command::AddWant(range(reader)?),
        4 => Command::RemoveWant(range(reader)?),
        5 => Command::Write {
            request: RequestId(reader.varint()?),
            // One byte more than may be sent: so that a journal shows what was refused.
            object: reader.sized(MOST_OBJECT_BYTES + 1)?,
        },
        6 => Command::Deny(RequestId(reader.varint()?)),
        7 => Command::Reject { index: reader.varint_up_to(MOST_OBJECTS)?, peer: Wire::decode(reader)? },
        8 if bool::decode(reader)? => Command::SetStrategy(Strategy::RarestFirst),
        8 => Command::SetStrategy(Strategy::LowestFirst),
        9 => Command::SetFirstSeed(Wire::decode(reader)?),
        _ => return Err(DecodeError::Unknown),
    })
}

fn ranged(writer: &mut Writer, kind: u8, range: &Range<u64>) {
    writer.u8(kind);
    writer.varint(range.start.min(MOST_OBJECTS));
    writer.varint(range.end.min(MOST_OBJECTS));
}

fn range(reader: &mut Reader) -> Result<Range<u64>, DecodeError> {
    Ok(reader.varint_up_to(MOST_OBJECTS)?..reader.varint_up_to(MOST_OBJECTS)?)
}
