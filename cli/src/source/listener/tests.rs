use std::io::Write as _;
use std::os::unix::net::UnixStream;

use super::*;
use crate::console::Verbosity;

fn listener(folder: &tempfile::TempDir) -> (Listener, std::path::PathBuf) {
    let path = folder.path().join("cam.sock");
    let place: Place = format!("unix:{}?listen", path.display()).parse().expect("a place");
    let socket = crate::place::listen(&place).expect("a folder of ours");
    (Listener::new(socket, &place, Console::new(Verbosity::Quiet)), path)
}

/// Reads until it has so many bytes or something else happened.
fn take(listener: &mut Listener, bytes: usize) -> (Vec<u8>, bool) {
    let (mut taken, mut buffer, mut is_anew) = (Vec::new(), [0; 64], false);
    while taken.len() < bytes {
        match listener.next(&mut buffer).expect("a listener does not fail") {
            Got::Bytes(count) => taken.extend_from_slice(&buffer[..count]),
            Got::Anew => is_anew = true,
            Got::End => panic!("a listener has no end"),
        }
    }
    (taken, is_anew)
}

#[test]
fn the_next_encoder_continues_and_says_that_it_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut listener, path) = listener(&folder);
    let mut first = UnixStream::connect(&path).expect("it listens");
    first.write_all(b"one").expect("it reads");
    assert_eq!(take(&mut listener, 3), (b"one".to_vec(), false));
    drop(first);
    UnixStream::connect(&path).expect("it listens").write_all(b"other").expect("it reads");
    assert_eq!(take(&mut listener, 5), (b"other".to_vec(), true));
}

#[test]
fn an_encoder_that_died_without_a_word_does_not_keep_the_next_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut listener, path) = listener(&folder);
    let mut dead = UnixStream::connect(&path).expect("it listens");
    dead.write_all(b"one").expect("it reads");
    assert_eq!(take(&mut listener, 3), (b"one".to_vec(), false));
    let mut next = UnixStream::connect(&path).expect("it waits in line");
    next.write_all(b"next").expect("it is kept");
    assert_eq!(take(&mut listener, 4), (b"next".to_vec(), true));
}

#[test]
fn who_sends_something_else_is_turned_away_and_the_next_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let (listener, path) = listener(&folder);
    let mut batches = crate::source::read(Box::new(listener), crate::source::Format::Transport);
    let scanner = std::thread::spawn({
        let path = path.clone();
        // It is hung up on in the middle.
        move || UnixStream::connect(path).expect("it listens").write_all(&[b'x'; 1 << 20])
    });
    assert!(scanner.join().expect("it ends").is_err());
    let clip = include_bytes!("../../../assets/testclip.ts");
    UnixStream::connect(&path).expect("it listens").write_all(&clip[..188 * 20]).expect("it reads");
    let mut packets = 0;
    while packets < 20 {
        if let crate::source::Batch::Packets(more) = batches.blocking_recv().expect("on").expect("no failure")
        {
            packets += more.len();
        }
    }
    assert_eq!(packets, 20);
}
