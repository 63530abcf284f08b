use std::net::SocketAddr;
use std::time::Duration;

use stratus_core::{Bucket, GroupAddress, PeerId, Time};

use crate::changes::Departure;
use crate::heard::tenths;
use crate::places::Place;

/// A link to a neighbor.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) peer: PeerId,
    pub(crate) address: GroupAddress,
    pub(crate) place: Place,
    pub(crate) since: Time,
    /// Why it is being ended, if it is; nothing is said over it any more.
    pub(crate) closing: Option<Departure>,
    /// Until when the owner's wish keeps it.
    pub(crate) added_until: Option<Time>,
    /// When it last said anything.
    pub(crate) heard_at: Time,
    pub(crate) probe: Option<Probe>,
    /// The last measured round trip.
    pub(crate) rtt: Option<Duration>,
    /// When we asked the neighbor to end it.
    pub(crate) asked_to_leave_at: Option<Time>,
    /// When the neighbor asked us to end it, in vain.
    pub(crate) refused_to_leave_at: Option<Time>,
    /// From where we see it come, as the host says.
    pub(crate) observed: Option<SocketAddr>,
    /// From where it sees us come, as it says.
    pub(crate) sees_us_at: Option<SocketAddr>,
    /// How many members the group has, as it says; 0: it did not.
    pub(crate) members: u32,
    /// What was news until then, in tenths of a second, it was offered.
    pub(crate) offered_until: u32,
    /// When it was last offered all that it may want, in tenths of a second.
    pub(crate) offered_all_at: u32,
    pub(crate) pings: Bucket,
    pub(crate) records: Bucket,
    pub(crate) requests: Bucket,
    pub(crate) introductions: Bucket,
    /// All that it says.
    pub(crate) messages: Bucket,
    /// All that it said over one of these.
    pub(crate) excess: Bucket,
}

/// A ping that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) nonce: u32,
    pub(crate) sent_at: Time,
    /// How many were sent in a row.
    pub(crate) attempts: u32,
    /// Whether something else came since: it is alive, and only the round trip is still of interest.
    pub(crate) is_answered: bool,
}

impl Link {
    /// Whether it is being ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(crate) fn new(peer: PeerId, address: GroupAddress, now: Time) -> Self {
        Self {
            peer,
            address,
            place: address.prefix(),
            since: now,
            closing: None,
            added_until: None,
            heard_at: now,
            probe: None,
            rtt: None,
            asked_to_leave_at: None,
            refused_to_leave_at: None,
            observed: None,
            sees_us_at: None,
            members: 0,
            offered_until: tenths(now).saturating_sub(100),
            offered_all_at: tenths(now),
            pings: Bucket::default(),
            records: Bucket::default(),
            requests: Bucket::default(),
            introductions: Bucket::default(),
            messages: Bucket::default(),
            excess: Bucket::default(),
        }
    }
}
