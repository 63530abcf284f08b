//! How a share or a fetch goes: a line that is written anew each second, figures for programs, and what went wrong.

use std::time::Duration;

use serde_json::json;
use stratus::{Group, ObjectsError};
use stratus_sharing::{Ended, Progress};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::console::Console;
use crate::stop::{Code, Failure};

/// How often the figures are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// How often a line goes where no line can be written anew.
const LINE_PERIOD: u64 = 10;
/// Signs of a bar.
const BAR: usize = 20;

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It has everything.
    Giving,
    /// It wants everything.
    Taking,
}

/// Shows and tells how it goes, until it is dropped.
pub(crate) async fn watch(group: &Group, progress: watch::Receiver<Progress>, side: Side, console: Console) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = (Instant::now(), 0);
    for count in 0_u64.. {
        let now = ticks.tick().await;
        let progress = progress.borrow().clone();
        let moved = match side {
            Side::Giving => progress.given_bytes,
            Side::Taking => progress.fetched_bytes,
        };
        let elapsed = (now - before.0).as_secs_f64().max(0.001);
        let rate = ((moved - before.1.min(moved)) as f64 / elapsed) as u64;
        before = (now, moved);
        let peers = group.neighbor_count();
        let line = line(&progress, side, rate, peers);
        if console.has_status() {
            console.status(&line);
        } else if count % LINE_PERIOD == LINE_PERIOD - 1 {
            console.detail(&line);
        }
        console.event(
            "stats",
            json!({ "total_bytes": progress.total_bytes, "held_bytes": progress.held_bytes,
                "fetched_bytes": progress.fetched_bytes, "given_bytes": progress.given_bytes,
                "bytes_per_second": rate, "peers": peers, "rejected_objects": progress.rejected }),
        );
    }
}

fn line(progress: &Progress, side: Side, rate: u64, peers: usize) -> String {
    let Progress { name, total_bytes, held_bytes, given_bytes, .. } = progress;
    let name = name.as_deref().unwrap_or("what it is");
    let rate_text = format!("{}/s", size(rate));
    if side == Side::Giving {
        return format!("giving {name}: {} in all · {rate_text} · {peers} peers", size(*given_bytes));
    }
    if *total_bytes == 0 {
        return format!("asking {name} · {peers} peers");
    }
    let share = (held_bytes * 100 / total_bytes).min(100);
    let full = share as usize * BAR / 100;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let left = total_bytes.saturating_sub(*held_bytes);
    let rest =
        left.checked_div(rate).map_or_else(|| "waiting".to_owned(), |seconds| format!("{seconds} s left"));
    format!(
        "{name} {bar} {share} % · {} of {} · {rate_text} · {peers} peers · {rest}",
        size(*held_bytes),
        size(*total_bytes)
    )
}

/// Bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let unit = ((u64::BITS - 1 - bytes.leading_zeros()) / 10).min(4);
    format!("{:.1} {}", bytes as f64 / 2_f64.powi(10 * unit as i32), UNITS[unit as usize - 1])
}

/// Why objects cannot be had, for people.
pub(crate) fn of_objects(error: &ObjectsError) -> Failure {
    match error {
        ObjectsError::ReplicationDisabled => Failure::new(Code::Refused, "this group replicates no objects")
            .tried("its groupspec does not have object replication enabled")
            .hint("use the groupspec that stratus share printed"),
        ObjectsError::Closed(_) => Failure::new(Code::Failed, "the group was closed"),
    }
}

/// Why it ended before its end.
pub(crate) fn of_end(ended: Ended) -> Failure {
    match ended {
        Ended::Closed => Failure::new(Code::Failed, "the group was closed"),
        Ended::Lies(error) => Failure::new(Code::Refused, "the set cannot be trusted")
            .tried(error.to_string())
            .hint("whoever made it made it so; nothing of it was written"),
        Ended::Store(error) => Failure::new(Code::Failed, "cannot keep what came").tried(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let sizes = [0, 1_023, 1_024, 1_536, 5 << 20, 3 << 30, 7 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 GiB", "7.0 TiB"]);
    }

    #[test]
    fn a_fetch_shows_share_rate_peers_and_time_left() {
        let progress = Progress {
            name: Some("film".to_owned()),
            total_bytes: 100 << 20,
            held_bytes: 25 << 20,
            ..Progress::default()
        };
        assert_eq!(
            line(&progress, Side::Taking, 5 << 20, 7),
            "film █████░░░░░░░░░░░░░░░ 25 % · 25.0 MiB of 100.0 MiB · 5.0 MiB/s · 7 peers · 15 s left"
        );
    }
}
