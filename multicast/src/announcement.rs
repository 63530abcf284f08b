use std::time::Duration;

use stratus_core::{
    DecodeError, GroupId, Identity, PeerId, PublicKey, Reader, Signature, Verify, Wire, Writer,
};

use crate::message::MAX_NUMBER;
use crate::{Config, Reliability, SampleAccess, StreamId};

const GRANT_DOMAIN: &[u8] = b"stratus 1 grant";
const ANNOUNCEMENT_DOMAIN: &[u8] = b"stratus 1 announcement";

/// Longest stream name, bytes.
pub(crate) const MAX_NAME: usize = 128;

/// A publisher's choices that travel with its stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// Slices that runs are dealt into, 1 to 64.
    pub slices: u32,
    /// See [`Config::window_duration`]; to the millisecond.
    pub window_duration: Duration,
    /// See [`Config::fetch_period`]; to the millisecond.
    pub fetch_period: Duration,
    /// See [`Config::availability_update_period`]; to the millisecond.
    pub availability_update_period: Duration,
    /// See [`Config::availability_send_to_all`].
    pub availability_send_to_all: bool,
    /// The stream's payload rate in bytes a second as the publisher expects it, 0 if it cannot say. Peers
    /// with a limited upload plan with it until they have measured.
    pub expected_rate: u64,
    /// `audioReliable`, `videoReliable`, `dataReliable`. Default: all reliable.
    pub reliability: Reliability,
    /// `audioSampleAccess`, `videoSampleAccess`. Default: both allowed.
    pub sample_access: SampleAccess,
}

impl From<&Config> for Parameters {
    fn from(config: &Config) -> Self {
        Self {
            slices: config.slices,
            window_duration: config.window_duration,
            fetch_period: config.fetch_period,
            availability_update_period: config.availability_update_period,
            availability_send_to_all: config.availability_send_to_all,
            expected_rate: 0,
            reliability: Reliability::default(),
            sample_access: SampleAccess::default(),
        }
    }
}

impl Parameters {
    /// For a stream of so many payload bytes a second. One below [`Config::SLOW_RATE`], such as sound, has one slice
    /// and maps three times rarer: its runs are few, and what is said about them should not weigh more than they do.
    pub fn for_rate(config: &Config, rate: u64) -> Self {
        let usual = Self { expected_rate: rate, ..Self::from(config) };
        if !(1..Config::SLOW_RATE).contains(&rate) {
            return usual;
        }
        Self { slices: 1, availability_update_period: config.availability_update_period * 3, ..usual }
    }
}

/// Where a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// How many runs it had: the last is one less.
    pub runs: u64,
    /// How many fragments it had.
    pub fragments: u64,
}

/// Tells every member that a stream exists, what it is like, and by whose right (spec MC-3).
///
/// | bytes | field |
/// |---|---|
/// | 32 | stream key |
/// | 32 | publisher's peer id |
/// | varint + n | name, UTF-8, at most 128 |
/// | varint | when it began: ms since 1970 by the publisher's clock; the later one has the name |
/// | varint × 5 | slices, window ms, fetch ms, availability ms, expected rate |
/// | 1 | bits: 0 maps go to all, 1 no audio samples for applications, 2 no video samples |
/// | varint × 3 | ms for which audio, video, data are repaired; 0: the window |
/// | varint | sequence: the higher one replaces |
/// | 1, then varint × 2 | 1 and where it ended: runs, fragments; or 0 |
/// | 1, then 64 | 1 and the grant: the group's publish key over domain, group id, stream key, name; or 0 |
/// | 64 | the stream key over domain, group id and all above |
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// The stream.
    pub stream: StreamId,
    /// Who publishes it.
    pub publisher: PeerId,
    /// Its name, unique only together with the key.
    pub name: String,
    /// When it began, ms since 1970 by its publisher's clock: of two streams of one name the later one has it.
    pub began: u64,
    /// The publisher's choices.
    pub parameters: Parameters,
    /// Higher ones replace lower ones.
    pub sequence: u64,
    /// Where it ended, once it has.
    pub end: Option<End>,
    /// By whose right, where the group asks for one.
    pub grant: Option<Signature>,
    signature: Signature,
}

