use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DecodeError, Identity, Reader, Wire, Writer};
use stratus_multicast::{self as multicast, Kind, Piece, PieceFlags, Publish};
use stratus_overlay as overlay;
use stratus_posting as posting;

use crate::Command;

#[path = "command/replication.rs"]
mod replication_command;
#[path = "command/routing.rs"]
mod routing_command;

/// Most items of a list in a command.
const MAX_ITEMS: usize = 1_024;
/// Longest text, record or payload in a command.
const MAX_BYTES: usize = 64 << 10;
/// Longest round trip.
const MAX_RTT_MICROS: u64 = 600_000_000;
/// Largest upload, bytes a second.
const MAX_UPLOAD: u64 = 1 << 40;

pub(super) fn encode_command(command: &Command, writer: &mut Writer) {
    match command {
        Command::Overlay(command) => {
            writer.u8(1);
            encode_overlay(command, writer);
        }
        Command::Multicast(command) => {
            writer.u8(2);
            encode_multicast(command, writer);
        }
        Command::Replication(command) => {
            writer.u8(4);
            replication_command::encode(command, writer);
        }
        Command::Routing(command) => {
            writer.u8(5);
            routing_command::encode(command, writer);
        }
        Command::Posting(command) => {
            writer.u8(3);
            encode_posting(command, writer);
        }
    }
}

pub(super) fn decode_command(reader: &mut Reader) -> Result<Command, DecodeError> {
    match reader.u8()? {
        1 => decode_overlay(reader).map(Command::Overlay),
        2 => decode_multicast(reader).map(Command::Multicast),
        4 => replication_command::decode(reader).map(Command::Replication),
        5 => routing_command::decode(reader).map(Command::Routing),
        3 => decode_posting(reader).map(Command::Posting),
        _ => Err(DecodeError::Unknown),
    }
}

fn tagged<T: Wire>(writer: &mut Writer, kind: u8, value: &T) {
    writer.u8(kind);
    value.encode(writer);
}

fn encode_overlay(command: &overlay::Command, writer: &mut Writer) {
    use overlay::Command as C;
    match command {
        C::SetAddresses(addresses) => {
            writer.u8(1);
            writer.list(addresses);
        }
        C::SetServers(servers) => {
            writer.u8(2);
            writer.list(servers);
        }
        C::Bootstrap(records) => {
            writer.u8(3);
            writer.list(records);
        }
        C::AddNeighbor(peer) => tagged(writer, 4, peer),
        C::AddMemberHint(peer) => tagged(writer, 5, peer),
        C::HearRecord(record) => {
            writer.u8(6);
            writer.sized(record);
        }
        C::Pin(peer) => tagged(writer, 7, peer),
        C::Unpin(peer) => tagged(writer, 8, peer),
        C::Ban(peer) => tagged(writer, 9, peer),
        C::ConnectFailed(peer) => tagged(writer, 10, peer),
        C::Introduce(peer) => tagged(writer, 11, peer),
        C::Observed { peer, address } => {
            tagged(writer, 12, peer);
            address.encode(writer);
        }
        C::Leave => writer.u8(13),
        C::Seek(peer) => tagged(writer, 14, peer),
        C::Release(peer) => tagged(writer, 15, peer),
    }
}

fn decode_overlay(reader: &mut Reader) -> Result<overlay::Command, DecodeError> {
    use overlay::Command as C;
    Ok(match reader.u8()? {
        1 => C::SetAddresses(reader.list(MAX_ITEMS)?),
        2 => C::SetServers(reader.list(MAX_ITEMS)?),
        3 => C::Bootstrap(reader.list(MAX_ITEMS)?),
        4 => C::AddNeighbor(Wire::decode(reader)?),
        5 => C::AddMemberHint(Wire::decode(reader)?),
        6 => C::HearRecord(reader.sized(MAX_BYTES)?),
        7 => C::Pin(Wire::decode(reader)?),
        8 => C::Unpin(Wire::decode(reader)?),
        9 => C::Ban(Wire::decode(reader)?),
        10 => C::ConnectFailed(Wire::decode(reader)?),
        11 => C::Introduce(Wire::decode(reader)?),
        12 => {
            let peer = Wire::decode(reader)?;
            C::Observed { peer, address: Wire::decode(reader)? }
        }
        13 => C::Leave,
        14 => C::Seek(Wire::decode(reader)?),
        15 => C::Release(Wire::decode(reader)?),
        _ => return Err(DecodeError::Unknown),
    })
}

fn encode_multicast(command: &multicast::Command, writer: &mut Writer) {
    use multicast::Command as C;
    match command {
        C::Publish(publish) => {
            writer.u8(1);
            encode_publish(publish, writer);
        }
        C::Write { stream, piece } => {
            tagged(writer, 2, stream);
            encode_piece(piece, writer);
        }
        C::Unpublish(stream) => tagged(writer, 3, stream),
        C::Subscribe { name } => {
            writer.u8(4);
            writer.sized(name.as_bytes());
        }
        C::Unsubscribe { name } => {
            writer.u8(5);
            writer.sized(name.as_bytes());
        }
        C::SetRecord(record) => {
            writer.u8(6);
            writer.sized(record);
        }
        C::SetRtt { peer, rtt } => {
            tagged(writer, 7, peer);
            writer.varint((rtt.as_micros() as u64).min(MAX_RTT_MICROS));
        }
        C::SetUpload(upload) => tagged(writer, 8, upload),
        C::SetOverrides { name, wishes } => {
            writer.u8(9);
            writer.sized(name.as_bytes());
            wishes.encode(writer);
        }
    }
}

