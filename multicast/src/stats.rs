use std::ops::AddAssign;

/// Bytes and fragments that went one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Path {
    /// Payload bytes.
    pub bytes: u64,
    /// Fragments.
    pub fragments: u64,
}

impl Path {
    pub(crate) fn count(&mut self, payload: usize) {
        self.bytes += payload as u64;
        self.fragments += 1;
    }
}

impl AddAssign for Path {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.fragments += other.fragments;
    }
}

/// `NetStreamMulticastInfo`: totals since the stream began, by path. Rates are the host's to compute.
///
/// Server and IP multicast paths join when those sources exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MulticastInfo {
    /// `bytesPushedToPeers`, `fragmentsPushedToPeers`.
    pub pushed_to_peers: Path,
    /// `bytesPushedFromPeers`, `fragmentsPushedFromPeers`.
    pub pushed_from_peers: Path,
    /// `bytesRequestedByPeers`, `fragmentsRequestedByPeers`: what we sent because it was pulled.
    pub requested_by_peers: Path,
    /// `bytesRequestedFromPeers`, `fragmentsRequestedFromPeers`: what came because we pulled it.
    pub requested_from_peers: Path,
    /// What came although it was held already. Included in the two totals above.
    pub duplicates: Path,
    /// Bytes of manifests sent, without the payload inside them.
    pub manifests_sent_bytes: u64,
    /// Bytes of manifests received, without the payload inside them.
    pub manifests_received_bytes: u64,
    /// Bytes of maps, requests, answers and announcements sent (`sendControlBytesPerSecond` is its rate).
    pub control_sent_bytes: u64,
    /// The same, received.
    pub control_received_bytes: u64,
    /// Requests for runs that we sent.
    pub pulls_sent: u64,
    /// Refusals that we sent.
    pub refusals_sent: u64,
    /// Runs asked of us that were ignored, since that neighbor had been given enough.
    pub pulls_ignored: u64,
    /// Slices that moved to another parent because the old one fell silent, starved us or left.
    pub reparented: u64,
    /// Slices that moved to a quicker parent.
    pub quickened: u64,
    /// Whole messages delivered.
    pub messages_delivered: u64,
    /// Messages given up because the window closed on a fragment of theirs, as far as their beginnings were seen: at
    /// least one for each gap.
    pub messages_expired: u64,
    /// Fragments passed over because the window closed on them.
    pub fragments_given_up: u64,
    /// Fragments or manifests that failed verification; each cost its sender the link.
    pub forged: u64,
}

impl MulticastInfo {
    /// Payload bytes received by any path, duplicates included.
    pub fn received_bytes(&self) -> u64 {
        self.pushed_from_peers.bytes + self.requested_from_peers.bytes
    }

    /// Payload bytes sent by any path.
    pub fn sent_bytes(&self) -> u64 {
        self.pushed_to_peers.bytes + self.requested_by_peers.bytes
    }
}
