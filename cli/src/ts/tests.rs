use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::packet::{CLOCK_HZ, NULL_PID, PAT_PID};
use super::*;

const CLIP: &[u8] = include_bytes!("../../assets/testclip.ts");
const FRAGMENT_SIZE: usize = FRAGMENT_PACKETS * PACKET_SIZE;

/// One message as a viewer gets it.
struct Message {
    is_key: bool,
    pieces: Vec<Bytes>,
}

fn packets(bytes: &[u8]) -> Vec<Packet> {
    let mut reader = PacketReader::default();
    reader.push(bytes);
    let mut packets: Vec<Packet> = std::iter::from_fn(|| reader.next()).collect();
    packets.extend(std::iter::from_fn(|| reader.next_at_end()));
    packets
}

/// Chunks a whole source without pauses and checks the shape of every piece.
fn chunk(source: &[Packet]) -> Vec<Message> {
    let mut chunker = Chunker::default();
    let mut pieces = Vec::new();
    for packet in source {
        chunker.push(packet, Instant::now(), &mut pieces);
    }
    chunker.finish(&mut pieces);
    messages(&pieces)
}

fn messages(pieces: &[Piece]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut is_open = false;
    for piece in pieces {
        assert_eq!(piece.starts, !is_open, "a message begins where the one before it ended");
        assert!(!piece.payload.is_empty() && piece.payload.len() <= FRAGMENT_SIZE);
        assert_eq!(piece.payload.len() % PACKET_SIZE, 0, "whole packets only");
        assert!(piece.ends || piece.payload.len() == FRAGMENT_SIZE, "only the last fragment is short");
        if piece.starts {
            messages.push(Message { is_key: piece.is_key, pieces: Vec::new() });
        }
        let message = messages.last_mut().expect("pushed when it started");
        assert_eq!(message.is_key, piece.is_key);
        message.pieces.push(piece.payload.clone());
        is_open = !piece.ends;
    }
    assert!(!is_open, "the last message was ended");
    messages
}

fn join(messages: &[Message]) -> Vec<u8> {
    let mut joiner = Joiner::default();
    let written = messages.iter().flat_map(|message| joiner.take(message.is_key, message.pieces.clone()));
    written.flatten().collect()
}

fn without_nulls(source: &[Packet]) -> Vec<u8> {
    let kept = source.iter().filter(|packet| packet.pid() != NULL_PID);
    kept.flat_map(|packet| *packet.as_bytes()).collect()
}

/// Whether `output` is some tables, then the source from some place to its end.
fn is_tables_then_source(output: &[u8], source: &[u8]) -> bool {
    let output_packets = packets(output);
    let table_count = output_packets.iter().take_while(|packet| is_table(packet.pid())).count();
    (0..=table_count).any(|count| source.ends_with(&output[count * PACKET_SIZE..]))
        && output_packets.iter().all(|packet| packet.pid() != NULL_PID)
}

/// ffmpeg and the hand-made streams have their map at the same PID.
fn is_table(pid: u16) -> bool {
    pid < 0x20 || pid == MAP
}

/// The property that the whole container part is for, at every message that can be entered.
fn assert_every_suffix_is_the_source(source: &[Packet]) -> usize {
    let plain = without_nulls(source);
    let messages = chunk(source);
    let keys: Vec<usize> = (0..messages.len()).filter(|index| messages[*index].is_key).collect();
    for index in &keys {
        let output = join(&messages[*index..]);
        assert!(is_tables_then_source(&output, &plain), "from message {index}");
        let first: Vec<Packet> = packets(&output[..output.len().min(FRAGMENT_SIZE)]);
        assert!(first.iter().any(|packet| packet.pid() == PAT_PID), "message {index} begins with a PAT");
    }
    keys.len()
}

// ── the committed clip ──────────────────────────────────────────────────────────────────────────

#[test]
fn the_clip_from_any_key_message_on_is_tables_and_the_source() {
    assert_eq!(assert_every_suffix_is_the_source(&packets(CLIP)), 30);
}

#[test]
fn the_clip_has_one_message_per_picture_and_comes_out_whole() {
    let source = packets(CLIP);
    let messages = chunk(&source);
    assert_eq!(messages.len(), 750);
    assert_eq!(join(&messages), CLIP, "the clip begins with its tables and has no null packets");
}