fn decode_multicast(reader: &mut Reader) -> Result<multicast::Command, DecodeError> {
    use multicast::Command as C;
    Ok(match reader.u8()? {
        1 => C::Publish(Box::new(decode_publish(reader)?)),
        2 => {
            let stream = Wire::decode(reader)?;
            C::Write { stream, piece: decode_piece(reader)? }
        }
        3 => C::Unpublish(Wire::decode(reader)?),
        4 => C::Subscribe { name: text(reader)? },
        5 => C::Unsubscribe { name: text(reader)? },
        6 => C::SetRecord(reader.sized(MAX_BYTES)?),
        7 => {
            let peer = Wire::decode(reader)?;
            // Longer is no round trip, and times that are added up must not overflow.
            C::SetRtt { peer, rtt: Duration::from_micros(reader.varint_up_to(MAX_RTT_MICROS)?) }
        }
        8 => match Wire::decode(reader)? {
            Some(upload) if upload > MAX_UPLOAD => return Err(DecodeError::Number),
            upload => C::SetUpload(upload),
        },
        9 => {
            let name = text(reader)?;
            C::SetOverrides { name, wishes: Wire::decode(reader)? }
        }
        _ => return Err(DecodeError::Unknown),
    })
}

fn encode_posting(command: &posting::Command, writer: &mut Writer) {
    match command {
        posting::Command::SetClock(clock) => tagged(writer, 1, clock),
        posting::Command::Post(draft) => {
            tagged(writer, 2, &draft.token);
            writer.sized(&draft.body);
            draft.authorization.as_ref().map(Identity::public).encode(writer);
        }
    }
}

fn decode_posting(reader: &mut Reader) -> Result<posting::Command, DecodeError> {
    Ok(match reader.u8()? {
        1 => posting::Command::SetClock(Wire::decode(reader)?),
        2 => posting::Command::Post(Box::new(posting::Draft {
            token: Wire::decode(reader)?,
            body: reader.sized(MAX_BYTES)?,
            authorization: Option::decode(reader)?.map(Identity::mute),
        })),
        _ => return Err(DecodeError::Unknown),
    })
}

/// Keys by their public halves alone: what they sign is not needed to run the node again.
fn encode_publish(publish: &Publish, writer: &mut Writer) {
    publish.key.public().encode(writer);
    writer.sized(publish.name.as_bytes());
    publish.began.encode(writer);
    publish.authorization.as_ref().map(Identity::public).encode(writer);
    publish.parameters.encode(writer);
    publish.wishes.encode(writer);
}

fn decode_publish(reader: &mut Reader) -> Result<Publish, DecodeError> {
    Ok(Publish {
        key: Identity::mute(Wire::decode(reader)?),
        name: text(reader)?,
        began: Wire::decode(reader)?,
        authorization: Option::decode(reader)?.map(Identity::mute),
        parameters: Wire::decode(reader)?,
        wishes: Wire::decode(reader)?,
    })
}

/// One byte of flags (bit 0 start, 1 end, 2 key, 3 and 4 the kind, 5 flush), then the payload.
fn encode_piece(piece: &Piece, writer: &mut Writer) {
    let PieceFlags { is_start, is_end, is_key, kind } = piece.flags;
    let kind = match kind {
        Kind::Data => [false, false],
        Kind::Audio => [true, false],
        Kind::Video => [false, true],
    };
    let bits = [is_start, is_end, is_key, kind[0], kind[1], piece.flush];
    writer.u8((0..).zip(bits).map(|(place, bit)| u8::from(bit) << place).sum());
    writer.sized(&piece.payload);
}

fn decode_piece(reader: &mut Reader) -> Result<Piece, DecodeError> {
    let bits = reader.u8()?;
    let bit = |place: u8| bits >> place & 1 == 1;
    let kind = match (bit(3), bit(4)) {
        (false, false) => Kind::Data,
        (true, false) => Kind::Audio,
        (false, true) => Kind::Video,
        (true, true) => return Err(DecodeError::Unknown),
    };
    if bits >> 6 != 0 {
        return Err(DecodeError::Unknown);
    }
    let flags = PieceFlags { is_start: bit(0), is_end: bit(1), is_key: bit(2), kind };
    Ok(Piece { payload: reader.sized(MAX_BYTES)?, flags, flush: bit(5) })
}

fn text(reader: &mut Reader) -> Result<String, DecodeError> {
    let bytes: Bytes = reader.sized(MAX_BYTES)?;
    String::from_utf8(bytes.into()).map_err(|_| DecodeError::Invalid)
}
