use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, DecodeError, PeerId, Reader, Wire, Writer};

use crate::announcement::decode_name;
use crate::manifest::MAX_RUN;
use crate::{Announcement, Availability, Manifest, StreamAlias};

/// Largest record of another layer that is carried along.
pub(crate) const MAX_RECORD: usize = 1_024;
/// Most records in one message.
pub(crate) const MAX_RECORDS: usize = 8;
/// No run or fragment has a higher number: sums of two never overflow.
pub(crate) const MAX_NUMBER: u64 = 1 << 62;
/// Oldest announcement that there is any use in sending, seconds.
const MAX_AGE: u64 = 86_400;
/// Most runs in one request or refusal.
pub(crate) const MAX_WANTS: usize = 64;

/// What members say to each other about streams. Each begins with its kind byte (spec MC-5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// 1: a stream exists, changed or ended; with records of a few of its subscribers.
    Announce {
        /// The signed announcement.
        announcement: Arc<Announcement>,
        /// How long ago its publisher signed it, to the second; ages add up on the way.
        age: Duration,
        /// A few of its subscribers, at most eight.
        subscribers: Vec<Subscriber>,
    },
    /// 2: I subscribe to (or publish) this stream; or no longer.
    Interest {
        /// The stream.
        stream: StreamAlias,
        /// Whether, or no longer.
        is_on: bool,
        /// Please answer with others who subscribe.
        asks_for_others: bool,
        /// The sender's own record, opaque here, for handing on; may be empty.
        record: Bytes,
    },
    /// 3: others who subscribe to this stream.
    Subscribers {
        /// The stream.
        stream: StreamAlias,
        /// At most eight.
        subscribers: Vec<Subscriber>,
    },
    /// 4: what I hold.
    Map {
        /// The stream.
        stream: StreamAlias,
        /// The map.
        map: Availability,
    },
    /// 5: please push these slices to me.
    PushRequest(PushRequest),
    /// 6: the answer.
    PushAnswer(PushAnswer),
    /// 7: from the child: stop pushing; from the parent: I shall stop.
    PushStop(PushStop),
    /// 8: please send me all of these at once.
    Pull {
        /// The stream.
        stream: StreamAlias,
        /// At most 64 runs.
        wants: Vec<Want>,
    },
    /// 9: I cannot; ask elsewhere.
    Refuse {
        /// The stream.
        stream: StreamAlias,
        /// They are here, but the upload is spoken for: ask nothing for a while.
        is_busy: bool,
        /// At most 64 runs.
        runs: Vec<u64>,
    },
    /// 10: please give me a place to start.
    Start {
        /// The stream.
        stream: StreamAlias,
    },
    /// 11: here it is, and the runs from there on follow.
    StartAnswer(StartAnswer),
    /// 12 when pushed, 13 when it answers a pull or a start.
    Manifest {
        /// The stream.
        stream: StreamAlias,
        /// It was asked for.
        is_repair: bool,
        /// How far from the publisher the sender is in this slice: 0 is the publisher itself.
        hops: u8,
        /// The signed manifest.
        manifest: Arc<Manifest>,
    },
    /// 14 when pushed, 15 when it answers a pull or a start.
    Fragment {
        /// The stream.
        stream: StreamAlias,
        /// It was asked for.
        is_repair: bool,
        /// The run.
        run: u64,
        /// Position in the run, 0 to 31.
        position: u32,
        /// At most 1,128 bytes.
        payload: Bytes,
    },
    /// 16: I subscribe to this name, whose stream I have yet to hear of; please give me a place to start.
    Seek {
        /// The name.
        name: String,
        /// The sender's own record, as in an interest.
        record: Bytes,
    },
}

/// A subscriber of a stream, and what the overlay needs to reach it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscriber {
    /// Who.
    pub peer: PeerId,
    /// Its overlay record, opaque here.
    pub record: Bytes,
}

/// A child asks for slices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushRequest {
    /// The stream.
    pub stream: StreamAlias,
    /// The slices.
    pub slices: BitSet,
    /// Those of them where the child is at home, and so will serve most.
    pub home: BitSet,
    /// From this run on.
    pub from_run: u64,
}

/// A parent answers; slices in neither set were not asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushAnswer {
    /// The stream.
    pub stream: StreamAlias,
    /// The slices it will push.
    pub accepted: BitSet,
    /// How far from the publisher it is, for each accepted slice in turn.
    pub hops: Vec<u8>,
    /// The slices it will not.
    pub refused: BitSet,
    /// From this run on.
    pub from_run: u64,
    /// Slices in which it has a free place.
    pub free: BitSet,
}

/// The end of a push, said by either side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushStop {
    /// The stream.
    pub stream: StreamAlias,
    /// The slices.
    pub slices: BitSet,
    /// The first run that will not be pushed.
    pub from_run: u64,
    /// The parent says it to its child; otherwise the child to its parent.
    pub is_from_parent: bool,
}

