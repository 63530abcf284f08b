//! The publisher's side: pieces in, runs out.

use std::sync::Arc;

use bytes::Bytes;
use stratus_core::PeerId;

use super::{Role, Swarm, Turn};
use crate::cutter::CutRun;
use crate::{Announcement, End, Piece};

impl Swarm {
    /// Our stream begins: maps and upkeep start.
    pub(crate) fn begin_publishing(&mut self, turn: &mut Turn<'_, '_>) {
        self.links.begin(turn.cx.now);
        self.began_at = turn.cx.now;
        self.rounds.begin(turn.cx.now + self.properties.availability_update_period);
        self.plan_renewal(turn);
    }

    /// The next piece of our stream.
    pub(crate) fn write(&mut self, turn: &mut Turn<'_, '_>, piece: &Piece) {
        let now = turn.cx.now;
        if matches!(&self.role, Role::Publisher(cutter) if cutter.ends_before(piece.flags)) {
            self.cut(turn);
        }
        let Role::Publisher(cutter) = &mut self.role else { return };
        let is_full = cutter.add(now, piece, turn.config.run_length);
        if is_full || piece.flush {
            self.cut(turn);
        }
    }

    /// Cuts the pending run if it has waited long enough.
    pub(super) fn cut_if_due(&mut self, turn: &mut Turn<'_, '_>) {
        if let Role::Publisher(cutter) = &self.role
            && cutter.due_at(turn.config.hold(self.rate.payload())).is_some_and(|due| due <= turn.cx.now)
        {
            self.cut(turn);
        }
    }

    fn cut(&mut self, turn: &mut Turn<'_, '_>) {
        let Role::Publisher(cutter) = &mut self.role else { return };
        let Some(cut) = cutter.cut(turn.cx.now, turn.cx.verify) else { return };
        self.note_cut(turn.cx.now);
        self.give_out(turn, cut);
    }

    /// Keeps a run of ours and pushes it.
    pub(super) fn give_out(&mut self, turn: &mut Turn<'_, '_>, cut: CutRun) {
        let CutRun { manifest, payloads } = cut;
        let run = manifest.run;
        let limits = self.limits(turn.config);
        self.window.reach(run, turn.cx.now, &limits);
        self.window.insert_manifest(manifest.clone(), manifest.link(turn.cx.verify));
        self.rate.note(&manifest, payloads.iter().map(Bytes::len).sum());
        let mut separate = Vec::with_capacity(payloads.len());
        for (position, payload) in (0..).zip(payloads) {
            // Those that ride inside the manifest are there already.
            if self.window.insert_payload(run, position, payload.clone()) {
                separate.push((position, payload));
            }
        }
        let nobody = PeerId::from_bytes([0; 32]);
        let children = self.targets(run, &nobody);
        self.children.note_pushed(self.slice_of(run), run);
        self.push_run(turn, &children, &manifest, &separate);
        self.shed_surplus(turn);
    }

    /// Ends our stream: what is pending goes, and the signed end is announced by the caller.
    pub(crate) fn end(&mut self, turn: &mut Turn<'_, '_>) -> Option<Arc<Announcement>> {
        if self.has_ended() {
            return None;
        }
        self.cut(turn);
        let Role::Publisher(cutter) = &self.role else { return None };
        let (runs, fragments) = cutter.cut_so_far();
        let mut announcement = (*self.announcement).clone();
        announcement.sequence += 1;
        announcement.end = Some(End { runs, fragments });
        self.announcement = Arc::new(announcement.signed(&turn.setup.group, cutter.key()));
        self.announced(turn.cx.now, std::time::Duration::ZERO, turn.config);
        self.owe_maps(turn.cx.now);
        self.check_drained(turn);
        Some(self.announcement.clone())
    }
}
