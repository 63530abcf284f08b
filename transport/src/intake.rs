//! What one connection may bring in: its share of a port, and what is a flood. Spec TR-54, TR-55.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use quinn::{ConnectionStats, FrameStats};
use stratus_core::PeerId;
use tokio::sync::OwnedSemaphorePermit;

use crate::group::LinkEvent;

/// One connection's datagrams in the ports of its groups: no neighbor fills a port alone.
#[derive(Debug, Default)]
pub(crate) struct Share {
    waiting: Arc<AtomicUsize>,
    /// Datagrams and frames handed over since the connection began.
    pub(crate) delivered: AtomicU64,
    /// Datagrams among them that brought bulk.
    pub(crate) bulk: AtomicU64,
}

/// The room that one event takes until its owner has read it.
#[derive(Debug)]
pub(crate) enum Place {
    /// Of a datagram.
    Datagram { waiting: Arc<AtomicUsize> },
    /// Of a control frame.
    Control { _permit: OwnedSemaphorePermit },
    /// Of a frame of bulk.
    Bulk { _permit: OwnedSemaphorePermit },
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Datagram { waiting } = self {
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Share {
    /// Takes one place of `most`, if there is one. Only the connection's own reader takes.
    pub(crate) fn take(&self, most: usize) -> Option<Place> {
        if self.waiting.load(Ordering::Relaxed) >= most {
            return None;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Place::Datagram { waiting: self.waiting.clone() })
    }

    /// Takes `count` places of `most`, or none.
    pub(crate) fn take_many(&self, count: usize, most: usize) -> Option<Vec<Place>> {
        let fits = self.waiting.load(Ordering::Relaxed) + count <= most;
        fits.then(|| (0..count).filter_map(|_| self.take(most)).collect())
    }
}

/// An event on its way to the owner of a port.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) event: LinkEvent,
    /// Free again once this is dropped.
    pub(crate) _place: Option<Place>,
}

impl From<LinkEvent> for Arrival {
    fn from(event: LinkEvent) -> Self {
        Self { event, _place: None }
    }
}

/// What a connection had received, sent and handed over when it was last looked at.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Meter {
    received: u64,
    sent: u64,
    delivered: u64,
    /// Of these, what brought bulk: as much as was read.
    bulk: u64,
    /// Frames of QUIC that bring nothing.
    idle_frames: u64,
    /// Seconds in a row that were a flood.
    flooded: u32,
}

/// UDP datagrams a second that come to nothing and are borne: probes, keep-alives, acknowledgements of what
/// was sent a while ago. As many frames that bring nothing: hundreds fit in one datagram.
const EMPTY_PER_SECOND: u64 = 2_000;
/// Streams that a connection may have, both ways and one way.
const STREAMS: u64 = 8;
/// So many seconds in a row, and it is no accident.
const FLOOD_SECONDS: u32 = 2;

impl Meter {
    /// Looks again, about a second later; says whether the connection has been flooding. Of its datagrams so many
    /// were for a group here, so many of these brought bulk, and so many were for none.
    pub(crate) fn is_flooded(
        &mut self,
        stats: &ConnectionStats,
        (delivered, bulk, unknown): (u64, u64, u64),
        most: u64,
    ) -> bool {
        let (received, sent) = (stats.udp_rx.datagrams, stats.udp_tx.datagrams);
        let idle_frames = idle_frames(&stats.frame_rx, received) + unknown;
        self.note(Self { received, sent, delivered, bulk, idle_frames, flooded: 0 }, most)
    }

    fn note(&mut self, now: Self, most: u64) -> bool {
        let came = now.received.saturating_sub(self.received);
        let of_use = now.delivered.saturating_sub(self.delivered) + now.sent.saturating_sub(self.sent);
        let idle = now.idle_frames.saturating_sub(self.idle_frames);
        let bulk = now.bulk.saturating_sub(self.bulk);
        let is_flood = came > most + bulk || came > of_use + EMPTY_PER_SECOND || idle > EMPTY_PER_SECOND;
        let flooded = if is_flood { self.flooded + 1 } else { 0 };
        *self = Self { flooded, ..now };
        flooded >= FLOOD_SECONDS
    }
}

/// Frames of QUIC that bring nothing, of all that `received` packets held. An honest peer sends a few a second, for
/// windows and probes; and no more parts of streams and acknowledgements than streams, in one packet.
fn idle_frames(frames: &FrameStats, received: u64) -> u64 {
    let streams = frames.reset_stream + frames.stop_sending + frames.crypto + frames.new_token;
    let limits = frames.max_data + frames.max_stream_data + frames.max_streams_bidi + frames.max_streams_uni;
    let blocked = frames.data_blocked
        + frames.stream_data_blocked
        + frames.streams_blocked_bidi
        + frames.streams_blocked_uni;
    let path = frames.new_connection_id
        + frames.retire_connection_id
        + frames.path_challenge
        + frames.path_response
        + frames.ping
        + frames.ack_frequency
        + frames.immediate_ack;
    let split = (frames.stream + frames.acks).saturating_sub(STREAMS * received);
    streams + limits + blocked + path + split
}

