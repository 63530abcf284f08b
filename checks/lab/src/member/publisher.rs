use std::time::Duration;

use stratus::{Group, Kind, MulticastConfig, Parameters, Piece, PieceFlags, Publication, Publish};
use tokio::io::{BufReader, Lines, Stdin};
use tokio::time::{Instant, sleep, sleep_until};

use super::{MESSAGE_BYTES, Orders, PATIENCE, Published, STREAM, Said, dismissed, enter, leave, say};
use crate::stamp;
use crate::trouble::Trouble;

/// How long a stream is announced before its first byte, as the `stratus` command does.
const ANNOUNCE_TIME: Duration = Duration::from_millis(300);
/// A message that was written so much behind its time was held up.
const LATE: Duration = Duration::from_millis(20);

/// Joins, waits for the word, and sends the stream at its rate.
pub(super) async fn run(orders: &Orders, lines: &mut Lines<BufReader<Stdin>>) -> Result<(), Trouble> {
    let (connection, group) = enter(orders).await?;
    group.joined(PATIENCE).await.map_err(Trouble::of("found nobody"))?;
    say(&Said::Ready { at: crate::since_boot() })?;
    let word = lines.next_line().await.map_err(Trouble::of("cannot read the word to go"))?;
    if word.is_some() {
        let published = publish(&group, orders).await?;
        say(&Said::Published(published))?;
        dismissed(lines).await;
    }
    leave(connection).await;
    Ok(())
}

async fn publish(group: &Group, orders: &Orders) -> Result<Published, Trouble> {
    // Who knows the rate says it: a limited publisher promises two copies while it does not.
    let parameters =
        Parameters { expected_rate: orders.rate, ..Parameters::from(&MulticastConfig::default()) };
    let publish = Publish { parameters: Some(parameters), ..Publish::default() };
    let publication = group.publish(STREAM, publish).await;
    let mut publication = publication.map_err(Trouble::of("cannot publish"))?;
    sleep(ANNOUNCE_TIME).await;
    let late = write_all(&mut publication, orders).await?;
    let is_drained = publication.end().await.map_err(Trouble::of("the group was left"))?;
    let info = group.info().await.map_err(Trouble::of("the group was left"))?;
    let sent_bytes = info.stream(STREAM).map_or(0, |stream| stream.counters.sent_bytes());
    let wire_bytes = info.wire.sent_bytes;
    Ok(Published { messages: orders.messages, is_drained, sent_bytes, wire_bytes, late })
}

/// Returns how many messages were late.
async fn write_all(publication: &mut Publication, orders: &Orders) -> Result<u64, Trouble> {
    let began = Instant::now();
    // A newcomer may start once a second.
    let key_every = (orders.rate / MESSAGE_BYTES as u64).max(1);
    let mut late = 0;
    for number in 0..orders.messages {
        let micros = number * MESSAGE_BYTES as u64 * 1_000_000 / orders.rate;
        let due = began + Duration::from_micros(micros);
        sleep_until(due).await;
        late += u64::from(due.elapsed() > LATE);
        if number == 0 {
            say(&Said::Publishing { at: crate::since_boot() })?;
        }
        let payload = stamp::stamped(number, crate::since_boot(), MESSAGE_BYTES);
        let is_key = number.is_multiple_of(key_every);
        let flags = PieceFlags { is_start: true, is_end: true, is_key, kind: Kind::Video };
        let written = publication.write(Piece { payload, flags, flush: false }).await;
        written.map_err(Trouble::of("cannot write"))?;
    }
    Ok(late)
}
