use crate::authority::Authority;
use crate::tlv::{field, types};

/// The version that is written, and the only one that is read. RTMFP's own are below it. Source: spec GS-3.
pub(crate) const VERSION: u64 = 16;

/// What a group's members may do in it. Part of the identity: with another set it is another group.
///
/// The default is RTMFP's: everything off, members connected to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities {
    /// Directed routing.
    pub routing: bool,
    /// Live streams.
    pub multicast: bool,
    /// Object replication.
    pub object_replication: bool,
    /// Posting.
    pub posting: bool,
    /// A group channel to the server, which may bootstrap, watch, seed and fill.
    pub server_channel: bool,
    /// Members never connect to each other; server channel and IP multicast serve the group.
    pub peer_to_peer_disabled: bool,
    /// Members announce themselves on the group's IP multicast addresses.
    pub ip_multicast_member_updates: bool,
}

impl Capabilities {
    /// The four services on, the rest as by default: what `stratus group new` gives.
    pub const fn services() -> Self {
        Self {
            routing: true,
            multicast: true,
            object_replication: true,
            posting: true,
            server_channel: false,
            peer_to_peer_disabled: false,
            ip_multicast_member_updates: false,
        }
    }

    /// The flag that the option `kind` stands for.
    pub(crate) fn flag(&mut self, kind: u64) -> Option<&mut bool> {
        Some(match kind {
            types::ROUTING => &mut self.routing,
            types::MULTICAST => &mut self.multicast,
            types::OBJECT_REPLICATION => &mut self.object_replication,
            types::POSTING => &mut self.posting,
            types::SERVER_CHANNEL => &mut self.server_channel,
            types::PEER_TO_PEER_DISABLED => &mut self.peer_to_peer_disabled,
            types::IP_MULTICAST_MEMBER_UPDATES => &mut self.ip_multicast_member_updates,
            _ => return None,
        })
    }
}

/// The immutable part, as values.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct GroupIdentity {
    pub(crate) capabilities: Capabilities,
    pub(crate) publish_authority: Option<Authority>,
    pub(crate) posting_authority: Option<Authority>,
    /// Empty: none, and then there is a tag.
    pub(crate) name: String,
    pub(crate) tag: Option<[u8; 32]>,
}

/// The canonical order of options, which is RTMFP's. Source: spec GS-4.
pub(crate) const ORDER: [u64; 11] = [
    types::VERSION,
    types::ROUTING,
    types::MULTICAST,
    types::OBJECT_REPLICATION,
    types::POSTING,
    types::PUBLISH_KEY,
    types::POSTING_KEY,
    types::SERVER_CHANNEL,
    types::PEER_TO_PEER_DISABLED,
    types::NAME,
    types::IP_MULTICAST_MEMBER_UPDATES,
];

impl GroupIdentity {
    /// The canonical bytes, without the marker.
    pub(crate) fn encode(&self) -> Vec<u8> {
        ORDER.iter().flat_map(|kind| self.option(*kind)).collect()
    }

    /// The fields of option `kind`: none, one, or two for name and tag.
    fn option(&self, kind: u64) -> Vec<u8> {
        match kind {
            types::VERSION => field(kind, &[VERSION as u8]),
            types::PUBLISH_KEY => authority(kind, self.publish_authority),
            types::POSTING_KEY => authority(kind, self.posting_authority),
            types::NAME => {
                let tag = self.tag.map(|tag| field(kind, &tag)).unwrap_or_default();
                [field(kind, self.name.as_bytes()), tag].concat()
            }
            flag => {
                let mut capabilities = self.capabilities;
                let is_on = capabilities.flag(flag).is_some_and(|flag| *flag);
                if is_on { field(flag, &[]) } else { Vec::new() }
            }
        }
    }
}

fn authority(kind: u64, authority: Option<Authority>) -> Vec<u8> {
    authority.map(|authority| field(kind, &authority.encode())).unwrap_or_default()
}
