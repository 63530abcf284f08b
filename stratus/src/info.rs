mod flash;

use std::time::Duration;

use stratus_core::{GroupAddress, GroupId, Histogram, PeerId, RingArc};
use stratus_multicast::{StreamId, StreamInfo};
use stratus_overlay::{Neighbor, routing};
use stratus_posting::PostingInfo;
use stratus_transport::{Buffers, Drops, EndpointCounters, HandshakeCounters};

pub(crate) use flash::Rates;
pub use flash::{NetGroupInfo, NetStreamMulticastInfo};

/// How a group looks from here, at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupInfo {
    /// The group.
    pub group: GroupId,
    /// Who we are.
    pub peer: PeerId,
    /// Our place on the group's ring.
    pub address: GroupAddress,
    /// The stretch of the ring that we answer for.
    pub coverage: RingArc,
    /// How many members the group has, ourselves included, as far as can be told from here.
    pub estimated_member_count: u64,
    /// Everybody we have a link with.
    pub neighbors: Vec<Neighbor>,
    /// The streams that we know, with the counters of `NetStreamMulticastInfo`.
    pub streams: Vec<(StreamId, StreamInfo)>,
    /// How long it took from entering the group to the first neighbor; `None` while there was none.
    pub joined_after: Option<Duration>,
    /// The round trip of each link when it came up.
    pub round_trips: Histogram,
    /// For each stream that is played, how much later than the quickest of the last minutes each message came. What all
    /// of them need is not in it: the clocks of publisher and viewer are not compared.
    pub delays: Vec<(String, Histogram)>,
    /// `NetStreamMulticastInfo` of each of these streams.
    pub multicast: Vec<(StreamId, NetStreamMulticastInfo)>,
    /// What was counted about posts; nothing where the group has none.
    pub posting: PostingInfo,
    /// What was counted about directed routing and kept values; `None` where the group has none.
    pub routing: Option<routing::Stats>,
    /// `NetGroupInfo`.
    pub services: NetGroupInfo,
    /// Counters of object replication; `None` where the group has none.
    pub objects: Option<stratus_replication::Stats>,
    /// Of the nearest known members on each side of the ring, how many there is a link with that they keep as well, and
    /// how many they are.
    pub ring_agreement: (usize, usize),
    /// What the overlay counted.
    pub overlay: stratus_overlay::Stats,
    /// Bytes of the overlay's messages sent.
    pub overlay_sent_bytes: u64,
    /// Bytes of the overlay's messages received.
    pub overlay_received_bytes: u64,
    /// What went over the sockets.
    pub wire: WireInfo,
}

/// How one connection stands, all its groups together: what metrics want.
#[derive(Clone, PartialEq, Debug)]
pub struct ConnectionInfo {
    /// Bytes, packets and connections.
    pub counters: EndpointCounters,
    /// How handshakes went.
    pub handshakes: HandshakeCounters,
    /// The kernel's buffers.
    pub buffers: Buffers,
}

/// Bytes and drops of a whole connection, all its groups together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct WireInfo {
    /// UDP payload bytes sent to peers.
    pub sent_bytes: u64,
    /// UDP payload bytes received from peers.
    pub received_bytes: u64,
    /// UDP datagrams sent to peers; each costs 28 bytes of IPv4 and UDP headers more.
    pub sent_datagrams: u64,
    /// UDP datagrams received from peers.
    pub received_datagrams: u64,
    /// Peer connections that are open.
    pub connections: usize,
    /// Datagrams that links which are up never sent, by cause.
    pub drops: Drops,
    /// Datagrams received and dropped because the group's task was busy.
    pub unread_datagrams: u64,
    /// Messages that could not be read; each cost its sender the link.
    pub undecodable: u64,
}

impl GroupInfo {
    /// How many neighbors there are.
    pub fn neighbor_count(&self) -> usize {
        self.neighbors.len()
    }

    /// The stream of this name; of several the one that is published or played here, else any.
    pub fn stream(&self, name: &str) -> Option<&StreamInfo> {
        self.find(name).map(|(_, info)| info)
    }

    /// `NetStreamMulticastInfo` of the stream of this name.
    pub fn multicast_info(&self, name: &str) -> Option<&NetStreamMulticastInfo> {
        let (wanted, _) = self.find(name)?;
        self.multicast.iter().find(|(stream, _)| stream == wanted).map(|(_, info)| info)
    }

    fn find(&self, name: &str) -> Option<&(StreamId, StreamInfo)> {
        self.streams.iter().filter(|(_, info)| info.name == name).max_by_key(|(_, info)| info.is_active)
    }
}
