//! The members of the last run, so that a group can be entered with every server dead.

mod file;
mod rank;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stratus_core::PeerId;
use stratus_groupspec::{BootstrapPeer, GroupKeys};
use tokio::time::Instant;

use self::rank::best;

/// Members kept of one group; [`ANCHORS`] of them are those that were linked longest, whatever came later.
const MOST: usize = 48;
/// Members that were good for a long time, kept over restarts: a server or a crowd of newcomers that names only its own
/// friends cannot push them out. Spec RV-15.
const ANCHORS: usize = 16;
/// After how long without a link a member is forgotten.
const FORGET: Duration = Duration::from_secs(7 * 86_400);
/// Addresses kept of one member.
const MOST_ADDRESSES: usize = 8;

/// A member that was linked once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) peer: PeerId,
    /// Where it was met, best first.
    pub(crate) addresses: Vec<SocketAddr>,
    /// When it was last linked, in seconds since 1970.
    pub(crate) seen_at: u64,
    /// Its longest link, in seconds.
    pub(crate) linked_seconds: u64,
}

/// Members of one group: those of the last run and those met in this one, and the file that outlives both.
///
/// What is written names members and where they were met; no key, no name, nothing that opens the group.
#[derive(Debug)]
pub(crate) struct Cache {
    path: PathBuf,
    members: BTreeMap<PeerId, Kept>,
    linked: BTreeMap<PeerId, Instant>,
}

impl Cache {
    /// Reads the cache of a group in `folder`. What cannot be read is as good as nothing.
    pub(crate) fn open(folder: &Path, keys: &GroupKeys) -> Self {
        let path = folder.join(file_name(keys));
        let kept = best(file::read(&path), file::seconds_now());
        Self { path, members: by_peer(kept), linked: BTreeMap::new() }
    }

    /// The members of the last run, those that were linked longest first.
    pub(crate) fn members(&self) -> Vec<BootstrapPeer> {
        let mut kept: Vec<&Kept> = self.members.values().collect();
        kept.sort_by_key(|kept| (std::cmp::Reverse(kept.linked_seconds), kept.peer));
        kept.into_iter()
            .map(|kept| BootstrapPeer { peer: kept.peer, addresses: kept.addresses.clone() })
            .collect()
    }

    /// A link is up.
    pub(crate) fn linked(&mut self, peer: PeerId, now: Instant) {
        self.linked.insert(peer, now);
    }

    /// A link is gone; it was met at `addresses`.
    pub(crate) fn unlinked(&mut self, peer: &PeerId, addresses: Vec<SocketAddr>, now: Instant) {
        self.note(peer, addresses, now);
        self.linked.remove(peer);
    }

    /// Keeps that a linked member is met at `addresses`.
    pub(crate) fn note(&mut self, peer: &PeerId, mut addresses: Vec<SocketAddr>, now: Instant) {
        let Some(since) = self.linked.get(peer) else { return };
        addresses.truncate(MOST_ADDRESSES);
        let linked_seconds = now.saturating_duration_since(*since).as_secs();
        let kept = Kept { peer: *peer, addresses, seen_at: file::seconds_now(), linked_seconds };
        let longest = self.members.get(peer).map_or(0, |before| before.linked_seconds);
        self.members.insert(*peer, Kept { linked_seconds: linked_seconds.max(longest), ..kept });
        if self.members.len() > 2 * MOST {
            self.tidy();
        }
    }

    /// What is to be written, and where. Two members on one machine share the file, so what the other wrote since
    /// is read first, in [`Page::write`].
    pub(crate) fn page(&mut self) -> Page {
        self.tidy();
        Page { path: self.path.clone(), members: self.members.values().cloned().collect() }
    }

    fn tidy(&mut self) {
        let members = std::mem::take(&mut self.members).into_values().collect();
        self.members = by_peer(best(members, file::seconds_now()));
    }
}

/// A cache as it is to be on disk.
#[derive(Debug)]
pub(crate) struct Page {
    path: PathBuf,
    members: Vec<Kept>,
}

impl Page {
    /// Writes the file, with what another process of this group wrote meanwhile. Blocks for a few milliseconds.
    pub(crate) fn write(self) {
        let mut merged = by_peer(file::read(&self.path));
        for kept in self.members {
            let newer = merged.get(&kept.peer).is_none_or(|other| other.seen_at <= kept.seen_at);
            if newer {
                merged.insert(kept.peer, kept);
            }
        }
        let kept = best(merged.into_values().collect(), file::seconds_now());
        if let Err(error) = file::write(&self.path, &kept) {
            tracing::warn!(file = %self.path.display(), %error, "cannot keep the members for the next run");
        }
    }
}

/// A name that tells neither the group's name nor its id, and that only its members can make: a keyed hash.
fn file_name(keys: &GroupKeys) -> String {
    let place = keys.ring.address(&PeerId::from_bytes(*b"the cache of members of a group."));
    let digits: String = place.as_bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("members-{digits}.txt")
}

fn by_peer(members: Vec<Kept>) -> BTreeMap<PeerId, Kept> {
    members.into_iter().map(|kept| (kept.peer, kept)).collect()
}

#[cfg(test)]
mod tests;
