//! A newcomer's first question, before it knows of any stream (spec MC-14).

use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Delivery, PeerId, Time};

use super::Multicast;
use crate::Message;
use crate::api::Output;
use crate::message::{Start, StartAnswer};

/// Whom we asked by name is waited for so long; then the next neighbor is asked.
pub(super) const PATIENCE: Duration = Duration::from_millis(400);

impl Multicast {
    /// A link is up. Who subscribes to a name that it has heard nothing of asks at once, and one neighbor at a time: its
    /// stream is announced while the question is on the way, and the answer comes a round trip sooner.
    pub(super) fn seek(&mut self, now: Time, out: &mut Vec<Output>, peer: PeerId) {
        for (name, subscription) in &mut self.subscriptions {
            let is_waiting = subscription.sought.is_some_and(|(_, at)| now.since(at) < PATIENCE);
            if subscription.stream.is_none() && !is_waiting {
                subscription.sought = Some((peer, now));
                let message = Message::Seek { name: name.clone(), record: self.record.clone() };
                out.push(Output::Send { to: peer, message, how: Delivery::Control });
            }
        }
    }

    /// A newcomer asks by name: it is interested, and asks for a place to start. Nothing is known of the name: no answer.
    pub(super) fn on_seek(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        from: PeerId,
        name: &str,
        record: Bytes,
    ) {
        let of_name = self.streams.values().filter(|swarm| swarm.announcement().name == name);
        let living = of_name.filter(|swarm| swarm.is_told_on() && !swarm.has_ended());
        let Some(found) = living.max_by_key(|swarm| swarm.announcement().rank()) else { return };
        let found = found.announcement().stream.alias();
        let (config, setup, own) = (&self.config, &self.setup, &self.record);
        let Some(linked) = self.connected.get_mut(&from) else { return };
        let Some(swarm) = self.streams.get_mut(&found) else { return };
        let turn = &mut super::Turn { cx, out, config, setup, record: own };
        if swarm.is_active() {
            swarm.on_interest(turn, from, true, false, record, linked.rtt);
            swarm.on_start(turn, from, &mut linked.tolerance);
        } else {
            // So that it asks somebody else at once.
            let message = Message::StartAnswer(StartAnswer { stream: found, start: Start::Refused });
            turn.out.push(Output::Send { to: from, message, how: Delivery::Control });
        }
    }

    pub(super) fn has_sought(&self, peer: &PeerId) -> bool {
        self.subscriptions.values().any(|subscription| subscription.sought.is_some_and(|(at, _)| at == *peer))
    }

    pub(super) fn forget_sought(&mut self, peer: &PeerId) {
        for subscription in self.subscriptions.values_mut() {
            subscription.sought = subscription.sought.filter(|(sought, _)| sought != peer);
        }
    }
}
