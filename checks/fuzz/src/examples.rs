//! Good input for each entry point, for a fuzzer to begin from: bytes by chance hardly ever pass a signature or a
//! length, and what lies behind would never be tried.

mod conversation;
mod others;

use stratus_core::Wire;
use stratus_node::Message;
use stratus_overlay as overlay;

use conversation::{Conversation, said};

/// Of one kind and length class no more than this: a fuzzer learns nothing from the hundredth ping.
const MOST_ALIKE: usize = 3;

/// Input that the entry point of this name takes for good.
pub fn examples(name: &str) -> Vec<Vec<u8>> {
    match name {
        "node_message" => said(|message| Some(message.to_bytes())),
        "overlay_message" => said(|message| match message {
            Message::Overlay(message) => Some(message.to_bytes()),
            _ => None,
        }),
        "multicast_message" => said(|message| match message {
            Message::Multicast(message) => Some(message.to_bytes()),
            _ => None,
        }),
        "posting_message" => said(|message| match message {
            Message::Posting(message) => Some(message.to_bytes()),
            _ => None,
        }),
        "replication_message" => others::replication_messages(),
        "set_root" => others::set_heads(0),
        "set_descriptor" => others::set_heads(1),
        "overlay_record" => said(|message| match message {
            Message::Overlay(overlay::Message::Hello(record)) => Some(record.to_bytes()),
            _ => None,
        }),
        "multicast_announcement" => said(|message| match message {
            Message::Multicast(stratus_multicast::Message::Announce { announcement, .. }) => {
                Some(announcement.to_bytes())
            }
            _ => None,
        }),
        "multicast_manifest" => said(|message| match message {
            Message::Multicast(stratus_multicast::Message::Manifest { manifest, .. }) => {
                Some(manifest.to_bytes())
            }
            _ => None,
        }),
        "multicast_map" => said(|message| match message {
            Message::Multicast(stratus_multicast::Message::Map { map, .. }) => Some(map.to_bytes()),
            _ => None,
        }),
        "member" => [300, 100, 40].iter().map(|gap| Conversation::hold(*gap).as_life()).collect(),
        "journal" => vec![Conversation::hold(100).as_journal()],
        "groupspec" => others::groupspecs(),
        "peer_id" => vec![stratus_core::testing::peer(7).to_string().into_bytes()],
        "rendezvous_client" => others::client_messages(),
        "rendezvous_server" => others::server_messages(),
        "transport_frames" => stratus_transport::testing::frames(),
        "transport_stream" => vec![others::transport_stream()],
        _ => Vec::new(),
    }
}