/// What is wanted of one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// The run.
    pub run: u64,
    /// Its manifest, too.
    pub manifest: bool,
    /// Which fragments; with an unknown manifest, all 32.
    pub positions: BitSet,
}

/// Where a newcomer starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartAnswer {
    /// The stream.
    pub stream: StreamAlias,
    /// What the answerer can do.
    pub start: Start,
}

/// What a member can offer a newcomer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Nothing: ask elsewhere.
    Refused,
    /// Runs `from` … `next` − 1 follow as repairs; `next` is the first to be pushed.
    Offered {
        /// Where to start.
        from: u64,
        /// The first run that does not follow by itself.
        next: u64,
    },
}

impl Message {
    /// The stream it is about; one that seeks is about a name.
    pub fn stream(&self) -> Option<StreamAlias> {
        Some(match self {
            Self::Seek { .. } => return None,
            Self::Announce { announcement, .. } => announcement.stream.alias(),
            Self::Interest { stream, .. }
            | Self::Subscribers { stream, .. }
            | Self::Map { stream, .. }
            | Self::Pull { stream, .. }
            | Self::Refuse { stream, .. }
            | Self::Start { stream }
            | Self::Manifest { stream, .. }
            | Self::Fragment { stream, .. } => *stream,
            Self::PushRequest(request) => request.stream,
            Self::PushAnswer(answer) => answer.stream,
            Self::PushStop(stop) => stop.stream,
            Self::StartAnswer(answer) => answer.stream,
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Announce { .. } => 1,
            Self::Interest { .. } => 2,
            Self::Subscribers { .. } => 3,
            Self::Map { .. } => 4,
            Self::PushRequest(_) => 5,
            Self::PushAnswer(_) => 6,
            Self::PushStop(_) => 7,
            Self::Pull { .. } => 8,
            Self::Refuse { .. } => 9,
            Self::Start { .. } => 10,
            Self::StartAnswer(_) => 11,
            Self::Manifest { is_repair, .. } => 12 + u8::from(*is_repair),
            Self::Fragment { is_repair, .. } => 14 + u8::from(*is_repair),
            Self::Seek { .. } => 16,
        }
    }
}

impl Wire for Message {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.kind());
        if let Some(stream) = self.stream().filter(|_| !matches!(self, Self::Announce { .. })) {
            stream.encode(writer);
        }
        match self {
            Self::Announce { announcement, age, subscribers } => {
                announcement.encode(writer);
                writer.varint(age.as_secs());
                writer.list(subscribers);
            }
            Self::Interest { is_on, asks_for_others, record, .. } => {
                writer.u8(u8::from(*is_on) | u8::from(*asks_for_others) << 1);
                writer.sized(record);
            }
            Self::Subscribers { subscribers, .. } => writer.list(subscribers),
            Self::Map { map, .. } => map.encode(writer),
            Self::PushRequest(request) => request.encode_body(writer),
            Self::PushAnswer(answer) => answer.encode_body(writer),
            Self::PushStop(stop) => stop.encode_body(writer),
            Self::Pull { wants, .. } => writer.list(wants),
            Self::Refuse { is_busy, runs, .. } => {
                writer.u8(u8::from(*is_busy));
                writer.list(runs);
            }
            Self::Start { .. } => {}
            Self::StartAnswer(answer) => answer.start.encode(writer),
            Self::Manifest { hops, manifest, .. } => {
                writer.u8(*hops);
                manifest.encode(writer);
            }
            Self::Fragment { run, position, payload, .. } => {
                writer.varint(*run);
                writer.u8(*position as u8);
                writer.raw(payload);
            }
            Self::Seek { name, record } => {
                writer.sized(name.as_bytes());
                writer.sized(record);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        if kind == 1 {
            let announcement = Arc::new(Announcement::decode(reader)?);
            let age = Duration::from_secs(reader.varint_up_to(MAX_AGE)?);
            return Ok(Self::Announce { announcement, age, subscribers: reader.list(MAX_RECORDS)? });
        }
        if kind == 16 {
            return Ok(Self::Seek { name: decode_name(reader)?, record: reader.sized(MAX_RECORD)? });
        }
        let stream = StreamAlias::decode(reader)?;
        Ok(match kind {
            2 => {
                let bits = reader.u8()?;
                if bits > 3 {
                    return Err(DecodeError::Unknown);
                }
                let (is_on, asks_for_others) = (bits & 1 != 0, bits & 2 != 0);
                Self::Interest { stream, is_on, asks_for_others, record: reader.sized(MAX_RECORD)? }
            }
            3 => Self::Subscribers { stream, subscribers: reader.list(MAX_RECORDS)? },
            4 => Self::Map { stream, map: Availability::decode(reader)? },
            5 => Self::PushRequest(PushRequest::decode_body(reader, stream)?),
            6 => Self::PushAnswer(PushAnswer::decode_body(reader, stream)?),
            7 => Self::PushStop(PushStop::decode_body(reader, stream)?),
            8 => Self::Pull { stream, wants: reader.list(MAX_WANTS)? },
            9 => {
                let is_busy = decode_bool(reader)?;
                Self::Refuse { stream, is_busy, runs: decode_runs(reader)? }
            }
            10 => Self::Start { stream },
            11 => Self::StartAnswer(StartAnswer { stream, start: Start::decode(reader)? }),
            12 | 13 => {
                let hops = reader.u8()?;
                let manifest = Arc::new(Manifest::decode(reader)?);
                Self::Manifest { stream, is_repair: kind == 13, hops, manifest }
            }
            14 | 15 => decode_fragment(reader, stream, kind == 15)?,
            _ => return Err(DecodeError::Unknown),
        })
    }
}

fn decode_fragment(
    reader: &mut Reader,
    stream: StreamAlias,
    is_repair: bool,
) -> Result<Message, DecodeError> {
    let run = reader.varint_up_to(MAX_NUMBER)?;
    let position = u32::from(reader.u8()?);
    if position as usize >= MAX_RUN {
        return Err(DecodeError::Invalid);
    }
    Ok(Message::Fragment { stream, is_repair, run, position, payload: reader.rest() })
}

fn decode_bool(reader: &mut Reader) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Unknown),
    }
}

