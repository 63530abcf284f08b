//! Signals that ask us to end.

use tokio::signal::unix::{self, SignalKind};

use crate::stop::{Code, Failure, Signal};

/// Listens for SIGINT and SIGTERM. The first is handed out, the second ends the process on the spot.
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    /// Begins to listen; until then the signals kill as usual.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            unix::signal(kind)
                .map_err(|error| Failure::new(Code::Failed, "cannot catch signals").tried(error.to_string()))
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the first signal. From then on a second one kills.
    pub async fn first(mut self) -> Signal {
        let first = self.next().await;
        tokio::spawn(async move {
            let second = self.next().await;
            std::process::exit(i32::from(second.exit_code()));
        });
        first
    }

    /// Waits for the next of either.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}
