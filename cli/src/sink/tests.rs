use std::path::Path;

use super::*;
use crate::console::{Console, Verbosity};

/// A message without tables.
pub(super) fn unit(parts: &[&'static [u8]]) -> Unit {
    let pieces: Vec<Bytes> = parts.iter().map(|part| Bytes::from_static(part)).collect();
    Unit { whole: pieces.clone(), pieces, is_key: true, is_data: true, is_anew: false }
}

fn open_at(place: &str) -> Result<Sink, Failure> {
    open(&place.parse().expect("a place"), Console::new(Verbosity::Quiet))
}

fn file(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn messages_are_written_in_order_and_the_file_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("out.ts");
    std::fs::write(&path, b"an earlier and longer recording").expect("writable");
    let mut sink = open_at(&file(&path)).expect("writable");
    assert_eq!(std::fs::read(&path).expect("readable"), b"an earlier and longer recording");
    sink.write(unit(&[b"one ", b"two "])).await.expect("writable");
    sink.write(unit(&[b"three"])).await.expect("writable");
    sink.finish().await.expect("written");
    assert_eq!(std::fs::read(&path).expect("readable"), b"one two three");
}

#[tokio::test]
async fn a_full_disk_is_told_with_the_way_out() {
    let mut sink = open_at("/dev/full").expect("it can be opened");
    sink.write(unit(&[b"too much"])).await.expect("taken");
    let Stop::Failed(failure) = sink.failed().await else { panic!("a full disk is a failure") };
    assert_eq!(
        failure.to_string(),
        "error: cannot write to /dev/full\n  \
         tried: no space left on device (os error 28)\n  \
         hint: make room there, or choose another place"
    );
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_told_before_anything_else() {
    let Err(failure) = open_at("/nowhere/out.ts") else { panic!("there is no such folder") };
    assert!(failure.to_string().starts_with("error: cannot open the output: /nowhere/out.ts\n"));
}

#[tokio::test]
async fn a_folder_is_no_output() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let Err(failure) = open_at(&file(folder.path())) else { panic!("a folder cannot be written") };
    let text = failure.to_string();
    assert!(text.ends_with("tried: is a directory (os error 21)\n  hint: name a file in it"), "{text}");
}

#[tokio::test]
async fn a_program_gets_everything_and_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("copy");
    let mut sink = open_at(&format!("exec:cat >{}; sleep 0.3", path.display())).expect("a shell");
    sink.write(unit(&[b"one ", b"two"])).await.expect("taken");
    sink.finish().await.expect("it ended well");
    assert_eq!(std::fs::read(&path).expect("readable"), b"one two");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_before_the_first_message() {
    let Stop::Failed(failure) = open_at("exec:no-such-player -").expect("a shell").failed().await else {
        panic!("there is no such program")
    };
    assert_eq!(
        failure.to_string(),
        "error: the program has failed: no-such-player\n  \
         tried: there is no such command\n  \
         hint: check its spelling and the PATH; a command with spaces needs quotes: \"exec:ffmpeg -i …\""
    );
}

#[tokio::test]
async fn a_program_that_has_seen_enough_ends_us_quietly() {
    let mut sink = open_at("exec:head -c 3 >&2").expect("a shell");
    sink.write(unit(&[b"one"])).await.expect("taken");
    let stop = sink.failed().await;
    assert!(matches!(stop, Stop::ClosedPipe), "{stop:?}");
}

#[tokio::test]
async fn a_program_that_fails_is_told_by_its_status_and_not_by_the_pipe() {
    let mut sink = open_at("exec:read line; exit 7").expect("a shell");
    let stop = loop {
        if let Err(stop) = sink.write(unit(&[b"a line\n"])).await {
            break stop;
        }
    };
    let Stop::Failed(failure) = stop else { panic!("it failed") };
    assert!(failure.to_string().contains("tried: exit status 7\n"), "{failure}");
}

#[tokio::test]
async fn nobody_to_connect_to_is_told_with_the_way_out() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    for place in [format!("tcp://{free}"), "unix:/nowhere/player.sock".to_owned()] {
        let Err(failure) = open_at(&place) else { panic!("nobody listens there") };
        let text = failure.to_string();
        assert!(text.starts_with(&format!("error: cannot connect to {place}\n")), "{text}");
        assert!(text.ends_with("start the other side first, or let it come to us with ?listen"), "{text}");
    }
}

#[tokio::test]
async fn a_reader_who_hangs_up_is_no_failure() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut sink = open_at(&format!("tcp://{}", listener.local_addr().expect("bound"))).expect("it listens");
    drop(listener.accept().expect("it has connected"));
    let stop = loop {
        if let Err(stop) = sink.write(unit(&[&[7; 1_000]])).await {
            break stop;
        }
    };
    assert!(matches!(stop, Stop::ClosedPipe), "{stop:?}");
}
