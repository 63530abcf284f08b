//! How a stream goes: a line that is written anew each second, and figures for programs.

use std::time::Duration;

use serde_json::{Value, json};
use stratus::{Group, GroupInfo, MulticastInfo, StreamInfo};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::console::Console;

/// How often the figures are looked at; rates are over so long.
const PERIOD: Duration = Duration::from_secs(1);
/// How often a line goes where no line can be written anew.
const LINE_PERIOD: u64 = 10;
/// How often programs get figures.
const EVENT_PERIOD: u64 = 5;

/// Which end of a stream is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Where it is made.
    Publisher,
    /// Where it is played.
    Viewer,
}

/// What went in or came out at this end so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Payload bytes.
    pub(crate) bytes: u64,
    /// Packets that were lost before the publisher had them.
    pub(crate) lost_packets: u64,
    /// Messages that the output was too slow for.
    pub(crate) dropped_messages: u64,
}

/// Shows and tells how the stream goes, until it is dropped.
pub(crate) async fn watch(group: &Group, stream: &str, end: End, work: impl Fn() -> Work, console: Console) {
    let _shown = Shown(console);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<(Instant, Figures)> = None;
    for count in 0_u64.. {
        let now = ticks.tick().await;
        // A group that is closed has no figures; whoever else waits for it ends.
        let Ok(info) = group.info().await else { return std::future::pending().await };
        let mut figures = Figures::of(&info, stream, end, work());
        if let Some((at, before)) = before {
            figures.rate(&before, now - at);
            tell(&figures, count, console);
        }
        before = Some((now, figures));
    }
}

/// Takes the line away when the stream is over, however that came.
struct Shown(Console);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.end_status();
    }
}

fn tell(figures: &Figures, count: u64, console: Console) {
    if console.has_status() {
        console.status(&figures.line());
    } else if count.is_multiple_of(LINE_PERIOD) {
        console.detail(figures.line());
    }
    if count.is_multiple_of(EVENT_PERIOD) {
        console.event("stats", figures.fields());
    }
}

/// The figures of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    end: End,
    work: Work,
    members: u64,
    neighbors: usize,
    window_bytes: usize,
    missing_runs: usize,
    /// Slices that are pushed to us, and those of them by other viewers.
    slices: (usize, usize),
    counters: MulticastInfo,
    upload_bytes: u64,
    bits_per_second: u64,
    upload_bits_per_second: u64,
}

impl Figures {
    /// What `info` says of the stream; zeros while it is not known.
    pub(crate) fn of(info: &GroupInfo, stream: &str, end: End, work: Work) -> Self {
        let known: Option<&StreamInfo> = info.stream(stream);
        Self {
            end,
            work,
            members: info.estimated_member_count,
            neighbors: info.neighbor_count(),
            window_bytes: known.map_or(0, |stream| stream.window_bytes),
            missing_runs: known.map_or(0, |stream| stream.holes),
            slices: known.map_or((0, 0), |stream| {
                let pushed = stream.slices_with_parent;
                (pushed, pushed.saturating_sub(stream.slices_from_publisher))
            }),
            counters: known.map(|stream| stream.counters).unwrap_or_default(),
            upload_bytes: info.wire.sent_bytes,
            bits_per_second: 0,
            upload_bits_per_second: 0,
        }
    }

    /// What changed since `before`, a while ago.
    fn rate(&mut self, before: &Self, elapsed: Duration) {
        let per_second = |now: u64, then: u64| {
            (now.saturating_sub(then) as f64 * 8.0 / elapsed.as_secs_f64().max(0.001)) as u64
        };
        self.bits_per_second = per_second(self.work.bytes, before.work.bytes);
        self.upload_bits_per_second = per_second(self.upload_bytes, before.upload_bytes);
    }

    /// Seconds of the stream in the window, at the present rate.
    fn window_seconds(&self) -> f64 {
        if self.bits_per_second == 0 {
            0.0
        } else {
            self.window_bytes as f64 * 8.0 / self.bits_per_second as f64
        }
    }

    /// How often each byte was sent from here.
    pub(crate) fn copies(&self) -> f64 {
        self.counters.sent_bytes() as f64 / self.work.bytes.max(1) as f64
    }

    /// How much of the stream other viewers push to us; the rest comes from the publisher itself.
    fn viewer_share(&self) -> f64 {
        let (pushed, by_viewers) = self.slices;
        by_viewers as f64 / pushed.max(1) as f64
    }

