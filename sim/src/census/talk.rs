use std::collections::BTreeMap;

use stratus_node::Message;
use stratus_overlay as overlay;

use crate::report::TalkResults;

/// What members say to keep their group together, by kind of message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Talk(BTreeMap<&'static str, (u64, u64)>);

impl Talk {
    /// Counts a message of `length` bytes.
    pub(crate) fn add(&mut self, message: &Message, length: u32) {
        let (messages, bytes) = self.0.entry(name(message)).or_default();
        *messages += 1;
        *bytes += u64::from(length);
    }

    /// For each member and second of `seconds`.
    pub(crate) fn results(&self, seconds: f64) -> BTreeMap<&'static str, TalkResults> {
        let rate = |count: u64| (count as f64 / seconds.max(1e-9) * 1e3).round() / 1e3;
        let results = |(messages, bytes): &(u64, u64)| TalkResults {
            messages_per_s: rate(*messages),
            bytes_per_s: rate(*bytes),
        };
        self.0.iter().map(|(name, sums)| (*name, results(sums))).collect()
    }
}

fn name(message: &Message) -> &'static str {
    match message {
        Message::Overlay(message) => overlay_name(message),
        Message::Multicast(_) => "multicast",
        Message::Posting(_) => "posting",
        Message::Routing(_) => "routing",
        Message::Replication(_) => "replication",
    }
}

fn overlay_name(message: &overlay::Message) -> &'static str {
    use overlay::{Message, Role};
    match message {
        Message::Hello(_) => "hello",
        Message::Offer { role: Role::Start | Role::Ask, .. } => "offer",
        Message::Offer { role: Role::Answer, .. } => "offer, answer",
        Message::Want(_) => "want",
        Message::Records(records) if records.iter().all(|aged| aged.age == 0) => "records, new",
        Message::Records(_) => "records",
        Message::Ping { .. } => "ping",
        Message::Pong { .. } => "pong",
        Message::AskLeave => "ask to leave",
        Message::Goodbye(_) => "goodbye",
        Message::Introduce { .. } => "introduce",
        Message::Introduced { .. } => "introduced",
        Message::NotIntroduced(_) => "not introduced",
        Message::Observed(_) => "observed",
        Message::Silent(_) => "silent",
    }
}
