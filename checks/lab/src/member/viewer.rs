use std::collections::BTreeMap;
use std::time::Duration;

use stratus::{Group, Play, Playback, Played, StreamMessage};
use tokio::io::{BufReader, Lines, Stdin};

use super::{Orders, PATIENCE, STREAM, Said, Viewed, dismissed, enter, leave, say};
use crate::stamp;
use crate::trouble::Trouble;

/// Joins, plays to the end, and says what came. It goes on serving others until it is dismissed.
pub(super) async fn run(orders: &Orders, lines: &mut Lines<BufReader<Stdin>>) -> Result<(), Trouble> {
    let (connection, group) = enter(orders).await?;
    let mut playback = group.play(STREAM, Play::default()).await.map_err(Trouble::of("cannot play"))?;
    group.joined(PATIENCE).await.map_err(Trouble::of("found nobody"))?;
    say(&Said::Ready { at: crate::since_boot() })?;
    let mut log = Log::default();
    let has_ended = tokio::select! {
        () = play(&mut playback, &mut log) => true,
        // Asked before the end: whatever is the matter, it says what came so far.
        line = lines.next_line() => matches!(line, Ok(Some(_))),
    };
    if has_ended {
        let viewed = report(log.finish(orders.messages), &group).await?;
        say(&Said::Viewed(Box::new(viewed)))?;
    }
    dismissed(lines).await;
    drop(playback);
    leave(connection).await;
    Ok(())
}

async fn play(playback: &mut Playback, log: &mut Log) {
    while let Some(played) = playback.next().await {
        match played {
            Played::Start { is_reset, .. } => log.start(is_reset),
            Played::Message(message) => log.take(&message),
            Played::Gap { .. } => log.viewed.gaps += 1,
            Played::Lagged { missed } => log.viewed.missing += missed,
            Played::Idle => log.viewed.idles += 1,
            // The numbers of the messages tell what is missing.
            Played::Withheld { .. } => {}
            Played::Equivocated => log.viewed.altered += 1,
        }
    }
    log.viewed.has_ended = true;
}

async fn report(mut viewed: Viewed, group: &Group) -> Result<Viewed, Trouble> {
    let info = group.info().await.map_err(Trouble::of("the group was left"))?;
    viewed.neighbors = info.neighbor_count();
    if let Some(stream) = info.stream(STREAM) {
        let counters = stream.counters;
        viewed.received_bytes = counters.received_bytes();
        viewed.duplicate_bytes = counters.duplicates.bytes;
        viewed.pulled_bytes = counters.requested_from_peers.bytes;
        viewed.sent_bytes = counters.sent_bytes();
        (viewed.requests, viewed.refusals) = (counters.pulls_sent, counters.refusals_sent);
        (viewed.reparented, viewed.quickened) = (counters.reparented, counters.quickened);
    }
    viewed.wire_sent_bytes = info.wire.sent_bytes;
    viewed.wire_received_bytes = info.wire.received_bytes;
    let drops = info.wire.drops;
    viewed.dropped = info.wire.unread_datagrams + drops.expired + drops.full + drops.too_long;
    Ok(viewed)
}

/// What came so far.
#[derive(Default)]
struct Log {
    viewed: Viewed,
    delays_ms: BTreeMap<u64, u64>,
    /// The number that should come next.
    next: u64,
    last_at: Option<Duration>,
    awaits_first: bool,
}

impl Log {
    /// A stream begins; one that another takes over from is not counted to its end.
    fn start(&mut self, is_reset: bool) {
        (self.next, self.awaits_first) = (0, is_reset);
    }

    fn take(&mut self, message: &StreamMessage) {
        let now = crate::since_boot();
        if std::mem::take(&mut self.awaits_first) {
            self.viewed.resets.push(now);
        }
        if let Some(last) = self.last_at.replace(now) {
            self.viewed.longest_pause = self.viewed.longest_pause.max(now - last);
        }
        let Some((number, sent_at)) = stamp::read(&message.payload()) else {
            self.viewed.altered += 1;
            return;
        };
        self.viewed.messages += 1;
        if number < self.next {
            self.viewed.disordered += 1;
            return;
        }
        self.viewed.missing += number - self.next;
        self.next = number + 1;
        let delay = now.saturating_sub(sent_at).as_millis() as u64;
        *self.delays_ms.entry(delay).or_default() += 1;
    }

    fn finish(mut self, expected: u64) -> Viewed {
        self.viewed.missing += expected.saturating_sub(self.next);
        self.viewed.delays_ms = self.delays_ms.into_iter().collect();
        self.viewed
    }
}
