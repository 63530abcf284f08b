//! Messages as an honest machine would never make them, in bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{BitSet, GroupId, Identity, PeerId, Wire, Writer};
use stratus_multicast::{Announcement, Manifest, Message, Parameters, StreamAlias};

/// Bytes of the layer that carries streams (spec OV-26).
pub(crate) fn multicast(message: &Message) -> Bytes {
    stratus_node::Message::Multicast(message.clone()).to_bytes()
}

/// A map that claims every run up to `end`, fresh in all slices one hop from the publisher, with room for all.
pub(crate) fn boast(stream: StreamAlias, slices: u32, end: u64) -> Bytes {
    let all = BitSet::first(slices).bits();
    let mut writer = Writer::new();
    writer.raw(&[2, 4]);
    stream.encode(&mut writer);
    writer.u8(0);
    let span = end.min(400);
    writer.varint(end - span);
    writer.varint(span);
    writer.varint(0);
    writer.varint(all);
    writer.varint(all);
    writer.varint(0);
    writer.varint(all);
    for slice in 0..slices {
        // The newest run of the slice, as if it had just come.
        let is_of_slice = |back: &u64| (end - back) % u64::from(slices) == u64::from(slice);
        writer.varint((1..=end.min(u64::from(slices))).find(is_of_slice).unwrap_or(1));
        writer.varint(0);
        writer.u8(1);
    }
    writer.finish()
}

/// The same bytes with another last byte: where manifests and announcements have their signature.
pub(crate) fn with_spoilt_end(bytes: &Bytes) -> Bytes {
    let mut spoilt = bytes.to_vec();
    if let Some(last) = spoilt.last_mut() {
        *last ^= 1;
    }
    spoilt.into()
}

/// A manifest that nobody signed, for a run that nobody has.
pub(crate) fn forged_manifest(manifest: &Manifest, run: u64) -> Option<Arc<Manifest>> {
    let mut forged = manifest.clone();
    forged.run = run;
    Manifest::from_bytes(with_spoilt_end(&forged.to_bytes())).ok().map(Arc::new)
}

/// A later word of the same stream: the signature does not fit.
pub(crate) fn forged_announcement(announcement: &Announcement) -> Arc<Announcement> {
    let mut forged = announcement.clone();
    forged.sequence += 1;
    Arc::new(forged)
}

/// An announcement of a stream of our own, rightly signed (spec MC-3).
pub(crate) fn own_announcement(
    key: &Identity,
    group: &GroupId,
    publisher: PeerId,
) -> Option<Arc<Announcement>> {
    let mut body = Writer::new();
    key.public().encode(&mut body);
    publisher.encode(&mut body);
    body.sized(b"noise");
    body.varint(1);
    let parameters = Parameters::from(&stratus_multicast::Config::default());
    parameters.encode(&mut body);
    body.raw(&[0, 0, 0]);
    let body = body.finish();
    let mut signed = Writer::new();
    signed.raw(b"stratus 1 announcement");
    group.encode(&mut signed);
    signed.raw(&body);
    let signature = key.sign(&signed.finish());
    let mut whole = Writer::new();
    whole.raw(&body);
    signature.encode(&mut whole);
    Announcement::from_bytes(whole.finish()).ok().map(Arc::new)
}

/// How long a datagram of ours may wait.
pub(crate) const LIFETIME: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use stratus_core::DirectVerify;

    use super::*;

    #[test]
    fn what_is_crafted_reads_as_what_it_should_be() {
        let (key, group) = (Identity::from_seed([3; 32]), GroupId::from_bytes([7; 32]));
        let own = own_announcement(&key, &group, key.peer()).expect("it decodes");
        assert!(own.is_authentic(&DirectVerify, &group, None));
        assert!(!forged_announcement(&own).is_authentic(&DirectVerify, &group, None));
        for end in [1, 7, 700] {
            let boast = boast(own.stream.alias(), 8, end);
            let message = stratus_node::Message::from_bytes(boast).expect("a map");
            let stratus_node::Message::Multicast(Message::Map { map, .. }) = message else {
                panic!("{message:?}")
            };
            assert_eq!((map.end(), map.stamps.len()), (end, 8));
        }
    }
}
