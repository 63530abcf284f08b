//! Floods below our own messages: frames of QUIC that the library would never send.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stratus_core::Identity;
use stratus_groupspec::Groupspec;
use stratus_transport::testing::{RawFrames, RudeMember};

/// UDP payload of a packet.
const PACKET: f64 = 1_200.0;
/// Between two rounds.
const TICK: Duration = Duration::from_millis(2);

/// What every packet is full of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rudeness {
    /// The four streams that it may open are given up, again and again.
    Resets,
    /// They are opened and ended, again and again.
    Opens,
    /// It would open more if it could.
    Blocked,
    /// Every second byte of them, so that nothing can be put together.
    Gaps,
    /// Every second byte of a handshake that is over.
    Handshakes,
    /// Questions that ask for an answer along the path.
    Challenges,
    /// New names for the connection, each of which retires those before it.
    Names,
    /// Nothing.
    Pings,
}

impl Rudeness {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Resets,
        Self::Opens,
        Self::Blocked,
        Self::Gaps,
        Self::Handshakes,
        Self::Challenges,
        Self::Names,
        Self::Pings,
    ];

    /// The frame with this number.
    fn frame(self, number: u64) -> RawFrames {
        let stream = 2 + 4 * (number % 4);
        match self {
            Self::Resets => RawFrames::reset_stream(stream),
            Self::Opens if (number / 4).is_multiple_of(2) => RawFrames::stream(stream, 0, b""),
            Self::Opens => RawFrames::reset_stream(stream),
            Self::Blocked => RawFrames::streams_blocked(4),
            Self::Gaps => RawFrames::stream(stream, number / 4 * 2 % (256 << 10), b"7"),
            Self::Handshakes => RawFrames::crypto(1 + number * 2 % (16 << 10), b"7"),
            Self::Challenges => RawFrames::path_challenge(number),
            Self::Names => RawFrames::new_connection_id(8 + number, 8 + number),
            Self::Pings => RawFrames::ping(),
        }
    }
}

/// How a bombardment went.
#[derive(Clone, Debug)]
pub struct Bombardment {
    /// Packets sent.
    pub packets: u64,
    /// Frames sent.
    pub frames: u64,
    /// How long it was borne; `None`: it still was at the end.
    pub borne: Option<Duration>,
    /// Why it ended.
    pub ending: String,
    /// Whether it may come back under the same key.
    pub is_let_in_again: bool,
}

/// Enters the group at `to` as `identity` and sends 100 Mbit/s of frames until it is cut off, `most` at the longest.
pub async fn bombard(
    spec: &Groupspec,
    identity: &Identity,
    to: SocketAddr,
    what: Rudeness,
    most: Duration,
) -> Bombardment {
    assert!(to.ip().is_loopback(), "loopback only");
    let keys = spec.keys();
    let member = RudeMember::enter(identity, &keys, to).await.expect("a member like any other");
    let (begin, mut packets, mut frames) = (Instant::now(), 0, 0);
    let mut borne = None;
    while borne.is_none() && begin.elapsed() < most {
        let due = (begin.elapsed().as_secs_f64() * 12_500_000.0 / PACKET) as u64;
        // What a slow machine could not send is not made up for later.
        packets = packets.max(due.saturating_sub(64));
        while packets < due && borne.is_none() {
            let full = RawFrames::full_of(|_| {
                frames += 1;
                what.frame(frames)
            });
            packets += 1;
            borne = (!member.send_frames(&full).await).then(|| begin.elapsed());
        }
        tokio::time::sleep(TICK).await;
        borne = borne.or_else(|| member.ended().is_some().then(|| begin.elapsed()));
    }
    let ending = member.ended().unwrap_or_default();
    drop(member);
    let is_let_in_again = RudeMember::enter(identity, &keys, to).await.is_some();
    Bombardment { packets, frames, borne, ending, is_let_in_again }
}
