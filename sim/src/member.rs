use stratus_core::{PeerId, Wire};
use stratus_multicast as multicast;
use stratus_node::{Command, Event, Message, Node};
use stratus_overlay as overlay;

use crate::world::Member;

impl Member for Node {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn connect_failed(peer: PeerId) -> Command {
        Command::Overlay(overlay::Command::ConnectFailed(peer))
    }

    fn may_be_ignored(message: &Message) -> bool {
        matches!(message, Message::Routing(_))
    }

    fn length_of(message: &Message) -> usize {
        message.wire_len()
    }
}

/// What the bytes of a message are for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Purpose {
    /// The stream's own bytes.
    pub(crate) payload: u64,
    /// Manifests, without payload inside them.
    pub(crate) auth: u64,
    /// Everything that is neither: membership, announcements, maps, requests.
    pub(crate) control: u64,
}

impl Purpose {
    /// Of `message`, which is `length` bytes long. The few header bytes of a fragment count as wire, not as
    /// control.
    pub(crate) fn of(message: &Message, length: u32) -> Self {
        let length = u64::from(length);
        match message {
            Message::Multicast(multicast::Message::Fragment { payload, .. }) => {
                Self { payload: payload.len() as u64, ..Self::default() }
            }
            Message::Multicast(multicast::Message::Manifest { manifest, .. }) => {
                let payload = manifest.inline_len() as u64;
                Self { payload, auth: length - payload, control: 0 }
            }
            _ => Self { control: length, ..Self::default() },
        }
    }
}

impl Purpose {
    /// Bytes for whatever purpose.
    pub(crate) fn all(&self) -> u64 {
        self.payload + self.auth + self.control
    }
}

impl std::ops::AddAssign for Purpose {
    fn add_assign(&mut self, other: Self) {
        self.payload += other.payload;
        self.auth += other.auth;
        self.control += other.control;
    }
}
