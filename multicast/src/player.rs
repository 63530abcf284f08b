use std::time::Duration;

use bytes::Bytes;
use stratus_core::Time;

use crate::window::Window;
use crate::{Kind, StreamMessage};

/// Gives whole messages to the application in order, and gives up as a whole those that the window closed on.
///
/// ```text
///            first fragment of a message            last fragment
///  Between ───────────────────────────► Inside ───────────────────► Between   (delivered)
///     ▲                                    │ a fragment left the window
///     └──────────── a start is found ── Skipping ◄┘                           (given up)
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Player {
    run: u64,
    position: u32,
    /// Index of the next fragment, as far as known.
    index: u64,
    open: Option<StreamMessage>,
    is_skipping: bool,
    /// A first message was found: from there on, what is passed over is a loss.
    has_begun: bool,
    gap: Option<Gap>,
    max_message: usize,
}

/// What was passed over between two messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gap {
    pub(crate) first_index: u64,
    pub(crate) fragments: u64,
    /// Messages that were seen to begin; at least one, once it is told.
    pub(crate) messages: u64,
}

/// What playing on brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Played {
    Message(StreamMessage),
    Gap(Gap),
}

impl Player {
    /// Begins at the first message that starts in or after `run`.
    pub(crate) fn new(run: u64, max_message: usize) -> Self {
        Self {
            run,
            position: 0,
            index: 0,
            open: None,
            is_skipping: false,
            has_begun: false,
            gap: None,
            max_message,
        }
    }

    /// The run whose fragment is wanted next: nothing before it is of use here.
    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// Plays as far as the window allows. Cost: O(fragments played).
    pub(crate) fn play(&mut self, window: &Window, out: &mut Vec<Played>) {
        if self.run < window.base() {
            self.give_up_to(window.base());
        }
        while let Some(run) = window.get(self.run)
            && let Some(manifest) = &run.manifest
        {
            self.enter_run(manifest.first_index);
            while let Some(entry) = manifest.pieces.get(self.position as usize) {
                let flags = entry.flags();
                if self.is_skipping && !flags.is_start {
                    self.pass_over(false);
                    continue;
                }
                let Some(payload) = run.payload(self.position) else { return };
                self.report_gap(out);
                if flags.is_start {
                    self.begin(flags.kind, flags.is_key, manifest.published_at, out);
                }
                self.take(payload.clone(), flags.is_end, out);
            }
            self.run += 1;
            self.position = 0;
        }
    }

    /// Passes over fragments that the window has closed on: those of runs known since before the `horizon` of their
    /// kind, which is `None` while the manifest is unknown.
    ///
    /// Only runs that certainly exist are given up, or a liar could make us skip what is still to come.
    /// Says whether anything was.
    pub(crate) fn give_up(&mut self, window: &Window, horizon: impl Fn(Option<Kind>) -> Time) -> bool {
        let mut gave_up = false;
        while let Some(run) = window.get(self.run)
            && self.run < window.verified_end()
            && run.payload(self.position).is_none()
            && run.known_at < horizon(run.kind(self.position))
        {
            gave_up = true;
            self.abandon_message();
            match &run.manifest {
                // The rest of the run may still hold the start of another message.
                Some(manifest) => match manifest.pieces.get(self.position as usize) {
                    Some(piece) => self.pass_over(piece.flags().is_start),
                    None => self.give_up_to(self.run + 1),
                },
                None => self.give_up_to(self.run + 1),
            }
        }
        gave_up
    }

    /// Whether a first message was found.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether everything below `end` was played or given up.
    pub(crate) fn is_at(&self, end: u64) -> bool {
        self.run >= end
    }

    /// Whether fragments before the next start are of no use.
    pub(crate) fn is_skipping(&self) -> bool {
        self.is_skipping
    }

    /// Ends the stream after `fragments`: whatever was passed over last is told.
    pub(crate) fn finish(&mut self, fragments: u64, out: &mut Vec<Played>) {
        if self.gap.is_some() || self.open.is_some() {
            self.abandon_message();
            self.enter_index(fragments);
            self.report_gap(out);
        }
    }

    fn enter_run(&mut self, first_index: u64) {
        self.enter_index(first_index.saturating_add(u64::from(self.position)));
    }

    fn enter_index(&mut self, index: u64) {
        if let Some(gap) = &mut self.gap {
            // Runs that were passed over unseen had this many fragments.
            gap.fragments = gap.fragments.max(index.saturating_sub(gap.first_index));
        }
        self.index = index;
    }

    fn begin(&mut self, kind: Kind, is_key: bool, published_at: Duration, out: &mut Vec<Played>) {
        // A publisher that begins a message inside another one never finished the first: it is lost.
        self.abandon_message();
        self.is_skipping = false;
        self.has_begun = true;
        self.report_gap(out);
        let index = self.index;
        self.open = Some(StreamMessage { index, kind, is_key, published_at, pieces: Vec::new() });
    }

    fn take(&mut self, payload: Bytes, is_end: bool, out: &mut Vec<Played>) {
        self.position += 1;
        self.index += 1;
        let Some(open) = &mut self.open else {
            // The stream was entered in the middle of a message.
            self.is_skipping = true;
            return;
        };
        open.pieces.push(payload);
        if open.len() > self.max_message {
            self.abandon_message();
        } else if is_end {
            out.extend(self.open.take().map(Played::Message));
        }
    }

    fn abandon_message(&mut self) {
        if let Some(open) = self.open.take() {
            self.lose(open.index, open.pieces.len() as u64, 1);
        }
        self.is_skipping = true;
    }

    fn pass_over(&mut self, is_start: bool) {
        self.lose(self.index, 1, u64::from(is_start));
        self.position += 1;
        self.index += 1;
    }

    fn give_up_to(&mut self, run: u64) {
        self.abandon_message();
        self.lose(self.index, 0, 0);
        self.run = run;
        self.position = 0;
    }

    fn lose(&mut self, index: u64, fragments: u64, messages: u64) {
        if self.has_begun {
            let gap = self.gap.get_or_insert(Gap { first_index: index, fragments: 0, messages: 0 });
            gap.fragments += fragments;
            gap.messages += messages;
        }
    }

    fn report_gap(&mut self, out: &mut Vec<Played>) {
        let Some(gap) = self.gap.take().filter(|gap| gap.fragments > 0) else { return };
        // Where no beginning was seen, one message was lost at least.
        out.push(Played::Gap(Gap { messages: gap.messages.max(1), ..gap }));
    }
}
