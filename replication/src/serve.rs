//! Requests of neighbors: which are taken, which go out first. Spec RE-7, RE-10, RE-11.

use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Delivery, PeerId, Time};

use crate::api::{Event, Output, RequestId};
use crate::load::Load;
use crate::message::{Denied, MOST_OBJECT_BYTES, Message, Want};
use crate::replication::{Replication, misbehaved};
use crate::seed::Economy;

/// Uploads handed out for sending at first, before it is known how fast they go.
const LEAST_ACTIVE: u64 = 4;
/// Objects of so long are handed out, and two more: enough to fill a path, and little that waits behind it.
const ACTIVE: Duration = Duration::from_millis(100);
/// What would wait longer is better asked elsewhere.
const MOST_WAIT: Duration = Duration::from_secs(3);
/// Requests that are taken however slow it is.
const LEAST_PLACES: u64 = 2;
/// One turn in so many goes to whomever, so that newcomers have something to give.
const OPTIMISTIC: u64 = 4;
/// Requests that anybody may have under way, however little it gave.
const LEAST_SHARE: usize = 2;

/// One request of a neighbor's that was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upload {
    pub(crate) peer: PeerId,
    pub(crate) id: u64,
    pub(crate) index: u64,
    pub(crate) state: UploadState,
    since: Time,
}

/// ```text
/// Queued ──its turn──► Reading ──Write──► Sent ──the asker says that it came──► gone
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UploadState {
    Queued,
    Reading,
    Sent,
}

impl Replication {
    /// What is said of our load.
    pub(crate) fn load(&self) -> Load {
        Load::new(self.uploads.len(), self.pace.get().unwrap_or_default())
    }

    /// How many requests are taken: all that are allowed, or as many as go out before long.
    fn places(&self) -> usize {
        let before_long = match self.pace.get() {
            Some(pace) => (MOST_WAIT.as_micros() / pace.as_micros().max(1)) as u64,
            None => u64::MAX,
        };
        before_long.max(LEAST_PLACES).min(self.config.max_uploads as u64) as usize
    }

    /// How many requests `peer` may have taken: where others wait as well, nobody takes all places.
    fn share(&self, peer: &PeerId) -> usize {
        let others =
            self.neighbors.iter().filter(|(other, n)| *other != peer && !n.uploads.is_empty()).count();
        let fair = (self.config.max_uploads / (others + 1)).max(LEAST_SHARE);
        fair.min(self.config.max_uploads_per_neighbor)
    }

    pub(crate) fn hear_ask(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        done: &[u64],
        wants: &[Want],
        out: &mut Vec<Output>,
    ) {
        for id in done {
            self.acknowledged(cx.now, from, *id);
        }
        if self.economy.as_ref().is_some_and(Economy::is_news) {
            self.look_at_economy(cx, out);
        }
        let (mut busy, mut unknown) = (Vec::new(), Vec::new());
        let places = self.places();
        for want in wants {
            let Some(neighbor) = self.neighbors.get(&from) else { return };
            if neighbor.uploads.contains_key(&want.id) {
                return misbehaved(from, "gave two requests one number", out);
            }
            // spec RE-7: the next one is told at once.
            let is_full = self.uploads.len() >= places || neighbor.uploads.len() >= self.share(&from);
            if !self.is_offered(from, want.index) {
                unknown.push(want.id);
            } else if is_full {
                busy.push(want.id);
            } else {
                self.take(cx.now, from, *want);
            }
        }
        self.stats.refused += busy.len() as u64;
        self.deny(from, Denied::Busy, busy, out);
        self.deny(from, Denied::NotOffered, unknown, out);
        self.top_up(cx, from, out);
    }

