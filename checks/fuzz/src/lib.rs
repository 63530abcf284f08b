//! One entry point for each function that takes bytes of strangers, and one that plays whole lives of a member.
//!
//! The same entry points run three ways: under proptest with every `cargo test`, under libFuzzer
//! (`checks/fuzz/run`), and on a single file that once was a finding. A test of `checks/tidy` compares [`TARGETS`]
//! with the decoders in the tree.

mod examples;
mod journal;
mod life;
mod streams;
#[path = "../../../cli/src/ts/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub)]
mod ts;

use bytes::Bytes;
use stratus_core::{PeerId, Wire};
use stratus_groupspec::Groupspec;

pub use examples::examples;

/// One entry point.
pub type Target = fn(&[u8]);

/// Every entry point with its name.
pub const TARGETS: [(&str, Target); 19] = [
    ("groupspec", groupspec),
    ("peer_id", peer_id),
    ("overlay_message", wire::<stratus_overlay::Message>),
    ("overlay_record", wire::<stratus_overlay::Record>),
    ("rendezvous_client", wire::<stratus_overlay::rendezvous::ClientMessage>),
    ("rendezvous_server", wire::<stratus_overlay::rendezvous::ServerMessage>),
    ("multicast_message", wire::<stratus_multicast::Message>),
    ("multicast_announcement", wire::<stratus_multicast::Announcement>),
    ("multicast_manifest", wire::<stratus_multicast::Manifest>),
    ("multicast_map", wire::<stratus_multicast::Availability>),
    ("posting_message", wire::<stratus_posting::Message>),
    ("replication_message", wire::<stratus_replication::Message>),
    ("set_root", wire::<stratus_replication::set::Root>),
    ("set_descriptor", set_descriptor),
    ("node_message", wire::<stratus_node::Message>),
    ("transport_frames", stratus_transport::testing::read_frames),
    ("transport_stream", streams::transport_stream),
    ("member", life::member),
    ("journal", journal::journal),
];

/// The entry point of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// What reads at all reads back as itself, byte for byte: one value has one form.
fn wire<T: Wire + PartialEq + std::fmt::Debug>(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(value) = T::from_bytes(bytes.clone()) {
        assert_eq!(value.to_bytes(), bytes, "two forms of {value:?}");
        assert_eq!(value.wire_len(), bytes.len());
    }
}

fn groupspec(data: &[u8]) {
    // Half of what comes is taken for the bytes behind the prefix, or nothing would ever pass it.
    let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    for text in [String::from_utf8_lossy(data).into_owned(), format!("G:{hex}")] {
        if let Ok(spec) = Groupspec::parse(&text) {
            assert_eq!(spec.to_string_with_authorizations(), text);
            let without = Groupspec::parse(&spec.to_string_without_authorizations()).expect("a groupspec");
            assert_eq!(without.group_id(), spec.group_id());
        }
    }
}

fn set_descriptor(data: &[u8]) {
    wire::<stratus_replication::set::Descriptor>(data);
    if let Ok(descriptor) = stratus_replication::set::Descriptor::from_bytes(Bytes::copy_from_slice(data)) {
        // Whatever it says, looking at it ends and does not panic.
        let _ = descriptor.validate();
    }
}

fn peer_id(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(peer) = PeerId::from_hex(&text) {
        assert_eq!(peer.to_string(), text.to_lowercase());
    }
}
