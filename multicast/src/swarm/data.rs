//! Runs and fragments as they arrive: checked, kept, moved on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Delivery, Digest, PeerId, Priority, Time};

use super::{Role, Swarm, Turn};
use crate::neighbor::Neighbor;
use crate::player::Played;
use crate::window::Run;
use crate::{Event, Manifest, Message, PieceEntry};

/// A pushed fragment that could not be sent for this long is left to be pulled.
const PUSH_LIFETIME: Duration = Duration::from_millis(1_000);
/// A newcomer waits so long for the first message that it was promised.
const START_PATIENCE: Duration = Duration::from_millis(1_000);
/// A gap inside a run waits this long for reordered datagrams before it is told.
const REORDER_PATIENCE: Duration = Duration::from_millis(8);
/// Below this time for one run at the upload budget, whole runs go to one child after another (spec MC-13).
const TRAIN_TIME: Duration = Duration::from_millis(2);

/// What became of a payload whose manifest is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// Good, and missing until now.
    Kept,
    /// Good perhaps, but here already.
    Useless,
    /// Not what the publisher signed.
    Forged,
}

impl Swarm {
    /// A manifest came: if it is authentic, so is every fragment that matches it. Says whether it was of use.
    pub(crate) fn on_manifest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        manifest: Arc<Manifest>,
        hops: u8,
        is_repair: bool,
    ) -> bool {
        let length = stratus_core::Wire::wire_len(&*manifest) - manifest.inline_len();
        self.stats.manifests_received_bytes += length as u64;
        let run = manifest.run;
        if !self.takes(run) {
            return false;
        }
        if !is_repair {
            self.note_overtaken(turn.cx.now, &from, run, 0);
        }
        if let Some(known) = self.window.get(run).and_then(|place| place.manifest.clone()) {
            self.count_duplicate(manifest.inline_len(), is_repair);
            self.on_second_manifest(turn, from, &known, &manifest);
            return false;
        }
        if !manifest.is_authentic(turn.cx.verify, &self.announcement.stream) {
            self.misbehaved(turn, from, "a manifest that the stream's key did not sign");
            return false;
        }
        let link = manifest.link(turn.cx.verify);
        if let Some(rival) = self.rival(&manifest, link) {
            self.condemn(turn, &rival, &manifest);
            return false;
        }
        self.accept_manifest(turn, from, &manifest, link, is_repair);
        if is_repair {
            self.note_reliable(&from);
            self.note_answer(turn.cx.now, &from, run);
        } else {
            self.note_hops(&from, run, hops);
            self.note_alive(turn.cx.now, &from, run);
        }
        let arrived = self.take_waiting(turn, &manifest, is_repair);
        self.relay_run(turn, &from, &manifest, &arrived, is_repair);
        // A manifest may overtake fragments of earlier runs on the way; one that ends a train may not.
        let ends_train = !arrived.is_empty();
        let is_whole = self.window.get(run).is_some_and(Run::is_complete);
        if !is_repair && (ends_train || is_whole) {
            self.note_train(&from, run);
            self.note_push(&from, run);
            self.note_gaps(turn, &from, run);
        }
        self.completed(turn, run);
        self.play(turn);
        true
    }

    /// Whether a run is of use: we receive, have begun, and it is not behind us.
    fn takes(&self, run: u64) -> bool {
        self.is_subscribed() && self.has_started() && run >= self.window.base()
    }

    fn accept_manifest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        manifest: &Arc<Manifest>,
        link: Digest,
        is_repair: bool,
    ) {
        let run = manifest.run;
        self.reach(turn, run);
        if run >= self.window.verified_end() {
            self.alive_at = turn.cx.now;
            // Beats come too seldom to show which slices flow.
            if !manifest.is_beat() {
                self.advanced_at = turn.cx.now;
            }
        }
        self.window.insert_manifest(manifest.clone(), link);
        if let Some(neighbor) = self.neighbors.get_mut(&from) {
            neighbor.note_gave(run);
        }
        // Every run of a stream has about the same fragments; the last of a message is shorter.
        self.rate.note(manifest, manifest.inline_len() + hashed_len(manifest, turn.config.fragment_size));
        self.count_inline(manifest, is_repair);
        if let Some(place) = self.window.get_mut(run) {
            place.is_repaired |= is_repair;
            let inline = manifest.pieces.iter().filter(|piece| matches!(piece, PieceEntry::Inline { .. }));
            place.brought += if is_repair { 0 } else { inline.count() as u32 };
        }
    }

    fn count_inline(&mut self, manifest: &Manifest, is_repair: bool) {
        for piece in &manifest.pieces {
            if let PieceEntry::Inline { payload, .. } = piece {
                self.path(is_repair).count(payload.len());
            }
        }
    }

    fn path(&mut self, is_repair: bool) -> &mut crate::Path {
        if is_repair { &mut self.stats.requested_from_peers } else { &mut self.stats.pushed_from_peers }
    }

    fn count_duplicate(&mut self, payload: usize, is_repair: bool) {
        if payload > 0 {
            self.path(is_repair).count(payload);
            self.stats.duplicates.count(payload);
        }
    }

    /// Makes places up to `run`, a hole in each.
    pub(super) fn reach(&mut self, turn: &mut Turn<'_, '_>, run: u64) {
        let limits = self.limits(turn.config);
        let now = turn.cx.now;
        for new in self.window.reach(run, now, &limits) {
            let check_at = self.first_check(turn, new);
            self.holes.open(new, check_at);
            self.note_overtaken_manifest(now, new);
        }
        self.close_holes_below(self.window.base());
    }

    /// Checks the fragments that waited for this manifest, keeps the good ones, and gives back which came.
    fn take_waiting(
        &mut self,
        turn: &mut Turn<'_, '_>,
        manifest: &Arc<Manifest>,
        manifest_is_repair: bool,
    ) -> Vec<(u32, Bytes)> {
        let mut arrived = Vec::new();
        let has_waiting = |(_, neighbor): &(&PeerId, &Neighbor)| !neighbor.waiting.is_empty();
        let peers: Vec<PeerId> = self.neighbors.iter().filter(has_waiting).map(|(peer, _)| *peer).collect();
        for peer in peers {
            let Some(neighbor) = self.neighbors.get_mut(&peer) else { continue };
            for (position, payload, is_repair) in neighbor.take_waiting(manifest.run) {
                match self.accept_payload(turn, peer, manifest, position, &payload, is_repair) {
                    // What was pulled is not pushed on with what was pushed; see `relay_run`.
                    Verdict::Kept if manifest_is_repair || !is_repair => arrived.push((position, payload)),
                    Verdict::Kept | Verdict::Useless => {}
                    // One proof is enough.
                    Verdict::Forged => break,
                }
            }
        }
        arrived.sort_unstable_by_key(|(position, _)| *position);
        arrived
    }

    /// Checks one payload against its verified manifest and keeps it if it was missing.
    fn accept_payload(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        manifest: &Manifest,
        position: u32,
        payload: &Bytes,
        is_repair: bool,
    ) -> Verdict {
        let run = manifest.run;
        let digest = match manifest.pieces.get(position as usize) {
            Some(PieceEntry::Hashed { digest, .. }) => digest,
            Some(PieceEntry::Inline { .. }) => {
                self.count_duplicate(payload.len(), is_repair);
                return Verdict::Useless;
            }
            None => {
                self.suspect(turn, from, run, "a fragment that its run does not have");
                return Verdict::Forged;
            }
        };
        let is_from_parent = self.parents.get(self.slice_of(run)).expects(&from, run);
        let place = self.window.get_mut(run).expect("a verified manifest has its place");
        if let Some(held) = place.payload(position) {
            // Forged all the same, if the true one was quicker.
            if held != payload {
                self.suspect(turn, from, run, "a fragment that fails its verified manifest");
                return Verdict::Forged;
            }
            if is_repair {
                self.patience.was_hasty();
            }
            self.count_duplicate(payload.len(), is_repair);
            return Verdict::Useless;
        }
        if turn.cx.verify.digest(payload) != *digest {
            self.suspect(turn, from, run, "a fragment that fails its verified manifest");
            return Verdict::Forged;
        }
        place.is_repaired |= is_repair;
        place.brought += u32::from(!is_repair || is_from_parent);
        self.window.insert_payload(run, position, payload.clone());
        self.path(is_repair).count(payload.len());
        if is_repair {
            self.note_reliable(&from);
        } else {
            self.note_alive(turn.cx.now, &from, run);
        }
        Verdict::Kept
    }

    /// A fragment came: kept and moved on if its manifest is known, else it waits, unrelayed (spec MC-7). Says
    /// whether it was of use, or may still be.
    pub(crate) fn on_fragment(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: PeerId,
        run: u64,
        position: u32,
        payload: Bytes,
        is_repair: bool,
    ) -> bool {
        if !self.takes(run) {
            return false;
        }
        if is_repair {
            self.note_answer(turn.cx.now, &from, run);
        } else {
            self.note_overtaken(turn.cx.now, &from, run, position);
            self.note_push(&from, run);
        }
        let manifest = self.window.get(run).and_then(|place| place.manifest.clone());
        let Some(manifest) = manifest else {
            if !is_repair {
                self.note_headless(turn.cx.now, &from, run);
            }
            return self.let_wait(turn, &from, run, position, payload, is_repair);
        };
        if self.accept_payload(turn, from, &manifest, position, &payload, is_repair) != Verdict::Kept {
            return false;
        }
        self.relay_fragment(turn, &from, run, position, &payload, is_repair);
        if !is_repair {
            self.note_gaps(turn, &from, run);
        }
        self.completed(turn, run);
        self.play(turn);
        true
    }

    /// Keeps a fragment until its manifest comes; false if that pushed an earlier one of the same neighbor out.
    fn let_wait(
        &mut self,
        turn: &Turn<'_, '_>,
        from: &PeerId,
        run: u64,
        position: u32,
        payload: Bytes,
        is_repair: bool,
    ) -> bool {
        let Some(neighbor) = self.neighbors.get_mut(from) else { return false };
        let is_full = neighbor.waiting.len() >= turn.config.max_waiting;
        if is_full {
            neighbor.waiting.pop_first();
        }
        neighbor.waiting.insert((run, position), (payload, is_repair));
        !is_full
    }

    /// The manifest of `run` came after its fragments, or all is here: nothing more of it is on its way.
    fn note_train(&mut self, from: &PeerId, run: u64) {
        let slice = self.slice_of(run);
        let state = self.parents.get_mut(slice);
        if state.expects(from, run) {
            state.sends_trains = true;
            if let Some(place) = self.window.get_mut(run) {
                place.is_sent = true;
            }
        }
    }

    /// The parent of its slice has come to this run.
    fn note_push(&mut self, from: &PeerId, run: u64) {
        let slice = self.slice_of(run);
        let slice = self.parents.get_mut(slice);
        if slice.parent.is_some_and(|parent| parent.peer == *from) {
            slice.pushed = slice.pushed.max(Some(run));
        }
    }

    /// The parent of its slice pushed something good that was missing: it is alive. Nothing else shows it, or
    /// a parent could keep its place with bytes that are no use (spec MC-24).
    fn note_alive(&mut self, now: Time, from: &PeerId, run: u64) {
        let slice = self.slice_of(run);
        let slice = self.parents.get_mut(slice);
        if slice.parent.is_some_and(|parent| parent.peer == *from) {
            slice.heard_at = now;
            slice.heard_run = slice.heard_run.max(run);
        }
    }

    fn note_hops(&mut self, from: &PeerId, run: u64, hops: u8) {
        let slice = self.slice_of(run);
        let state = self.parents.get_mut(slice);
        if state.expects(from, run) {
            state.hops = hops.saturating_add(1);
        }
    }

    /// Moves a run's manifest and the fragments that came with it on to the children of its slice.
    ///
    /// What was pulled is pushed on only to children that have seen nothing later of the slice. Others notice
    /// their gap as we noticed ours, and ask us: it would come twice.
    fn relay_run(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: &PeerId,
        manifest: &Arc<Manifest>,
        arrived: &[(u32, Bytes)],
        is_repair: bool,
    ) {
        if is_repair {
            let mut children = self.resumable(turn.cx.now, manifest.run, from);
            let served = self.serve_pending(turn, manifest.run);
            children.retain(|child| !served.contains(child));
            self.push_run(turn, &children, manifest, arrived);
            return;
        }
        let children = self.targets(manifest.run, from);
        self.children.note_pushed(self.slice_of(manifest.run), manifest.run);
        self.push_run(turn, &children, manifest, arrived);
    }

    /// Children to whom a run that came by repair is pushed all the same.
    fn resumable(&mut self, now: Time, run: u64, from: &PeerId) -> Vec<PeerId> {
        let slice = self.slice_of(run);
        self.children.resumable(slice, run, now).into_iter().filter(|child| child != from).collect()
    }

    pub(super) fn targets(&self, run: u64, except: &PeerId) -> Vec<PeerId> {
        self.children.targets(self.slice_of(run), run).filter(|child| child != except).collect()
    }

    /// Pushes a run: by trains, child after child with the manifest last, where the upload is quick; else the
    /// manifest first and fragment by fragment over the children, so that they can move it on at once.
    pub(super) fn push_run(
        &mut self,
        turn: &mut Turn<'_, '_>,
        children: &[PeerId],
        manifest: &Arc<Manifest>,
        payloads: &[(u32, Bytes)],
    ) {
        if self.sends_trains(turn, manifest) {
            for child in children {
                for (position, payload) in payloads {
                    self.push_fragment(turn, *child, manifest.run, *position, payload);
                }
                self.push_manifest(turn, *child, manifest, Priority::Push);
            }
            return;
        }
        for child in children {
            self.push_manifest(turn, *child, manifest, Priority::Urgent);
        }
        for (position, payload) in payloads {
            for child in children {
                self.push_fragment(turn, *child, manifest.run, *position, payload);
            }
        }
    }

    fn sends_trains(&self, turn: &Turn<'_, '_>, manifest: &Manifest) -> bool {
        let bytes = manifest.pieces.len() as u64 * 1_200;
        turn.config
            .upload
            .is_none_or(|upload| bytes * 1_000_000 / upload.max(1) < TRAIN_TIME.as_micros() as u64)
    }

    fn push_manifest(
        &mut self,
        turn: &mut Turn<'_, '_>,
        to: PeerId,
        manifest: &Arc<Manifest>,
        priority: Priority,
    ) {
        for piece in &manifest.pieces {
            if let PieceEntry::Inline { payload, .. } = piece {
                self.stats.pushed_to_peers.count(payload.len());
            }
        }
        let how = Delivery::live(turn.cx.now, PUSH_LIFETIME, priority);
        let hops = self.hops(self.slice_of(manifest.run));
        let manifest = manifest.clone();
        let message = Message::Manifest { stream: self.alias, is_repair: false, hops, manifest };
        self.send(turn, to, message, how);
    }

    fn push_fragment(
        &mut self,
        turn: &mut Turn<'_, '_>,
        to: PeerId,
        run: u64,
        position: u32,
        payload: &Bytes,
    ) {
        self.stats.pushed_to_peers.count(payload.len());
        let how = Delivery::live(turn.cx.now, PUSH_LIFETIME, Priority::Push);
        let payload = payload.clone();
        let message = Message::Fragment { stream: self.alias, is_repair: false, run, position, payload };
        self.send(turn, to, message, how);
    }

    fn relay_fragment(
        &mut self,
        turn: &mut Turn<'_, '_>,
        from: &PeerId,
        run: u64,
        position: u32,
        payload: &Bytes,
        is_repair: bool,
    ) {
        let children = if is_repair {
            let mut children = self.resumable(turn.cx.now, run, from);
            let served = self.serve_pending(turn, run);
            children.retain(|child| !served.contains(child));
            children
        } else {
            self.children.note_pushed(self.slice_of(run), run);
            self.targets(run, from)
        };
        for child in children {
            self.push_fragment(turn, child, run, position, payload);
        }
    }

    /// Later runs of a slice, or later fragments of a run, came from the parent: what it skipped was lost on
    /// the way, and it is told at once (spec MC-12).
    fn note_gaps(&mut self, turn: &Turn<'_, '_>, from: &PeerId, run: u64) {
        let slice = self.slice_of(run);
        if !self.parents.get(slice).expects(from, run) {
            return;
        }
        let slices = u64::from(self.slices());
        let first = self.parents.get(slice).parent.map_or(u64::MAX, |parent| parent.from_run);
        let now = turn.cx.now;
        let reordering = self.patience.reordering(now);
        for (hole_run, hole) in self.holes.below(run) {
            let is_same_slice = hole_run % slices == u64::from(slice) && hole_run >= first;
            if is_same_slice && hole.attempts == 0 && hole.prefer.is_none() {
                hole.prefer = Some(*from);
                hole.check_at = now + reordering;
                if let Some(place) = self.window.get_mut(hole_run) {
                    place.overtaken_at.get_or_insert(now);
                }
            }
        }
        if self.has_gap(run)
            && let Some(hole) = self.holes.get_mut(run)
            && hole.attempts == 0
        {
            // The clock runs from the first sign: what comes meanwhile says nothing of what does not.
            let noticed_at =
                self.window.get_mut(run).map_or(now, |place| *place.overtaken_at.get_or_insert(now));
            hole.prefer = Some(*from);
            hole.check_at = hole.check_at.min((noticed_at + reordering.max(REORDER_PATIENCE)).max(now));
        }
    }

    /// Closes the hole of a run that is whole, and notes that its slice flows.
    fn completed(&mut self, turn: &mut Turn<'_, '_>, run: u64) {
        let now = turn.cx.now;
        let Some(place) = self.window.get_mut(run) else { return };
        if !place.is_complete() {
            return;
        }
        let is_repaired = place.is_repaired;
        place.came_at = Some(now);
        let published_at = place.manifest.as_ref().map_or(Duration::ZERO, |manifest| manifest.published_at);
        if let Some(asked) = self.holes.close(run).and_then(|hole| hole.asked) {
            self.request_ended(&asked);
        }
        if is_repaired {
            return;
        }
        let slice = self.slice_of(run);
        let did_flow = self.flowing(now).contains(slice);
        let lag = now.as_micros() as i64 - published_at.as_micros() as i64;
        self.parents.get_mut(slice).flowed_at(run, now, lag);
        if !did_flow && self.flowing(now).contains(slice) {
            self.owe_maps(now);
        }
    }

    /// Gives the application what is whole and next.
    pub(super) fn play(&mut self, turn: &mut Turn<'_, '_>) {
        let Some(player) = &mut self.player else { return };
        let mut played = Vec::new();
        player.play(&self.window, &mut played);
        if let Some(end) = &self.announcement.end
            && !self.has_finished
            && player.is_at(end.runs)
        {
            player.finish(end.fragments, &mut played);
            self.has_finished = true;
        }
        let has_finished = self.has_finished;
        self.report(turn, played);
        if has_finished && !self.holes.is_empty() {
            self.holes.clear();
            self.neighbors.values_mut().for_each(|neighbor| neighbor.outstanding = 0);
        }
    }

    fn report(&mut self, turn: &mut Turn<'_, '_>, played: Vec<Played>) {
        let stream = self.announcement.stream;
        for item in played {
            match item {
                Played::Message(message) => {
                    self.stats.messages_delivered += 1;
                    turn.event(Event::Message { stream, message });
                }
                Played::Gap(gap) => {
                    let (first_index, count) = (gap.first_index, gap.fragments);
                    self.stats.fragments_given_up += count;
                    self.stats.messages_expired += gap.messages;
                    turn.event(Event::Gap { stream, first_index, count });
                }
            }
        }
        if self.has_finished && !self.has_told_end {
            self.has_told_end = true;
            turn.event(Event::PlayEnd { stream });
            self.owe_maps(turn.cx.now);
            self.check_drained(turn);
        }
    }

    /// Passes over what the window has closed on, and stops seeking the rest of those messages (spec MC-10).
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let (window, reliability) =
            (self.properties.window_duration, self.announcement.parameters.reliability);
        let Some(player) = &mut self.player else { return };
        // Before its first message who came late loses nothing by going on to a later one; by waiting it does.
        let is_late = !player.has_begun() && self.window.base() > 0;
        let most = if is_late { window.min(START_PATIENCE) } else { window };
        if !player.give_up(&self.window, |kind| now - reliability.patience(kind, window).min(most)) {
            return;
        }
        self.play(turn);
        self.abandon_rest();
    }

    /// While the player skips, runs without a start are of no use to it; nothing more of them is asked.
    fn abandon_rest(&mut self) {
        let Some(player) = &self.player else { return };
        let (mut run, is_skipping) = (player.run(), player.is_skipping());
        self.close_holes_below(run);
        if !is_skipping {
            return;
        }
        while let Some(place) = self.window.get_mut(run)
            && let Some(manifest) = &place.manifest
            && manifest.pieces.iter().all(|piece| !piece.flags().is_start)
        {
            place.is_abandoned = true;
            if let Some(asked) = self.holes.close(run).and_then(|hole| hole.asked) {
                self.request_ended(&asked);
            }
            run += 1;
        }
    }

    /// The signed end became known: every run up to it exists.
    pub(crate) fn on_end(&mut self, turn: &mut Turn<'_, '_>) {
        let Some(end) = self.announcement.end else { return };
        if !matches!(self.role, Role::Subscriber) || !self.has_started() {
            return;
        }
        if let Some(last) = end.runs.checked_sub(1)
            && last >= self.window.base()
        {
            self.reach(turn, last);
        }
        self.window.confirm(end.runs);
        self.play(turn);
    }
}

fn hashed_len(manifest: &Manifest, fragment_size: usize) -> usize {
    let hashed = |piece: &&PieceEntry| matches!(piece, PieceEntry::Hashed { .. });
    manifest.pieces.iter().filter(hashed).count() * fragment_size
}