    fn repairs(&self) -> u64 {
        match self.end {
            End::Publisher => self.counters.requested_by_peers.fragments,
            End::Viewer => self.counters.requested_from_peers.fragments,
        }
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let Self { members, neighbors, .. } = self;
        let rate = mbits(self.bits_per_second);
        let upload = mbits(self.upload_bits_per_second);
        let window = self.window_seconds();
        let (repairs, own) = (self.repairs(), self.own_part());
        format!(
            "members {members}, neighbors {neighbors}, {rate} Mbit/s, window {window:.1} s, up {upload} Mbit/s, \
             repairs {repairs}, {own}"
        )
    }

    fn own_part(&self) -> String {
        match (self.end, self.work) {
            (End::Publisher, Work { lost_packets: 0, .. }) => format!("sent {:.2} times", self.copies()),
            (End::Publisher, Work { lost_packets, .. }) => {
                format!("sent {:.2} times, {lost_packets} packets missing in the input", self.copies())
            }
            (End::Viewer, Work { dropped_messages, .. }) => {
                let (share, missing) = (self.viewer_share() * 100.0, self.counters.fragments_given_up);
                let dropped = match dropped_messages {
                    0 => String::new(),
                    count => format!(", {count} messages dropped by a slow output"),
                };
                format!("from viewers {share:.0} %, missing {missing}{dropped}")
            }
        }
    }

    /// The same and more, for programs.
    pub(crate) fn fields(&self) -> Value {
        let counters = &self.counters;
        json!({
            "members": self.members,
            "neighbors": self.neighbors,
            "bits_per_second": self.bits_per_second,
            "upload_bits_per_second": self.upload_bits_per_second,
            "window_bytes": self.window_bytes,
            "window_seconds": (self.window_seconds() * 10.0).round() / 10.0,
            "missing_runs": self.missing_runs,
            "viewer_share": (self.viewer_share() * 1_000.0).round() / 1_000.0,
            "bytes": self.work.bytes,
            "sent_bytes": counters.sent_bytes(),
            "received_bytes": counters.received_bytes(),
            "repaired_fragments": counters.requested_from_peers.fragments,
            "repairs_served_fragments": counters.requested_by_peers.fragments,
            "duplicate_fragments": counters.duplicates.fragments,
            "missing_fragments": counters.fragments_given_up,
            "dropped_messages": self.work.dropped_messages,
            "input_lost_packets": self.work.lost_packets,
        })
    }
}

/// With one decimal; people compare such numbers, they do not calculate with them.
fn mbits(bits_per_second: u64) -> String {
    format!("{:.1}", bits_per_second as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(end: End, bytes: u64) -> Figures {
        let mut counters = MulticastInfo::default();
        (counters.pushed_to_peers.bytes, counters.requested_from_peers.fragments) = (3_000_000, 7);
        Figures {
            end,
            work: Work { bytes, ..Work::default() },
            members: 12,
            neighbors: 5,
            window_bytes: 2_000_000,
            missing_runs: 3,
            slices: (8, 6),
            counters,
            upload_bytes: bytes / 2,
            bits_per_second: 0,
            upload_bits_per_second: 0,
        }
    }

    #[test]
    fn rates_are_over_the_time_that_passed() {
        let (before, mut now) = (figures(End::Viewer, 1_000_000), figures(End::Viewer, 2_000_000));
        now.rate(&before, Duration::from_secs(2));
        assert_eq!(
            now.line(),
            "members 12, neighbors 5, 4.0 Mbit/s, window 4.0 s, up 2.0 Mbit/s, repairs 7, from viewers 75 %, missing 0"
        );
    }

    #[test]
    fn a_publisher_sees_how_often_it_sends_and_what_it_never_got() {
        let mut figures = figures(End::Publisher, 2_000_000);
        assert!(figures.line().ends_with("window 0.0 s, up 0.0 Mbit/s, repairs 0, sent 1.50 times"));
        figures.work.lost_packets = 9;
        assert!(figures.line().ends_with(", sent 1.50 times, 9 packets missing in the input"));
        assert_eq!(figures.fields()["input_lost_packets"], 9);
    }

    #[test]
    fn a_slow_output_is_seen() {
        let mut figures = figures(End::Viewer, 0);
        figures.work.dropped_messages = 30;
        assert!(
            figures.line().ends_with("from viewers 75 %, missing 0, 30 messages dropped by a slow output")
        );
    }
}