#[test]
fn a_viewer_who_comes_between_two_key_messages_waits_for_the_second() {
    let messages = chunk(&packets(CLIP));
    assert_eq!(join(&messages[7..]), join(&messages[25..]));
}

#[test]
fn a_restarted_joiner_waits_for_a_key_message_again() {
    let messages = chunk(&packets(CLIP));
    let mut joiner = Joiner::default();
    assert!(!joiner.take(messages[0].is_key, messages[0].pieces.clone()).is_empty());
    joiner.restart();
    assert!(joiner.take(messages[1].is_key, messages[1].pieces.clone()).is_empty());
    assert!(!joiner.take(messages[25].is_key, messages[25].pieces.clone()).is_empty());
}

#[test]
fn the_clip_lasts_thirty_seconds_by_its_clock() {
    let mut pacer = Pacer::default();
    let last = packets(CLIP).iter().map(|packet| pacer.due(packet)).max().expect("a clip");
    assert!(pacer.has_clock());
    assert!((29_000..=30_100).contains(&last.as_millis()), "{last:?}");
}

// ── pauses ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_pause_ends_the_open_message_and_loses_nothing() {
    let source = packets(CLIP);
    let mut chunker = Chunker::default();
    let mut pieces = Vec::new();
    for (index, packet) in source.iter().enumerate() {
        chunker.push(packet, Instant::now(), &mut pieces);
        if index % 3 == 0 {
            chunker.settle(&mut pieces);
            assert_eq!(chunker.settle_after(), None, "nothing is left to wait for");
        }
    }
    chunker.finish(&mut pieces);
    let messages = messages(&pieces);
    assert_eq!(messages.iter().filter(|message| message.is_key).count(), 30);
    assert_eq!(join(&messages), CLIP);
}

#[test]
fn a_complete_unit_settles_sooner_than_one_that_stopped_in_the_middle() {
    let source = packets(CLIP);
    let mut chunker = Chunker::default();
    let waits: Vec<Duration> = source[..200]
        .iter()
        .filter_map(|packet| {
            chunker.push(packet, Instant::now(), &mut Vec::new());
            chunker.settle_after()
        })
        .collect();
    let (short, long) = (Duration::from_millis(3), Duration::from_millis(30));
    assert!(waits.iter().all(|wait| *wait == short || *wait == long));
    assert!(waits.contains(&short) && waits.contains(&long));
}

// ── hand-made streams ───────────────────────────────────────────────────────────────────────────

const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
const MAP: u16 = 0x1000;

/// A packet with `flags` in its adaptation field (0: no field), recognisable by `mark`.
fn made(pid: u16, starts: bool, flags: u8, mark: u32) -> Packet {
    let mut bytes = [0xee; PACKET_SIZE];
    let [high, low] = pid.to_be_bytes();
    bytes[..4].copy_from_slice(&[0x47, high | u8::from(starts) << 6, low, 0x10]);
    if flags != 0 {
        bytes[3] = 0x30;
        bytes[4..6].copy_from_slice(&[1, flags]);
    }
    bytes[20..24].copy_from_slice(&mark.to_be_bytes());
    Packet::from_slice(&bytes).expect("begins with 0x47")
}

fn clock_packet(clock: u64) -> Packet {
    let mut bytes = *made(VIDEO, false, 0x10, 0).as_bytes();
    let (base, extension) = (clock / 300, clock % 300);
    bytes[4] = 7;
    bytes[6..10].copy_from_slice(&u32::try_from(base >> 1).expect("33 bits").to_be_bytes());
    bytes[10] = u8::try_from(base & 1).expect("one bit") << 7 | u8::from(extension > 255);
    bytes[11] = (extension & 0xff) as u8;
    Packet::from_slice(&bytes).expect("begins with 0x47")
}

