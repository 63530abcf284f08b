use stratus_core::{Time, Wire};
use stratus_node::journal::{Header, Recorder};
use stratus_node::{Input, Node, Output};

/// Most bytes of one member's journal.
const MOST_BYTES: u64 = 64 << 20;

/// Writes down what one member goes through.
#[derive(Debug)]
pub(crate) struct Journal {
    member: u32,
    recorder: Option<Recorder>,
    bytes: Vec<u8>,
}

impl Journal {
    /// Of the member with this number, once it joins.
    pub(crate) fn of(member: u32) -> Self {
        Self { member, recorder: None, bytes: Vec::new() }
    }

    /// Whether it is this member's.
    pub(crate) fn is_of(&self, member: u32) -> bool {
        self.member == member
    }

    /// The member joins.
    pub(crate) fn open(&mut self, header: &Header) {
        self.recorder = Some(Recorder::new(header, MOST_BYTES));
    }

    pub(crate) fn begin(&mut self, now: Time, member: u32, input: Option<&Input>) {
        if let Some(recorder) = self.recorder.as_mut().filter(|_| self.member == member) {
            recorder.begin(now, input);
        }
    }

    pub(crate) fn end(&mut self, member: u32, node: &Node, outputs: &[Output]) {
        if let Some(recorder) = self.recorder.as_mut().filter(|_| self.member == member) {
            recorder.end(outputs, &node.overlay().own_record().to_bytes());
            self.bytes.append(&mut recorder.take());
        }
    }

    /// What was written.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
