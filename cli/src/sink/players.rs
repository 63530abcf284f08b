//! Players that connect to us, each from the next key picture on.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Output, Unit};
use crate::console::Console;
use crate::place::{Place, Socket};
use crate::ts::Joiner;

/// Most players at a time; more are hung up on.
const PLAYER_LIMIT: usize = 16;
/// Messages that wait for one player: about two seconds of pictures. A slower one starts again at a key picture.
const MESSAGE_LIMIT: usize = 64;
/// How long a player may take nothing at all before it is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever has connected. That nobody has is fine; a live stream waits for nobody.
pub(super) struct Players {
    players: Arc<Mutex<Vec<Player>>>,
}

struct Player {
    pieces: SyncSender<Vec<bytes::Bytes>>,
    thread: JoinHandle<()>,
    joiner: Joiner,
    has_started: bool,
}

impl Players {
    /// Lets players in at this socket.
    pub(super) fn serve(socket: Socket, place: &Place, console: Console) -> Self {
        let players = Arc::default();
        console.note(format_args!("waiting for players at {place}"));
        let (shared, place) = (Arc::clone(&players), place.clone());
        std::thread::spawn(move || {
            // It ends with the process: nobody can be told to come later.
            while let Ok((player, _)) = socket.accept() {
                let has_room = admit(&shared, player);
                let answer = if has_room { "a player has come to" } else { "one player too many came to" };
                console.note(format_args!("{answer} {place}"));
            }
        });
        Self { players }
    }
}

/// Lets one more in, if there is room.
fn admit(players: &Mutex<Vec<Player>>, socket: Socket) -> bool {
    // A panic elsewhere leaves a list that is as good as before.
    let mut players = players.lock().unwrap_or_else(PoisonError::into_inner);
    players.retain(|player| !player.thread.is_finished());
    let has_room = players.len() < PLAYER_LIMIT && socket.set_write_timeout(Some(PATIENCE)).is_ok();
    if has_room {
        let (pieces, receiver) = sync_channel(MESSAGE_LIMIT);
        let thread = std::thread::spawn(move || feed(socket, &receiver));
        players.push(Player { pieces, thread, joiner: Joiner::default(), has_started: false });
    }
    has_room
}

/// Writes until there is nothing more, or the player takes no more.
fn feed(mut socket: Socket, pieces: &Receiver<Vec<bytes::Bytes>>) {
    while let Ok(pieces) = pieces.recv() {
        if socket.write_all(&pieces.concat()).is_err() {
            return;
        }
    }
}

impl Player {
    /// Gives the player its part of a message; false if it has gone.
    fn take(&mut self, unit: &Unit) -> bool {
        if unit.is_anew {
            self.joiner.restart();
        }
        self.has_started |= unit.is_key;
        let pieces = match (unit.is_data, self.has_started) {
            (true, false) => return true,
            (true, true) => unit.whole.clone(),
            (false, _) => self.joiner.take(unit.is_key, unit.whole.clone()),
        };
        if pieces.is_empty() {
            return true;
        }
        match self.pieces.try_send(pieces) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                (self.joiner, self.has_started) = (Joiner::default(), false);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

impl Output for Players {
    fn send(&mut self, unit: &Unit) -> std::io::Result<()> {
        let mut players = self.players.lock().unwrap_or_else(PoisonError::into_inner);
        players.retain_mut(|player| player.take(unit));
        Ok(())
    }

    fn finish(&mut self) -> std::io::Result<()> {
        let players = std::mem::take(&mut *self.players.lock().unwrap_or_else(PoisonError::into_inner));
        for Player { pieces, thread, .. } in players {
            drop(pieces);
            // A player whose thread failed has what it got.
            let _ = thread.join();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