    fn take(&mut self, now: Time, peer: PeerId, want: Want) {
        let request = RequestId(self.next_upload);
        self.next_upload += 1;
        let state = UploadState::Queued;
        self.uploads.insert(request, Upload { peer, id: want.id, index: want.index, state, since: now });
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.uploads.insert(want.id, request);
        }
        self.sending(want.index, request);
    }

    fn deny(&self, to: PeerId, why: Denied, ids: Vec<u64>, out: &mut Vec<Output>) {
        if !ids.is_empty() {
            let message = Message::Deny { why, load: self.load(), ids };
            out.push(Output::Send { to, message, how: Delivery::Control });
        }
    }

    /// The object came: the place is free.
    fn acknowledged(&mut self, now: Time, from: PeerId, id: u64) {
        let Some(neighbor) = self.neighbors.get_mut(&from) else { return };
        let is_sent = |request: &RequestId| {
            self.uploads.get(request).is_some_and(|upload| upload.state == UploadState::Sent)
        };
        // Numbers that mean nothing to us are those of uploads that were given up.
        if let Some(request) = neighbor.uploads.get(&id).copied().filter(is_sent) {
            neighbor.uploads.remove(&id);
            if let Some(upload) = self.uploads.remove(&request) {
                let is_waited_for = self.uploads.values().any(|u| u.state == UploadState::Queued);
                self.pace.note(now, is_waited_for);
                self.spread(upload.index);
            }
        }
    }

    pub(crate) fn hear_cancel(&mut self, cx: &mut Cx<'_>, from: PeerId, ids: &[u64], out: &mut Vec<Output>) {
        let Some(neighbor) = self.neighbors.get(&from) else { return };
        let mut forgotten = Vec::new();
        for id in ids {
            let request = neighbor.uploads.get(id);
            let upload = request.and_then(|request| Some((*request, self.uploads.get(request)?.state)));
            // What is on its way cannot be stopped; of what is unknown, the asker has had its answer.
            if let Some((request, UploadState::Queued | UploadState::Reading)) = upload {
                forgotten.push((*id, request));
            }
        }
        forgotten.iter().for_each(|(_, request)| self.drop_upload(*request));
        self.deny(from, Denied::Cancelled, forgotten.into_iter().map(|(id, _)| id).collect(), out);
        let _ = cx;
    }

    /// Forgets an upload that will not be.
    pub(crate) fn drop_upload(&mut self, request: RequestId) {
        let Some(upload) = self.uploads.remove(&request) else { return };
        if let Some(neighbor) = self.neighbors.get_mut(&upload.peer) {
            neighbor.uploads.remove(&upload.id);
        }
        self.unsent(upload.index, request);
    }

    /// Asks the owner for as many objects as can go out soon.
    pub(crate) fn serve(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let mut active = self.uploads.values().filter(|upload| upload.state != UploadState::Queued).count();
        if active == self.uploads.len() {
            return;
        }
        let ahead = match self.pace.get() {
            Some(pace) => 2 + (ACTIVE.as_micros() / pace.as_micros().max(1)) as u64,
            None => LEAST_ACTIVE,
        };
        let most = ahead.min(self.config.max_uploads as u64) as usize;
        while active < most
            && let Some(request) = self.next_upload(cx)
        {
            active += 1;
            let Some(upload) = self.uploads.get_mut(&request) else { return };
            (upload.state, upload.since) = (UploadState::Reading, cx.now);
            let (peer, index) = (upload.peer, upload.index);
            if let Some(neighbor) = self.neighbors.get_mut(&peer) {
                neighbor.served_at = cx.now;
            }
            out.push(Output::Event(Event::Request { request, index, peer }));
        }
    }

    /// Whose turn it is: who gave us most of late, or who waited longest, and now and then anybody. Spec RE-11.
    fn next_upload(&mut self, cx: &mut Cx<'_>) -> Option<RequestId> {
        let queued: Vec<(&RequestId, &Upload)> =
            self.uploads.iter().filter(|(_, upload)| upload.state == UploadState::Queued).collect();
        self.turn += 1;
        if self.turn.is_multiple_of(OPTIMISTIC) {
            return cx.rng.pick(&queued).map(|(request, _)| **request);
        }
        let rank = |(request, upload): &(&RequestId, &Upload)| {
            let neighbor = self.neighbors.get(&upload.peer);
            let (score, served_at) = neighbor.map_or((0, Time::ZERO), |n| (n.score >> 20, n.served_at));
            (std::cmp::Reverse(score), served_at, **request)
        };
        queued.iter().min_by_key(|entry| rank(entry)).map(|(request, _)| **request)
    }

    pub(crate) fn write(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        object: Bytes,
        out: &mut Vec<Output>,
    ) {
        if object.len() > MOST_OBJECT_BYTES {
            return self.refuse(cx, request, out);
        }
        let load = self.load();
        let Some(upload) = self.uploads.get_mut(&request) else { return };
        if upload.state != UploadState::Reading {
            return;
        }
        (upload.state, upload.since) = (UploadState::Sent, cx.now);
        self.stats.sent_objects += 1;
        self.stats.sent_bytes += object.len() as u64;
        let Upload { peer: to, id, index, .. } = *upload;
        if let Some(neighbor) = self.neighbors.get_mut(&to) {
            neighbor.sent_bytes += object.len() as u64;
        }
        let message = Message::Object { id, index, load, payload: object };
        out.push(Output::Send { to, message, how: Delivery::Bulk });
    }

    /// The owner does not give it.
    pub(crate) fn refuse(&mut self, cx: &mut Cx<'_>, request: RequestId, out: &mut Vec<Output>) {
        let Some(upload) = self.uploads.get(&request).copied() else { return };
        if upload.state == UploadState::Reading {
            self.drop_upload(request);
            self.deny(upload.peer, Denied::Refused, vec![upload.id], out);
        }
        let _ = cx;
    }

    /// Gives up uploads that take too long, and lets merits fade.
    pub(crate) fn look_at_uploads(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let timeout = self.config.upload_timeout;
        let late = |(_, upload): &(&RequestId, &Upload)| cx.now.since(upload.since) >= timeout;
        let late: Vec<(RequestId, Upload)> =
            self.uploads.iter().filter(late).map(|(r, u)| (*r, *u)).collect();
        for (request, upload) in late {
            self.drop_upload(request);
            self.deny(upload.peer, Denied::Refused, vec![upload.id], out);
        }
        // Half of it is gone after nine seconds.
        self.neighbors.values_mut().for_each(|neighbor| neighbor.score -= neighbor.score / 128);
    }
}