impl Announcement {
    /// Every signature in it: the grant, if there is one, and the stream key's.
    pub fn signatures(&self) -> impl Iterator<Item = Signature> {
        self.grant.into_iter().chain([self.signature])
    }

    /// The grant that `authorization` gives to `stream` under `name`.
    pub(crate) fn grant(
        group: &GroupId,
        stream: &StreamId,
        name: &str,
        authorization: &Identity,
    ) -> Signature {
        authorization.sign(&grant_message(group, stream, name))
    }

    /// Signs itself with the stream's key.
    pub(crate) fn signed(mut self, group: &GroupId, key: &Identity) -> Self {
        self.signature = key.sign(&self.message(group));
        self
    }

    /// An announcement before it is signed.
    pub(crate) fn unsigned(
        stream: StreamId,
        publisher: PeerId,
        name: String,
        began: u64,
        parameters: Parameters,
        grant: Option<Signature>,
    ) -> Self {
        Self {
            stream,
            publisher,
            name,
            began,
            parameters,
            sequence: 0,
            end: None,
            grant,
            signature: Signature([0; 64]),
        }
    }

    /// Whether the stream's key signed it and, where the group has a publish key, that key granted it.
    ///
    /// Every member asks this before it believes or forwards (spec MC-4). Cost: up to two signature checks.
    pub fn is_authentic(&self, verify: &dyn Verify, group: &GroupId, authority: Option<&PublicKey>) -> bool {
        let granted = match (authority, &self.grant) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(key), Some(grant)) => {
                verify.signature(key, &grant_message(group, &self.stream, &self.name), grant)
            }
        };
        granted && verify.signature(&self.stream.0, &self.message(group), &self.signature)
    }

    /// Which of several streams of one name is meant: the highest, the one that began last (spec MC-17).
    pub(crate) fn rank(&self) -> (u64, StreamId) {
        (self.began, self.stream)
    }

    fn message(&self, group: &GroupId) -> Vec<u8> {
        let mut writer = Writer::with_capacity(256);
        writer.raw(ANNOUNCEMENT_DOMAIN);
        group.encode(&mut writer);
        self.encode_body(&mut writer);
        writer.finish().into()
    }

    fn encode_body(&self, writer: &mut Writer) {
        self.stream.encode(writer);
        self.publisher.encode(writer);
        writer.sized(self.name.as_bytes());
        writer.varint(self.began);
        self.parameters.encode(writer);
        writer.varint(self.sequence);
        match &self.end {
            None => writer.u8(0),
            Some(end) => {
                writer.u8(1);
                writer.varint(end.runs);
                writer.varint(end.fragments);
            }
        }
        match &self.grant {
            None => writer.u8(0),
            Some(grant) => {
                writer.u8(1);
                grant.encode(writer);
            }
        }
    }
}

pub(crate) fn decode_name(reader: &mut Reader) -> Result<String, DecodeError> {
    let name = reader.sized(MAX_NAME)?;
    std::str::from_utf8(&name).map(str::to_owned).map_err(|_| DecodeError::Invalid)
}

fn grant_message(group: &GroupId, stream: &StreamId, name: &str) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    writer.raw(GRANT_DOMAIN);
    group.encode(&mut writer);
    stream.encode(&mut writer);
    writer.sized(name.as_bytes());
    writer.finish().into()
}

impl Wire for Announcement {
    fn encode(&self, writer: &mut Writer) {
        self.encode_body(writer);
        self.signature.encode(writer);
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let stream = StreamId::decode(reader)?;
        let publisher = PeerId::decode(reader)?;
        let name = decode_name(reader)?;
        let began = reader.varint_up_to(MAX_NUMBER)?;
        let parameters = Parameters::decode(reader)?;
        let sequence = reader.varint()?;
        let end = match reader.u8()? {
            0 => None,
            1 => Some(End {
                runs: reader.varint_up_to(MAX_NUMBER)?,
                fragments: reader.varint_up_to(MAX_NUMBER)?,
            }),
            _ => return Err(DecodeError::Unknown),
        };
        let grant = match reader.u8()? {
            0 => None,
            1 => Some(Signature::decode(reader)?),
            _ => return Err(DecodeError::Unknown),
        };
        let signature = Signature::decode(reader)?;
        Ok(Self { stream, publisher, name, began, parameters, sequence, end, grant, signature })
    }
}