/// PAT and PMT with the given elementary streams.
fn tables(streams: &[(mpeg2ts::es::StreamType, u16)]) -> Vec<Packet> {
    use mpeg2ts::ts::payload::{Pat, Pmt};
    use mpeg2ts::ts::*;
    let pid = |pid: u16| Pid::new(pid).expect("13 bits");
    let header = |number: u16| TsHeader {
        transport_error_indicator: false,
        transport_priority: false,
        pid: pid(number),
        transport_scrambling_control: TransportScramblingControl::NotScrambled,
        continuity_counter: ContinuityCounter::new(),
    };
    let program = ProgramAssociation { program_num: 1, program_map_pid: pid(MAP) };
    let pat = Pat { transport_stream_id: 1, version_number: VersionNumber::new(), table: vec![program] };
    let es_info = streams
        .iter()
        .map(|(stream_type, number)| EsInfo {
            stream_type: *stream_type,
            elementary_pid: pid(*number),
            descriptors: Vec::new(),
        })
        .collect();
    let pmt = Pmt {
        program_num: 1,
        pcr_pid: Some(pid(streams[0].1)),
        version_number: VersionNumber::new(),
        program_info: Vec::new(),
        es_info,
    };
    let payloads = [(0, TsPayload::Pat(pat)), (MAP, TsPayload::Pmt(pmt))];
    let mut writer = TsPacketWriter::new(Vec::new());
    for (number, payload) in payloads {
        let packet = TsPacket { header: header(number), adaptation_field: None, payload: Some(payload) };
        writer.write_ts_packet(&packet).expect("a Vec takes everything");
    }
    packets(&writer.into_stream())
}

fn video_tables() -> Vec<Packet> {
    tables(&[(mpeg2ts::es::StreamType::H264, VIDEO), (mpeg2ts::es::StreamType::AdtsAac, AUDIO)])
}

#[test]
fn tables_missing_at_a_key_unit_are_inserted_once_for_each_viewer() {
    let mut source = video_tables();
    for mark in 0..40 {
        source.push(made(VIDEO, mark % 4 == 0, if mark % 20 == 0 { 0x40 } else { 0 }, mark));
    }
    let messages = chunk(&source);
    let keys: Vec<usize> = (0..messages.len()).filter(|index| messages[*index].is_key).collect();
    assert_eq!((messages.len(), keys), (10, vec![0, 5]));
    let plain = without_nulls(&source);
    assert_eq!(join(&messages), plain, "the first viewer sees nothing inserted");
    let second = [&plain[..2 * PACKET_SIZE], &plain[22 * PACKET_SIZE..]].concat();
    assert_eq!(join(&messages[5..]), second, "the second sees PAT and PMT, then the source");
}

#[test]
fn audio_packets_stay_in_their_place_inside_the_message() {
    let mut source = video_tables();
    source.push(made(VIDEO, true, 0x40, 1));
    source.push(made(AUDIO, true, 0x40, 2));
    source.push(made(VIDEO, false, 0, 3));
    source.push(made(AUDIO, false, 0, 4));
    source.push(made(VIDEO, true, 0, 5));
    let messages = chunk(&source);
    assert_eq!(messages.iter().map(|message| message.is_key).collect::<Vec<_>>(), [true, false]);
    assert_eq!(join(&messages), without_nulls(&source));
}

#[test]
fn tables_inside_a_unit_stay_in_that_message() {
    let mut source = video_tables();
    source.push(made(VIDEO, true, 0x40, 1));
    source.extend(video_tables());
    source.push(made(VIDEO, false, 0, 2));
    source.push(made(VIDEO, true, 0, 3));
    let sizes: Vec<usize> = chunk(&source).iter().map(|message| message.pieces.concat().len()).collect();
    assert_eq!(sizes, [6 * PACKET_SIZE, PACKET_SIZE]);
}

#[test]
fn null_packets_are_dropped_even_between_tables_and_their_unit() {
    let mut source = video_tables();
    source.push(Packet::null(&[]));
    source.push(made(VIDEO, true, 0x40, 1));
    source.push(Packet::null(&[]));
    let messages = chunk(&source);
    assert_eq!(join(&messages), without_nulls(&source));
    assert_eq!(messages[0].pieces.concat().len(), 3 * PACKET_SIZE, "tables were not inserted again");
}

#[test]
fn a_source_joined_in_the_middle_begins_at_its_first_key_unit() {
    let mut source = vec![made(VIDEO, false, 0, 1), made(VIDEO, true, 0x40, 2), made(AUDIO, true, 0x40, 3)];
    source.extend(video_tables());
    source.push(made(VIDEO, true, 0, 4));
    source.push(made(VIDEO, true, 0x40, 5));
    let messages = chunk(&source);
    assert_eq!(messages.len(), 1);
    assert!(join(&messages).ends_with(source.last().expect("not empty").as_bytes()));
}

