//! The newest program tables, and which PID's units are the messages.

use mpeg2ts::es::StreamType;
use mpeg2ts::ts::payload::{Pat, Pmt};
use mpeg2ts::ts::{ReadTsPacket, TsPacket, TsPacketReader, TsPayload};

use super::packet::{PACKET_SIZE, PAT_PID, Packet};

/// PIDs below this carry tables only (PAT, CAT, SDT, EIT …).
const FIRST_FREE_PID: u16 = 0x20;
/// A table section has at most 1,024 bytes: six packets.
const TABLE_PACKET_LIMIT: usize = 6;
/// Programs looked at. Broadcast multiplexes have up to about 20; what a person publishes has one.
const PROGRAM_LIMIT: usize = 16;

/// The PID whose units are the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitPid {
    /// The PID.
    pub(crate) pid: u16,
    /// Whether it is video; without video, audio decides.
    pub(crate) is_video: bool,
}

/// Newest PAT and PMTs, as they came.
#[derive(Default)]
pub(crate) struct Tables {
    association: Option<Packet>,
    programs: Vec<Program>,
    /// What the PES headers suggest, for a PMT that cannot be read.
    guessed: Option<UnitPid>,
}

/// One program's map: its packets as they came, and what was read from them.
struct Program {
    pid: u16,
    packets: Vec<Packet>,
    unit: Option<UnitPid>,
}

impl Tables {
    /// Looks at the next packet of the source. Cost: a few comparisons, unless a table has changed.
    pub(crate) fn observe(&mut self, packet: &Packet) {
        if packet.pid() == PAT_PID {
            self.observe_association(packet);
        } else if let Some(index) = self.programs.iter().position(|program| program.pid == packet.pid()) {
            self.observe_map(index, packet);
        } else if packet.starts_unit() && self.unit().is_none_or(|unit| !unit.is_video) {
            self.guess(packet);
        }
    }

    /// Whether the packet belongs to a table.
    pub(crate) fn is_table(&self, packet: &Packet) -> bool {
        packet.pid() < FIRST_FREE_PID || self.is_map(packet)
    }

    /// The PID whose units are the messages, once it is known.
    pub(crate) fn unit(&self) -> Option<UnitPid> {
        let known = || self.programs.iter().filter_map(|program| program.unit);
        known().find(|unit| unit.is_video).or_else(|| known().next()).or_else(|| self.guess_when_unread())
    }

