//! Streams that come from and go to addresses and programs, as ffmpeg and players use them.

mod common;

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Stage, signal, spawn, until, until_written, wait};

/// Whether ffmpeg is there; if not, a reason is printed, and CI fails.
fn has_ffmpeg() -> bool {
    let is_there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    if !is_there {
        use std::io::Write as _;
        assert!(std::env::var_os("CI").is_none(), "CI must have ffmpeg");
        let _ = writeln!(std::io::stderr(), "skipped: ffmpeg is not installed");
    }
    is_there
}

/// ffmpeg with these words after its usual ones.
fn ffmpeg(words: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args("-v error -nostdin -y".split(' ').chain(words.split(' ')));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// So many seconds of H.264 and AAC by the clock, a key picture each second, to this place.
fn encoder(seconds: u32, to: &str) -> Command {
    let picture = "-re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine";
    let coded = "-c:v libx264 -preset ultrafast -g 25 -b:v 500k -pix_fmt yuv420p -c:a aac -f mpegts";
    ffmpeg(&format!("{picture} -t {seconds} {coded} {to}"))
}

fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port()
}

fn free_tcp_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port()
}

/// Frames that ffprobe decodes; what is broken it complains about.
fn decoded_frames(path: &Path) -> (u64, String) {
    let words = "-v error -select_streams v -count_frames -show_entries stream=nb_read_frames -of csv=p=0";
    let output = Command::new("ffprobe").args(words.split(' ')).arg(path).output().expect("ffmpeg's sister");
    let text = String::from_utf8_lossy(&output.stdout);
    let count = text.trim().trim_end_matches(',').lines().next().and_then(|line| line.parse().ok());
    (count.unwrap_or(0), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Starts a viewer that writes to `place`.
fn play_to(stage: &Stage, place: &str) -> Child {
    spawn(&["play", &stage.viewer, "cam", place, "--listen", "127.0.0.1:0"])
}

/// Ends a publisher of a live input, which knows no end of its own.
fn end(publisher: Child) -> String {
    signal(&publisher, "INT");
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "{}", publisher.stderr);
    publisher.stderr
}

#[test]
fn an_encoder_sends_datagrams_and_a_player_gets_datagrams() {
    if !has_ffmpeg() {
        return;
    }
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (from, to) = (free_udp_port(), free_udp_port());
    let recording = folder.path().join("received.ts");
    let copy = format!("-i udp://127.0.0.1:{to}?timeout=4000000 -c copy -f mpegts {}", recording.display());
    let mut player = ffmpeg(&copy);
    let player = player.spawn().expect("ffmpeg");
    let kept = folder.path().join("kept.ts");
    let viewers = [play_to(&stage, &format!("udp://127.0.0.1:{to}")), stage.play(&kept)];
    let publisher = stage.publish(&format!("udp://@127.0.0.1:{from}"), &[]);
    let mut encoder = encoder(4, &format!("udp://127.0.0.1:{from}?pkt_size=1316"));
    assert!(encoder.status().expect("ffmpeg").success());
    let said = end(publisher);
    assert!(!said.contains("missing"), "nothing is lost on the way to it: {said}");
    for viewer in viewers {
        let viewer = wait(viewer);
        assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
        assert!(viewer.stderr.contains("nothing missing"), "{}", viewer.stderr);
    }
    let player = wait(player);
    let (kept, kept_errors) = decoded_frames(&kept);
    let (received, errors) = decoded_frames(&recording);
    assert!(kept >= 60 && kept_errors.is_empty(), "{kept} frames {kept_errors}");
    assert!(received + 25 >= kept && errors.is_empty(), "{received} of {kept} frames {errors} {player:?}");
}

#[test]
fn datagrams_in_rtp_and_to_a_multicast_address_are_read_as_well() {
    if !has_ffmpeg() {
        return;
    }
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (kept, port) = (folder.path().join("kept.ts"), free_udp_port());
    let viewer = stage.play(&kept);
    let publisher = stage.publish(&format!("udp://@239.255.7.3:{port}?interface=127.0.0.1"), &[]);
    let to = format!("rtp://239.255.7.3:{port}?localaddr=127.0.0.1");
    let mut encoder = encoder(3, &to);
    // The same container, in RTP.
    let words: Vec<_> =
        encoder.get_args().map(|word| word.to_string_lossy().replace("mpegts", "rtp_mpegts")).collect();
    encoder = Command::new("ffmpeg");
    assert!(
        encoder.args(words).stdin(Stdio::null()).stdout(Stdio::null()).status().expect("ffmpeg").success()
    );
    end(publisher);
    assert_eq!(wait(viewer).code, Some(0));
    let (frames, errors) = decoded_frames(&kept);
    assert!(frames >= 40 && errors.is_empty(), "{frames} frames {errors}");
}

#[test]
fn what_was_lost_on_the_way_to_the_publisher_is_counted() {
    let (stage, port) = (Stage::new(), free_udp_port());
    let publisher = stage.publish(&format!("udp://127.0.0.1:{port}"), &["-v"]);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    std::thread::sleep(Duration::from_secs(1));
    let datagrams = common::CLIP[..188 * 7 * 200].chunks(188 * 7).enumerate();
    for (_, datagram) in datagrams.filter(|(index, _)| index % 50 != 7) {
        socket.send_to(datagram, ("127.0.0.1", port)).expect("sent");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(500));
    let said = end(publisher);
    assert!(
        said.contains("packets of the input are missing; they were lost before they came here\n"),
        "{said}"
    );
    let count = said.split(", ").find_map(|part| part.trim().strip_suffix(" packets missing in the input"));
    let count: u64 = count.unwrap_or_else(|| panic!("{said}")).parse().expect("a number");
    // Four datagrams of seven packets; those without payload count for nothing.
    assert!((20..=28).contains(&count), "{said}");
}

#[test]
fn a_second_encoder_continues_the_publication_of_the_first() {
    if !has_ffmpeg() {
        return;
    }
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let (kept, port) = (folder.path().join("kept.ts"), free_tcp_port());
    let viewer = stage.play(&kept);
    let publisher = stage.publish(&format!("tcp://127.0.0.1:{port}?listen"), &[]);
    until("somebody listening", || TcpListener::bind(("127.0.0.1", port)).is_err());
    for _ in 0..2 {
        let mut encoder = encoder(2, &format!("tcp://127.0.0.1:{port}"));
        let output = encoder.output().expect("ffmpeg");
        assert!(output.status.success(), "{output:?}");
    }
    std::thread::sleep(Duration::from_millis(500));
    let said = end(publisher);
    assert_eq!(said.matches("an encoder has come to tcp://").count(), 2, "{said}");
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
    assert!(viewer.stderr.contains("nothing missing"), "{}", viewer.stderr);
    assert!(!viewer.stderr.contains("began anew"), "it is one stream: {}", viewer.stderr);
    assert!(decoded_frames(&kept).0 >= 90, "both encoders' pictures are there: {:?}", decoded_frames(&kept));
}

#[test]
fn socket_files_and_programs_carry_a_stream_through_unharmed() {
    if !has_ffmpeg() {
        return;
    }
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let [source, copied, socket, kept] =
        ["source.ts", "copied.ts", "out.sock", "kept.ts"].map(|name| folder.path().join(name));
    let mut encoder = encoder(3, &source.display().to_string());
    assert!(encoder.status().expect("ffmpeg").success());
    let to_program = play_to(&stage, &format!("exec:cat >{}", copied.display()));
    let to_players = play_to(&stage, &format!("unix:{}?listen", socket.display()));
    until("the socket file", || socket.exists());
    let mut player = ffmpeg(&format!("-i unix:{} -c copy -f mpegts {}", socket.display(), kept.display()));
    let player = player.spawn().expect("ffmpeg");
    // A pause before the first byte, so that the viewers are there.
    let publisher = stage.publish(
        &format!("exec:sleep 1; exec ffmpeg -v error -re -i {} -c copy -f mpegts -", source.display()),
        &[],
    );
    let publisher = wait(publisher);
    assert_eq!(publisher.code, Some(0), "it ends with its program: {}", publisher.stderr);
    for viewer in [to_program, to_players] {
        let viewer = wait(viewer);
        assert_eq!(viewer.code, Some(0), "{}", viewer.stderr);
        assert!(viewer.stderr.contains("nothing missing"), "{}", viewer.stderr);
    }
    assert!(!socket.exists(), "the socket file went with its owner");
    let player = wait(player);
    assert_eq!(player.code, Some(0), "{}", player.stderr);
    for path in [&copied, &kept] {
        let (frames, errors) = decoded_frames(path);
        assert!(frames >= 70 && errors.is_empty(), "{}: {frames} frames {errors}", path.display());
    }
}

#[test]
fn a_program_that_fails_ends_the_publication_with_its_status() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let viewer = stage.play(&folder.path().join("kept"));
    let publisher = wait(stage.publish("exec:echo some lines; sleep 1; exit 3", &["--raw"]));
    assert_eq!(publisher.code, Some(1), "{}", publisher.stderr);
    assert!(
        publisher.stderr.ends_with(
            "error: the program has failed: echo\n  tried: exit status 3\n  hint: see what it said above\n"
        ),
        "{}",
        publisher.stderr
    );
    let viewer = wait(viewer);
    assert_eq!(viewer.code, Some(0), "the end was announced: {}", viewer.stderr);
    assert_eq!(std::fs::read(folder.path().join("kept")).expect("written"), b"some lines\n");
}

#[test]
fn a_program_is_ended_when_we_are() {
    let (stage, folder) = (Stage::new(), tempfile::tempdir().expect("a folder"));
    let mark = folder.path().join("alive");
    // Whatever the shell started goes as well.
    let command = format!("exec:(while sleep 0.1; do date >>{}; echo tick; done) | cat", mark.display());
    let publisher = stage.publish(&command, &["--raw"]);
    until_written(&mark, 60);
    signal(&publisher, "TERM");
    let publisher = wait(publisher);
    assert!(matches!(publisher.code, Some(0 | 143)), "{}", publisher.stderr);
    let length = mark.metadata().expect("written").len();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(mark.metadata().expect("written").len(), length, "nobody writes any more");
}