#[test]
fn without_video_the_audio_decides_and_not_every_unit_repeats_the_tables() {
    let mut source = tables(&[(mpeg2ts::es::StreamType::AdtsAac, AUDIO)]);
    source.extend((0..20).map(|mark| made(AUDIO, true, 0x40, mark)));
    let messages = chunk(&source);
    let keys: Vec<usize> = (0..messages.len()).filter(|index| messages[*index].is_key).collect();
    assert_eq!((messages.len(), keys), (20, vec![0, 4, 8, 12, 16]));
    assert_every_suffix_is_the_source(&source);
}

#[test]
fn a_source_that_never_marks_key_pictures_is_entered_behind_its_tables() {
    let mut source = Vec::new();
    for mark in 0..200 {
        if mark % 10 == 0 {
            source.extend(video_tables());
        }
        source.push(made(VIDEO, true, 0, mark));
    }
    let messages = chunk(&source);
    assert!(messages[0].is_key);
    assert_eq!(messages.len(), 200 - 150);
}

#[test]
fn a_map_that_cannot_be_read_leaves_the_choice_to_the_pes_headers() {
    let mut source = video_tables();
    let mut broken = *source[1].as_bytes();
    broken[12] ^= 0xff;
    source[1] = Packet::from_slice(&broken).expect("begins with 0x47");
    let mut unit = *made(VIDEO, true, 0x40, 1).as_bytes();
    unit[6..10].copy_from_slice(&[0, 0, 1, 0xe0]);
    source.push(Packet::from_slice(&unit).expect("begins with 0x47"));
    source.push(made(VIDEO, true, 0, 2));
    assert_eq!(chunk(&source).len(), 2);
}

#[test]
fn a_message_without_an_end_is_cut_before_it_grows_too_large() {
    let mut source = video_tables();
    source.push(made(VIDEO, true, 0x40, 0));
    source.extend((0..20_000).map(|mark| made(AUDIO, false, 0, mark)));
    let messages = chunk(&source);
    assert!(messages.iter().all(|message| message.pieces.concat().len() < 4 << 20));
    assert_eq!(join(&messages), without_nulls(&source));
}

// ── finding packets ─────────────────────────────────────────────────────────────────────────────

#[test]
fn packets_are_found_whatever_the_size_of_the_reads() {
    for read_size in [1, 187, 188, 189, 5_000] {
        let mut reader = PacketReader::default();
        let mut found = Vec::new();
        for bytes in CLIP[..100 * PACKET_SIZE].chunks(read_size) {
            reader.push(bytes);
            found.extend(std::iter::from_fn(|| reader.next()));
        }
        assert_eq!(found.len(), 100, "reads of {read_size}");
    }
}

#[test]
fn the_beat_is_found_again_after_missing_and_foreign_bytes() {
    let mut bytes = CLIP[100..50 * PACKET_SIZE].to_vec();
    bytes.splice(20 * PACKET_SIZE..20 * PACKET_SIZE, [0x47, 1, 2, 3, 0x47, 5]);
    let found = packets(&bytes);
    let source = packets(&CLIP[..50 * PACKET_SIZE]);
    assert!(found.iter().all(|packet| source.contains(packet) || packet.as_bytes().contains(&3)));
    assert!(found.len() >= 47, "{}", found.len());
    assert_eq!(found.last(), source.last());
}

#[test]
fn what_is_not_a_transport_stream_is_named() {
    let mut m2ts = Vec::new();
    for packet in CLIP[..50 * PACKET_SIZE].chunks(PACKET_SIZE) {
        m2ts.extend([0, 1, 2, 3]);
        m2ts.extend(packet);
    }
    let text = b"GGG a text with many G, such as GGGG ".repeat(60);
    let cases: [(&[u8], Option<&str>); 5] = [
        (b"\0\0\0\x20ftypisom", Some("MP4")),
        (&[0x1a, 0x45, 0xdf, 0xa3, 1], Some("Matroska or WebM")),
        (&text, Some("text")),
        (&m2ts, Some("M2TS (192-byte packets)")),
        (&[0xfe; 300], None),
    ];
    for (bytes, guess) in cases {
        let mut reader = PacketReader::default();
        reader.push(bytes);
        assert!(reader.next().is_none() && reader.next_at_end().is_none());
        assert_eq!(
            reader.refusal(true),
            Some(NotTransportStream { searched_bytes: bytes.len() as u64, guess })
        );
    }
}