fn decode_runs(reader: &mut Reader) -> Result<Vec<u64>, DecodeError> {
    let count = reader.varint_up_to(MAX_WANTS as u64)?;
    (0..count).map(|_| reader.varint_up_to(MAX_NUMBER)).collect()
}

fn decode_slices(reader: &mut Reader) -> Result<BitSet, DecodeError> {
    reader.varint().map(BitSet::from_bits)
}

impl PushRequest {
    fn encode_body(&self, writer: &mut Writer) {
        writer.varint(self.slices.bits());
        writer.varint(self.home.bits());
        writer.varint(self.from_run);
    }

    fn decode_body(reader: &mut Reader, stream: StreamAlias) -> Result<Self, DecodeError> {
        let (slices, home) = (decode_slices(reader)?, decode_slices(reader)?);
        Ok(Self { stream, slices, home, from_run: reader.varint_up_to(MAX_NUMBER)? })
    }
}

impl PushAnswer {
    fn encode_body(&self, writer: &mut Writer) {
        writer.varint(self.accepted.bits());
        writer.raw(&self.hops);
        writer.varint(self.refused.bits());
        writer.varint(self.from_run);
        writer.varint(self.free.bits());
    }

    fn decode_body(reader: &mut Reader, stream: StreamAlias) -> Result<Self, DecodeError> {
        let accepted = decode_slices(reader)?;
        let hops = reader.raw(accepted.len() as usize)?.to_vec();
        let refused = decode_slices(reader)?;
        let from_run = reader.varint_up_to(MAX_NUMBER)?;
        Ok(Self { stream, accepted, hops, refused, from_run, free: decode_slices(reader)? })
    }
}

impl PushStop {
    fn encode_body(&self, writer: &mut Writer) {
        writer.u8(u8::from(self.is_from_parent));
        writer.varint(self.slices.bits());
        writer.varint(self.from_run);
    }

    fn decode_body(reader: &mut Reader, stream: StreamAlias) -> Result<Self, DecodeError> {
        let is_from_parent = decode_bool(reader)?;
        let slices = decode_slices(reader)?;
        Ok(Self { stream, slices, from_run: reader.varint_up_to(MAX_NUMBER)?, is_from_parent })
    }
}

impl Wire for Subscriber {
    fn encode(&self, writer: &mut Writer) {
        self.peer.encode(writer);
        writer.sized(&self.record);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { peer: PeerId::decode(reader)?, record: reader.sized(MAX_RECORD)? })
    }
}

impl Wire for Want {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.run);
        writer.u8(u8::from(self.manifest));
        writer.u32(self.positions.bits() as u32);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let run = reader.varint_up_to(MAX_NUMBER)?;
        let manifest = decode_bool(reader)?;
        Ok(Self { run, manifest, positions: BitSet::from_bits(u64::from(reader.u32()?)) })
    }
}

impl Wire for Start {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Refused => writer.u8(0),
            Self::Offered { from, next } => {
                writer.u8(1);
                writer.varint(*from);
                writer.varint(*next);
            }
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::Refused),
            1 => {
                let from = reader.varint_up_to(MAX_NUMBER)?;
                let next = reader.varint_up_to(MAX_NUMBER)?;
                if from > next { Err(DecodeError::Invalid) } else { Ok(Self::Offered { from, next }) }
            }
            _ => Err(DecodeError::Unknown),
        }
    }
}
