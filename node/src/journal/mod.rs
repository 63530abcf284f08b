//! A node's inputs, written down so that it can be run again step by step.
//!
//! What a journal contains: the settings, the *public* key, the group's id, the ring key (it tells where members sit
//! on the ring and nothing else), the seed of the node's chance, and every input with its time: all messages as they
//! came, media and addresses of members included, and all commands, what is published included. It does **not**
//! contain the private key, the keys of published streams or any authorization. A replay therefore signs with zeros,
//! and the hash of a step's outputs leaves out the signatures that are the node's own. Nobody can enter the group or
//! publish with a journal; whoever reads it sees what the member saw.
//!
//! | bytes | field |
//! |---|---|
//! | 8 | `stratusj` |
//! | 1 | version, 2 |
//! | 4, then so many | header: [`Header`] |
//! | 4, then so many, repeated | steps: [`Step`] |
//!
//! A file that ends inside a step was cut short by a crash or by its limit; what is whole is good.

mod command;
mod outputs;
mod replay;
mod step;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use stratus_core::{DecodeError, GroupId, PeerId, PublicKey, Reader, RingKey, Rng, Time, Wire, Writer};

pub use replay::{Divergence, Replay, ReplayError};
pub use step::Step;

use crate::{Config, Input, Output, Services, Setup};
use outputs::Own;

const MAGIC: &[u8; 8] = b"stratusj";
const VERSION: u8 = 2;
/// Most bytes of one header or step: a control frame of 64 KiB, or a list of records, and room.
const MAX_PART: usize = 1 << 20;

/// What a node was born with.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its settings.
    pub config: Config,
    /// Its public key.
    pub identity: PublicKey,
    /// The group.
    pub group: GroupId,
    /// Where members sit.
    pub ring: RingKey,
    /// Whose grant a stream needs.
    pub publish_authority: Option<PublicKey>,
    /// Which services the group has.
    pub services: Services,
    /// Whose grant a post needs.
    pub posting_authority: Option<PublicKey>,
    /// From which its chance began.
    pub entropy: [u8; 32],
}

impl Header {
    /// Of a node that is about to be made from these.
    pub fn new(config: &Config, setup: &Setup, rng: &Rng) -> Self {
        Self {
            config: config.clone(),
            identity: setup.identity.public(),
            group: setup.group,
            ring: setup.ring,
            publish_authority: setup.publish_authority,
            services: setup.services,
            posting_authority: setup.posting_authority,
            entropy: rng.entropy(),
        }
    }
}

impl Wire for Header {
    fn encode(&self, writer: &mut Writer) {
        self.config.overlay.encode(writer);
        self.config.multicast.encode(writer);
        self.config.routing.encode(writer);
        self.identity.encode(writer);
        self.group.encode(writer);
        self.ring.encode(writer);
        self.publish_authority.encode(writer);
        self.services.encode(writer);
        self.posting_authority.encode(writer);
        if self.services.posting {
            self.config.posting.encode(writer);
        }
        if self.services.replication {
            self.config.replication.encode(writer);
        }
        writer.raw(&self.entropy);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (overlay, multicast, routing) =
            (Wire::decode(reader)?, Wire::decode(reader)?, Wire::decode(reader)?);
        let mut header = Self {
            config: Config { overlay, multicast, routing, ..Config::default() },
            identity: Wire::decode(reader)?,
            group: Wire::decode(reader)?,
            ring: Wire::decode(reader)?,
            publish_authority: Wire::decode(reader)?,
            services: Wire::decode(reader)?,
            posting_authority: Wire::decode(reader)?,
            entropy: [0; 32],
        };
        if header.services.posting {
            header.config.posting = Wire::decode(reader)?;
        }
        if header.services.replication {
            header.config.replication = Wire::decode(reader)?;
        }
        header.entropy = reader.array()?;
        // Machines take valid settings only.
        header.config.validate().map_err(|_| DecodeError::Invalid)?;
        Ok(header)
    }
}

/// Writes a node's journal. Its owner calls [`Recorder::begin`] before each turn and [`Recorder::end`] after it, and
/// takes the bytes away. Costs about as much as the turn itself.
#[derive(Debug)]
pub struct Recorder {
    ready: Vec<u8>,
    /// Input and time of the turn in progress.
    begun: Option<(Time, Option<Bytes>)>,
    own: Own,
    last_at: Time,
    left: u64,
}

impl Recorder {
    /// A journal of at most `most_bytes`; what would be over it is not written, and nothing after it.
    pub fn new(header: &Header, most_bytes: u64) -> Self {
        let mut recorder = Self {
            ready: Vec::new(),
            begun: None,
            own: Own::new(PeerId::of(&header.identity)),
            last_at: Time::ZERO,
            left: most_bytes,
        };
        recorder.put(&[&MAGIC[..], &[VERSION]].concat());
        recorder.put_part(&header.to_bytes());
        recorder
    }

    /// A turn begins: an input, or `None` where the node is only woken.
    pub fn begin(&mut self, at: Time, input: Option<&Input>) {
        if self.left > 0 {
            if let Some(input) = input {
                self.own.note_input(input);
            }
            self.begun = Some((at, input.map(step::encode_input)));
        }
    }

    /// It has ended: these are its outputs, and this is the node's record now.
    pub fn end(&mut self, outputs: &[Output], record: &Bytes) {
        let Some((at, input)) = self.begun.take() else { return };
        let outputs = self.own.hash(outputs, record);
        let step = Step { after: at.since(self.last_at), input, outputs };
        self.last_at = at;
        self.put_part(&step.to_bytes());
    }

    /// What is ready to be written to the file.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// Whether the limit was reached.
    pub fn is_full(&self) -> bool {
        self.left == 0
    }

    fn put_part(&mut self, part: &Bytes) {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        if part.len() > MAX_PART {
            self.left = 0;
        }
        self.put(&[&length.to_be_bytes(), &part[..]].concat());
    }

    fn put(&mut self, bytes: &[u8]) {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                self.ready.extend_from_slice(bytes);
            }
            None => self.left = 0,
        }
    }
}