#[test]
fn the_search_for_a_first_packet_ends_after_64_kib() {
    let mut reader = PacketReader::default();
    reader.push(&[0xfe; 60_000]);
    assert!(reader.next().is_none());
    assert_eq!(reader.refusal(false), None);
    reader.push(&[0xfe; 6_000]);
    assert!(reader.next().is_none());
    let refusal = reader.refusal(false).expect("66,000 bytes without a packet");
    assert_eq!(refusal.to_string(), "no packets (0x47 every 188 bytes) in the first 66000 bytes");
}

// ── pacing ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn pacing_survives_the_wrap_of_the_clock_and_bounds_a_jump() {
    const SECOND: u64 = CLOCK_HZ;
    let wrap = (1 << 33) * 300;
    let clocks = [wrap - SECOND / 10, SECOND / 10, SECOND / 2, 500 * SECOND, 500 * SECOND + SECOND / 4, 7];
    let mut pacer = Pacer::default();
    let due: Vec<u128> = clocks.iter().map(|clock| pacer.due(&clock_packet(*clock)).as_millis()).collect();
    assert_eq!(due, [0, 200, 600, 600, 850, 850]);
}

#[test]
fn packets_without_a_clock_are_due_with_the_clock_before_them() {
    let mut pacer = Pacer::default();
    let source =
        [clock_packet(0), made(AUDIO, true, 0, 1), clock_packet(CLOCK_HZ / 25), made(VIDEO, true, 0, 2)];
    let due: Vec<u128> = source.iter().map(|packet| pacer.due(packet).as_millis()).collect();
    assert_eq!(due, [0, 0, 40, 40]);
}

#[test]
fn the_clock_of_another_pid_is_not_mixed_in_until_it_is_the_only_one() {
    let mut pacer = Pacer::default();
    let foreign = |clock: u64| {
        let mut bytes = *clock_packet(clock).as_bytes();
        bytes[2] = 0x77;
        Packet::from_slice(&bytes).expect("begins with 0x47")
    };
    let mut source = vec![clock_packet(0), foreign(CLOCK_HZ / 2), clock_packet(CLOCK_HZ / 25)];
    source.extend((0..75).map(|step| foreign(CLOCK_HZ * 9 + step * CLOCK_HZ / 10)));
    let due: Vec<u128> = source.iter().map(|packet| pacer.due(packet).as_millis()).collect();
    assert_eq!(due[..3], [0, 0, 40]);
    assert_eq!((due[3 + 50], due[3 + 74]), (40, 40 + 2_400));
}

// ── what ffmpeg makes ───────────────────────────────────────────────────────────────────────────

/// Makes a short source with ffmpeg. `None` (with a printed reason) when there is no ffmpeg, unless CI is set.
fn encode(arguments: &[&str], folder: &Path) -> Option<Vec<Packet>> {
    let path = folder.join("source.ts");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440", "-t", "4"])
        .args(arguments)
        .args(["-f", "mpegts"])
        .arg(&path)
        .status();
    match status {
        Ok(status) => assert!(status.success(), "ffmpeg {arguments:?}"),
        Err(_) if std::env::var_os("CI").is_none() => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "skipped: ffmpeg is not installed");
            return None;
        }
        Err(error) => panic!("CI must have ffmpeg: {error}"),
    }
    Some(packets(&std::fs::read(path).expect("ffmpeg has written it")))
}

#[test]
fn every_shape_that_ffmpeg_makes_comes_out_as_tables_and_source() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let with = |more: &[&'static str]| [&h264[..], more].concat();
    let shapes: [(Vec<&str>, usize); 6] = [
        (with(&[]), 4),
        (with(&["-muxrate", "2M"]), 4),
        (with(&["-muxrate", "3M", "-pat_period", "2"]), 4),
        (with(&["-x264-params", "intra-refresh=1"]), 1),
        (vec!["-c:v", "mpeg2video", "-g", "10", "-c:a", "mp2"], 10),
        (vec!["-vn", "-c:a", "aac"], 3),
    ];
    for (arguments, least_key_count) in shapes {
        let Some(source) = encode(&arguments, folder.path()) else { return };
        let key_count = assert_every_suffix_is_the_source(&source);
        assert!(key_count >= least_key_count, "{arguments:?}: {key_count} key messages");
    }
}
