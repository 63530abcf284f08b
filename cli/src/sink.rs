//! Where played bytes go: a thread that writes, so that a slow reader does not hold up the group.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::console;
use crate::stop::{Code, Failure, Stop, lower_first};

/// Messages between the group and the writing thread: about two seconds of pictures.
const MESSAGE_LIMIT: usize = 64;

/// An output that is written in order by its own thread.
pub(crate) struct Sink {
    name: String,
    messages: mpsc::Sender<Vec<Bytes>>,
    result: oneshot::Receiver<io::Result<()>>,
}

enum Target {
    Stdout,
    File { file: File, is_empty: bool },
}

impl Sink {
    /// Opens what `path` names; `-` is standard output, unless that is a screen.
    ///
    /// A file that exists is emptied only when the first bytes are there.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            if console::stdout_is_terminal() {
                return Err(Failure::new(
                    Code::Usage,
                    "standard output is a terminal, and this is binary data",
                )
                .hint("name a file, or pipe it into a player: stratus play … | mpv -"));
            }
            return Ok(Self::start("standard output".into(), Target::Stdout));
        }
        let opened = OpenOptions::new().create(true).write(true).truncate(false).open(path);
        let file = opened.map_err(|error| {
            Failure::new(Code::Usage, format!("cannot open the output: {}", path.display()))
                .tried(lower_first(&error.to_string()))
                .hint("check that the folder exists and may be written")
        })?;
        Ok(Self::start(path.display().to_string(), Target::File { file, is_empty: false }))
    }

    fn start(name: String, mut target: Target) -> Self {
        let (messages, mut receiver) = mpsc::channel::<Vec<Bytes>>(MESSAGE_LIMIT);
        let (sender, result) = oneshot::channel();
        std::thread::spawn(move || {
            let written = target.write_all(&mut receiver);
            // Tells whoever waits in `failed`.
            drop(receiver);
            // Nobody waits for it when the process is being killed.
            let _ = sender.send(written);
        });
        Self { name, messages, result }
    }

    /// Hands over one message; waits while too many are unwritten.
    pub(crate) async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), Stop> {
        match self.messages.send(pieces).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Ends only when writing has failed.
    pub(crate) async fn failed(&mut self) -> Stop {
        self.messages.closed().await;
        self.failure().await
    }

    /// Waits until everything is written.
    pub(crate) async fn finish(self) -> Result<(), Stop> {
        drop(self.messages);
        let written = self.result.await.unwrap_or(Ok(()));
        written.map_err(|error| Failure::of_write(&self.name, &error))
    }

    async fn failure(&mut self) -> Stop {
        match (&mut self.result).await {
            Ok(Err(error)) => Failure::of_write(&self.name, &error),
            _ => Failure::new(Code::Failed, format!("writing to {} ended by itself", self.name)).into(),
        }
    }
}

impl Target {
    /// Writes all messages until there are no more or one cannot be written.
    fn write_all(&mut self, messages: &mut mpsc::Receiver<Vec<Bytes>>) -> io::Result<()> {
        while let Some(pieces) = messages.blocking_recv() {
            self.write(&pieces.concat())?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::File { file, is_empty } => {
                if !*is_empty && file.metadata()?.is_file() {
                    file.set_len(0)?;
                }
                *is_empty = true;
                file.write_all(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests;
