use std::collections::BTreeSet;
use std::net::SocketAddr;

use stratus_core::{Bucket, GroupId, PeerId, Time};

/// One client's connection, as the registry sees it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Whose key was proved when it opened.
    pub(super) peer: PeerId,
    /// From where it is seen to come.
    pub(super) observed: SocketAddr,
    /// What registrations on it are signed over.
    pub(super) exporter: [u8; 32],
    /// Where it is registered.
    pub(super) groups: BTreeSet<GroupId>,
    /// When it is closed unless it registers; set exactly while `groups` is empty.
    pub(super) idle_at: Option<Time>,
    pub(super) frames: Bucket,
    pub(super) registrations: Bucket,
    /// Refusals of the kind that polite clients never see.
    pub(super) strikes: u32,
}

impl Connection {
    pub(super) fn new(peer: PeerId, observed: SocketAddr, exporter: [u8; 32]) -> Self {
        Self {
            peer,
            observed,
            exporter,
            groups: BTreeSet::new(),
            idle_at: None,
            frames: Bucket::default(),
            registrations: Bucket::default(),
            strikes: 0,
        }
    }
}
