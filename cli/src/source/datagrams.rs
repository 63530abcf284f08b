//! Packets in datagrams, bare or wrapped in RTP.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use super::{Got, Input};
use crate::console::Console;
use crate::place::Place;
use crate::stop::{Code, Failure};
use crate::ts::{PACKET_SIZE, SYNC_BYTE};

/// How long nothing may come before somebody is told.
const SILENCE: Duration = Duration::from_secs(5);
/// RTP's version, in the first two bits.
const RTP_VERSION: u8 = 2;
/// RTP's payload type of MPEG-TS.
const RTP_TRANSPORT_STREAM: u8 = 33;
/// RTP's header without extensions.
const RTP_HEADER: usize = 12;

/// A socket that takes whatever is sent to it; it has no end.
pub(super) struct Datagrams {
    socket: UdpSocket,
    place: Place,
    source: Option<IpAddr>,
    wants_packets: bool,
    console: Console,
    is_silent: bool,
    has_told_foreign: bool,
}

impl Datagrams {
    /// Takes datagrams, of `source` alone if it is given, and of packets alone if they are wanted.
    pub(super) fn new(
        socket: UdpSocket,
        place: &Place,
        source: Option<IpAddr>,
        wants_packets: bool,
        console: Console,
    ) -> Result<Self, Failure> {
        socket.set_read_timeout(Some(SILENCE)).map_err(|error| {
            Failure::new(Code::Failed, format!("cannot listen at {place}")).tried(error.to_string())
        })?;
        console.note(format_args!("waiting for datagrams at {place}"));
        let place = place.clone();
        Ok(Self { socket, place, source, wants_packets, console, is_silent: false, has_told_foreign: false })
    }

    /// Told once for each silence.
    fn tell_silence(&mut self) {
        if std::mem::replace(&mut self.is_silent, true) {
            return;
        }
        let (place, seconds) = (&self.place, SILENCE.as_secs());
        self.console.note(format_args!("nothing has come to {place} for {seconds} s"));
    }

    /// Told once: whoever sends such a thing sends many.
    fn tell_foreign(&mut self) {
        if !std::mem::replace(&mut self.has_told_foreign, true) {
            let place = &self.place;
            self.console
                .note(format_args!("a datagram that is not MPEG-TS came to {place}; such are dropped"));
        }
    }
}

impl Input for Datagrams {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let (count, from) = match self.socket.recv_from(buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.tell_silence();
                return Ok(Got::Bytes(0));
            }
            Err(error) => return Err(error),
        };
        if self.source.is_some_and(|source| source != from.ip()) {
            return Ok(Got::Bytes(0));
        }
        if !self.wants_packets {
            self.is_silent = false;
            return Ok(Got::Bytes(count));
        }
        let Some(packets) = packets(&buffer[..count]) else {
            self.tell_foreign();
            return Ok(Got::Bytes(0));
        };
        self.is_silent = false;
        buffer.copy_within(packets.clone(), 0);
        Ok(Got::Bytes(packets.len()))
    }
}

/// Where in a datagram whole packets stand; `None` if it holds anything else.
///
/// ```text
/// 0      RTP: version 2 | padding 1 | extension 1 | count of sources 4
/// 1      marker 1 | payload type 7
/// 2..4   sequence number      4..8 timestamp      8..12 sender
/// 12     sources, 4 bytes each; if the extension bit is set: 2 bytes, length in words 2, words
///        packets; if the padding bit is set: padding, whose last byte is its length
/// ```
fn packets(datagram: &[u8]) -> Option<std::ops::Range<usize>> {
    if are_packets(datagram) {
        return Some(0..datagram.len());
    }
    let (first, second) = (*datagram.first()?, *datagram.get(1)?);
    if first >> 6 != RTP_VERSION || second & 0x7f != RTP_TRANSPORT_STREAM {
        return None;
    }
    let mut start = RTP_HEADER + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let length = datagram.get(start + 2..start + 4)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
    let padding = if first & 0x20 != 0 { usize::from(*datagram.last()?) } else { 0 };
    let end = datagram.len().checked_sub(padding)?;
    datagram.get(start..end).filter(|payload| are_packets(payload)).map(|_| start..end)
}

fn are_packets(bytes: &[u8]) -> bool {
    let is_whole = !bytes.is_empty() && bytes.len().is_multiple_of(PACKET_SIZE);
    is_whole && bytes.iter().step_by(PACKET_SIZE).all(|byte| *byte == SYNC_BYTE)
}

#[cfg(test)]
mod tests;
