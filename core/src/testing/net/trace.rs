use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{PeerId, Time};

/// What happened, in the order it happened, one line each.
#[derive(Debug, Default)]
pub(super) struct Trace {
    names: BTreeMap<PeerId, String>,
    text: String,
    pub(super) has_messages: bool,
    pub(super) is_off: bool,
}

impl Trace {
    pub(super) fn name_node(&mut self, peer: PeerId, name: &str) {
        self.names.insert(peer, name.to_owned());
    }

    pub(super) fn name(&self, peer: &PeerId) -> String {
        self.names.get(peer).cloned().unwrap_or_else(|| format!("{peer:?}"))
    }

    /// One line: when, at which node, what. Peers in `what` are shown by their names.
    pub(super) fn note(&mut self, now: Time, at: &PeerId, what: &str) {
        if self.is_off {
            return;
        }
        let mut what = what.to_owned();
        for (peer, name) in &self.names {
            let shown = format!("{peer:?}");
            if what.contains(&shown) {
                what = what.replace(&shown, name);
            }
        }
        let millis = now.as_micros() / 1_000;
        let (seconds, rest, name) = (millis / 1_000, millis % 1_000, self.name(at));
        writeln!(self.text, "{seconds}.{rest:03} {name}  {what}").expect("a String takes all");
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
