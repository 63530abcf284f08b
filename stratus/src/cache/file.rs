//! The file: a line for each member.
//!
//! ```text
//! stratus members 1
//! PEER SEEN_AT LINKED_SECONDS ADDRESS[,ADDRESS…]
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use stratus_core::PeerId;

use super::{Kept, MOST, MOST_ADDRESSES};

const FIRST_LINE: &str = "stratus members 1";
/// Far more than a full file has.
const MOST_BYTES: u64 = 64 << 10;

/// Seconds since 1970.
pub(super) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The members in a file; none if there is none or it is not ours. Lines that make no sense are left out.
pub(super) fn read(path: &Path) -> Vec<Kept> {
    let mut text = String::new();
    let opened = File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
    match opened {
        Ok(_) => members(&text),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %path.display(), %error, "cannot read the members of the last run");
            }
            Vec::new()
        }
    }
}

/// The members in a file's text, at most as many as are kept.
pub(super) fn members(text: &str) -> Vec<Kept> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Vec::new();
    }
    lines.filter_map(member).take(2 * MOST).collect()
}

fn member(line: &str) -> Option<Kept> {
    let mut fields = line.split(' ');
    let peer = PeerId::from_hex(fields.next()?)?;
    let seen_at = fields.next()?.parse().ok()?;
    let linked_seconds = fields.next()?.parse().ok()?;
    let addresses = fields.next()?.split(',').map(|address| address.parse().ok());
    let addresses: Vec<SocketAddr> = addresses.take(MOST_ADDRESSES).collect::<Option<_>>()?;
    fields.next().is_none().then_some(Kept { peer, addresses, seen_at, linked_seconds })
}

/// The text of a file with these members.
pub(super) fn text(members: &[Kept]) -> String {
    let mut text = format!("{FIRST_LINE}\n");
    for Kept { peer, addresses, seen_at, linked_seconds } in members {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        text += &format!("{peer} {seen_at} {linked_seconds} {}\n", addresses.join(","));
    }
    text
}

/// Puts the file there as a whole or not at all, readable by its owner alone: it says with whom one was.
pub(super) fn write(path: &Path, members: &[Kept]) -> io::Result<()> {
    let folder = path.parent().expect("the cache's file lies in a folder");
    private_folder(folder)?;
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = private_file(&beside)?;
    file.write_all(text(members).as_bytes())?;
    drop(file);
    fs::rename(&beside, path)
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}
