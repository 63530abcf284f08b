use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::console::Verbosity;

fn players(folder: &tempfile::TempDir) -> (Players, PathBuf) {
    let path = folder.path().join("out.sock");
    let place: Place = format!("unix:{}?listen", path.display()).parse().expect("a place");
    let socket = crate::place::listen(&place).expect("a folder of ours");
    (Players::serve(socket, &place, Console::new(Verbosity::Quiet)), path)
}

fn message(byte: u8, length: usize, is_key: bool) -> Unit {
    let pieces = vec![Bytes::from(vec![byte; length])];
    Unit { whole: pieces.clone(), pieces, is_key, is_data: false, is_anew: false }
}

/// Connects, and waits until it is let in.
fn connect(players: &Players, path: &PathBuf) -> UnixStream {
    let count = || players.players.lock().expect("no panic").len();
    let (before, stream) = (count(), UnixStream::connect(path).expect("it listens"));
    while count() == before {
        std::thread::sleep(Duration::from_millis(5));
    }
    stream
}

fn read(mut stream: UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("it is written to");
    bytes
}

#[test]
fn each_player_begins_with_a_key_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut players, path) = players(&folder);
    let first = connect(&players, &path);
    for unit in [message(1, 188, true), message(2, 188, false)] {
        players.send(&unit).expect("players do not fail");
    }
    let second = connect(&players, &path);
    for unit in [message(3, 188, false), message(4, 188, true)] {
        players.send(&unit).expect("players do not fail");
    }
    players.finish().expect("players do not fail");
    assert_eq!(read(first), [[1; 188], [2; 188], [3; 188], [4; 188]].concat());
    assert_eq!(read(second), [4; 188]);
}

#[test]
fn a_player_that_leaves_or_stalls_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut players, path) = players(&folder);
    drop(connect(&players, &path));
    let stalled = connect(&players, &path);
    let mut good = connect(&players, &path);
    let taken = Arc::new(AtomicUsize::new(0));
    let reader = std::thread::spawn({
        let taken = Arc::clone(&taken);
        move || {
            let mut buffer = [0; 10_000];
            while let Ok(count @ 1..) = good.read(&mut buffer) {
                taken.fetch_add(count, Ordering::Relaxed);
            }
        }
    });
    for index in 0..400 {
        players.send(&message(7, 10_000, index % 10 == 0)).expect("players do not fail");
        // A good player is never more than its queue behind, however busy the machine is.
        while taken.load(Ordering::Relaxed) + 32 * 10_000 < index * 10_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(players.players.lock().expect("no panic").len() <= 2, "who has left is forgotten");
    players.finish().expect("a stalled player is given up");
    reader.join().expect("it reads");
    assert_eq!(taken.load(Ordering::Relaxed), 400 * 10_000);
    drop(stalled);
}

#[test]
fn one_player_too_many_is_hung_up_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (players, path) = players(&folder);
    let streams: Vec<_> = (0..PLAYER_LIMIT).map(|_| connect(&players, &path)).collect();
    let surplus = UnixStream::connect(&path).expect("the system lets it in");
    assert_eq!(read(surplus), b"");
    assert_eq!(players.players.lock().expect("no panic").len(), streams.len());
}
