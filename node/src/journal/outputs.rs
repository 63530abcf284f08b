use bytes::Bytes;
use stratus_core::{Delivery, DirectVerify, PeerId, Priority, Verify, Wire, Writer};
use stratus_multicast::{self as multicast, StreamAlias, StreamId};
use stratus_overlay as overlay;
use stratus_posting as posting;

use crate::{Command, Event, Input, Message, Output};

/// A signature's bytes.
const SIGNATURE: usize = 64;
/// Most streams of the node's own whose signatures are left out; more than may be known in a group.
const MAX_STREAMS: usize = 64;

/// What is the node's own and signed by it, so that its signatures can be left out of hashes.
#[derive(Debug)]
pub(super) struct Own {
    peer: PeerId,
    streams: Vec<StreamAlias>,
    /// Signatures of the own record: the present one, and the one before, which may still be sent.
    records: [Vec<u8>; 2],
}

impl Own {
    pub(super) fn new(peer: PeerId) -> Self {
        Self { peer, streams: Vec::new(), records: [Vec::new(), Vec::new()] }
    }

    /// Learns of streams that the node publishes itself.
    pub(super) fn note_input(&mut self, input: &Input) {
        if let Input::Command(Command::Multicast(multicast::Command::Publish(publish))) = input
            && self.streams.len() < MAX_STREAMS
        {
            self.streams.push(StreamId(publish.key.public()).alias());
        }
    }

    fn note_record(&mut self, record: &Bytes) {
        let signature = record.len().checked_sub(SIGNATURE).map_or(&[][..], |at| &record[at..]);
        if self.records[0] != signature {
            self.records.swap(0, 1);
            self.records[0] = signature.to_vec();
        }
    }

    /// The first eight bytes of a hash over everything in `outputs` but the node's own signatures.
    pub(super) fn hash(&mut self, outputs: &[Output], record: &Bytes) -> [u8; 8] {
        self.note_record(record);
        let mut writer = Writer::with_capacity(outputs.len() * 200);
        for output in outputs {
            match output {
                Output::Connect(peer) => {
                    writer.u8(1);
                    peer.encode(&mut writer);
                }
                Output::Disconnect(peer) => {
                    writer.u8(2);
                    peer.encode(&mut writer);
                }
                Output::Send { to, message, how } => {
                    writer.u8(3);
                    to.encode(&mut writer);
                    put_how(*how, &mut writer);
                    writer.sized(&self.unsigned(message));
                }
                Output::Event(event) => {
                    writer.u8(4);
                    writer.sized(shown(event).as_bytes());
                }
            }
        }
        let digest = DirectVerify.digest(&writer.finish());
        *digest.first_chunk().expect("a digest has 16 bytes")
    }

    /// The message's bytes, with zeros where the node has signed.
    fn unsigned(&self, message: &Message) -> Vec<u8> {
        let mut bytes: Vec<u8> = message.to_bytes().into();
        match message {
            Message::Multicast(multicast::Message::Manifest { stream, .. })
                if self.streams.contains(stream) =>
            {
                // The signature is the last of a manifest, and a manifest the last of its message.
                let from = bytes.len().saturating_sub(SIGNATURE);
                bytes[from..].fill(0);
            }
            Message::Multicast(multicast::Message::Announce { announcement, .. })
                if announcement.publisher == self.peer =>
            {
                for signed in announcement.signatures() {
                    blank(&mut bytes, &signed.0);
                }
            }
            Message::Posting(posting::Message::Posts(posts)) => {
                for post in posts.iter().filter(|post| post.sender() == self.peer) {
                    blank(&mut bytes, &post.signature().0);
                    post.author().grant.iter().for_each(|grant| blank(&mut bytes, &grant.0));
                }
            }
            _ => {}
        }
        for signature in &self.records {
            blank(&mut bytes, signature);
        }
        bytes
    }
}

/// Zeros wherever `signature` stands.
fn blank(bytes: &mut [u8], signature: &[u8]) {
    if signature.len() != SIGNATURE || bytes.len() < SIGNATURE {
        return;
    }
    let mut at = 0;
    while at + SIGNATURE <= bytes.len() {
        if bytes[at] == signature[0] && bytes[at..at + SIGNATURE] == *signature {
            bytes[at..at + SIGNATURE].fill(0);
            at += SIGNATURE;
        } else {
            at += 1;
        }
    }
}

fn put_how(how: Delivery, writer: &mut Writer) {
    match how {
        Delivery::Control => writer.u8(1),
        Delivery::Background => writer.u8(2),
        Delivery::Bulk => writer.u8(6),
        Delivery::Live { expires, priority } => {
            writer.u8(match priority {
                Priority::Urgent => 3,
                Priority::Push => 4,
                Priority::Repair => 5,
            });
            writer.varint(expires.as_micros());
        }
    }
}

/// An event in words; the own record has a signature in it and is known by its length.
fn shown(event: &Event) -> String {
    match event {
        Event::Overlay(overlay::Event::OwnRecord(record)) => format!("own record of {}", record.len()),
        event => format!("{event:?}"),
    }
}
