//! Every function that takes bytes of strangers has an entry point in `checks/fuzz`.

use std::collections::BTreeSet;

use crate::tree::{files, read};

/// Types that are read from bytes, and the entry point that reaches each.
const REACHED: [(&str, &str); 49] = [
    ("Aged", "overlay_message"),
    ("Author", "posting_message"),
    ("Announcement", "multicast_announcement"),
    ("Availability", "multicast_map"),
    ("ClientMessage", "rendezvous_client"),
    ("Denied", "replication_message"),
    ("Descriptor", "set_descriptor"),
    ("Digest", "overlay_message"),
    ("FileEntry", "set_descriptor"),
    ("GroupId", "rendezvous_client"),
    ("GroupAddress", "rendezvous_client"),
    ("Item", "posting_message"),
    ("Key", "node_message"),
    ("Manifest", "multicast_manifest"),
    ("Named", "rendezvous_server"),
    ("Offered", "node_message"),
    ("Own", "transport_frames"),
    ("Parameters", "multicast_announcement"),
    ("Parcel", "node_message"),
    ("ObjectSet", "replication_message"),
    ("PeerId", "overlay_message"),
    ("PieceEntry", "multicast_manifest"),
    ("PublicKey", "overlay_record"),
    ("Record", "overlay_record"),
    ("Refusal", "rendezvous_server"),
    ("Reply", "node_message"),
    ("Root", "set_root"),
    ("ServerMessage", "rendezvous_server"),
    ("Signature", "overlay_record"),
    ("SocketAddr", "overlay_record"),
    ("Start", "multicast_message"),
    ("StreamAlias", "multicast_message"),
    ("StreamId", "multicast_announcement"),
    ("Subject", "rendezvous_server"),
    ("Subscriber", "multicast_message"),
    ("Value", "node_message"),
    ("Want", "multicast_message"),
    ("Load", "replication_message"),
    ("u64", "multicast_message"),
    // Settings and steps of a journal.
    ("Duration", "journal"),
    ("Header", "journal"),
    ("Option", "journal"),
    ("RingKey", "journal"),
    ("Step", "journal"),
    ("bool", "journal"),
    ("u32", "journal"),
    ("usize", "journal"),
    // Three layers have a type of this name.
    ("Message", "node_message"),
    ("Registration", "rendezvous_client"),
];

/// Entry points for what is not a `Wire` value: text, a stream of packets, a whole life.
const OTHERS: [&str; 6] =
    ["groupspec", "peer_id", "transport_stream", "member", "overlay_message", "multicast_message"];

fn targets() -> BTreeSet<String> {
    let text = read("checks/fuzz/src/lib.rs");
    let table = text
        .split("pub const TARGETS")
        .nth(1)
        .and_then(|rest| rest.split("];").next())
        .expect("a table")
        .to_owned();
    table.split("(\"").skip(1).filter_map(|row| row.split('"').next()).map(str::to_owned).collect()
}

/// The names of all types that are read from bytes.
fn decoded() -> BTreeSet<String> {
    let sources = files(".rs").into_iter().filter(|file| !file.is_test() && !file.is_in("checks"));
    let mut names = BTreeSet::new();
    for file in sources {
        let text = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        for rest in text.split("Wire for ").skip(1) {
            names.insert(rest.chars().take_while(|c| c.is_alphanumeric()).collect());
        }
    }
    names.remove("");
    names
}

#[test]
fn every_decoder_is_reached_by_an_entry_point() {
    let reached: BTreeSet<String> = REACHED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<String> = decoded().difference(&reached).cloned().collect();
    assert!(missing.is_empty(), "read from bytes and in no list of entry points: {missing:?}");
}

#[test]
fn every_entry_point_is_there_for_something() {
    let wanted: BTreeSet<String> =
        REACHED.iter().map(|(_, target)| *target).chain(OTHERS).map(str::to_owned).collect();
    assert_eq!(targets(), wanted);
}
