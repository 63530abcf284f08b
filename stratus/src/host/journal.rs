use std::fs::File;
use std::io::{BufWriter, Write};

use stratus_core::{Time, Wire};
use stratus_node::journal::{Header, Recorder};
use stratus_node::{Input, Node, Output};

/// Most bytes of a journal: half a minute of a busy relay to some hours of a quiet member.
const MOST_BYTES: u64 = 256 << 20;
/// Bytes that a crash may cost.
const UNWRITTEN: usize = 16 << 10;

/// Writes what a node goes through to a file; see [`stratus_node::journal`] for what is in it.
#[derive(Debug)]
pub(crate) struct Journal {
    recorder: Recorder,
    file: BufWriter<File>,
}

impl Journal {
    pub(crate) fn new(file: File, header: &Header) -> Self {
        let recorder = Recorder::new(header, MOST_BYTES);
        Self { recorder, file: BufWriter::with_capacity(UNWRITTEN, file) }
    }

    pub(super) fn begin(&mut self, at: Time, input: Option<&Input>) {
        self.recorder.begin(at, input);
    }

    /// Ends the turn; false if the journal is at its limit or cannot be written, and of no more use.
    pub(super) fn end(&mut self, node: &Node, outputs: &[Output]) -> bool {
        self.recorder.end(outputs, &node.overlay().own_record().to_bytes());
        match self.file.write_all(&self.recorder.take()) {
            Ok(()) if self.recorder.is_full() => {
                tracing::info!("the journal has reached its limit: {MOST_BYTES} bytes");
                false
            }
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "cannot write the journal");
                false
            }
        }
    }
}
