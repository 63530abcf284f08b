use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use stratus_core::PeerId;
use stratus_node::Node;
use stratus_transport::Link;
use tokio::time::Instant;

use crate::cache::Cache;

/// After the first link; whoever dies sooner has met nobody worth keeping.
const FIRST: Duration = Duration::from_secs(3);
/// Between writes: a member that is killed loses at most this.
const PERIOD: Duration = Duration::from_secs(60);

/// Keeps the neighbors for the next run, where that is wanted.
#[derive(Debug)]
pub(super) struct Keeping {
    cache: Option<Cache>,
    save_at: Option<Instant>,
}

impl Keeping {
    pub(super) fn new(cache: Option<Cache>) -> Self {
        Self { cache, save_at: None }
    }

    pub(super) fn linked(&mut self, peer: PeerId) {
        let Some(cache) = &mut self.cache else { return };
        let now = Instant::now();
        cache.linked(peer, now);
        self.save_at.get_or_insert(now + FIRST);
    }

    pub(super) fn unlinked(&mut self, peer: &PeerId, link: &Link, node: &Node) {
        if let Some(cache) = &mut self.cache {
            cache.unlinked(peer, met_at(peer, link, node), Instant::now());
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.save_at
    }

    pub(super) fn is_due(&self) -> bool {
        self.save_at.is_some_and(|at| at <= Instant::now())
    }

    /// Writes the file beside the group's task.
    pub(super) fn save(&mut self, links: &BTreeMap<PeerId, Link>, node: &Node) {
        self.save_at = Some(Instant::now() + PERIOD);
        if let Some(page) = self.page(links, node) {
            // Nothing waits for it; a write that the end of the process cuts off leaves the file before.
            drop(tokio::task::spawn_blocking(|| page.write()));
        }
    }

    /// Writes the file before it returns: there is no later.
    pub(super) fn save_now(&mut self, links: &BTreeMap<PeerId, Link>, node: &Node) {
        if self.save_at.is_some()
            && let Some(page) = self.page(links, node)
        {
            page.write();
        }
    }

    fn page(&mut self, links: &BTreeMap<PeerId, Link>, node: &Node) -> Option<crate::cache::Page> {
        let cache = self.cache.as_mut()?;
        for (peer, link) in links {
            cache.note(peer, met_at(peer, link, node), Instant::now());
        }
        Some(cache.page())
    }
}

/// Where a neighbor is met: first where it is met now.
fn met_at(peer: &PeerId, link: &Link, node: &Node) -> Vec<SocketAddr> {
    let here = link.remote_address();
    let known = node.overlay().candidates(peer).into_iter().filter(|address| *address != here);
    std::iter::once(here).chain(known).collect()
}