/// Who is kept out of which group, until when. Bounded: whose time ends first makes room.
#[derive(Debug, Default)]
pub(crate) struct Expelled {
    until: BTreeMap<(u32, PeerId), Instant>,
}

impl Expelled {
    pub(crate) fn add(&mut self, tag: u32, peer: PeerId, duration: Duration, now: Instant, most: usize) {
        self.until.insert((tag, peer), now + duration);
        if self.until.len() > most {
            let ends_first = self.until.iter().min_by_key(|(_, until)| **until).map(|(key, _)| *key);
            ends_first.map(|key| self.until.remove(&key));
        }
    }

    pub(crate) fn has(&mut self, tag: u32, peer: PeerId, now: Instant) -> bool {
        let is_out = self.until.get(&(tag, peer)).is_some_and(|until| *until > now);
        if !is_out {
            self.until.remove(&(tag, peer));
        }
        is_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_full_at_its_limit_and_free_again_when_read() {
        let share = Share::default();
        let places = share.take_many(7, 7).expect("as many as there are");
        assert!(share.take(7).is_none() && share.take_many(1, 7).is_none());
        drop(places);
        assert!(share.take_many(8, 7).is_none() && share.take(7).is_some());
    }

    #[test]
    fn what_is_neither_read_nor_an_answer_is_a_flood_in_its_second_second() {
        let mut meter = Meter::default();
        let mut seconds = |came: [u64; 3], sent: u64, delivered: u64| {
            let mut total = Meter { flooded: 0, ..meter };
            came.map(|came| {
                total.received += came;
                total.sent += sent;
                total.delivered += delivered;
                meter.note(total, 20_000)
            })
        };
        assert_eq!(seconds([2_000; 3], 0, 0), [false; 3], "as much as is borne");
        assert_eq!(seconds([2_001, 2_001, 0], 0, 0), [false, true, false]);
        assert_eq!(seconds([9_000; 3], 1_000, 6_000), [false; 3], "a stream, and acknowledgements");
        assert_eq!(seconds([20_000; 3], 0, 20_000), [false; 3]);
        assert_eq!(seconds([20_001, 20_001, 7], 0, 20_000), [false, true, false]);
        assert_eq!(seconds([20_001, 7, 20_001], 0, 20_000), [false; 3], "not in a row");
        // spec TR-62: bulk was read, or it would not have come.
        let mut meter = Meter::default();
        let mut bulk = |count: u64| {
            let total = Meter { flooded: 0, received: meter.received + 90_000, ..meter };
            let total = Meter { bulk: total.bulk + count, delivered: total.delivered + 90_000, ..total };
            meter.note(total, 20_000)
        };
        assert_eq!([bulk(70_000), bulk(70_000), bulk(69_999), bulk(69_999)], [false, false, false, true]);
    }

    #[test]
    fn frames_that_bring_nothing_are_a_flood_in_whatever_packets_they_come() {
        let mut stats = ConnectionStats::default();
        let (mut meter, mut unknown) = (Meter::default(), 0);
        let mut second = |resets: u64, streams: u64, strays: u64| {
            stats.udp_rx.datagrams += 100;
            stats.frame_rx.reset_stream += resets;
            stats.frame_rx.stream += streams;
            unknown += strays;
            meter.is_flooded(&stats, (stats.udp_rx.datagrams, 0, unknown), 20_000)
        };
        assert_eq!([second(2_000, 0, 0), second(2_000, 800, 0)], [false; 2], "as much as is borne");
        assert_eq!([second(2_001, 0, 0), second(2_001, 0, 0), second(0, 0, 0)], [false, true, false]);
        assert_eq!([second(0, 0, 2_001), second(0, 0, 2_001), second(0, 0, 0)], [false, true, false]);
        assert_eq!([second(0, 9_000, 0), second(0, 9_000, 0)], [false, true], "parts of streams");
    }

    #[test]
    fn at_the_limit_all_are_out_and_over_it_whose_time_ends_first_is_not() {
        let (mut expelled, now) = (Expelled::default(), Instant::now());
        let peer = |seed| PeerId::from_bytes([seed; 32]);
        for (seed, seconds) in [(3, 50), (7, 40), (50, 60)] {
            expelled.add(1, peer(seed), Duration::from_secs(seconds), now, 3);
        }
        assert!([3, 7, 50].iter().all(|seed| expelled.has(1, peer(*seed), now)));
        assert!(!expelled.has(2, peer(3), now), "another group");
        expelled.add(1, peer(70), Duration::from_secs(70), now, 3);
        assert_eq!([3, 7, 50, 70].map(|seed| expelled.has(1, peer(seed), now)), [true, false, true, true]);
        assert!(!expelled.has(1, peer(3), now + Duration::from_secs(50)), "its time is over");
    }
}
