use std::io::Cursor;
use std::time::Instant;

use super::*;
use crate::console::{Console, Verbosity};
use crate::ts::PACKET_SIZE;

const CLIP: &[u8] = include_bytes!("../../assets/testclip.ts");

fn collect(bytes: &'static [u8], format: Format) -> (Vec<Batch>, Option<String>) {
    let mut batches = read(Box::new(Cursor::new(bytes)), format);
    let mut taken = Vec::new();
    while let Some(batch) = batches.blocking_recv() {
        match batch {
            Ok(batch) => taken.push(batch),
            Err(failure) => return (taken, Some(failure.to_string())),
        }
    }
    (taken, None)
}

fn packet_count(batches: &[Batch]) -> usize {
    let count = |batch: &Batch| match batch {
        Batch::Packets(packets) => packets.len(),
        Batch::Bytes(_) | Batch::Anew => 0,
    };
    batches.iter().map(count).sum()
}

#[test]
fn every_packet_of_a_source_is_read() {
    let (batches, failure) = collect(CLIP, Format::Transport);
    assert_eq!((packet_count(&batches), failure), (CLIP.len() / PACKET_SIZE, None));
}

#[test]
fn raw_bytes_pass_whatever_they_are() {
    let (batches, failure) = collect(b"no packets at all", Format::Raw);
    assert!(matches!(&batches[..], [Batch::Bytes(bytes)] if bytes.as_ref() == b"no packets at all"));
    assert_eq!(failure, None);
}

#[test]
fn a_paced_source_takes_as_long_as_its_clock_says_and_stops_at_the_limit() {
    let start = Instant::now();
    let limit = Duration::from_millis(400);
    let (batches, failure) = collect(CLIP, Format::PacedTransport { limit });
    let spent = start.elapsed();
    assert_eq!(failure, None);
    assert!((10..400).contains(&packet_count(&batches)), "{}", packet_count(&batches));
    assert!(batches.len() >= 5, "a batch for each clock, not one for all");
    assert!(spent >= Duration::from_millis(300), "{spent:?}");
}

#[test]
fn input_that_is_not_mpeg_ts_is_refused_with_the_way_out() {
    let text = "just some words\n".repeat(40).leak().as_bytes();
    let (_, failure) = collect(text, Format::Transport);
    assert_eq!(
        failure.as_deref(),
        Some(
            "error: the input is not MPEG-TS\n  \
             tried: no packets in the first 640 bytes; it looks like text\n  \
             hint: convert it (ffmpeg -i INPUT -c copy -f mpegts -), or send it as it is with --raw"
        )
    );
}

#[test]
fn an_empty_input_is_refused() {
    let (_, failure) = collect(b"", Format::Transport);
    assert!(failure.expect("refused").contains("\n  tried: the input is empty\n"));
}

#[test]
fn a_recording_without_a_clock_cannot_be_paced() {
    let mut packets = CLIP[..50 * PACKET_SIZE].to_vec();
    for packet in packets.chunks_mut(PACKET_SIZE) {
        packet[3] &= !0x20;
    }
    let (batches, failure) = collect(packets.leak(), Format::PacedTransport { limit: Duration::MAX });
    assert_eq!(packet_count(&batches), 0);
    assert!(failure.expect("refused").starts_with("error: the recording has no clock to pace it by\n"));
}

fn refusal(place: &str) -> String {
    let place = place.parse().expect("a place");
    match open(&place, Format::Raw, Console::new(Verbosity::Quiet)) {
        Ok(_) => panic!("{place} can be read"),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn a_missing_file_is_named() {
    assert_eq!(
        refusal("/nowhere/clip.ts"),
        "error: cannot open the input: /nowhere/clip.ts\n  \
         tried: no such file or directory (os error 2)\n  \
         hint: check the file's name and that it may be read"
    );
}

#[test]
fn a_folder_or_a_socket_file_is_no_recording() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let text = refusal(&folder.path().display().to_string());
    assert!(text.ends_with("\n  tried: it is a folder\n  hint: name a file in it"), "{text}");
    let path = folder.path().join("cam.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket file");
    let text = refusal(&path.display().to_string());
    assert!(text.ends_with("\n  hint: it is a socket file: write unix: before its name"), "{text}");
}

#[test]
fn an_address_that_is_taken_or_not_ours_is_told_with_the_way_out() {
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let connections = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let udp = format!("udp://{}", datagrams.local_addr().expect("bound"));
    let tcp = format!("tcp://{}", connections.local_addr().expect("bound"));
    for (place, asked) in [(&udp, udp.clone()), (&tcp, format!("{tcp}?listen"))] {
        assert_eq!(
            refusal(&asked),
            format!(
                "error: cannot listen at {place}\n  \
                 tried: another program has that address\n  \
                 hint: end the other program, or choose another port or path"
            )
        );
    }
    for place in ["udp://192.0.2.7:5000", "tcp://192.0.2.7:5000?listen"] {
        let text = refusal(place);
        assert!(text.contains("\n  tried: no interface of this machine has that address\n"), "{text}");
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = refusal(&format!("unix:{}?listen", file.path().display()));
    assert!(text.contains("\n  tried: there is a file of that name, and it is no socket\n"), "{text}");
    assert!(file.path().exists(), "it is not ours to remove");
    let text = refusal("unix:/nowhere/cam.sock?listen");
    assert!(text.contains("\n  tried: there is no such folder\n"), "{text}");
}
