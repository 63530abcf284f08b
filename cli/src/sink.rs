//! Where played bytes go: a thread that writes, so that a slow reader does not hold up the group.

use std::io::{self, Write};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

use crate::place::{Program, SocketFile};
use crate::stop::{Code, Failure, Stop};

mod datagrams;
mod open;
mod players;

pub(crate) use open::open;

/// Messages between the group and the writing thread: about two seconds of pictures.
const MESSAGE_LIMIT: usize = 64;
/// How long a program that reads no more may take to say why.
const LAST_WORD: Duration = Duration::from_secs(1);

/// One message on its way out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    /// What a reader gets who had everything before it.
    pub(crate) pieces: Vec<Bytes>,
    /// The message as it came, with the tables that were inserted for newcomers.
    pub(crate) whole: Vec<Bytes>,
    /// Whether a newcomer can start with it.
    pub(crate) is_key: bool,
    /// Whether it is bytes of any kind, and no part of a transport stream.
    pub(crate) is_data: bool,
    /// Whether it is of another stream than what was before it.
    pub(crate) is_anew: bool,
}

/// Something to write to, on a thread of its own.
pub(crate) trait Output: Send {
    /// Writes all of a message, or says why not.
    fn send(&mut self, unit: &Unit) -> io::Result<()>;

    /// Everything is written; waits until it has arrived, where that can be known.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write + Send> Output for W {
    fn send(&mut self, unit: &Unit) -> io::Result<()> {
        self.write_all(&unit.pieces.concat())?;
        self.flush()
    }
}

/// An output that is written in order by its own thread.
pub(crate) struct Sink {
    name: String,
    units: mpsc::Sender<Unit>,
    result: oneshot::Receiver<io::Result<()>>,
    program: Option<Program>,
    /// Removed when nothing is written any more.
    _socket_file: Option<SocketFile>,
}

impl Sink {
    /// Starts the thread.
    fn start(name: impl Into<String>, mut output: Box<dyn Output>) -> Self {
        let (units, mut receiver) = mpsc::channel::<Unit>(MESSAGE_LIMIT);
        let (sender, result) = oneshot::channel();
        std::thread::spawn(move || {
            let written = write_all(&mut *output, &mut receiver);
            // Tells whoever waits in `failed`.
            drop(receiver);
            // A program that reads learns from this that nothing more comes.
            drop(output);
            // Nobody waits for it when the process is being killed.
            let _ = sender.send(written);
        });
        Self { name: name.into(), units, result, program: None, _socket_file: None }
    }

    /// Hands over one message; waits while too many are unwritten.
    pub(crate) async fn write(&mut self, unit: Unit) -> Result<(), Stop> {
        match self.units.send(unit).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Ends only when nothing can be written any more: writing has failed, or the program that reads has ended.
    pub(crate) async fn failed(&mut self) -> Stop {
        let ended = async {
            match &mut self.program {
                Some(program) => program.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = ended => ended.map_or_else(Stop::Failed, |()| Stop::ClosedPipe),
            () = self.units.closed() => self.failure().await,
        }
    }

    /// Waits until everything is written, and until the program that reads has ended.
    pub(crate) async fn finish(self) -> Result<(), Stop> {
        drop(self.units);
        let written = self.result.await.unwrap_or(Ok(()));
        match self.program {
            // It says itself whether something is wrong; not to read to the end is its right.
            Some(mut program) => Ok(program.ended().await?),
            None => written.map_err(|error| Failure::of_write(&self.name, &error)),
        }
    }

    async fn failure(&mut self) -> Stop {
        // A program that reads no more is about to end, and knows more than the pipe does.
        if let Some(program) = &mut self.program
            && let Ok(Err(failure)) = timeout(LAST_WORD, program.ended()).await
        {
            return failure.into();
        }
        match (&mut self.result).await {
            Ok(Err(error)) => Failure::of_write(&self.name, &error),
            _ => Failure::new(Code::Failed, format!("writing to {} ended by itself", self.name)).into(),
        }
    }
}

/// Writes all messages until there are no more or one cannot be written.
fn write_all(output: &mut dyn Output, units: &mut mpsc::Receiver<Unit>) -> io::Result<()> {
    while let Some(unit) = units.blocking_recv() {
        output.send(&unit)?;
    }
    output.finish()
}

#[cfg(test)]
mod tests;
