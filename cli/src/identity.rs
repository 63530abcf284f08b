//! A member's key in a file, so that it is the same member in its next life.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use stratus::Identity;

use crate::group::random_bytes;
use crate::stop::{Code, Failure, lower_first};

/// Bytes of a key.
const SEED_BYTES: usize = 32;
/// Nothing longer than this is read; a key file has 64 digits and a line end.
const MOST_BYTES: u64 = 256;
/// What others may do with a file.
const OTHERS: u32 = 0o077;

/// Reads the key in this file; if there is no such file, makes it with a fresh key.
pub(crate) fn load(path: &Path) -> Result<Identity, Failure> {
    match read(path) {
        Err(Trouble::System(error)) if error.kind() == io::ErrorKind::NotFound => make(path),
        read => read,
    }
    .map(Identity::from_seed)
    .map_err(|trouble| of_trouble(path, &trouble))
}

/// What can be wrong with the file.
enum Trouble {
    System(io::Error),
    Open { mode: u32 },
    NoKey,
    NoChance(Failure),
}

fn read(path: &Path) -> Result<[u8; SEED_BYTES], Trouble> {
    let file = OpenOptions::new().read(true).open(path).map_err(Trouble::System)?;
    let metadata = file.metadata().map_err(Trouble::System)?;
    if !metadata.is_file() {
        return Err(Trouble::NoKey);
    }
    let mode = metadata.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(Trouble::Open { mode: mode & 0o777 });
    }
    let mut text = String::new();
    match file.take(MOST_BYTES).read_to_string(&mut text) {
        Ok(_) => parse(text.trim()).ok_or(Trouble::NoKey),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Trouble::NoKey),
        Err(error) => Err(Trouble::System(error)),
    }
}

fn make(path: &Path) -> Result<[u8; SEED_BYTES], Trouble> {
    let seed = random_bytes().map_err(Trouble::NoChance)?;
    // Never over another file: two processes that begin at once end with one key.
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match opened.and_then(|mut file| writeln!(file, "{}", hex(&seed)).and_then(|()| file.sync_all())) {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(Trouble::System(error)),
    }
}

fn hex(seed: &[u8; SEED_BYTES]) -> String {
    seed.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &str) -> Option<[u8; SEED_BYTES]> {
    if text.len() != 2 * SEED_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut seed = [0; SEED_BYTES];
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(seed)
}

fn of_trouble(path: &Path, trouble: &Trouble) -> Failure {
    let path = path.display();
    match trouble {
        Trouble::System(error) => Failure::new(Code::Usage, format!("cannot use the identity file: {path}"))
            .tried(lower_first(&error.to_string()))
            .hint("name a file in a folder of your own; it is made if it is missing"),
        Trouble::Open { mode } => {
            Failure::new(Code::Refused, format!("others can use the identity file: {path}"))
                .tried(format!("its permissions are {mode:03o}"))
                .hint(format!(
                    "chmod 600 {path}; if others may have read it, remove it, and a new key is made"
                ))
        }
        Trouble::NoKey => Failure::new(Code::Usage, format!("the identity file holds no key: {path}"))
            .tried("64 hex digits were looked for")
            .hint("name another file; one that does not exist is made"),
        Trouble::NoChance(failure) => {
            Failure::new(Code::Failed, "cannot make a key").tried(failure.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder for temporary files")
    }

    fn refusal(path: &Path) -> String {
        load(path).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_key_is_made_once_and_nobody_else_may_read_it() {
        let folder = folder();
        let path = folder.path().join("identity.key");
        let made = load(&path).expect("made").peer();
        assert_eq!(load(&path).expect("read").peer(), made);
        assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_ne!(load(&folder.path().join("other.key")).expect("made").peer(), made);
    }

    #[test]
    fn a_file_that_others_can_use_is_refused_with_the_way_out() {
        let folder = folder();
        let path = folder.path().join("identity.key");
        load(&path).expect("made");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("ours");
        let text = refusal(&path);
        assert!(text.contains("\n  tried: its permissions are 640\n  hint: chmod 600 "), "{text}");
        assert!(!text.contains(std::fs::read_to_string(&path).expect("ours").trim()), "the key is not shown");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = folder();
        let path = folder.path().join("identity.key");
        let private = |bytes: &[u8]| {
            let _ = std::fs::remove_file(&path);
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(bytes)).expect("ours");
        };
        for bytes in [&b""[..], b"hello", &[b'g'; 64], &[b'a'; 63], &[b'a'; 65], &[0xff; 64], &[b'a'; 5_000]]
        {
            private(bytes);
            assert!(refusal(&path).starts_with("error: the identity file holds no key: "));
        }
        assert!(refusal(Path::new("/nowhere/key")).contains("no such file or directory"));
        assert!(refusal(folder.path()).starts_with("error: the identity file holds no key: "), "a folder");
        private(&[b'a'; 64]);
        load(&path).expect("without a line end as well");
    }
}
