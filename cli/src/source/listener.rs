//! Encoders that connect to us, one after the other.

use std::io::{self, Read as _};
use std::time::Duration;

use super::{Got, Input};
use crate::console::Console;
use crate::place::{Place, Socket};

/// How long an encoder may be silent while another waits: one that died without a word must not keep the next out.
const SILENCE: Duration = Duration::from_secs(2);

/// A listening socket, and who is served there.
///
/// A publication outlives its encoders: when one has gone, the next continues it.
pub(super) struct Listener {
    socket: Socket,
    current: Option<Socket>,
    place: Place,
    console: Console,
    has_begun: bool,
}

impl Listener {
    /// Nobody has come yet.
    pub(super) fn new(socket: Socket, place: &Place, console: Console) -> Self {
        Self { socket, current: None, place: place.clone(), console, has_begun: false }
    }

    /// Takes who comes, or (while somebody is served) who is there already.
    fn accept(&mut self) -> io::Result<()> {
        let (encoder, _) = self.socket.accept()?;
        encoder.set_nonblocking(false)?;
        encoder.set_read_timeout(Some(SILENCE))?;
        self.console.note(format_args!("an encoder has come to {}", self.place));
        self.current = Some(encoder);
        Ok(())
    }

    fn waiting(&mut self) -> bool {
        let accepted = self.socket.set_nonblocking(true).and_then(|()| self.accept());
        self.socket.set_nonblocking(false).is_ok() && accepted.is_ok()
    }

    fn begin(&mut self) -> Got {
        // The first has nobody before it.
        if std::mem::replace(&mut self.has_begun, true) { Got::Anew } else { Got::Bytes(0) }
    }
}

impl Input for Listener {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let Some(current) = &mut self.current else {
            self.console.note(format_args!("waiting for an encoder at {}", self.place));
            self.accept()?;
            return Ok(self.begin());
        };
        match current.read(buffer) {
            Ok(count) if count > 0 => Ok(Got::Bytes(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(if self.waiting() { self.begin() } else { Got::Bytes(0) })
            }
            // However it went: the next one is welcome.
            Ok(_) | Err(_) => {
                self.console.note("the encoder has gone");
                self.current = None;
                Ok(Got::Bytes(0))
            }
        }
    }

    fn turn_away(&mut self) -> bool {
        self.console.note("what came is not MPEG-TS; its sender is turned away");
        self.current = None;
        true
    }
}

#[cfg(test)]
mod tests;