    /// PAT, then each PMT: what a decoder needs before anything else. Empty until a PAT and a PMT were seen.
    ///
    /// Programs whose PMT never comes (a filtered multiplex under its old PAT) are not waited for.
    pub(crate) fn newest(&self) -> Vec<Packet> {
        let maps = self.programs.iter().flat_map(|program| &program.packets);
        match &self.association {
            Some(association) if self.has_map() => {
                std::iter::once(association).chain(maps).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether `run` has the start of a PAT and of every PMT seen so far.
    pub(crate) fn are_in(&self, run: &[Packet]) -> bool {
        let has = |pid: u16| run.iter().any(|packet| packet.pid() == pid && packet.starts_unit());
        let mut seen = self.programs.iter().filter(|program| !program.packets.is_empty());
        has(PAT_PID) && self.has_map() && seen.all(|program| has(program.pid))
    }

    fn is_map(&self, packet: &Packet) -> bool {
        self.programs.iter().any(|program| program.pid == packet.pid())
    }

    fn has_map(&self) -> bool {
        self.programs.iter().any(|program| !program.packets.is_empty())
    }

    /// A guess counts only if a map was seen and none could be read.
    fn guess_when_unread(&self) -> Option<UnitPid> {
        self.guessed.filter(|_| self.has_map())
    }

    /// The first audio found stays until the first video is found.
    fn guess(&mut self, packet: &Packet) {
        let found = guess_unit(packet);
        if self.guessed.is_none() || found.is_some_and(|unit| unit.is_video) {
            self.guessed = found;
        }
    }

    fn observe_association(&mut self, packet: &Packet) {
        if self.association.as_ref().is_some_and(|kept| kept.repeats(packet)) {
            self.association = Some(packet.clone());
            return;
        }
        let Some(pids) = read_association(packet) else { return };
        self.programs.retain(|program| pids.contains(&program.pid));
        for pid in pids {
            if !self.programs.iter().any(|program| program.pid == pid) {
                self.programs.push(Program { pid, packets: Vec::new(), unit: None });
            }
        }
        self.association = Some(packet.clone());
    }

    fn observe_map(&mut self, index: usize, packet: &Packet) {
        let program = &mut self.programs[index];
        if !packet.starts_unit() {
            if !program.packets.is_empty() && program.packets.len() < TABLE_PACKET_LIMIT {
                program.packets.push(packet.clone());
            }
            return;
        }
        let is_known = program.packets.first().is_some_and(|kept| kept.repeats(packet));
        program.packets = vec![packet.clone()];
        let Some(association) = self.association.as_ref().filter(|_| !is_known) else { return };
        program.unit = read_map(association, packet).as_ref().and_then(unit_of);
    }
}

/// PIDs of the program maps.
fn read_association(packet: &Packet) -> Option<Vec<u16>> {
    let TsPayload::Pat(Pat { table, .. }) = read_last(&[packet])? else { return None };
    // Program 0 names the network information table.
    let maps = table.iter().filter(|program| program.program_num != 0);
    Some(maps.map(|program| program.program_map_pid.as_u16()).take(PROGRAM_LIMIT).collect())
}

fn read_map(association: &Packet, packet: &Packet) -> Option<Pmt> {
    match read_last(&[association, packet])? {
        TsPayload::Pmt(map) => Some(map),
        _ => None,
    }
}

/// Has the library read a few packets and hands out the last one's payload.
///
/// The library takes an unknown PID for an error, is then inside a packet, and its error prints a back-trace
/// with build paths. So each reading starts anew, gets whole packets only, and errors are dropped unseen.
fn read_last(packets: &[&Packet]) -> Option<TsPayload> {
    let bytes: Vec<u8> = packets.iter().flat_map(|packet| packet.as_bytes()).copied().collect();
    let mut reader = TsPacketReader::new(bytes.as_slice());
    let mut last: Option<TsPacket> = None;
    for _ in 0..bytes.len() / PACKET_SIZE {
        last = reader.read_ts_packet().ok()?;
    }
    last?.payload
}

/// The first video stream of a map, or the first audio stream, or the first of any kind.
fn unit_of(map: &Pmt) -> Option<UnitPid> {
    let first = |wanted: fn(StreamType) -> bool| map.es_info.iter().find(|info| wanted(info.stream_type));
    let video = first(is_video);
    let info = video.or_else(|| first(is_audio)).or_else(|| first(|_| true))?;
    Some(UnitPid { pid: info.elementary_pid.as_u16(), is_video: video.is_some() })
}

fn is_video(kind: StreamType) -> bool {
    use StreamType::{
        ChineseVideoStandard, H264, H265, MicrosoftWindowsMediaVideo9, Mpeg1Video, Mpeg2Video,
        Mpeg4H263BasedVideo, UltraHdVideo,
    };
    matches!(
        kind,
        Mpeg1Video
            | Mpeg2Video
            | Mpeg4H263BasedVideo
            | H264
            | H265
            | ChineseVideoStandard
            | UltraHdVideo
            | MicrosoftWindowsMediaVideo9
    )
}

fn is_audio(kind: StreamType) -> bool {
    use StreamType::{
        AdtsAac, DolbyDigitalPlusUpTo16ChannelAudio, DolbyDigitalUpToSixChannelAudio, Mpeg1Audio,
        Mpeg2HalvedSampleRateAudio, Mpeg4LoasMultiFormatFramedAudio,
    };
    matches!(
        kind,
        Mpeg1Audio
            | Mpeg2HalvedSampleRateAudio
            | AdtsAac
            | Mpeg4LoasMultiFormatFramedAudio
            | DolbyDigitalUpToSixChannelAudio
            | DolbyDigitalPlusUpTo16ChannelAudio
    )
}

/// What a PES header's stream id says: 0xe0–0xef video, 0xc0–0xdf and 0xbd (private) audio.
fn guess_unit(packet: &Packet) -> Option<UnitPid> {
    match packet.payload() {
        [0, 0, 1, 0xe0..=0xef, ..] => Some(UnitPid { pid: packet.pid(), is_video: true }),
        [0, 0, 1, 0xc0..=0xdf | 0xbd, ..] => Some(UnitPid { pid: packet.pid(), is_video: false }),
        _ => None,
    }
}
