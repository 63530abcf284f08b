use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DecodeError, Reader, Wire, Writer};

use super::MAX_PART;
use super::command::{decode_command, encode_command};
use crate::Input;

/// One turn of a node.
///
/// | bytes | field |
/// |---|---|
/// | varint | microseconds since the step before |
/// | 8 | hash of its outputs |
/// | 1 | 0 woken, 1 connected, 2 disconnected, 3 received, 4 command |
/// | 32, 32, 32 and the message, the command | |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Since the step before.
    pub after: Duration,
    /// The encoded input; `None`: it was only woken.
    pub input: Option<Bytes>,
    /// First eight bytes of a hash over what it made the node do.
    pub outputs: [u8; 8],
}

impl Wire for Step {
    fn encode(&self, writer: &mut Writer) {
        self.after.encode(writer);
        writer.raw(&self.outputs);
        match &self.input {
            Some(input) => writer.raw(input),
            None => writer.u8(0),
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let after = Duration::decode(reader)?;
        let outputs = reader.array()?;
        let input = reader.rest();
        if input.len() > MAX_PART {
            return Err(DecodeError::TooLong);
        }
        match input.first() {
            None => Err(DecodeError::Truncated),
            Some(0) if input.len() > 1 => Err(DecodeError::Trailing),
            Some(0) => Ok(Self { after, input: None, outputs }),
            Some(_) => Ok(Self { after, input: Some(input), outputs }),
        }
    }
}

pub(super) fn encode_input(input: &Input) -> Bytes {
    let mut writer = Writer::with_capacity(1_300);
    match input {
        Input::Connected(peer) => {
            writer.u8(1);
            peer.encode(&mut writer);
        }
        Input::Disconnected(peer) => {
            writer.u8(2);
            peer.encode(&mut writer);
        }
        Input::Received { from, message } => {
            writer.u8(3);
            from.encode(&mut writer);
            message.encode(&mut writer);
        }
        Input::Command(command) => {
            writer.u8(4);
            encode_command(command, &mut writer);
        }
    }
    writer.finish()
}

pub(super) fn decode_input(bytes: Bytes) -> Result<Input, DecodeError> {
    let mut reader = Reader::new(bytes);
    let input = match reader.u8()? {
        1 => Input::Connected(Wire::decode(&mut reader)?),
        2 => Input::Disconnected(Wire::decode(&mut reader)?),
        3 => {
            let from = Wire::decode(&mut reader)?;
            Input::Received { from, message: Wire::decode(&mut reader)? }
        }
        4 => Input::Command(decode_command(&mut reader)?),
        _ => return Err(DecodeError::Unknown),
    };
    reader.finish()?;
    Ok(input)
}
