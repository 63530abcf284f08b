use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::{Output, Unit};

/// A burst that every receiver's buffer takes: half of what Linux gives a socket by default.
const BURST_BYTES: usize = 96 * 1024;
/// The pause after a burst; what comes at 20 Mbit/s never waits.
const PAUSE: Duration = Duration::from_millis(5);

/// Packets to one address, seven in a datagram. Whether somebody listens is not known, and not asked.
pub(super) struct Datagrams {
    socket: UdpSocket,
    to: SocketAddr,
    packet_size: usize,
}

impl Datagrams {
    /// Sends at most `packet_size` bytes in each, and of a transport stream whole packets only.
    pub(super) fn new(socket: UdpSocket, to: SocketAddr, packet_size: usize) -> Self {
        Self { socket, to, packet_size }
    }

    fn send_one(&self, bytes: &[u8]) -> io::Result<()> {
        match self.socket.send_to(bytes, self.to) {
            // The interface's queue is full for a moment, or nobody listens: like a datagram lost on its way.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused) => Ok(()),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => Ok(()),
            result => result.map(|_| ()),
        }
    }
}

impl Output for Datagrams {
    fn send(&mut self, unit: &Unit) -> io::Result<()> {
        use crate::ts::PACKET_SIZE;
        let whole = if unit.is_data { 1 } else { PACKET_SIZE };
        let size = self.packet_size / whole * whole;
        // A stream's beginning comes all at once.
        for (index, burst) in unit.pieces.concat().chunks(BURST_BYTES / size * size).enumerate() {
            if index > 0 {
                std::thread::sleep(PAUSE);
            }
            burst.chunks(size).try_for_each(|datagram| self.send_one(datagram))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
