//! The statistics of RTMFP under the names that Flash gave them.

use serde::Serialize;
use stratus_multicast::MulticastInfo;

/// Bytes a second of one stream, averaged over about four seconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Rates {
    pub(crate) send_data: u64,
    pub(crate) send_control: u64,
    pub(crate) receive_data: u64,
    pub(crate) receive_control: u64,
}

/// `NetStreamMulticastInfo`: what one stream has moved at this member, by path.
///
/// Totals count from the start of the stream; rates are averages over about four seconds. Data is payload, with what
/// came twice; control is everything else: manifests, maps, requests, announcements. Media from a server and over IP
/// multicast do not exist yet, and their fields are 0. Serialized with Flash's own spelling (`bytesPushedToPeers`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetStreamMulticastInfo {
    /// Pushed to neighbors because they are our children.
    pub bytes_pushed_to_peers: u64,
    /// The same in fragments.
    pub fragments_pushed_to_peers: u64,
    /// Pushed to us by our parents.
    pub bytes_pushed_from_peers: u64,
    /// The same in fragments.
    pub fragments_pushed_from_peers: u64,
    /// Sent because neighbors asked for it.
    pub bytes_requested_by_peers: u64,
    /// The same in fragments.
    pub fragments_requested_by_peers: u64,
    /// Received because we asked for it.
    pub bytes_requested_from_peers: u64,
    /// The same in fragments.
    pub fragments_requested_from_peers: u64,
    /// 0: no server carries media yet.
    pub bytes_received_from_server: u64,
    /// 0: no server carries media yet.
    pub fragments_received_from_server: u64,
    /// 0: there is no IP multicast yet.
    #[serde(rename = "bytesReceivedFromIPMulticast")]
    pub bytes_received_from_ip_multicast: u64,
    /// 0: there is no IP multicast yet.
    #[serde(rename = "fragmentsReceivedFromIPMulticast")]
    pub fragments_received_from_ip_multicast: u64,
    /// 0: there is no IP multicast yet.
    #[serde(rename = "bytesPushedToIPMulticast")]
    pub bytes_pushed_to_ip_multicast: u64,
    /// 0: there is no IP multicast yet.
    #[serde(rename = "fragmentsPushedToIPMulticast")]
    pub fragments_pushed_to_ip_multicast: u64,
    /// Payload sent to peers.
    pub send_data_bytes_per_second: u64,
    /// Everything else sent to peers.
    pub send_control_bytes_per_second: u64,
    /// Payload received, whatever the way.
    pub receive_data_bytes_per_second: u64,
    /// Everything else received.
    pub receive_control_bytes_per_second: u64,
    /// 0: servers hear nothing of streams yet.
    pub send_control_bytes_per_second_to_server: u64,
    /// 0: no server carries media yet.
    pub receive_data_bytes_per_second_from_server: u64,
    /// 0: there is no IP multicast yet.
    #[serde(rename = "receiveDataBytesPerSecondFromIPMulticast")]
    pub receive_data_bytes_per_second_from_ip_multicast: u64,
}

impl NetStreamMulticastInfo {
    pub(crate) fn of(counters: &MulticastInfo, rates: Rates) -> Self {
        Self {
            bytes_pushed_to_peers: counters.pushed_to_peers.bytes,
            fragments_pushed_to_peers: counters.pushed_to_peers.fragments,
            bytes_pushed_from_peers: counters.pushed_from_peers.bytes,
            fragments_pushed_from_peers: counters.pushed_from_peers.fragments,
            bytes_requested_by_peers: counters.requested_by_peers.bytes,
            fragments_requested_by_peers: counters.requested_by_peers.fragments,
            bytes_requested_from_peers: counters.requested_from_peers.bytes,
            fragments_requested_from_peers: counters.requested_from_peers.fragments,
            send_data_bytes_per_second: rates.send_data,
            send_control_bytes_per_second: rates.send_control,
            receive_data_bytes_per_second: rates.receive_data,
            receive_control_bytes_per_second: rates.receive_control,
            ..Self::default()
        }
    }
}

/// `NetGroupInfo`: bytes a second of the group's services other than multicast, averaged over a few seconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetGroupInfo {
    /// Posts, with what signs them.
    pub posting_send_data_bytes_per_second: u64,
    /// Announcements, requests and comparisons.
    pub posting_send_control_bytes_per_second: u64,
    /// Posts, with what signs them.
    pub posting_receive_data_bytes_per_second: u64,
    /// Announcements, requests and comparisons.
    pub posting_receive_control_bytes_per_second: u64,
    /// What was sent to places and neighbors, as a neighbor or on its way, and for look-ups and values.
    pub routing_send_bytes_per_second: u64,
    /// What came, for here or on its way, and for look-ups and values.
    pub routing_receive_bytes_per_second: u64,
    /// Objects.
    pub object_replication_send_bytes_per_second: u64,
    /// Objects, those that came in vain too.
    pub object_replication_receive_bytes_per_second: u64,
}

impl NetGroupInfo {
    pub(crate) fn of(posting: Rates, routing: Rates, objects: Rates) -> Self {
        Self {
            posting_send_data_bytes_per_second: posting.send_data,
            posting_send_control_bytes_per_second: posting.send_control,
            posting_receive_data_bytes_per_second: posting.receive_data,
            posting_receive_control_bytes_per_second: posting.receive_control,
            routing_send_bytes_per_second: routing.send_data + routing.send_control,
            routing_receive_bytes_per_second: routing.receive_data + routing.receive_control,
            object_replication_send_bytes_per_second: objects.send_data,
            object_replication_receive_bytes_per_second: objects.receive_data,
        }
    }
}
